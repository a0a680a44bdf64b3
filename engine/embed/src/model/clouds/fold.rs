//! Convolutions of kernel size one, and the batch normalisation after them, as affine maps.

use candle_core::{DType, Device, Tensor};

use crate::EmbedError;
use crate::checkpoint::{Expected, Weights};
use crate::error::tensor;
use crate::model::transformer::Affine;

/// `torch.nn.BatchNorm`'s default.
const EPSILON: f64 = 1e-5;

/// Files keep a counter beside the statistics.
pub(crate) const COUNTER: &str = "num_batches_tracked";

/// A map of `inputs` to `outputs` numbers whose weight has `ones` more dimensions of size one.
pub(crate) fn expect_affine(
    expected: &mut Expected,
    name: &str,
    inputs: usize,
    outputs: usize,
    ones: usize,
    bias: bool,
) {
    let mut shape = vec![outputs, inputs];
    shape.resize(2 + ones, 1);
    expected.tensor(format!("{name}.weight"), &shape);
    if bias {
        expected.tensor(format!("{name}.bias"), &[outputs]);
    }
}

/// The same, with the batch normalisation after it.
pub(crate) fn expect_folded(
    expected: &mut Expected,
    [name, norm]: [&str; 2],
    inputs: usize,
    outputs: usize,
    ones: usize,
    bias: bool,
) {
    expect_affine(expected, name, inputs, outputs, ones, bias);
    for part in ["weight", "bias", "running_mean", "running_var"] {
        expected.tensor(format!("{norm}.{part}"), &[outputs]);
    }
    expected.ignore(&[COUNTER]);
}

/// The map as `[outputs, inputs]`.
pub(crate) fn affine(weights: &Weights, name: &str) -> Result<Affine, EmbedError> {
    let map = weights.affine(name)?;
    let weight = map.weight.flatten_from(1);
    Ok(Affine {
        weight: weight.map_err(tensor("reading a weight"))?,
        bias: map.bias,
    })
}

/// The map and the normalisation with its statistics of training: exactly one affine map. It is
/// computed in double precision.
pub(crate) fn folded(weights: &Weights, name: &str, norm: &str) -> Result<Affine, EmbedError> {
    let map = affine(weights, name)?;
    let part = |part: &str| weights.get(&format!("{norm}.{part}"));
    let (weight, bias) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    let fold = || {
        let double = |t: &Tensor| t.to_dtype(DType::F64);
        let deviation = (double(&variance)? + EPSILON)?.sqrt()?;
        let factor = (double(&weight)? / deviation)?;
        let shift = match &map.bias {
            Some(shift) => double(shift)?,
            None => Tensor::zeros(factor.shape(), DType::F64, &Device::Cpu)?,
        };
        let shift = (((shift - double(&mean)?)? * &factor)? + double(&bias)?)?;
        Ok(Affine {
            weight: double(&map.weight)?
                .broadcast_mul(&factor.unsqueeze(1)?)?
                .to_dtype(DType::F32)?,
            bias: Some(shift.to_dtype(DType::F32)?),
        })
    };
    fold().map_err(tensor("folding a normalisation"))
}
