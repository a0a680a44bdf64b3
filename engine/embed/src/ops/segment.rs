//! Reductions over runs of rows, as message passing over a graph in CSR order needs them.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{Candle, SHARED_OUT, numbers};

/// What becomes of the rows of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduce {
    /// Their sum; zero where there are none.
    Sum,
    /// Their mean; zero where there are none.
    Mean,
    /// The largest of each column; zero where there are none.
    Max,
}

/// `[rows, width]` to `[segments, width]`: segment `i` is the rows `offsets[i]..offsets[i + 1]`,
/// added in their order.
///
/// # Errors
/// The offsets fall, or go past the rows.
pub(crate) fn segment(values: &Tensor, offsets: &[usize], reduce: Reduce) -> Candle<Tensor> {
    values
        .contiguous()?
        .apply_op1_no_bwd(&Segments { offsets, reduce })
}

struct Segments<'a> {
    offsets: &'a [usize],
    reduce: Reduce,
}

impl CustomOp1 for Segments<'_> {
    fn name(&self) -> &'static str {
        "segment"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Candle<(CpuStorage, Shape)> {
        let from = numbers(storage, layout, self.name())?;
        let (rows, width) = layout.shape().dims2()?;
        let falls = self.offsets.windows(2).any(|pair| pair[0] > pair[1]);
        if falls || self.offsets.last().is_some_and(|last| *last > rows) {
            candle_core::bail!("the offsets of segments fall, or go past {rows} rows");
        }
        let segments = self.offsets.len().saturating_sub(1);
        let mut to = vec![0.0_f32; segments * width];
        let one = |(to, range): (&mut [f32], &[usize])| {
            let rows = &from[range[0] * width..range[1] * width];
            reduce(rows, to, self.reduce);
        };
        let ranges = self.offsets.windows(2);
        if width == 0 || rows * width < SHARED_OUT {
            to.chunks_mut(width.max(1)).zip(ranges).for_each(one);
        } else {
            to.par_chunks_mut(width)
                .zip(self.offsets.par_windows(2))
                .with_min_len(64)
                .for_each(one);
        }
        Ok((CpuStorage::F32(to), Shape::from((segments, width))))
    }
}

fn reduce(rows: &[f32], to: &mut [f32], how: Reduce) {
    let mut rows = rows.chunks_exact(to.len().max(1));
    let count = rows.len();
    let Some(first) = rows.next() else { return };
    to.copy_from_slice(first);
    for row in rows {
        for (to, x) in to.iter_mut().zip(row) {
            match how {
                Reduce::Sum | Reduce::Mean => *to += x,
                Reduce::Max => *to = to.max(*x),
            }
        }
    }
    if how == Reduce::Mean {
        let share = 1.0 / count as f32;
        to.iter_mut().for_each(|to| *to *= share);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn reduces_each_segment() {
        let values: [f32; 8] = [1.0, -1.0, 3.0, -5.0, 2.0, 0.5, 4.0, 4.0];
        let values = Tensor::from_slice(&values, (4, 2), &Device::Cpu).unwrap();
        for (how, expected) in [
            (Reduce::Sum, [4.0, -6.0, 0.0, 0.0, 6.0, 4.5]),
            (Reduce::Mean, [2.0, -3.0, 0.0, 0.0, 3.0, 2.25]),
            (Reduce::Max, [3.0, -1.0, 0.0, 0.0, 4.0, 4.0]),
        ] {
            let given = segment(&values, &[0, 2, 2, 4], how).unwrap();
            let given: Vec<f32> = given.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(given, expected, "{how:?}");
        }
        assert!(segment(&values, &[0, 5], Reduce::Sum).is_err());
        assert!(segment(&values, &[2, 1], Reduce::Sum).is_err());
    }
}
