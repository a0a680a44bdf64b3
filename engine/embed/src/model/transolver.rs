//! Transolver: attention among slices of a mesh (Wu, Luo, Wang, Wang and Long 2024, arXiv
//! 2402.02366), up to the hidden states before the head that predicts fields.
//!
//! Physics attention gives each vertex shares in a few slices, per head; the shares' weighted means
//! over all vertices are tokens, which attend to each other, and a vertex gets its shares of the
//! results. Two runs of affine maps without a function between them are one map here, computed
//! once: from the normalised hidden state to the logits of the shares (`in_project_x`,
//! `in_project_slice` and the temperature, when the weights are loaded) and from the shares to
//! what is added to the hidden state (the tokens and `to_out`, for each mesh). So a vertex goes
//! through plain products only, a block of vertices at a time while it is in cache.

use arrow::record_batch::RecordBatch;
use candle_core::{DType, Device, Tensor};
use penstock_types::{Kind, Pooling};
use rayon::prelude::*;
use serde::Deserialize;

use super::Model;
use super::surface::{Allowance, COLUMNS, Fault, POOLINGS, Surface, SurfaceConfig};
use super::transformer::Affine;
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Config, Expected, Weights};
use crate::error::tensor;
use crate::kernel::{Activation, NormKind};
use crate::mesh::vertex::Mesh;
use crate::ops::{Candle, Dense, RowNorm, SliceTokens, softmax_of};

/// Added to the sum of a slice's shares, so that an empty one divides by something.
const SHARES: f64 = 1e-5;

/// The epsilon of torch's `LayerNorm`.
const EPSILON: f64 = 1e-5;

/// Blocks of vertices whose tokens one thread adds up.
const BLOCKS: usize = 8;

/// The keys of `config.json`; the names are those of the published constructor.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TransolverConfig {
    n_layers: usize,
    n_hidden: usize,
    n_head: usize,
    slice_num: usize,
    mlp_ratio: usize,
    #[serde(default = "gelu")]
    act: String,
    /// Whether distances from the points of a grid follow the inputs.
    #[serde(default)]
    unified_pos: bool,
    /// Points of the grid along each axis.
    #[serde(default = "eight", rename = "ref")]
    reference: usize,
    /// First and last coordinate of the grid along x, y and z.
    #[serde(default = "car")]
    grid: [[f64; 2]; 3],
    #[serde(flatten)]
    surface: SurfaceConfig,
}

fn gelu() -> String {
    "gelu".to_owned()
}

const fn eight() -> usize {
    8
}

/// The grid of the published model of cars.
const fn car() -> [[f64; 2]; 3] {
    [[-1.5, 1.5], [0.0, 2.0], [-4.0, 4.0]]
}

/// A function between two maps, by the name that torch gives it.
pub(super) fn activation(key: &'static str, name: &str) -> Result<Activation, CheckpointFault> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "relu" => Ok(Activation::Relu),
        "silu" => Ok(Activation::Silu),
        _ => Err(CheckpointFault::Config {
            key,
            given: format!("`{name}`"),
            expected: "gelu, relu or silu",
        }),
    }
}

/// Refuses a size of 0.
pub(super) fn positive(sizes: &[(&'static str, usize)]) -> Result<(), CheckpointFault> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((key, size)) => Err(CheckpointFault::Config {
            key,
            given: size.to_string(),
            expected: "a positive number",
        }),
        None => Ok(()),
    }
}

/// Rows that go through maps of this width together: as many as a product does not share out.
pub(super) fn block_rows(device: &Device, widest: usize) -> usize {
    if device.is_cpu() {
        ((1 << 16) / (2 * widest.max(1)) / 12 * 12).clamp(12, 240)
    } else {
        1 << 16
    }
}

impl TransolverConfig {
    pub(super) fn read(config: &Config) -> Result<Self, CheckpointFault> {
        let this: Self = config.read()?;
        positive(&[
            ("n_layers", this.n_layers),
            ("n_hidden", this.n_hidden),
            ("n_head", this.n_head),
            ("slice_num", this.slice_num),
            ("mlp_ratio", this.mlp_ratio),
        ])?;
        if !this.n_hidden.is_multiple_of(this.n_head) {
            return Err(CheckpointFault::Config {
                key: "n_head",
                given: this.n_head.to_string(),
                expected: "a divisor of n_hidden",
            });
        }
        if this.unified_pos && !(1..=64).contains(&this.reference) {
            return Err(CheckpointFault::Config {
                key: "ref",
                given: this.reference.to_string(),
                expected: "1 to 64",
            });
        }
        Ok(this)
    }

