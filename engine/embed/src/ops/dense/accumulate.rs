//! A map whose result is added to what is there.

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};
use rayon::prelude::*;

use super::{Dense, Place};
use crate::kernel::{Linear, Output, matmul};
use crate::ops::{Candle, SHARED_OUT, numbers};

impl Dense {
    /// `onto + x W^T + b`; the map has no activation. On the CPU in the memory of `onto`, which
    /// nobody else may hold.
    pub(crate) fn add(&self, x: &Tensor, onto: Tensor) -> Candle<Tensor> {
        debug_assert!(self.activation.is_none(), "it would be applied to a part");
        let Place::Cpu(linear) = &self.place else {
            return onto + self.apply(x)?;
        };
        onto.inplace_op2(&x.contiguous()?, &Onto { linear })?;
        Ok(onto)
    }
}

struct Onto<'a> {
    linear: &'a Linear,
}

impl InplaceOp2 for Onto<'_> {
    fn name(&self) -> &'static str {
        "dense-add"
    }

    fn cpu_fwd(
        &self,
        to: &mut CpuStorage,
        to_layout: &Layout,
        from: &CpuStorage,
        from_layout: &Layout,
    ) -> Candle<()> {
        let (rows, inputs) = from_layout.shape().dims2()?;
        let outputs = self.linear.outputs();
        let shape = to_layout.shape().dims2()?;
        if inputs != self.linear.inputs() || shape != (rows, outputs) {
            candle_core::bail!("a map of {inputs} to {outputs} numbers onto {shape:?}");
        }
        let from = numbers(from, from_layout, self.name())?;
        let (first, end) = to_layout
            .contiguous_offsets()
            .ok_or_else(|| candle_core::Error::RequiresContiguous { op: self.name() }.bt())?;
        let CpuStorage::F32(to) = to else {
            candle_core::bail!("{} is for single precision", self.name());
        };
        let to = &mut to[first..end];
        let product = |from: &[f32], to: &mut [f32]| {
            let rows = to.len() / outputs;
            matmul(
                from,
                inputs,
                rows,
                self.linear,
                to,
                outputs,
                Output::Add(1.0),
            );
        };
        if rows * (inputs + outputs) < SHARED_OUT || inputs == 0 || outputs == 0 {
            product(from, to);
        } else {
            let step = (SHARED_OUT / (inputs + outputs)).next_multiple_of(12);
            to.par_chunks_mut(step * outputs)
                .zip(from.par_chunks(step * inputs))
                .for_each(|(to, from)| product(from, to));
        }
        Ok(())
    }
}
