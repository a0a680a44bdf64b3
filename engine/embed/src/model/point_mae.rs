//! Point-MAE (Pang, Wang, Tay, Liu, Tian and Yuan 2022, arXiv:2203.06604), as its PyTorch
//! implementation names the tensors: the fine-tuned classifier, which has a class token, or the
//! encoder of pre-training, which has none.
//!
//! Each of some points chosen by farthest-point sampling stands for the points nearest to it; a
//! small network makes a token of them, and a transformer of the tokens the items. Every block
//! adds the tokens' positions anew.

use candle_core::{DType, Device, Tensor};
use candle_nn::ops::layer_norm;
use serde::Deserialize;

use super::clouds::{
    Encoded, Ignored, Layers, Plan, Watch, Whole, affine, coordinates, expect_affine,
    expect_folded, folded, positive, within,
};
use super::transformer::Affine;
use crate::EmbedError;
use crate::checkpoint::{CheckpointFault, Expected, Weights};
use crate::error::tensor;
use crate::kernel::Activation;
use crate::ops::{Candle, Dense, Groups, attention, grouped};
use crate::points::{Cloud, Points, Sampling, farthest, nearest};

/// `torch.nn.LayerNorm`'s default.
const EPSILON: f32 = 1e-5;

/// Numbers between the two maps of a position.
const POSITION: usize = 128;

/// `config.json` of a Point-MAE. Every key may be left out; then it is as published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointMaeConfig {
    #[serde(default, rename = "model_type")]
    _model_type: Ignored,
    /// Points read of a mesh.
    #[serde(default = "points")]
    points: usize,
    #[serde(default = "num_group")]
    num_group: usize,
    /// Points of a group.
    #[serde(default = "group_size")]
    group_size: usize,
    /// Widths within the network that makes a token of a group.
    #[serde(default = "encoder_widths")]
    encoder_widths: [usize; 3],
    /// Numbers of a token when it is made; the same as `trans_dim`.
    encoder_dims: Option<usize>,
    #[serde(default = "trans_dim")]
    trans_dim: usize,
    #[serde(default = "depth")]
    depth: usize,
    #[serde(default = "num_heads")]
    num_heads: usize,
    /// Whether it is the fine-tuned model.
    #[serde(default = "class_token")]
    class_token: bool,
}

const fn points() -> usize {
    1024
}

const fn num_group() -> usize {
    64
}

const fn group_size() -> usize {
    32
}

const fn encoder_widths() -> [usize; 3] {
    [128, 256, 512]
}

const fn trans_dim() -> usize {
    384
}

const fn depth() -> usize {
    12
}

const fn num_heads() -> usize {
    6
}

const fn class_token() -> bool {
    true
}

fn block(index: usize) -> String {
    format!("blocks.blocks.{index}")
}

impl PointMaeConfig {
    fn check(&self) -> Result<(), CheckpointFault> {
        within("points", self.points, 1 << 20, "1 to 1048576")?;
        positive("num_group", &[self.num_group])?;
        within(
            "group_size",
            self.group_size,
            self.points,
            "1 to the number of points",
        )?;
        positive("encoder_widths", &self.encoder_widths)?;
        positive("depth", &[self.depth])?;
        within(
            "num_heads",
            self.num_heads,
            self.trans_dim,
            "a divisor of trans_dim",
        )?;
        let wrong = |key, given: usize, expected| {
            Err(CheckpointFault::Config {
                key,
                given: given.to_string(),
                expected,
            })
        };
        if !self.trans_dim.is_multiple_of(self.num_heads) {
            return wrong("num_heads", self.num_heads, "a divisor of trans_dim");
        }
        match self.encoder_dims {
            Some(dims) if dims != self.trans_dim => wrong("encoder_dims", dims, "trans_dim"),
            _ => Ok(()),
        }
    }

