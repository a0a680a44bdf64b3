//! PointNet++ (Qi, Yi, Su and Guibas 2017, arXiv:1706.02413), the classification networks with one
//! and with several scales of grouping, as the PyTorch implementation `Pointnet_Pointnet2_pytorch`
//! names their tensors.
//!
//! A level chooses centres by farthest-point sampling, gathers the points in a ball around each,
//! and runs a small network over them, of which the largest values are kept. The last level takes
//! all that is left as one group; its vectors before that maximum are the items.

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::clouds::{
    Encoded, Ignored, Layers, Plan, Watch, Whole, coordinates, expect_folded, folded, positive,
    within,
};
use super::transformer::Affine;
use crate::EmbedError;
use crate::checkpoint::{CheckpointFault, Expected, Weights};
use crate::error::tensor;
use crate::kernel::Activation;
use crate::ops::{Candle, Dense, grouped};
use crate::points::{Cloud, Sampling, ball, farthest};

/// `config.json` of a PointNet++. Every key may be left out; then it is as published, with one
/// scale or, where `multi_scale` is true, with three.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointNet2Config {
    #[serde(default, rename = "model_type")]
    _model_type: Ignored,
    /// Points read of a mesh.
    #[serde(default = "points")]
    points: usize,
    /// Whether a point comes with its normal.
    #[serde(default)]
    normals: bool,
    /// Which of the two implementations' names and orders of columns the tensors have.
    #[serde(default)]
    multi_scale: bool,
    levels: Option<Vec<LevelConfig>>,
    /// Widths of the network over all that is left.
    #[serde(default = "global_mlp")]
    global_mlp: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelConfig {
    /// Centres of groups.
    centres: usize,
    scales: Vec<ScaleConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleConfig {
    /// Of the ball around a centre; the cloud's is 1.
    radius: f64,
    /// The most points of a group.
    samples: usize,
    /// Widths of the network.
    mlp: Vec<usize>,
}

const fn points() -> usize {
    1024
}

fn global_mlp() -> Vec<usize> {
    vec![256, 512, 1024]
}

/// A level as published: centres, and of each scale radius, samples and widths.
fn level(centres: usize, scales: &[(f64, usize, [usize; 3])]) -> LevelConfig {
    LevelConfig {
        centres,
        scales: scales
            .iter()
            .map(|&(radius, samples, mlp)| ScaleConfig {
                radius,
                samples,
                mlp: mlp.to_vec(),
            })
            .collect(),
    }
}

impl PointNet2Config {
    fn levels(&self) -> Vec<LevelConfig> {
        match &self.levels {
            Some(levels) => levels.clone(),
            None if self.multi_scale => vec![
                level(
                    512,
                    &[
                        (0.1, 16, [32, 32, 64]),
                        (0.2, 32, [64, 64, 128]),
                        (0.4, 128, [64, 96, 128]),
                    ],
                ),
                level(
                    128,
                    &[
                        (0.2, 32, [64, 64, 128]),
                        (0.4, 64, [128, 128, 256]),
                        (0.8, 128, [128, 128, 256]),
                    ],
                ),
            ],
            None => vec![
                level(512, &[(0.2, 32, [64, 64, 128])]),
                level(128, &[(0.4, 64, [128, 128, 256])]),
            ],
        }
    }

    fn check(&self) -> Result<(), CheckpointFault> {
        within("points", self.points, 1 << 20, "1 to 1048576")?;
        positive("global_mlp", &self.global_mlp)?;
        for level in self.levels() {
            positive("levels.centres", &[level.centres])?;
            if level.scales.is_empty() || (!self.multi_scale && level.scales.len() > 1) {
                return Err(CheckpointFault::Config {
                    key: "levels.scales",
                    given: format!("{} of them", level.scales.len()),
                    expected: "one, or with multi_scale one or more",
                });
            }
            for scale in level.scales {
                positive("levels.scales.mlp", &scale.mlp)?;
                positive("levels.scales.samples", &[scale.samples])?;
                if !(scale.radius > 0.0 && scale.radius.is_finite()) {
                    return Err(CheckpointFault::Config {
                        key: "levels.scales.radius",
                        given: scale.radius.to_string(),
                        expected: "a positive number",
                    });
                }
            }
        }
        Ok(())
    }

    pub(super) fn plan(&self) -> Result<Plan, CheckpointFault> {
        self.check()?;
        let mut expected = Expected::default();
        let stacks = self.stacks();
        for layer in stacks.iter().flatten().flatten() {
            let names = [layer.conv.as_str(), layer.norm.as_str()];
            expect_folded(&mut expected, names, layer.inputs, layer.outputs, 2, true);
        }
        // The classifier.
        expected.ignore(&["fc1.", "fc2.", "fc3.", "bn1.", "bn2."]);
        let levels = self.levels();
        let grouping = if self.multi_scale {
            "multi-scale"
        } else {
            "single-scale"
        };
        Ok(Plan {
            sampling: Sampling {
                points: self.points,
                normals: self.normals,
            },
            width: self.global_mlp.last().copied().unwrap_or_default(),
            whole: Whole::Max,
            expected,
            prefixes: &["module."],
            probe: format!("{}.weight", stacks[0][0][0].conv),
            twins: Vec::new(),
            recipe: format!("pointnet2 {} {} {levels:?}", self.points, self.multi_scale),
            about: format!(
                "PointNet++, {grouping} grouping, {} levels, {} points",
                levels.len() + 1,
                self.points
            ),
        })
    }

    /// The layers of each scale of each level, the last level among them.
    fn stacks(&self) -> Vec<Vec<Vec<Layer>>> {
        let mut features = if self.normals { 3 } else { 0 };
        let mut stacks = Vec::new();
        let levels = self.levels();
        for (at, level) in levels.iter().enumerate() {
            let scales = level.scales.iter().enumerate().map(|(scale, config)| {
                let (conv, norm) = if self.multi_scale {
                    (format!("conv_blocks.{scale}"), format!("bn_blocks.{scale}"))
                } else {
                    ("mlp_convs".to_owned(), "mlp_bns".to_owned())
                };
                stack(at, &conv, &norm, 3 + features, &config.mlp)
            });
            stacks.push(scales.collect());
            let widths = level.scales.iter().filter_map(|scale| scale.mlp.last());
            features = widths.sum();
        }
        let last = stack(
            levels.len(),
            "mlp_convs",
            "mlp_bns",
            3 + features,
            &self.global_mlp,
        );
        stacks.push(vec![last]);
        stacks
    }
}

/// Names and widths of a convolution and of the normalisation after it.
struct Layer {
    conv: String,
    norm: String,
    inputs: usize,
    outputs: usize,
}

fn stack(level: usize, conv: &str, norm: &str, inputs: usize, widths: &[usize]) -> Vec<Layer> {
    let before = std::iter::once(&inputs).chain(widths);
    let layers = before.zip(widths).enumerate();
    layers
        .map(|(at, (inputs, outputs))| Layer {
            conv: format!("sa{}.{conv}.{at}", level + 1),
            norm: format!("sa{}.{norm}.{at}", level + 1),
            inputs: *inputs,
            outputs: *outputs,
        })
        .collect()
}

struct Level {
    centres: usize,
    scales: Vec<Scale>,
}

struct Scale {
    radius: f64,
    samples: usize,
    /// The first layer is linear in the point's place relative to the centre. So it is computed
    /// once for each point, and what the centre takes away once for each centre.
    point: Dense,
    centre: Dense,
    layers: Vec<Dense>,
}

/// The layers of a PointNet++.
pub(super) struct PointNet2 {
    levels: Vec<Level>,
    last: Vec<Dense>,
    /// Whether a level's input has the features before the coordinates.
    features_first: bool,
    device: Device,
}

impl PointNet2 {
    pub(super) fn load(
        config: &PointNet2Config,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, EmbedError> {
        let mut stacks = config.stacks();
        let rectified = |layer: &Layer| {
            let map = folded(weights, &layer.conv, &layer.norm)?;
            Dense::new(&map, Some(Activation::Relu), device).map_err(tensor("packing a layer"))
        };
        let last = stacks.pop().unwrap_or_default();
        let mut levels = Vec::new();
        for (level, stacks) in config.levels().iter().zip(&stacks) {
            let mut scales = Vec::new();
            for (scale, layers) in level.scales.iter().zip(stacks) {
                let first = folded(weights, &layers[0].conv, &layers[0].norm)?;
                let (point, centre) = config
                    .first(first, device)
                    .map_err(tensor("packing a layer"))?;
                scales.push(Scale {
                    radius: scale.radius,
                    samples: scale.samples,
                    point,
                    centre,
                    layers: layers[1..]
                        .iter()
                        .map(rectified)
                        .collect::<Result<_, _>>()?,
                });
            }
            levels.push(Level {
                centres: level.centres,
                scales,
            });
        }
        Ok(Self {
            levels,
            last: last
                .iter()
                .flatten()
                .map(rectified)
                .collect::<Result<_, _>>()?,
            features_first: config.multi_scale,
            device: device.clone(),
        })
    }
}

impl PointNet2Config {
    /// The first layer's two parts.
    fn first(&self, map: Affine, device: &Device) -> Candle<(Dense, Dense)> {
        let inputs = map.weight.dim(1)?;
        let at = if self.multi_scale { inputs - 3 } else { 0 };
        let centre = Affine {
            weight: map.weight.narrow(1, at, 3)?.neg()?,
            bias: None,
        };
        Ok((
            Dense::new(&map, None, device)?,
            Dense::new(&centre, None, device)?,
        ))
    }
}

/// Coordinates and features of each point side by side.
fn joined(places: &Tensor, features: Option<&Tensor>, features_first: bool) -> Candle<Tensor> {
    match features {
        None => Ok(places.clone()),
        Some(features) if features_first => Tensor::cat(&[features, places], 1),
        Some(features) => Tensor::cat(&[places, features], 1),
    }
}

impl Layers for PointNet2 {
    fn forward(&self, cloud: &Cloud, watch: &mut dyn Watch) -> Candle<Encoded> {
        let mut points = cloud.points.clone();
        let mut places = coordinates(&points, &self.device)?;
        let mut features = match &cloud.normals {
            Some(normals) => {
                let flat: Vec<f32> = normals.iter().flatten().copied().collect();
                Some(Tensor::from_vec(flat, (normals.len(), 3), &self.device)?)
            }
            None => None,
        };
        for (at, level) in self.levels.iter().enumerate() {
            let centres = points.pick(&farthest(&points, level.centres));
            let middles = coordinates(&centres, &self.device)?;
            let input = joined(&places, features.as_ref(), self.features_first)?;
            let mut parts = Vec::with_capacity(level.scales.len());
            for scale in &level.scales {
                let groups = ball(&centres, &points, scale.radius, scale.samples);
                let rows = scale.point.apply(&input)?;
                let shifts = scale.centre.apply(&middles)?;
                parts.push(grouped(&rows, &shifts, &groups, 0.0, &scale.layers)?);
            }
            let next = Tensor::cat(&parts, 1)?;
            watch.stage(&format!("centres.{at}"), &middles);
            watch.stage(&format!("level.{at}"), &next);
            (points, places, features) = (centres, middles, Some(next));
        }
        let mut items = joined(&places, features.as_ref(), false)?;
        for layer in &self.last {
            items = layer.apply(&items)?;
        }
        watch.stage("items", &items);
        Ok(Encoded {
            places: points,
            items,
            class: None,
        })
    }
}
