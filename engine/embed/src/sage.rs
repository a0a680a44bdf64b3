//! `graph-sage-v1`: the neighbourhood of each vertex of a graph, without training.
//!
//! The layers are GraphSAGE's with the mean aggregator (Hamilton, Ying and Leskovec 2017,
//! arXiv:1706.02216) and fixed weights: no result is claimed that training would bring. With `d` =
//! 32 numbers for a hop:
//!
//! ```text
//! x(v)[0 .. 31] = +1 or -1 by a hash of the label of v; 0 where any label will do
//! x(v)[31]      = 0.75 * degree / (degree + 4)
//! h0 = x;   h1(v) = mean of h0 over the neighbours of v;   h2(v) = mean of h1 over them
//! row(v)        = [h0, 0.75 h1, 0.5 h2] / its length
//! ```
//!
//! So hop `k` is a sketch of the labels that a walk of `k` edges meets: random signs keep inner
//! products as a random projection does (Achlioptas 2003, doi:10.1016/S0022-0000(03)00025-4). The
//! degree tells vertices apart where all labels are one, and weighs too little to change which
//! labels are near; it grows slower as it grows, since a part of a graph lacks edges. A mean is the
//! same for a part of the neighbours that has the same mix of labels, which a sum is not.
//!
//! Vertices whose neighbourhoods of two edges are alike have equal rows, whatever graph they are
//! in and however it is numbered, but for rounding. A row is zero only where
//! the vertex has neither a known label nor a neighbour.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch};
use candle_core::Tensor;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling, columns};
use rayon::prelude::*;

use crate::error::tensor;
use crate::graph::{Graph, GraphFault};
use crate::ops::{Candle, Placed, Reduce, gather};
use crate::weights::Constants;
use crate::{EmbedError, Encoder, device};

const NAME: &str = "graph-sage-v1";

/// Numbers of a hop; the last one is the degree's.
const HOP: usize = 32;

/// Signs of a label.
const SIGNS: usize = HOP - 1;

/// What each hop is multiplied by. Of the weights tried on the interaction graph HPRD these found
/// planted patterns best.
const HOPS: [f32; 3] = [1.0, 0.75, 0.5];

/// The most that a degree counts, beside signs of 1.
const DEGREE: f32 = 0.75;

/// The degree that counts half of that.
const HALF: f32 = 4.0;

/// What the hash of a label is told apart by.
const CONTEXT: &str = "penstock graph-sage-v1 label";

const DIM: usize = HOP * HOPS.len();

const DIMENSION: Dim = match Dim::new(DIM) {
    Some(dim) => dim,
    None => unreachable!(),
};

/// Rows that one thread takes at a time.
const STEP: usize = 1024;

/// The encoder `graph-sage-v1`; see the module.
#[derive(Debug)]
pub struct GraphSage {
    spec: FeatureSpec,
}

impl GraphSage {
    /// Makes the encoder.
    #[must_use]
    pub fn new() -> Self {
        let weights = Constants::new(NAME)
            .bytes("label", CONTEXT.as_bytes())
            .numbers("layout", &[HOP as f64, SIGNS as f64])
            .numbers("hops", &HOPS.map(f64::from))
            .numbers("degree", &[f64::from(DEGREE), f64::from(HALF)])
            .finish();
        Self {
            spec: FeatureSpec {
                encoder: NAME.to_owned(),
                weights,
                pooling: Pooling::Whole,
                dtype: DType::F32,
                licence: None,
                dim: DIMENSION,
            },
        }
    }

    fn hops(graph: &Graph, x: Vec<f32>) -> Candle<Vec<f32>> {
        let vertices = graph.vertices();
        let mut rows = vec![0.0_f32; vertices * DIM];
        let placed = Placed::new(graph, device())?;
        let mut hop = Tensor::from_vec(x, (vertices, HOP), device())?;
        for (at, weight) in HOPS.into_iter().enumerate() {
            if at > 0 {
                hop = gather(&hop, &placed, Reduce::Mean, None)?;
            }
            let values = hop.flatten_all()?.to_vec1::<f32>()?;
            rows.par_chunks_mut(STEP * DIM)
                .zip(values.par_chunks(STEP * HOP))
                .for_each(|(rows, values)| {
                    let rows = rows.chunks_exact_mut(DIM);
                    for (row, values) in rows.zip(values.chunks_exact(HOP)) {
                        let part = row[at * HOP..].iter_mut();
                        part.zip(values).for_each(|(to, x)| *to = weight * x);
                    }
                });
        }
        Ok(rows)
    }
}

impl Default for GraphSage {
    fn default() -> Self {
        Self::new()
    }
}

/// The signs of a label.
fn signs(label: &str) -> [f32; SIGNS] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(label.as_bytes());
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    let bits = u32::from_le_bytes([a, b, c, d]);
    std::array::from_fn(|at| if bits >> at & 1 == 1 { 1.0 } else { -1.0 })
}

/// Divides a row by its length, in one order of adding. A row of zeros stays one.
fn normalise(row: &mut [f32]) {
    let square: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    if square > 0.0 {
        let length = square.sqrt();
        for x in row {
            *x = (f64::from(*x) / length) as f32;
        }
    }
}

impl Encoder for GraphSage {
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        Kind::Graph
    }

    fn columns(&self) -> &'static [&'static str] {
        &[
            columns::PARENT,
            columns::VERTEX,
            columns::LABEL,
            columns::NEIGHBOURS,
        ]
    }

    fn describe(&self) -> &str {
        "labels and degrees around each vertex, up to two edges away, by GraphSAGE's mean with \
         fixed weights"
    }

    fn encode(&self, _batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        Err(EmbedError::ReadsGraphs {
            encoder: NAME.to_owned(),
        })
    }

    fn vertices(&self, graph: &Graph, labels: &[Option<&str>]) -> Result<Vec<f32>, EmbedError> {
        let vertices = graph.vertices();
        GraphFault::one_label_each(labels.len(), vertices)?;
        if vertices == 0 {
            return Ok(Vec::new());
        }
        let mut known: HashMap<&str, [f32; SIGNS]> = HashMap::new();
        let mut x = vec![0.0_f32; vertices * HOP];
        let rows = x.chunks_exact_mut(HOP);
        for ((row, label), ends) in rows.zip(labels).zip(graph.offsets().windows(2)) {
            if let Some(label) = label {
                let signs = known.entry(label).or_insert_with(|| signs(label));
                row[..SIGNS].copy_from_slice(signs);
            }
            let degree = (ends[1] - ends[0]) as f32;
            row[SIGNS] = DEGREE * (degree / (degree + HALF));
        }
        let mut rows = Self::hops(graph, x).map_err(tensor("passing messages over a graph"))?;
        rows.par_chunks_mut(STEP * DIM)
            .for_each(|rows| rows.chunks_exact_mut(DIM).for_each(normalise));
        Ok(rows)
    }
}

#[cfg(test)]
mod tests;
