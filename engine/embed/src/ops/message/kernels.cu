// Message passing on an NVIDIA GPU. A thread makes one number of the result (or one head's scores
// of one receiver), adding in the order of the receiver's row, so the result has one value. No
// thread writes where another does, and none waits for another.

// The number of the thread among all.
__device__ static inline unsigned long long number() {
    return (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ static inline float leaky(float x, float slope) { return x > 0.0f ? x : slope * x; }

// x [rows, width] to out [rows, width]. reduce: 0 sum, 1 mean, 2 largest.
extern "C" __global__ void gather(
    const float *x, const unsigned long long *offsets, const unsigned int *senders, float *out,
    const unsigned long long rows, const unsigned long long width, const unsigned int reduce,
    const unsigned int has_own, const float own) {
    const unsigned long long at = number();
    if (at >= rows * width) return;
    const unsigned long long row = at / width, k = at % width;
    const unsigned long long from = offsets[row], end = offsets[row + 1];
    float sum = 0.0f;
    for (unsigned long long edge = from; edge < end; edge++) {
        const float y = x[senders[edge] * width + k];
        sum = edge == from ? y : (reduce == 2 ? fmaxf(sum, y) : sum + y);
    }
    if (reduce == 1 && end > from) sum *= 1.0f / (float)(end - from);
    out[at] = has_own ? sum + own * x[at] : sum;
}

// parts [rows, 2 * heads], senders' first, to scores [edges, heads].
extern "C" __global__ void scores_of_parts(
    const float *parts, const unsigned long long *offsets, const unsigned int *senders,
    float *scores, const unsigned long long rows, const unsigned long long heads,
    const float slope) {
    const unsigned long long at = number();
    if (at >= rows * heads) return;
    const unsigned long long row = at / heads, h = at % heads;
    const float receiver = parts[2 * heads * row + heads + h];
    for (unsigned long long edge = offsets[row]; edge < offsets[row + 1]; edge++)
        scores[edge * heads + h] = leaky(parts[2 * heads * senders[edge] + h] + receiver, slope);
}

// values and receivers [rows, heads * channels], weights [heads * channels] to scores [edges, heads].
extern "C" __global__ void scores_of_pairs(
    const float *values, const float *receivers, const float *weights,
    const unsigned long long *offsets, const unsigned int *senders, float *scores,
    const unsigned long long rows, const unsigned long long heads,
    const unsigned long long channels, const float slope) {
    const unsigned long long at = number();
    if (at >= rows * heads) return;
    const unsigned long long row = at / heads, h = at % heads, width = heads * channels;
    for (unsigned long long edge = offsets[row]; edge < offsets[row + 1]; edge++) {
        float sum = 0.0f;
        for (unsigned long long c = h * channels; c < (h + 1) * channels; c++)
            sum += weights[c] *
                   leaky(values[senders[edge] * width + c] + receivers[row * width + c], slope);
        scores[edge * heads + h] = sum;
    }
}

// values [rows, heads * channels] and scores [edges, heads] to out [rows, outputs]; outputs is
// channels where heads are averaged, else heads * channels.
extern "C" __global__ void attend(
    const float *values, const float *scores, const unsigned long long *offsets,
    const unsigned int *senders, float *out, const unsigned long long rows,
    const unsigned long long heads, const unsigned long long channels,
    const unsigned int mean) {
    const unsigned long long width = heads * channels, outputs = mean ? channels : width;
    const unsigned long long at = number();
    if (at >= rows * outputs) return;
    const unsigned long long row = at / outputs, column = at % outputs;
    const unsigned long long from = offsets[row], end = offsets[row + 1];
    const unsigned long long first = mean ? 0 : column / channels, last = mean ? heads : first + 1;
    float result = 0.0f;
    for (unsigned long long h = first; h < last; h++) {
        const unsigned long long k = h * channels + column % channels;
        float largest = -3.402823466e38f;
        for (unsigned long long edge = from; edge < end; edge++)
            largest = fmaxf(largest, scores[edge * heads + h]);
        float whole = 0.0f, sum = 0.0f;
        for (unsigned long long edge = from; edge < end; edge++) {
            const float weight = expf(scores[edge * heads + h] - largest);
            whole += weight;
            sum += weight * values[senders[edge] * width + k];
        }
        result += sum / (whole + 1e-16f);
    }
    out[at] = mean ? result / (float)heads : result;
}
