//! DGCNN (Wang, Sun, Liu, Sarma, Bronstein and Solomon 2019, doi:10.1145/3326362), the
//! classification network, as the PyTorch implementations `dgcnn` of its authors and
//! `dgcnn.pytorch` name its tensors.
//!
//! A level finds the nearest neighbours of each point among the vectors of the level before (of
//! the first level, in space), and keeps the largest of what a convolution makes of each edge.
//! All levels' vectors together go through one more convolution; its rows are the items, one for
//! each point.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Deserialize;

use super::clouds::{
    Encoded, Ignored, Layers, Plan, Watch, Whole, coordinates, expect_folded, folded, positive,
    within,
};
use super::transformer::Affine;
use crate::EmbedError;
use crate::checkpoint::{CheckpointFault, Expected, Weights};
use crate::error::tensor;
use crate::kernel::{Activation, LEAK, Linear, Output, matmul};
use crate::ops::{Candle, Dense, Groups, grouped};
use crate::points::{Cloud, Sampling, Smallest, nearest};

/// `config.json` of a DGCNN. Every key may be left out; then it is as published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DgcnnConfig {
    #[serde(default, rename = "model_type")]
    _model_type: Ignored,
    /// Points read of a mesh.
    #[serde(default = "points")]
    points: usize,
    /// Neighbours of a point, itself among them.
    #[serde(default = "k")]
    k: usize,
    /// Numbers of a point after each level.
    #[serde(default = "widths")]
    widths: Vec<usize>,
    /// Numbers of a point at the end.
    #[serde(default = "emb_dims")]
    emb_dims: usize,
}

const fn points() -> usize {
    1024
}

const fn k() -> usize {
    20
}

fn widths() -> Vec<usize> {
    vec![64, 64, 128, 256]
}

const fn emb_dims() -> usize {
    1024
}

impl DgcnnConfig {
    fn names(level: usize) -> [String; 2] {
        [
            format!("conv{}.0", level + 1),
            format!("conv{}.1", level + 1),
        ]
    }

    pub(super) fn plan(&self) -> Result<Plan, CheckpointFault> {
        // Distances between all points are computed at every level.
        within("points", self.points, 1 << 15, "1 to 32768")?;
        within("k", self.k, self.points, "1 to the number of points")?;
        positive("widths", &self.widths)?;
        positive("emb_dims", &[self.emb_dims])?;
        let mut expected = Expected::default();
        let mut inputs = 3;
        let mut twins = Vec::new();
        for (level, width) in self.widths.iter().enumerate() {
            let [conv, norm] = Self::names(level);
            let names = [conv.as_str(), norm.as_str()];
            expect_folded(&mut expected, names, 2 * inputs, *width, 2, false);
            inputs = *width;
        }
        let [conv, norm] = Self::names(self.widths.len());
        let all = self.widths.iter().sum();
        let names = [conv.as_str(), norm.as_str()];
        expect_folded(&mut expected, names, all, self.emb_dims, 1, false);
        // A normalisation is part of the convolution's block and of the model: files may have it
        // under either name, or both.
        for level in 0..=self.widths.len() {
            for part in ["weight", "bias", "running_mean", "running_var"] {
                let name = format!("{}.{part}", Self::names(level)[1]);
                twins.push((name, format!("bn{}.{part}", level + 1)));
            }
        }
        // The twins, and the classifier.
        expected.ignore(&["bn", "linear1.", "linear2.", "linear3."]);
        Ok(Plan {
            sampling: Sampling {
                points: self.points,
                normals: false,
            },
            width: self.emb_dims,
            whole: Whole::MaxMean,
            expected,
            prefixes: &["module."],
            probe: "conv1.0.weight".to_owned(),
            twins,
            recipe: format!("dgcnn {} {}", self.points, self.k),
            about: format!(
                "DGCNN, {} levels, {} neighbours, {} points",
                self.widths.len(),
                self.k,
                self.points
            ),
        })
    }
}

/// The convolution of an edge, `W [neighbour - point, point]`, is `W' neighbour + (W'' - W') point`:
/// two maps of points, of which the first is looked up for each neighbour.
struct Edges {
    neighbour: Dense,
    point: Dense,
}

