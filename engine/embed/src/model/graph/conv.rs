//! The layers: what a vertex makes of its neighbours.

use candle_core::{Device, Tensor};

use super::config::{Gnn, GraphConfig};
use super::norm::{self, vector};
use crate::EmbedError;
use crate::checkpoint::{CheckpointFault, Expected, Weights};
use crate::error::tensor;
use crate::kernel::Activation;
use crate::model::transformer::Affine;
use crate::ops::{Candle, Dense, Heads, Placed, Reduce, Step, attend, finish, gather};

/// One layer without the norm and activation that follow it.
pub(super) enum Conv {
    /// `MLP(own * x + reduction of neighbours)`.
    Gin {
        reduce: Reduce,
        /// 1 + epsilon.
        own: f32,
        first: Dense,
        between: Vec<Step>,
        second: Dense,
    },
    /// `left(reduction of neighbours) + right(x)`.
    Sage {
        reduce: Reduce,
        project: Option<Dense>,
        left: Dense,
        right: Option<Dense>,
        after: Vec<Step>,
    },
    /// Neighbours weighted by attention.
    Gat {
        heads: Heads,
        values: Dense,
        /// Parts of the scores, or with GATv2 the receivers' rows; none where those are the values.
        scores: Option<Dense>,
        /// GATv2's weights of a pair; without it one number that is not read.
        pair: Tensor,
        residual: Option<Dense>,
        after: Vec<Step>,
    },
}

impl Conv {
    /// `[vertices, inputs]` to `[vertices, outputs]`. What is no longer needed is freed at once.
    pub(super) fn apply(&self, x: Tensor, graph: &Placed<'_>) -> Candle<Tensor> {
        match self {
            Self::Gin {
                reduce,
                own,
                first,
                between,
                second,
            } => {
                let sums = gather(&x, graph, *reduce, Some(*own))?;
                drop(x);
                let inner = first.apply(&sums)?;
                drop(sums);
                second.apply(&finish(inner, between)?)
            }
            Self::Sage {
                reduce,
                project,
                left,
                right,
                after,
            } => {
                let sums = match project {
                    Some(project) => gather(&project.apply(&x)?, graph, *reduce, None)?,
                    None => gather(&x, graph, *reduce, None)?,
                };
                let mut y = left.apply(&sums)?;
                drop(sums);
                if let Some(right) = right {
                    y = right.add(&x, y)?;
                }
                finish(y, after)
            }
            Self::Gat {
                heads,
                values,
                scores,
                pair,
                residual,
                after,
            } => {
                let rows = values.apply(&x)?;
                let parts = match scores {
                    Some(scores) => scores.apply(&x)?,
                    None => rows.clone(),
                };
                let mut y = attend(&rows, &parts, pair, graph, *heads)?;
                if let Some(residual) = residual {
                    y = residual.add(&x, y)?;
                }
                finish(y, after)
            }
        }
    }
}

/// The tensors of all layers.
pub(super) fn expect(config: &GraphConfig, expected: &mut Expected) -> Result<(), CheckpointFault> {
    for index in 0..config.num_layers {
        let (inputs, outputs) = config.shape(index);
        let conv = format!("convs.{index}");
        match config.model_type {
            Gnn::Gin => {
                expected.tensor(format!("{conv}.eps"), &[1]);
                expected.affine(&format!("{conv}.nn.lins.0"), inputs, outputs, true);
                expected.affine(&format!("{conv}.nn.lins.1"), outputs, outputs, true);
                norm::expect(config, &format!("{conv}.nn.norms.0"), outputs, expected);
            }
            Gnn::GraphSage => {
                if config.project() {
                    expected.affine(&format!("{conv}.lin"), inputs, inputs, true);
                }
                expected.affine(&format!("{conv}.lin_l"), inputs, outputs, config.bias());
                if config.root_weight() {
                    expected.affine(&format!("{conv}.lin_r"), inputs, outputs, false);
                }
            }
            Gnn::Gat => {
                let (heads, channels) = (config.heads(), config.channels(index)?);
                let wide = heads * channels;
                let att = [1, heads, channels];
                if config.v2() {
                    expected.tensor(format!("{conv}.att"), &att);
                    expected.affine(&format!("{conv}.lin_l"), inputs, wide, config.bias());
                    if !config.share_weights() {
                        expected.affine(&format!("{conv}.lin_r"), inputs, wide, config.bias());
                    }
                } else {
                    expected.tensor(format!("{conv}.att_src"), &att);
                    expected.tensor(format!("{conv}.att_dst"), &att);
                    expected.affine(&format!("{conv}.lin"), inputs, wide, false);
                }
                if config.residual() {
                    expected.affine(&format!("{conv}.res"), inputs, outputs, false);
                }
                if config.bias() {
                    expected.tensor(format!("{conv}.bias"), &[outputs]);
                }
            }
        }
        if config.is_followed(index) {
            norm::expect(config, &format!("norms.{index}"), outputs, expected);
        }
    }
    if config.jk.is_some() {
        let inputs = match config.jk {
            Some(super::Jump::Cat) => config.num_layers * config.hidden_channels,
            _ => config.hidden_channels,
        };
        expected.affine("lin", inputs, config.width(), true);
    }
    expected.ignore(&["num_batches_tracked"]);
    if config.share_weights() {
        // The same tensor by its other name, where a file holds both.
        expected.ignore(&[".lin_r."]);
    }
    Ok(())
}