    pub(super) fn plan(&self) -> Result<Plan, CheckpointFault> {
        self.check()?;
        let width = self.trans_dim;
        let [first, second, third] = self.encoder_widths;
        let mut expected = Expected::default();
        let conv = ["encoder.first_conv.0", "encoder.first_conv.1"];
        expect_folded(&mut expected, conv, 3, first, 1, true);
        expect_affine(
            &mut expected,
            "encoder.first_conv.3",
            first,
            second,
            1,
            true,
        );
        let conv = ["encoder.second_conv.0", "encoder.second_conv.1"];
        expect_folded(&mut expected, conv, 2 * second, third, 1, true);
        expect_affine(
            &mut expected,
            "encoder.second_conv.3",
            third,
            width,
            1,
            true,
        );
        expected.affine("pos_embed.0", 3, POSITION, true);
        expected.affine("pos_embed.2", POSITION, width, true);
        for index in 0..self.depth {
            let block = block(index);
            expected.norm(&format!("{block}.norm1"), width, true);
            expected.affine(&format!("{block}.attn.qkv"), width, 3 * width, false);
            expected.affine(&format!("{block}.attn.proj"), width, width, true);
            expected.norm(&format!("{block}.norm2"), width, true);
            expected.affine(&format!("{block}.mlp.fc1"), width, 4 * width, true);
            expected.affine(&format!("{block}.mlp.fc2"), 4 * width, width, true);
        }
        expected.norm("norm", width, true);
        if self.class_token {
            expected.tensor("cls_token", &[1, 1, width]);
            expected.tensor("cls_pos", &[1, 1, width]);
        }
        // The classifier, and what pre-training reconstructs points with.
        expected.ignore(&[
            "cls_head_finetune.",
            "MAE_decoder.",
            "decoder_pos_embed.",
            "mask_token",
            "increase_dim.",
        ]);
        Ok(Plan {
            sampling: Sampling {
                points: self.points,
                normals: false,
            },
            width,
            whole: if self.class_token {
                Whole::ClassMax
            } else {
                Whole::MaxMean
            },
            expected,
            prefixes: &["module.MAE_encoder.", "MAE_encoder.", "module."],
            probe: "encoder.first_conv.0.weight".to_owned(),
            twins: Vec::new(),
            recipe: format!(
                "point-mae {} {} {} {} {}",
                self.points, self.num_group, self.group_size, self.num_heads, self.class_token
            ),
            about: format!(
                "Point-MAE, {} layers, {} groups of {} points",
                self.depth, self.num_group, self.group_size
            ),
        })
    }
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        layer_norm(x, &self.weight, &self.bias, EPSILON)
    }
}

struct Block {
    attention_norm: Norm,
    qkv: Dense,
    out: Dense,
    feed_norm: Norm,
    up: Dense,
    down: Dense,
}

/// The network that makes a token of a group.
struct Grouping {
    /// Of a point relative to its group's centre.
    first: [Dense; 2],
    /// The second part's first layer reads the group's largest values beside each point's: the
    /// former are mapped once a group.
    group: Dense,
    point: Dense,
    last: [Dense; 1],
}

/// The layers of a Point-MAE.
pub(super) struct PointMae {
    groups: usize,
    group_size: usize,
    heads: usize,
    grouping: Grouping,
    position: [Dense; 2],
    /// The class token and its position: `[1, width]` each.
    class: Option<[Tensor; 2]>,
    blocks: Vec<Block>,
    norm: Norm,
    device: Device,
}

