//! How many tokens are computed together, from what they take in memory.

use std::sync::LazyLock;

use crate::Precision;
use crate::kernel::{lane_width, padded};

/// Tokens of a batch on one core of a CPU, at most: larger ones leave its caches.
pub(crate) const CPU_TOKENS: usize = 2048;

/// Tokens of a batch on a GPU, at most: more do not make it faster.
pub(crate) const GPU_TOKENS: usize = 50_000;

/// Rows of a tile of attention scores, at most.
const TILE_ROWS: usize = 12;

const F32: usize = size_of::<f32>();

/// What of a transformer decides how much memory a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Numbers per token between the layers.
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
    /// Outputs of the first product of a feed-forward block, and inputs of the second.
    pub(crate) up: usize,
    pub(crate) down: usize,
    pub(crate) norm_first: bool,
    /// Whether a number per pair of positions is added to the scores.
    pub(crate) biased: bool,
    pub(crate) precision: Precision,
}

impl Shape {
    const fn inner(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Rows that go through a pass together on a CPU: as many as leave room in a second-level
    /// cache of half a megabyte, in whole tiles of every instruction set.
    pub(crate) fn rows_at_once(&self) -> usize {
        (128 * 1024 / self.up.max(self.width) / 12 * 12).clamp(24, 192)
    }

    /// Bytes of one thread's buffers on a CPU for a batch of `tokens`, whose longest window has
    /// `longest`.
    pub(crate) fn cpu_bytes(&self, tokens: usize, longest: usize) -> usize {
        let lines = |numbers: usize| numbers.div_ceil(16) * 64;
        let (width, inner, dim) = (self.width, self.inner(), self.head_dim);
        let rows = self.rows_at_once().min(tokens);
        // Hidden states; queries, keys and values; what attention gives.
        let all = tokens * (width + 3 * inner + inner) * F32;
        // Normed rows and the inner ones of the feed-forward block.
        let pass = rows * (if self.norm_first { width } else { 0 } + self.up) * F32;
        // Queries, keys and values of one head, and a tile of scores.
        let (keys, values) = (padded(longest, lane_width()), padded(dim, lane_width()));
        let attention = lines(longest * dim)
            + lines(keys * dim)
            + lines(values * longest)
            + lines(TILE_ROWS * keys);
        let words = |in_word: usize| width.max(inner).max(self.down).div_ceil(in_word);
        // Rounded rows and their scales.
        let rounded = match self.precision {
            Precision::F32 => 0,
            Precision::Bf16 => lines(rows * words(2)) + rows * F32,
            Precision::Int8 => lines(rows * words(4)) + rows * F32,
        };
        all + pass + attention + rounded
    }

    /// Bytes of the tensors that exist at once on a device for a batch of sequences of `longest`
    /// tokens each, padding counted; in attention or in the feed-forward block, whichever has
    /// more.
    pub(crate) fn device_bytes(&self, sequences: usize, longest: usize) -> usize {
        let narrow = match self.precision {
            Precision::F32 => F32,
            Precision::Bf16 | Precision::Int8 => 2,
        };
        let (width, inner) = (self.width, self.inner());
        // The residual stream, normed and rounded.
        let stream = width * (2 * F32 + narrow);
        // Queries, keys and values as one tensor, apart, and one of them on its way in f32.
        let qkv = inner * (6 * narrow + 2 * F32);
        // Scores as they come, in single precision, and with the bias or the softmax of them.
        let scores = self.heads * longest * (narrow + 2 * F32);
        let bias = if self.biased {
            self.heads * longest * F32
        } else {
            0
        };
        // The first product, its activation, and of a gated one both halves and their product.
        let gated = self.up != self.down;
        let feed = narrow * (self.up + self.down * if gated { 4 } else { 1 });
        let token = stream + bias + (qkv + scores).max(feed);
        sequences * longest * token
    }

    /// Tokens of a batch of one of `threads` threads, whose buffers share `budget` bytes.
    ///
    /// # Errors
    /// The buffers for one window of `longest` tokens would be larger: how many bytes all threads
    /// need for that.
    pub(crate) fn plan_cpu(
        &self,
        budget: usize,
        longest: usize,
        threads: usize,
    ) -> Result<usize, usize> {
        let fits = |tokens| self.cpu_bytes(tokens, longest).saturating_mul(threads) <= budget;
        if !fits(longest) {
            return Err(self.cpu_bytes(longest, longest).saturating_mul(threads));
        }
        // More tokens never take less: halve until the last that fits is found.
        let (mut most, mut over) = (longest, CPU_TOKENS.max(longest) + 1);
        while over - most > 1 {
            let middle = most.midpoint(over);
            if fits(middle) {
                most = middle;
            } else {
                over = middle;
            }
        }
        Ok(most)
    }

    /// Tokens of a batch on a device with `budget` bytes free, by its longest window; padding
    /// counts.
    ///
    /// # Errors
    /// One window would take more: how many bytes.
    pub(crate) fn plan_device(&self, budget: usize, longest: usize) -> Result<usize, usize> {
        let one = self.device_bytes(1, longest);
        if one > budget {
            return Err(one);
        }
        let sequences = (budget / one.max(1)).min(GPU_TOKENS / longest.max(1));
        Ok(sequences.max(1) * longest)
    }
}

static HOST: LazyLock<usize> = LazyLock::new(|| {
    // A quarter of the machine: models, tables and their caches want the rest.
    std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total(&text))
        .map_or(usize::MAX, |bytes| bytes / 4)
});