    pub(super) const fn width(&self) -> usize {
        self.n_hidden
    }

    pub(super) fn about(&self) -> String {
        format!(
            "Transolver, {} layers of {} slices",
            self.n_layers, self.slice_num
        )
    }

    /// The points that distances are taken from, x slowest.
    fn references(&self) -> Vec<[f64; 3]> {
        if !self.unified_pos {
            return Vec::new();
        }
        let n = self.reference;
        let axis = |[low, high]: [f64; 2], i: usize| match n {
            1 => low,
            _ => low + (high - low) * i as f64 / (n - 1) as f64,
        };
        let [x, y, z] = self.grid;
        (0..n * n * n)
            .map(|i| [axis(x, i / (n * n)), axis(y, i / n % n), axis(z, i % n)])
            .collect()
    }

    fn expected(&self, inputs: usize) -> Expected {
        let mut expected = Expected::default();
        let (width, head_dim) = (self.n_hidden, self.n_hidden / self.n_head);
        expected.affine("preprocess.linear_pre.0", inputs, 2 * width, true);
        expected.affine("preprocess.linear_post", 2 * width, width, true);
        expected.tensor("placeholder", &[width]);
        for layer in 0..self.n_layers {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            expected.norm(&name("ln_1"), width, true);
            expected.tensor(name("Attn.temperature"), &[1, self.n_head, 1, 1]);
            expected.affine(&name("Attn.in_project_x"), width, width, true);
            expected.affine(&name("Attn.in_project_fx"), width, width, true);
            let slices = name("Attn.in_project_slice");
            expected.affine(&slices, head_dim, self.slice_num, true);
            for part in ["to_q", "to_k", "to_v"] {
                expected.affine(&name(&format!("Attn.{part}")), head_dim, head_dim, false);
            }
            expected.affine(&name("Attn.to_out.0"), width, width, true);
            expected.norm(&name("ln_2"), width, true);
            let wide = width * self.mlp_ratio;
            expected.affine(&name("mlp.linear_pre.0"), width, wide, true);
            expected.affine(&name("mlp.linear_post"), wide, width, true);
        }
        // The head that predicts fields, and a block that one published variant has and never runs.
        expected.ignore(&[".ln_3.", ".mlp2.", ".mlp_new."]);
        expected
    }
}

struct Block {
    norm: RowNorm,
    /// `[width]` to the logits `[heads, slices]`.
    shares: Dense,
    values: Dense,
    query: Dense,
    key: Dense,
    value: Dense,
    /// `[heads, head_dim, width]`.
    out: Tensor,
    /// `[width]`.
    out_bias: Tensor,
    feed_norm: RowNorm,
    up: Dense,
    down: Dense,
}

/// A Transolver in memory.
pub(super) struct Transolver {
    surface: Surface,
    references: Vec<[f64; 3]>,
    slices: SliceTokens,
    pre: Dense,
    post: Dense,
    blocks: Vec<Block>,
    width: usize,
    rows: usize,
    device: Device,
    about: String,
    digest: String,
}

