//! Dominance rows as a message-passing layer.
//!
//! With one graph and one matrix `V(c)` for each class `c` of edges, `R` rounds and `B` buckets:
//!
//! ```text
//! h(k+1)(v) = min( W h(k)(v) + sum over c of V(c) (sum of h(k)(w) over the neighbours w by c), 65535 )
//! ```
//!
//! Order embeddings of this kind: Ye, Lian and Chen 2024, arXiv:2309.15641. Tensors are of single
//! precision and the integers come out exact, on every device, in whatever order they are added.
//! No term is negative, so a sum is exact while it is below 2^24, and once it is 65535 or more no
//! further term rounds it below that. (Products in TF32, which rounds their factors, would break
//! this; Candle uses it only where it is switched on, and here it is not.)

use candle_core::{DType, Device, Tensor};

use crate::error::tensor;
use crate::graph::{Graph, GraphFault};
use crate::model::transformer::Affine;
use crate::ops::{Candle, Dense, Placed, Reduce, gather};
use crate::{EmbedError, device};

/// Where sums are cut off.
const MOST: f64 = u16::MAX as f64;

/// The edges of one class and direction.
#[derive(Debug, Clone, Copy)]
pub struct Class<'a> {
    /// For each vertex the neighbours whose rows it adds. It may be of the edges that arrive, of
    /// those that leave, or of both.
    pub graph: &'a Graph,
    /// `V(c)`: `[buckets, buckets]`, output by input.
    pub weights: &'a [u16],
}

/// What is the same in all rounds.
#[derive(Debug, Clone, Copy)]
pub struct Rounds<'a> {
    /// Numbers of a row.
    pub buckets: usize,
    /// How many times neighbours are added.
    pub rounds: usize,
    /// `W`: `[buckets, buckets]`, output by input.
    pub own: &'a [u16],
    /// The classes of edges. A graph without edges has none.
    pub classes: &'a [Class<'a>],
}

impl Rounds<'_> {
    /// The rows of all vertices, `[vertices, buckets]`, of those that they begin with, of the same
    /// shape. Computed on the device of this process ([`crate::device()`]), by the calling thread
    /// and rayon's. Memory is four such arrays of 4 bytes a number; time is linear in `rounds *
    /// buckets * (edges + vertices * buckets * classes)`.
    ///
    /// Every matrix is multiplied whole; the integer code of the crate penstock-pattern passes over
    /// its zeros. On two cores of a CPU both take as long for a million vertices with five million
    /// edges, the making of [`Graph`]s counted in (`examples/dominance_speed.rs`).
    ///
    /// # Errors
    /// Rows or matrices are not as long as `buckets` says, graphs have not as many vertices; the
    /// tensor library failed.
    pub fn rows(&self, initial: &[u16]) -> Result<Vec<u16>, EmbedError> {
        let width = self.buckets;
        let matrices = self.classes.iter().map(|class| class.weights);
        for matrix in matrices.chain([self.own]) {
            if matrix.len() != width * width {
                return Err(EmbedError::Graph(GraphFault::Matrix {
                    given: matrix.len(),
                    width,
                }));
            }
        }
        let vertices = initial.len().checked_div(width).unwrap_or(0);
        let sizes = self.classes.iter().map(|class| class.graph.vertices());
        for size in sizes.chain([vertices]) {
            if initial.len() != size * width {
                return Err(EmbedError::Graph(GraphFault::Features {
                    given: initial.len(),
                    vertices: size,
                    width,
                }));
            }
        }
        if vertices == 0 || self.rounds == 0 {
            return Ok(initial.to_vec());
        }
        self.forward(initial, vertices, device())
            .map_err(tensor("adding rows of neighbours"))
    }

    fn forward(&self, initial: &[u16], vertices: usize, device: &Device) -> Candle<Vec<u16>> {
        let map = |weights: &[u16]| {
            let weights: Vec<f32> = weights.iter().map(|w| f32::from(*w)).collect();
            let weight = Tensor::from_vec(weights, (self.buckets, self.buckets), &Device::Cpu)?;
            Dense::new(&Affine { weight, bias: None }, None, device)
        };
        let own = map(self.own)?;
        let classes = self.classes.iter();
        let classes = classes
            .map(|class| Ok((Placed::new(class.graph, device)?, map(class.weights)?)))
            .collect::<Candle<Vec<_>>>()?;
        let numbers: Vec<f32> = initial.iter().map(|x| f32::from(*x)).collect();
        let mut rows = Tensor::from_vec(numbers, (vertices, self.buckets), device)?;
        for _ in 0..self.rounds {
            let mut next = own.apply(&rows)?;
            for (graph, weights) in &classes {
                let sums = gather(&rows, graph, Reduce::Sum, None)?;
                next = weights.add(&sums, next)?;
            }
            rows = next.minimum(MOST)?;
        }
        // Integers up to 65535, which 32 bits hold exactly.
        let rows = rows.flatten_all()?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
        Ok(rows.into_iter().map(|x| x as u16).collect())
    }
}
