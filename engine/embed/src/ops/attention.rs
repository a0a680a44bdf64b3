//! Attention of a few tokens with each other, without positions.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Shape, Tensor};

use super::{Candle, numbers};
use crate::kernel::{Attention, AttentionScratch};

/// `[tokens, 3 * heads * dim]`, queries, keys and values of each token, to
/// `[tokens, heads * dim]`. Scores are divided by the root of `dim`.
///
/// # Errors
/// A row is not three times `heads` parts.
pub(crate) fn attention(qkv: &Tensor, heads: usize) -> Candle<Tensor> {
    if qkv.device().is_cpu() {
        return qkv.contiguous()?.apply_op1_no_bwd(&Attend { heads });
    }
    plainly(qkv, heads)
}

fn head_dim(row: usize, heads: usize) -> Candle<usize> {
    if heads == 0 || !row.is_multiple_of(3 * heads) {
        candle_core::bail!("a row of {row} numbers is not the queries, keys and values of {heads}");
    }
    Ok(row / (3 * heads))
}

/// The same in the library's operations.
fn plainly(qkv: &Tensor, heads: usize) -> Candle<Tensor> {
    let (tokens, row) = qkv.dims2()?;
    let dim = head_dim(row, heads)?;
    let qkv = qkv
        .reshape((tokens, 3, heads, dim))?
        .permute((1, 2, 0, 3))?;
    let part = |index: usize| qkv.get(index)?.contiguous();
    let (queries, keys, values) = (part(0)?, part(1)?, part(2)?);
    let scores = (queries.matmul(&keys.transpose(1, 2)?.contiguous()?)? / (dim as f64).sqrt())?;
    let shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
    shares
        .matmul(&values)?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((tokens, heads * dim))
}

struct Attend {
    heads: usize,
}

impl CustomOp1 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Candle<(CpuStorage, Shape)> {
        let (tokens, row) = layout.shape().dims2()?;
        let head_dim = head_dim(row, self.heads)?;
        let qkv = numbers(storage, layout, self.name())?;
        let inner = self.heads * head_dim;
        let mut to = vec![0.0_f32; tokens * inner];
        let attention = Attention {
            heads: self.heads,
            head_dim,
            scale: (head_dim as f32).sqrt().recip(),
            rotary: None,
            bias: None,
        };
        let mut scratch = AttentionScratch::default();
        attention.apply(qkv, tokens, &mut to, None, &mut scratch);
        Ok((CpuStorage::F32(to), Shape::from((tokens, inner))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn equals_the_library() {
        for (tokens, heads, dim) in [(1, 1, 1), (5, 3, 7), (65, 6, 64)] {
            let shape = (tokens, 3 * heads * dim);
            let qkv = Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap();
            let given = attention(&qkv, heads).unwrap();
            let worst = (given - plainly(&qkv, heads).unwrap()).unwrap().abs();
            let worst: f32 = worst.unwrap().max_all().unwrap().to_scalar().unwrap();
            assert!(worst < 1e-5, "{worst}");
        }
        let qkv = Tensor::zeros((2, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(attention(&qkv, 2).is_err());
    }
}