impl Transolver {
    pub(super) fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let config = TransolverConfig::read(checkpoint.config()).map_err(fault)?;
        let surface = Surface::new(&config.surface).map_err(fault)?;
        let act = activation("act", &config.act).map_err(fault)?;
        let references = config.references();
        let inputs = surface.width() + references.len();
        positive(&[("inputs", inputs)]).map_err(fault)?;
        let expected = config.expected(inputs);
        let weights = Weights::open(checkpoint.weights(), "module.").map_err(fault)?;
        weights.check(&expected).map_err(fault)?;
        let mut hasher = blake3::Hasher::new();
        let recipe = format!(
            "transolver {} {} {:?} {references:?} {}",
            config.n_head,
            config.slice_num,
            act,
            surface.recipe()
        );
        hasher.update(recipe.as_bytes());
        weights.digest(&expected, &mut hasher);
        let slices = SliceTokens {
            heads: config.n_head,
            slices: config.slice_num,
            head_dim: config.n_hidden / config.n_head,
        };
        let place = tensor("placing weights");
        let dense = |affine: &Affine, act| Dense::new(affine, act, device).map_err(&place);
        let read = |name: &str, act| dense(&weights.affine(name)?, act);
        let mut post = weights.affine("preprocess.linear_post")?;
        let placeholder = weights.get("placeholder")?;
        let bias = post.bias.take().map(|bias| bias + placeholder);
        post.bias = bias.transpose().map_err(&place)?;
        let blocks = (0..config.n_layers)
            .map(|layer| {
                let name = |part: &str| format!("blocks.{layer}.{part}");
                let norm = |part: &str| {
                    let norm = weights.norm(&name(part), NormKind::Layer, EPSILON)?;
                    RowNorm::new(&norm, device).map_err(&place)
                };
                let out = weights.affine(&name("Attn.to_out.0"))?;
                let shape = (slices.heads, slices.head_dim, config.n_hidden);
                let placed = |t: &Tensor| {
                    t.contiguous()
                        .and_then(|t| t.to_device(device))
                        .map_err(&place)
                };
                let by_head = out.weight.t().and_then(|w| w.contiguous()?.reshape(shape));
                Ok(Block {
                    norm: norm("ln_1")?,
                    shares: dense(&shares(&weights, &name("Attn"), slices)?, None)?,
                    values: read(&name("Attn.in_project_fx"), None)?,
                    query: read(&name("Attn.to_q"), None)?,
                    key: read(&name("Attn.to_k"), None)?,
                    value: read(&name("Attn.to_v"), None)?,
                    out: placed(&by_head.map_err(&place)?)?,
                    out_bias: placed(&weights.get(&name("Attn.to_out.0.bias"))?)?,
                    feed_norm: norm("ln_2")?,
                    up: read(&name("mlp.linear_pre.0"), Some(act))?,
                    down: read(&name("mlp.linear_post"), None)?,
                })
            })
            .collect::<Result<_, EmbedError>>()?;
        let wide = config.n_hidden * config.mlp_ratio.max(1);
        Ok(Self {
            about: config.about(),
            digest: hasher.finalize().to_hex().to_string(),
            pre: read("preprocess.linear_pre.0", Some(act))?,
            post: dense(&post, None)?,
            rows: block_rows(device, wide.max(slices.heads * slices.slices)),
            width: config.n_hidden,
            device: device.clone(),
            surface,
            references,
            slices,
            blocks,
        })
    }

    /// Bytes that a mesh of so many vertices needs: per vertex its place, its inputs, and twice
    /// (before and after a layer) its hidden state and its shares.
    fn bytes(&self, vertices: usize) -> usize {
        let SliceTokens { heads, slices, .. } = self.slices;
        let floats = self.surface.width() + 2 * self.width + heads * slices;
        vertices.saturating_mul(4 * floats + 3 * 8)
    }

    /// The hidden states of every layer's end, for `see`; the last are returned.
    fn forward(
        &self,
        mesh: &Mesh,
        see: &mut dyn FnMut(&[Tensor]) -> Candle<()>,
    ) -> Candle<Vec<Tensor>> {
        let inputs = self.surface.features(mesh);
        let wide = self.surface.width();
        let vertices = mesh.points.len();
        let starts: Vec<usize> = (0..vertices).step_by(self.rows).collect();
        let mut hidden: Vec<Tensor> = starts
            .into_par_iter()
            .map(|start| {
                let rows = start..(start + self.rows).min(vertices);
                let points = &mesh.points[rows.clone()];
                let x = self.inputs(points, &inputs[rows.start * wide..rows.end * wide])?;
                self.post.apply(&self.pre.apply(&x)?)
            })
            .collect::<Candle<_>>()?;
        drop(inputs);
        see(&hidden)?;
        for block in &self.blocks {
            let runs: Vec<Run> = hidden
                .par_chunks(BLOCKS)
                .map(|run| self.slice(block, run))
                .collect::<Candle<_>>()?;
            let mix = self.mix(block, &runs)?;
            // A block's old state is dropped as soon as its new one is there.
            let shares: Vec<Tensor> = runs.into_iter().flat_map(|run| run.shares).collect();
            hidden = hidden
                .into_par_iter()
                .zip(shares)
                .map(|(x, shares)| {
                    let x = (mix.apply(&shares)? + x)?;
                    drop(shares);
                    let y = block.up.apply(&block.feed_norm.apply(&x)?)?;
                    block.down.apply(&y)? + x
                })
                .collect::<Candle<_>>()?;
            see(&hidden)?;
        }
        Ok(hidden)
    }

    /// What the first layer reads of some vertices.
    fn inputs(&self, points: &[[f64; 3]], features: &[f32]) -> Candle<Tensor> {
        let wide = self.surface.width();
        let width = wide + self.references.len();
        let mut rows = Vec::with_capacity(points.len() * width);
        for (i, point) in points.iter().enumerate() {
            rows.extend_from_slice(&features[i * wide..(i + 1) * wide]);
            rows.extend(self.references.iter().map(|reference| {
                let [x, y, z] = [0, 1, 2].map(|k| point[k] - reference[k]);
                (x * x + y * y + z * z).sqrt() as f32
            }));
        }
        Tensor::from_vec(rows, (points.len(), width), &self.device)
    }

    /// Shares of the vertices of some blocks, and the sums that make tokens.
    fn slice(&self, block: &Block, hidden: &[Tensor]) -> Candle<Run> {
        let mut shares = Vec::with_capacity(hidden.len());
        let mut sums: Option<Tensor> = None;
        for x in hidden {
            let y = block.norm.apply(x)?;
            let here = softmax_of(&block.shares.apply(&y)?, self.slices.slices)?;
            let part = self.slices.sums(&here, &block.values.apply(&y)?)?;
            shares.push(here);
            sums = Some(match sums {
                Some(sums) => (sums + part)?,
                None => part,
            });
        }
        Ok(Run { shares, sums })
    }

    /// The map from the shares of a vertex to what is added to its hidden state.
    fn mix(&self, block: &Block, runs: &[Run]) -> Candle<Dense> {
        let SliceTokens {
            heads,
            slices,
            head_dim,
        } = self.slices;
        let mut all = Tensor::zeros((heads, slices, head_dim + 1), DType::F32, &self.device)?;
        for sums in runs.iter().filter_map(|run| run.sums.as_ref()) {
            all = (all + sums)?;
        }
        let norm = (all.narrow(2, head_dim, 1)? + SHARES)?;
        let tokens = all.narrow(2, 0, head_dim)?.broadcast_div(&norm)?;
        let query = block.query.apply(&tokens)?;
        let key = block.key.apply(&tokens)?.transpose(1, 2)?.contiguous()?;
        let scores = (query.matmul(&key)? * (head_dim as f64).powf(-0.5))?;
        let tokens = softmax_of(&scores, slices)?.matmul(&block.value.apply(&tokens)?)?;
        let weight = tokens.matmul(&block.out)?;
        let weight = weight.reshape((heads * slices, self.width))?;
        let affine = Affine {
            weight: weight.t()?.contiguous()?,
            bias: Some(block.out_bias.clone()),
        };
        Dense::new(&affine, None, &self.device)
    }
}

