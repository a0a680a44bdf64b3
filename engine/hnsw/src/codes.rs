//! Vectors as bytes: what the walk compares.
//!
//! `x = centre + scale * (code - 128)`, with a centre per dimension and one scale for all, so that
//! Euclidean distances between codes are those between the vectors they stand for. A query is
//! rounded to signed bytes with a scale of its own. What the walk orders by is the distance less
//! the parts that are the same for every row: `bias(x) - weight * sum(code(x) * code(query))`.

use penstock_types::Metric;

use crate::memory::{Aligned, LINE};
use crate::simd::lanes::Lanes;

/// Code of the centre.
const MIDDLE: i32 = 128;

/// Rows that the scale is chosen on.
const SAMPLE: usize = 4_096;

/// Bytes of a row's codes: whole cache lines.
pub(crate) const fn stride(dim: usize) -> usize {
    dim.next_multiple_of(LINE)
}

/// Numbers of a row of the exact vectors: whole cache lines.
pub(crate) const fn vector_stride(dim: usize) -> usize {
    dim.next_multiple_of(LINE / 4)
}

/// The nearest whole number of -2^21..2^21; vectors of SSE2 have no other rounding.
#[inline(always)]
fn round(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: the sum's last bit is worth 1
    (x + SHIFT).to_bits() as i32 - SHIFT.to_bits() as i32
}

/// Scales a vector to length 1; `false` where it has no direction.
pub(crate) fn normalise(vector: &mut [f32]) -> bool {
    let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    if square == 0.0 {
        return false;
    }
    let factor = 1.0 / square.sqrt();
    for x in vector {
        *x = (f64::from(*x) * factor) as f32;
    }
    true
}

/// How vectors become codes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quantiser {
    pub(crate) inner_product: bool,
    pub(crate) centre: Vec<f32>,
    pub(crate) scale: f32,
}

impl Quantiser {
    /// Chooses the centre and the scale; `row` writes a row's vector.
    pub(crate) fn fit(
        metric: Metric,
        dim: usize,
        rows: usize,
        row: impl Fn(usize, &mut [f32]),
    ) -> Self {
        let count = rows.min(SAMPLE);
        let mut sample = vec![0.0_f32; count * dim];
        for (i, vector) in sample.chunks_exact_mut(dim).enumerate() {
            row((i as u128 * rows as u128 / count as u128) as usize, vector);
        }
        let mut sums = vec![0.0_f64; dim];
        for vector in sample.chunks_exact(dim) {
            for (sum, x) in sums.iter_mut().zip(vector) {
                *sum += f64::from(*x);
            }
        }
        let centre: Vec<f32> = sums
            .iter()
            .map(|sum| (sum / count.max(1) as f64) as f32)
            .collect();
        for vector in sample.chunks_exact_mut(dim) {
            for (x, centre) in vector.iter_mut().zip(&centre) {
                *x -= centre;
            }
        }
        let largest = sample.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        // A few far numbers may cost more when they are represented than when they are clipped:
        // take the scale with the least squared error.
        let mut best = (f64::INFINITY, 1.0_f32);
        for step in 0..14 {
            let scale = largest / 127.0 * 0.8_f32.powi(step);
            if scale < f32::MIN_POSITIVE {
                break;
            }
            let error: f64 = sample
                .iter()
                .map(|x| {
                    let code = round((x / scale).clamp(-128.0, 127.0));
                    let gap = f64::from(x - code as f32 * scale);
                    gap * gap
                })
                .sum();
            if error < best.0 {
                best = (error, scale);
            }
        }
        Self {
            inner_product: metric == Metric::Dot,
            centre,
            scale: best.1,
        }
    }

    /// Writes a row's codes and returns its bias.
    pub(crate) fn encode(&self, vector: &[f32], codes: &mut [u8]) -> f32 {
        let inverse = 1.0 / self.scale;
        let mut square = 0_i32;
        let mut along = 0.0_f32;
        for ((x, centre), code) in vector.iter().zip(&self.centre).zip(&mut *codes) {
            let step = round(((x - centre) * inverse).clamp(-128.0, 127.0));
            *code = (step + MIDDLE) as u8;
            square += step * step;
            along += *centre * step as f32;
        }
        // The padding counts as the centre; the query is 0 there.
        codes[vector.len()..].fill(MIDDLE as u8);
        let scale = f64::from(self.scale);
        if self.inner_product {
            (-f64::from(along) * scale) as f32
        } else {
            (f64::from(square) * scale * scale) as f32
        }
    }

