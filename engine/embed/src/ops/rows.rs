//! Operations on rows beside affine maps: normalisation, softmax of groups, sums by slices, rows
//! gathered and added.
//!
//! Each runs on the calling thread on a CPU: the models that use them cut a record into blocks of
//! rows and share those out.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Shape, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::{Candle, activate, numbers};
use crate::kernel::{Activation, Gather, Norm, SliceSums, gather_add, softmax_groups};
use crate::model::transformer::NormWeights;

/// `LayerNorm` over the last dimension, in single precision.
pub(crate) struct RowNorm(Place);

enum Place {
    Cpu(Norm),
    Device {
        weight: Tensor,
        bias: Tensor,
        epsilon: f32,
    },
}

impl RowNorm {
    /// `norm` is a `LayerNorm`; one without a bias has the bias 0.
    pub(crate) fn new(norm: &NormWeights, device: &Device) -> Candle<Self> {
        let bias = match &norm.bias {
            Some(bias) => bias.clone(),
            None => norm.weight.zeros_like()?,
        };
        Ok(Self(if device.is_cpu() {
            Place::Cpu(Norm {
                kind: norm.kind,
                epsilon: norm.epsilon,
                weight: norm.weight.to_vec1()?,
                bias: Some(bias.to_vec1()?),
            })
        } else {
            Place::Device {
                weight: norm.weight.to_device(device)?,
                bias: bias.to_device(device)?,
                epsilon: norm.epsilon,
            }
        }))
    }

    /// `[.., width]` to the same shape.
    pub(crate) fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        match &self.0 {
            Place::Cpu(norm) => x.contiguous()?.apply_op1_no_bwd(&Normalise(norm)),
            Place::Device {
                weight,
                bias,
                epsilon,
            } => layer_norm(&x.contiguous()?, weight, bias, *epsilon),
        }
    }
}

struct Normalise<'a>(&'a Norm);

impl CustomOp1 for Normalise<'_> {
    fn name(&self) -> &'static str {
        "row-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Candle<(CpuStorage, Shape)> {
        let from = numbers(storage, layout, self.name())?;
        let width = self.0.width();
        if layout.dims().last() != Some(&width) {
            candle_core::bail!("a norm of {width} numbers was given {:?}", layout.dims());
        }
        let mut to = vec![0.0_f32; from.len()];
        if !from.is_empty() {
            self.0.apply(from, width, &mut to);
        }
        Ok((CpuStorage::F32(to), layout.shape().clone()))
    }
}

/// Softmax of every `group` numbers of the last dimension.
pub(crate) fn softmax_of(x: &Tensor, group: usize) -> Candle<Tensor> {
    let x = x.contiguous()?;
    if x.device().is_cpu() {
        return x.apply_op1_no_bwd(&Softmax(group));
    }
    softmax_of_library(&x, group)
}

fn softmax_of_library(x: &Tensor, group: usize) -> Candle<Tensor> {
    softmax_last_dim(&x.reshape(((), group))?)?.reshape(x.shape())
}

struct Softmax(usize);

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax-of-groups"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Candle<(CpuStorage, Shape)> {
        let mut to = numbers(storage, layout, self.name())?.to_vec();
        let width = layout.dims().last().copied().unwrap_or_default();
        if self.0 == 0 || !width.is_multiple_of(self.0) {
            candle_core::bail!("{width} numbers do not make groups of {}", self.0);
        }
        softmax_groups(&mut to, self.0);
        Ok((CpuStorage::F32(to), layout.shape().clone()))
    }
}

/// Sums of rows by their shares in slices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SliceTokens {
    pub(crate) heads: usize,
    /// Slices of a head.
    pub(crate) slices: usize,
    /// Numbers of a head.
    pub(crate) head_dim: usize,
}

impl SliceTokens {
    /// Shares `[rows, heads * slices]` and values `[rows, heads * head_dim]` to `[heads, slices,
    /// head_dim + 1]`: the sum of the values times the shares, and last that of the shares.
    pub(crate) fn sums(&self, shares: &Tensor, values: &Tensor) -> Candle<Tensor> {
        let (shares, values) = (shares.contiguous()?, values.contiguous()?);
        if shares.device().is_cpu() {
            return shares.apply_op2_no_bwd(&values, self);
        }
        self.sums_of_library(&shares, &values)
    }

    fn sums_of_library(&self, shares: &Tensor, values: &Tensor) -> Candle<Tensor> {
        let rows = shares.dim(0)?;
        let one = Tensor::ones((rows, self.heads, 1), values.dtype(), values.device())?;
        let values = values.reshape((rows, self.heads, self.head_dim))?;
        let values = Tensor::cat(&[values, one], 2)?;
        let shares = shares.reshape((rows, self.heads, self.slices))?;
        let shares = shares.permute((1, 2, 0))?.contiguous()?;
        shares.matmul(&values.transpose(0, 1)?.contiguous()?)
    }
}