struct Run {
    shares: Vec<Tensor>,
    sums: Option<Tensor>,
}

/// `in_project_slice(in_project_x(y)) / temperature`, head by head, as one map.
fn shares(weights: &Weights, prefix: &str, shape: SliceTokens) -> Result<Affine, EmbedError> {
    let SliceTokens {
        heads,
        slices,
        head_dim,
    } = shape;
    let get = |name: &str| weights.get(&format!("{prefix}.{name}"));
    let x = (get("in_project_x.weight")?, get("in_project_x.bias")?);
    let slice = (
        get("in_project_slice.weight")?,
        get("in_project_slice.bias")?,
    );
    let temperature = get("temperature")?;
    let joined = || {
        let double = |t: &Tensor| t.to_dtype(DType::F64);
        let width = heads * head_dim;
        let temperature = double(&temperature.reshape((heads, 1, 1))?)?;
        let slice_weight = double(&slice.0)?.broadcast_left(heads)?.contiguous()?;
        let x_weight = double(&x.0)?.reshape((heads, head_dim, width))?;
        let x_bias = double(&x.1)?.reshape((heads, head_dim, 1))?;
        let weight = slice_weight.matmul(&x_weight)?;
        let bias = slice_weight
            .matmul(&x_bias)?
            .broadcast_add(&double(&slice.1)?.reshape((1, slices, 1))?)?;
        let single = |t: Tensor| t.broadcast_div(&temperature)?.to_dtype(DType::F32);
        Ok(Affine {
            weight: single(weight)?.reshape((heads * slices, width))?,
            bias: Some(single(bias)?.reshape(heads * slices)?),
        })
    };
    joined().map_err(tensor("joining weights"))
}

impl Model for Transolver {
    fn kind(&self) -> Kind {
        Kind::Mesh
    }

    fn columns(&self) -> &'static [&'static str] {
        COLUMNS
    }

    fn poolings(&self) -> &'static [Pooling] {
        POOLINGS
    }

    fn width(&self, _pooling: Pooling) -> usize {
        self.width
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let bytes = |vertices, _faces| self.bytes(vertices);
        let forward = |mesh: &Mesh, allowance: &Allowance| {
            allowance.check(self.bytes(mesh.points.len()))?;
            self.forward(mesh, &mut |_| Ok(())).map_err(Fault::from)
        };
        self.surface
            .embed(encoder, batch, pooling, &bytes, &forward)
    }
}

#[cfg(test)]
mod tests;