/// Reads layers from a checkpoint.
pub(super) struct Builder<'a> {
    pub(super) config: &'a GraphConfig,
    pub(super) weights: &'a Weights,
    pub(super) device: &'a Device,
}

impl Builder<'_> {
    fn dense(&self, name: &str, activation: Option<Activation>) -> Result<Dense, EmbedError> {
        let affine = self.weights.affine(name)?;
        Dense::new(&affine, activation, self.device).map_err(tensor("placing weights"))
    }

    /// Norm and activation after a layer.
    pub(super) fn after(&self, index: usize) -> Result<Vec<Step>, EmbedError> {
        match self.config.is_followed(index) {
            true => norm::steps(self.config, &format!("norms.{index}"), self.weights),
            false => Ok(Vec::new()),
        }
    }

    pub(super) fn conv(&self, index: usize) -> Result<Conv, EmbedError> {
        let config = self.config;
        let conv = format!("convs.{index}");
        let part = |name: &str| format!("{conv}.{name}");
        Ok(match config.model_type {
            Gnn::Gin => Conv::Gin {
                reduce: config.reduce(),
                own: 1.0 + vector(self.weights, &part("eps"))?[0],
                first: self.dense(&part("nn.lins.0"), None)?,
                between: norm::steps(config, &part("nn.norms.0"), self.weights)?,
                second: self.dense(&part("nn.lins.1"), None)?,
            },
            Gnn::GraphSage => Conv::Sage {
                reduce: config.reduce(),
                project: config
                    .project()
                    .then(|| self.dense(&part("lin"), Some(Activation::Relu)))
                    .transpose()?,
                left: self.dense(&part("lin_l"), None)?,
                right: config
                    .root_weight()
                    .then(|| self.dense(&part("lin_r"), None))
                    .transpose()?,
                after: if config.normalize() {
                    vec![Step::Unit]
                } else {
                    Vec::new()
                },
            },
            Gnn::Gat => self.gat(index, &part)?,
        })
    }

    fn gat(&self, index: usize, part: &dyn Fn(&str) -> String) -> Result<Conv, EmbedError> {
        let config = self.config;
        let failed = || tensor("placing weights");
        let (_, outputs) = config.shape(index);
        let (scores, pair) = if config.v2() {
            let receivers = (!config.share_weights())
                .then(|| self.dense(&part("lin_r"), None))
                .transpose()?;
            let pair = self.weights.get(&part("att"))?.flatten_all();
            (receivers, pair.map_err(failed())?)
        } else {
            // A score's part is a product with W x, and so with x.
            let weight = self.weights.get(&part("lin.weight"))?;
            let parts = [part("att_src"), part("att_dst")]
                .iter()
                .map(|name| fold(&weight, &self.weights.get(name)?).map_err(failed()))
                .collect::<Result<Vec<_>, _>>()?;
            let affine = Affine {
                weight: Tensor::cat(&parts, 0).map_err(failed())?,
                bias: None,
            };
            let scores = Dense::new(&affine, None, self.device).map_err(failed())?;
            let unread = Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu);
            (Some(scores), unread.map_err(failed())?)
        };
        Ok(Conv::Gat {
            heads: Heads {
                heads: config.heads(),
                slope: config.negative_slope(),
                mean: !config.is_concat(index),
                pair: config.v2(),
            },
            values: self.dense(&part(if config.v2() { "lin_l" } else { "lin" }), None)?,
            scores,
            pair: pair.to_device(self.device).map_err(failed())?,
            residual: config
                .residual()
                .then(|| self.dense(&part("res"), None))
                .transpose()?,
            after: if config.bias() {
                vec![Step::Affine {
                    scale: vec![1.0; outputs],
                    shift: vector(self.weights, &part("bias"))?,
                }]
            } else {
                Vec::new()
            },
        })
    }
}

/// `[heads * channels, inputs]` and `[1, heads, channels]` to `[heads, inputs]`: the products of
/// each head's numbers with their weights, taken before the map. In double precision.
fn fold(weight: &Tensor, att: &Tensor) -> Candle<Tensor> {
    let (_, heads, channels) = att.dims3()?;
    let inputs = weight.dims2()?.1;
    let double = candle_core::DType::F64;
    let weight = weight
        .to_dtype(double)?
        .reshape((heads, channels, inputs))?;
    let att = att.to_dtype(double)?.reshape((heads, channels, 1))?;
    weight
        .broadcast_mul(&att)?
        .sum(1)?
        .to_dtype(candle_core::DType::F32)
}