impl CustomOp2 for SliceTokens {
    fn name(&self) -> &'static str {
        "slice-tokens"
    }

    fn cpu_fwd(
        &self,
        shares: &CpuStorage,
        shares_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Candle<(CpuStorage, Shape)> {
        let shares = numbers(shares, shares_layout, self.name())?;
        let values = numbers(values, values_layout, self.name())?;
        let (rows, wide) = shares_layout.shape().dims2()?;
        let shape = (rows, self.heads * self.head_dim);
        if wide != self.heads * self.slices || values_layout.shape().dims2()? != shape {
            candle_core::bail!("shares of slices and values have other shapes");
        }
        let mut to = vec![0.0_f32; wide * (self.head_dim + 1)];
        let sums = SliceSums {
            heads: self.heads,
            slices: self.slices,
            head_dim: self.head_dim,
        };
        sums.add(shares, values, &mut to);
        let shape = (self.heads, self.slices, self.head_dim + 1);
        Ok((CpuStorage::F32(to), Shape::from(shape)))
    }
}

/// `activation(x + first[rows] + second[rows])`: `x` is `[rows, width]`, the tables `[.., width]`.
/// `first_rows` and `second_rows` name a row of its table for each row of `x`.
///
/// # Errors
/// A row does not exist.
pub(crate) fn gather_sum(
    x: &Tensor,
    (first, first_rows): (&Tensor, &[u32]),
    (second, second_rows): (&Tensor, &[u32]),
    activation: Activation,
) -> Candle<Tensor> {
    if x.device().is_cpu() {
        let op = GatherSum {
            first: first_rows,
            second: second_rows,
            activation,
        };
        return x.apply_op3_no_bwd(first, second, &op);
    }
    sum_of_library(x, (first, first_rows), (second, second_rows), activation)
}

fn sum_of_library(
    x: &Tensor,
    (first, first_rows): (&Tensor, &[u32]),
    (second, second_rows): (&Tensor, &[u32]),
    activation: Activation,
) -> Candle<Tensor> {
    let rows = |rows: &[u32]| Tensor::new(rows, x.device());
    let first = first.index_select(&rows(first_rows)?, 0)?;
    let second = second.index_select(&rows(second_rows)?, 0)?;
    let sum = ((x + first)? + second)?;
    activate(&sum, activation)
}

struct GatherSum<'a> {
    first: &'a [u32],
    second: &'a [u32],
    activation: Activation,
}

impl CustomOp3 for GatherSum<'_> {
    fn name(&self) -> &'static str {
        "gather-sum"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> Candle<(CpuStorage, Shape)> {
        let mut to = numbers(x, x_layout, self.name())?.to_vec();
        let (rows, width) = x_layout.shape().dims2()?;
        let mut gathers = Vec::with_capacity(2);
        for (storage, layout, picked) in [
            (first, first_layout, self.first),
            (second, second_layout, self.second),
        ] {
            let (table_rows, table_width) = layout.shape().dims2()?;
            let exist = picked.iter().all(|row| (*row as usize) < table_rows);
            if table_width != width || picked.len() != rows || !exist {
                candle_core::bail!("a table of {table_rows} rows lacks a row to gather");
            }
            let table = numbers(storage, layout, self.name())?;
            gathers.push(Gather {
                table,
                rows: picked,
            });
        }
        if let [first, second] = gathers[..] {
            gather_add(&mut to, width, first, second, self.activation);
        }
        Ok((CpuStorage::F32(to), x_layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::NormKind;

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    fn same(given: &Tensor, expected: &Tensor) {
        assert_eq!(given.dims(), expected.dims());
        let worst = (given - expected).unwrap().abs().unwrap();
        let worst: f32 = worst.max_all().unwrap().to_scalar().unwrap();
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn equal_the_library() {
        let x = random(&[13, 40]);
        let norm = NormWeights {
            kind: NormKind::Layer,
            epsilon: 1e-5,
            weight: random(&[40]),
            bias: Some(random(&[40])),
        };
        let given = RowNorm::new(&norm, &Device::Cpu).unwrap().apply(&x);
        let bias = norm.bias.as_ref().unwrap();
        let expected = layer_norm(&x, &norm.weight, bias, 1e-5).unwrap();
        same(&given.unwrap(), &expected);

        let shares = softmax_of(&x, 10).unwrap();
        same(&shares, &softmax_of_library(&x, 10).unwrap());
        assert!(softmax_of(&x, 7).is_err());

        let tokens = SliceTokens {
            heads: 4,
            slices: 10,
            head_dim: 6,
        };
        let values = random(&[13, 24]);
        let given = tokens.sums(&shares, &values).unwrap();
        same(&given, &tokens.sums_of_library(&shares, &values).unwrap());
        assert!(tokens.sums(&shares, &x).is_err());

        let (first, second) = (random(&[3, 40]), random(&[2, 40]));
        let rows = |n: u32| (0..13).map(|i| i * 7 % n).collect::<Vec<u32>>();
        let (three, two) = (rows(3), rows(2));
        for activation in [
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Relu,
            Activation::Silu,
        ] {
            let (first, second) = ((&first, &three[..]), (&second, &two[..]));
            let given = gather_sum(&x, first, second, activation).unwrap();
            same(
                &given,
                &sum_of_library(&x, first, second, activation).unwrap(),
            );
        }
        let missing = gather_sum(&x, (&second, &three), (&second, &two), Activation::Relu);
        assert!(missing.is_err());
    }
}