impl Edges {
    fn new(map: &Affine, device: &Device) -> Candle<Self> {
        let inputs = map.weight.dim(1)? / 2;
        let of_edge = map.weight.narrow(1, 0, inputs)?.contiguous()?;
        let of_point = map.weight.narrow(1, inputs, inputs)?;
        let neighbour = Affine {
            weight: of_edge.clone(),
            bias: None,
        };
        let point = Affine {
            weight: (of_point - of_edge)?,
            bias: map.bias.clone(),
        };
        Ok(Self {
            neighbour: Dense::new(&neighbour, None, device)?,
            point: Dense::new(&point, None, device)?,
        })
    }
}

/// The layers of a DGCNN.
pub(super) struct Dgcnn {
    levels: Vec<Edges>,
    last: Dense,
    neighbours: usize,
    device: Device,
}

impl Dgcnn {
    pub(super) fn load(
        config: &DgcnnConfig,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, EmbedError> {
        let map = |level: usize| {
            let [conv, norm] = DgcnnConfig::names(level);
            folded(weights, &conv, &norm)
        };
        let packing = tensor("packing a layer");
        let levels = (0..config.widths.len())
            .map(|level| Edges::new(&map(level)?, device).map_err(&packing))
            .collect::<Result<_, EmbedError>>()?;
        let last = map(config.widths.len())?;
        Ok(Self {
            levels,
            last: Dense::new(&last, Some(Activation::LeakyRelu), device).map_err(&packing)?,
            neighbours: config.k,
            device: device.clone(),
        })
    }
}

/// Rows whose distances to all points are computed together.
const ROWS: usize = 96;

/// The `k` nearest of the vectors `[points, width]` to each of them, the lower index where two are
/// as near; all where there are fewer.
///
/// The distance is `|b|^2 - 2 a b` (the `|a|^2` is the same for all), one product for all pairs,
/// as the reference computes it.
fn neighbours(vectors: &[f32], width: usize, k: usize) -> Groups {
    let count = vectors.len() / width;
    let doubled: Vec<f32> = vectors.iter().map(|x| -2.0 * x).collect();
    let squares: Vec<f32> = vectors
        .chunks_exact(width)
        .map(|row| row.iter().map(|x| x * x).sum())
        .collect();
    let others = Linear::new(&doubled, Some(&squares), width, count);
    let found: Vec<Vec<u32>> = vectors
        .par_chunks(ROWS * width)
        .map_init(
            Default::default,
            |(distances, smallest): &mut (Vec<f32>, Smallest), rows| {
                let rows_here = rows.len() / width;
                distances.resize(rows_here * count, 0.0);
                matmul(
                    rows,
                    width,
                    rows_here,
                    &others,
                    distances,
                    count,
                    Output::Store,
                );
                let mut all = Vec::with_capacity(rows_here * k);
                for row in distances.chunks_exact(count) {
                    all.extend(smallest.of(row, k));
                }
                all
            },
        )
        .collect();
    let k = k.min(count);
    let mut groups = Groups::new(k);
    for group in found.iter().flat_map(|found| found.chunks_exact(k)) {
        groups.push(group.iter().copied());
    }
    groups
}

impl Layers for Dgcnn {
    fn forward(&self, cloud: &Cloud, watch: &mut dyn Watch) -> Candle<Encoded> {
        let mut x = coordinates(&cloud.points, &self.device)?;
        let mut all = Vec::with_capacity(self.levels.len());
        for (at, level) in self.levels.iter().enumerate() {
            let groups = if at == 0 {
                nearest(&cloud.points, &cloud.points, self.neighbours)
            } else {
                let vectors: Vec<f32> = x.flatten_all()?.to_vec1()?;
                neighbours(&vectors, x.dim(1)?, self.neighbours)
            };
            let rows = level.neighbour.apply(&x)?;
            let shifts = level.point.apply(&x)?;
            x = grouped(&rows, &shifts, &groups, LEAK, &[])?;
            watch.stage(&format!("level.{at}"), &x);
            all.push(x.clone());
        }
        let items = self.last.apply(&Tensor::cat(&all, 1)?)?;
        watch.stage("items", &items);
        Ok(Encoded {
            places: cloud.points.clone(),
            items,
            class: None,
        })
    }
}
