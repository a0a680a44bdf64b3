//! Affine maps.

mod accumulate;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{Candle, SHARED_OUT, activate, numbers};
use crate::kernel::{Activation, Linear, Output, matmul};
use crate::model::transformer::Affine;

/// `activation(x W^T + b)` over the last dimension, in single precision.
pub(crate) struct Dense {
    place: Place,
    outputs: usize,
    activation: Option<Activation>,
}

enum Place {
    /// Packed for this processor.
    Cpu(Linear),
    Device {
        /// `[inputs, outputs]`.
        weight: Tensor,
        /// `[outputs]`.
        bias: Option<Tensor>,
    },
}

impl Dense {
    /// Packs or places the map.
    pub(crate) fn new(
        affine: &Affine,
        activation: Option<Activation>,
        device: &Device,
    ) -> Candle<Self> {
        let (outputs, inputs) = affine.weight.dims2()?;
        let place = if device.is_cpu() {
            let weight = affine.weight.flatten_all()?.to_vec1::<f32>()?;
            let bias = affine
                .bias
                .as_ref()
                .map(Tensor::to_vec1::<f32>)
                .transpose()?;
            Place::Cpu(Linear::new(&weight, bias.as_deref(), inputs, outputs))
        } else {
            let bias = affine.bias.as_ref();
            Place::Device {
                weight: affine.weight.t()?.contiguous()?.to_device(device)?,
                bias: bias.map(|bias| bias.to_device(device)).transpose()?,
            }
        };
        Ok(Self {
            place,
            outputs,
            activation,
        })
    }

    /// `[.., inputs]` to `[.., outputs]`.
    pub(crate) fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        let (weight, bias) = match &self.place {
            Place::Cpu(linear) => {
                let op = Packed {
                    linear,
                    outputs: self.outputs,
                    output: self.activation.map_or(Output::Store, Output::Activate),
                };
                return x.contiguous()?.apply_op1_no_bwd(&op);
            }
            Place::Device { weight, bias } => (weight, bias),
        };
        let y = x.broadcast_matmul(weight)?;
        let y = match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        match self.activation {
            None => Ok(y),
            Some(activation) => activate(&y, activation),
        }
    }
}

impl Dense {
    /// Numbers of a row of the result.
    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Rows side by side to rows side by side, on the calling thread; false where the map is not
    /// on the CPU.
    pub(super) fn apply_rows(&self, from: &[f32], to: &mut [f32]) -> bool {
        let Place::Cpu(linear) = &self.place else {
            return false;
        };
        let (inputs, outputs) = (linear.inputs(), self.outputs);
        let rows = to.len() / outputs.max(1);
        let output = self.activation.map_or(Output::Store, Output::Activate);
        matmul(from, inputs, rows, linear, to, outputs, output);
        true
    }
}

struct Packed<'a> {
    linear: &'a Linear,
    outputs: usize,
    output: Output,
}

impl CustomOp1 for Packed<'_> {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Candle<(CpuStorage, Shape)> {
        let from = numbers(storage, layout, self.name())?;
        let mut dims = layout.dims().to_vec();
        let inputs = dims.pop().unwrap_or_default();
        if inputs != self.linear.inputs() {
            candle_core::bail!(
                "a map of {} numbers was given {inputs}",
                self.linear.inputs()
            );
        }
        let rows: usize = dims.iter().product();
        dims.push(self.outputs);
        let mut to = vec![0.0_f32; rows * self.outputs];
        let product = |from: &[f32], to: &mut [f32]| {
            let rows = to.len() / self.outputs;
            matmul(
                from,
                inputs,
                rows,
                self.linear,
                to,
                self.outputs,
                self.output,
            );
        };
        if rows * (inputs + self.outputs) < SHARED_OUT || inputs == 0 {
            product(from, &mut to);
        } else {
            let step = (SHARED_OUT / (inputs + self.outputs)).next_multiple_of(12);
            to.par_chunks_mut(step * self.outputs)
                .zip(from.par_chunks(step * inputs))
                .for_each(|(to, from)| product(from, to));
        }
        Ok((CpuStorage::F32(to), Shape::from(dims)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_library() {
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 7, 3), (13, 33, 65), (700, 96, 40)] {
            let random = |shape: &[usize]| Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap();
            let affine = Affine {
                weight: random(&[outputs, inputs]),
                bias: Some(random(&[outputs])),
            };
            let x = random(&[2, rows, inputs]);
            let dense = Dense::new(&affine, Some(Activation::Silu), &Device::Cpu).unwrap();
            let given = dense.apply(&x).unwrap();
            assert_eq!(given.dims(), [2, rows, outputs]);
            let expected = x
                .broadcast_matmul(&affine.weight.t().unwrap())
                .and_then(|y| y.broadcast_add(affine.bias.as_ref().unwrap()))
                .and_then(|y| y.silu())
                .unwrap();
            let worst = (given - expected).unwrap().abs().unwrap();
            let worst: f32 = worst.max_all().unwrap().to_scalar().unwrap();
            assert!(worst < 1e-4, "{worst}");
        }
    }
}