    /// What a sum of products of codes weighs when both sides are rows.
    pub(crate) fn row_weight(&self) -> f32 {
        self.weight(self.scale)
    }

    fn weight(&self, query_scale: f32) -> f32 {
        let square = self.scale * query_scale;
        if self.inner_product {
            square
        } else {
            2.0 * square
        }
    }

    /// Rounds a query to `codes` (padded with zeros).
    pub(crate) fn probe<'a>(&self, query: &[f32], codes: &'a mut [i8]) -> Probe<'a> {
        let gaps = || query.iter().zip(&self.centre).map(|(x, centre)| x - centre);
        let largest = gaps().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
        let inverse = 1.0 / scale;
        let mut sum = 0;
        for (gap, code) in gaps().zip(&mut *codes) {
            let step = round((gap * inverse).clamp(-127.0, 127.0));
            *code = step as i8;
            sum += step;
        }
        codes[query.len()..].fill(0);
        Probe {
            codes,
            offset: -MIDDLE * sum,
            weight: self.weight(scale),
        }
    }
}

/// A rounded query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe<'a> {
    pub(crate) codes: &'a [i8],
    /// Makes of a sum over codes one over steps from the centre.
    pub(crate) offset: i32,
    pub(crate) weight: f32,
}

/// The codes of a row as a query's.
pub(crate) fn signed(row: &[u8], into: &mut [i8]) -> i32 {
    let mut sum = 0_i32;
    for (code, to) in row.iter().zip(into) {
        *to = (*code ^ 0x80) as i8;
        sum += i32::from(*to);
    }
    -MIDDLE * sum
}

/// The codes of many rows.
#[derive(Debug)]
pub(crate) struct Codes {
    pub(crate) stride: usize,
    pub(crate) codes: Aligned<u8>,
    pub(crate) bias: Aligned<f32>,
}

impl Codes {
    pub(crate) fn zeros(rows: usize, dim: usize) -> Self {
        Self {
            stride: stride(dim),
            codes: Aligned::zeros(rows * stride(dim)),
            bias: Aligned::zeros(rows),
        }
    }

    pub(crate) fn row(&self, vertex: usize) -> &[u8] {
        &self.codes[vertex * self.stride..][..self.stride]
    }

    /// Asks for a row's cache lines.
    #[inline(always)]
    pub(crate) fn prefetch(&self, vertex: u32) {
        let start = self
            .codes
            .as_ptr()
            .wrapping_add(vertex as usize * self.stride);
        // The hardware sees the run after a few lines.
        for line in 0..(self.stride / LINE).min(6) {
            crate::simd::prefetch(start.wrapping_add(line * LINE));
        }
        crate::simd::prefetch(self.bias.as_ptr().wrapping_add(vertex as usize));
    }

    /// What the walk orders by, of four vertices.
    ///
    /// # Safety
    /// As for [`Lanes`]; the vertices exist, and the probe has `stride` codes.
    #[inline(always)]
    pub(crate) unsafe fn keys<L: Lanes>(&self, probe: &Probe<'_>, four: [u32; 4]) -> [f32; 4] {
        debug_assert_eq!(probe.codes.len(), self.stride);
        // SAFETY: the caller's promise.
        unsafe {
            let start = self.codes.as_ptr();
            let mut rows = [start; 4];
            for (row, vertex) in rows.iter_mut().zip(four) {
                *row = start.add(vertex as usize * self.stride);
            }
            let sums = L::dots(probe.codes.as_ptr(), rows, self.stride);
            let mut keys = [0.0; 4];
            for i in 0..4 {
                let bias = *self.bias.get_unchecked(four[i] as usize);
                keys[i] = bias - probe.weight * (sums[i] + probe.offset) as f32;
            }
            keys
        }
    }
}