impl PointMae {
    pub(super) fn load(
        config: &PointMaeConfig,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, EmbedError> {
        let packing = tensor("packing a layer");
        let pack = |map: &Affine, activation| Dense::new(map, activation, device).map_err(&packing);
        let dense = |name: &str, activation| pack(&affine(weights, name)?, activation);
        let placed = |name: &str| weights.get(name)?.to_device(device).map_err(&packing);
        let norm = |name: &str| {
            Ok::<_, EmbedError>(Norm {
                weight: placed(&format!("{name}.weight"))?,
                bias: placed(&format!("{name}.bias"))?,
            })
        };
        let second = folded(weights, "encoder.second_conv.0", "encoder.second_conv.1")?;
        let (group, point) = halves(second).map_err(&packing)?;
        let first = folded(weights, "encoder.first_conv.0", "encoder.first_conv.1")?;
        let grouping = Grouping {
            first: [
                pack(&first, Some(Activation::Relu))?,
                dense("encoder.first_conv.3", None)?,
            ],
            group: pack(&group, None)?,
            point: pack(&point, None)?,
            last: [dense("encoder.second_conv.3", None)?],
        };
        let blocks = (0..config.depth)
            .map(|index| {
                let name = |part: &str| format!("{}.{part}", block(index));
                Ok(Block {
                    attention_norm: norm(&name("norm1"))?,
                    qkv: dense(&name("attn.qkv"), None)?,
                    out: dense(&name("attn.proj"), None)?,
                    feed_norm: norm(&name("norm2"))?,
                    up: dense(&name("mlp.fc1"), Some(Activation::Gelu))?,
                    down: dense(&name("mlp.fc2"), None)?,
                })
            })
            .collect::<Result<_, EmbedError>>()?;
        let row = |name: &str| {
            placed(name)?
                .reshape((1, config.trans_dim))
                .map_err(&packing)
        };
        Ok(Self {
            groups: config.num_group,
            group_size: config.group_size,
            heads: config.num_heads,
            grouping,
            position: [
                dense("pos_embed.0", Some(Activation::Gelu))?,
                dense("pos_embed.2", None)?,
            ],
            class: if config.class_token {
                Some([row("cls_token")?, row("cls_pos")?])
            } else {
                None
            },
            blocks,
            norm: norm("norm")?,
            device: device.clone(),
        })
    }

    /// The token of each group: `[groups, width]`.
    fn tokens(&self, points: &Points, centres: &Points, groups: &Groups) -> Candle<Tensor> {
        let mut near = Vec::with_capacity(groups.members().len() * 3);
        for (group, centre) in centres.iter().enumerate() {
            for member in groups.get(group) {
                let point = points.get(*member as usize);
                near.extend((0..3).map(|axis| point[axis] - centre[axis]));
            }
        }
        let near = Tensor::from_vec(near, (groups.members().len(), 3), &self.device)?;
        let Grouping {
            first,
            group,
            point,
            last,
        } = &self.grouping;
        let rows = first[1].apply(&first[0].apply(&near)?)?;
        let members = groups.members().len() / groups.len();
        let own = Groups::runs(groups.len(), members);
        let still = Tensor::zeros((groups.len(), rows.dim(1)?), DType::F32, &self.device)?;
        let largest = grouped(&rows, &still, &own, 1.0, &[])?;
        grouped(
            &point.apply(&rows)?,
            &group.apply(&largest)?,
            &own,
            0.0,
            last,
        )
    }
}

/// The parts of a map over a group's values and over a point's; the bias goes with the group's.
fn halves(map: Affine) -> Candle<(Affine, Affine)> {
    let half = map.weight.dim(1)? / 2;
    let group = Affine {
        weight: map.weight.narrow(1, 0, half)?.contiguous()?,
        bias: map.bias,
    };
    let point = Affine {
        weight: map.weight.narrow(1, half, half)?.contiguous()?,
        bias: None,
    };
    Ok((group, point))
}

impl Layers for PointMae {
    fn forward(&self, cloud: &Cloud, watch: &mut dyn Watch) -> Candle<Encoded> {
        let points = &cloud.points;
        let centres = points.pick(&farthest(points, self.groups));
        let groups = nearest(&centres, points, self.group_size);
        let places = coordinates(&centres, &self.device)?;
        let mut x = self.tokens(points, &centres, &groups)?;
        watch.stage("centres.0", &places);
        watch.stage("level.0", &x);
        let mut position = self.position[1].apply(&self.position[0].apply(&places)?)?;
        if let Some([token, at]) = &self.class {
            x = Tensor::cat(&[token, &x], 0)?;
            position = Tensor::cat(&[at, &position], 0)?;
        }
        for (at, block) in self.blocks.iter().enumerate() {
            x = (x + &position)?;
            let qkv = block.qkv.apply(&block.attention_norm.apply(&x)?)?;
            x = (x + block.out.apply(&attention(&qkv, self.heads)?)?)?;
            let inner = block.up.apply(&block.feed_norm.apply(&x)?)?;
            x = (x + block.down.apply(&inner)?)?;
            watch.stage(&format!("level.{}", at + 1), &x);
        }
        let x = self.norm.apply(&x)?;
        let (class, items) = match &self.class {
            Some(_) => (Some(x.get(0)?), x.narrow(0, 1, centres.len())?),
            None => (None, x),
        };
        watch.stage("items", &items);
        Ok(Encoded {
            places: centres,
            items,
            class,
        })
    }
}