/// Bytes that the buffers of one model may take on this machine; no limit where its memory is not
/// known.
pub(crate) fn host_budget() -> usize {
    *HOST
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ESM-2 650M.
    const SHAPE: Shape = Shape {
        width: 1280,
        heads: 20,
        head_dim: 64,
        up: 5120,
        down: 5120,
        norm_first: true,
        biased: false,
        precision: Precision::F32,
    };

    #[test]
    fn a_cpu_takes_what_its_caches_hold_and_no_more_than_the_budget() {
        assert_eq!(SHAPE.plan_cpu(usize::MAX, 100, 8), Ok(CPU_TOKENS));
        // One window that is longer than a batch is a batch.
        assert_eq!(SHAPE.plan_cpu(usize::MAX, 4000, 8), Ok(4000));
        for budget in [40 << 20, 100 << 20, 200 << 20] {
            for threads in [1, 2, 3] {
                let tokens = SHAPE.plan_cpu(budget, 100, threads).unwrap();
                assert!(threads * SHAPE.cpu_bytes(tokens, 100) <= budget);
                assert!(
                    tokens == CPU_TOKENS || threads * SHAPE.cpu_bytes(tokens + 1, 100) > budget
                );
            }
        }
        let needed = SHAPE.plan_cpu(10 << 20, 1024, 4).unwrap_err();
        assert_eq!(needed, 4 * SHAPE.cpu_bytes(1024, 1024));
        assert_eq!(SHAPE.plan_cpu(needed, 1024, 4), Ok(1024));
    }

    #[test]
    fn a_device_holds_the_scores_of_its_sequences() {
        let one = SHAPE.device_bytes(1, 1024);
        // 20 heads of 1,024 x 1,024 scores, three times in single precision.
        assert!(one > 3 * 20 * 1024 * 1024 * 4);
        assert_eq!(SHAPE.plan_device(usize::MAX, 1000), Ok(GPU_TOKENS));
        assert_eq!(SHAPE.plan_device(3 * one, 1024), Ok(3 * 1024));
        assert_eq!(SHAPE.plan_device(one - 1, 1024), Err(one));
        // Short sequences have few scores: more tokens fit.
        assert!(SHAPE.plan_device(3 * one, 64).unwrap() > 3 * 1024);
        let half = Shape {
            precision: Precision::Bf16,
            ..SHAPE
        };
        assert!(half.device_bytes(1, 1024) < one);
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        assert_eq!(
            total("MemFree: 1 kB\nMemTotal:       2048 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(total("MemTotal: many\n"), None);
        assert!(host_budget() > 0);
    }
}
