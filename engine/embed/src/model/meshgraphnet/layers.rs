//! The chains of maps of which every part of the network is one.

use candle_core::{Device, Tensor};

use crate::EmbedError;
use crate::checkpoint::{Expected, Weights};
use crate::error::tensor;
use crate::kernel::{Activation, NormKind};
use crate::model::transformer::Affine;
use crate::ops::{Candle, Dense, RowNorm};

/// The epsilon of torch's `LayerNorm`.
const EPSILON: f64 = 1e-5;

/// Maps with a function between each two, and a `LayerNorm` at the end.
pub(super) struct Mlp {
    maps: Vec<Dense>,
    norm: RowNorm,
}

impl Mlp {
    pub(super) fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        let mut maps = self.maps.iter();
        let mut x = match maps.next() {
            Some(first) => first.apply(x)?,
            None => x.clone(),
        };
        for map in maps {
            x = map.apply(&x)?;
        }
        self.norm.apply(&x)
    }
}

/// The sizes of a chain and the names of its tensors.
pub(super) struct MlpShape {
    pub(super) prefix: String,
    pub(super) inputs: usize,
    pub(super) hidden: usize,
    pub(super) outputs: usize,
    /// Hidden layers: one map more.
    pub(super) layers: usize,
    /// The first map is three tensors outside the chain.
    pub(super) is_split: bool,
}

impl MlpShape {
    /// Position `2 k` of the chain; the functions count too, and a split first map does not.
    fn map(&self, k: usize) -> String {
        format!(
            "{}.model.{}",
            self.prefix,
            2 * k - usize::from(self.is_split)
        )
    }

    fn norm(&self) -> String {
        let at = 2 * self.layers + 1 - usize::from(self.is_split);
        format!("{}.model.{at}", self.prefix)
    }

    fn part(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(super) fn expect(&self, expected: &mut Expected) {
        for k in 0..=self.layers {
            let inputs = if k == 0 { self.inputs } else { self.hidden };
            let outputs = if k == self.layers {
                self.outputs
            } else {
                self.hidden
            };
            if k == 0 && self.is_split {
                for part in PARTS {
                    expected.tensor(self.part(part), &[outputs, inputs / PARTS.len()]);
                }
                expected.tensor(self.part("bias"), &[outputs]);
            } else {
                expected.affine(&self.map(k), inputs, outputs, true);
            }
        }
        expected.norm(&self.norm(), self.outputs, true);
    }
}

/// What an edge's first map reads, in this order: the edge, its sender, its receiver.
const PARTS: [&str; 3] = ["lin_efeat", "lin_src", "lin_dst"];

/// Where maps are read from and what they become.
pub(super) struct Maps<'a> {
    pub(super) weights: &'a Weights,
    pub(super) activation: Activation,
    pub(super) device: &'a Device,
}

impl Maps<'_> {
    /// A chain from its map `from` on.
    pub(super) fn mlp(&self, shape: &MlpShape, from: usize) -> Result<Mlp, EmbedError> {
        let place = tensor("placing weights");
        let maps = (from..=shape.layers)
            .map(|k| {
                let activation = (k < shape.layers).then_some(self.activation);
                let affine = self.weights.affine(&shape.map(k))?;
                Dense::new(&affine, activation, self.device).map_err(&place)
            })
            .collect::<Result<_, EmbedError>>()?;
        let norm = self.weights.norm(&shape.norm(), NormKind::Layer, EPSILON)?;
        Ok(Mlp {
            maps,
            norm: RowNorm::new(&norm, self.device).map_err(&place)?,
        })
    }

    /// The first map of an edge's chain in three parts of `width` inputs; the receiver's has the
    /// bias.
    pub(super) fn first_parts(
        &self,
        shape: &MlpShape,
        width: usize,
    ) -> Result<[Dense; 3], EmbedError> {
        let place = tensor("placing weights");
        let (parts, bias) = if shape.is_split {
            let part = |name| self.weights.get(&shape.part(name));
            let [own, sender, receiver] = PARTS;
            (
                [part(own)?, part(sender)?, part(receiver)?],
                Some(self.weights.get(&shape.part("bias"))?),
            )
        } else {
            let whole = self.weights.affine(&shape.map(0))?;
            let part = |i: usize| {
                let columns = whole.weight.narrow(1, i * width, width);
                columns.and_then(|t| t.contiguous()).map_err(&place)
            };
            ([part(0)?, part(1)?, part(2)?], whole.bias)
        };
        let dense = |weight: Tensor, bias| {
            Dense::new(&Affine { weight, bias }, None, self.device).map_err(&place)
        };
        let [own, sender, receiver] = parts;
        Ok([
            dense(own, None)?,
            dense(sender, None)?,
            dense(receiver, bias)?,
        ])
    }
}
