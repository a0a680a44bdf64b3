//! Message passing over a graph, without a row for each edge in memory.

#[cfg(feature = "cuda")]
mod cuda;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Device, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{Candle, Reduce, SHARED_OUT, numbers};
use crate::graph::Graph;
use crate::kernel::{Attend, Neighbours, Scores, attend as attend_rows, gather as gather_rows};

/// Vertices that one thread takes at a time.
const STEP: usize = 256;

/// A graph where a device can read it.
pub(crate) struct Placed<'a> {
    graph: &'a Graph,
    #[cfg(feature = "cuda")]
    on_gpu: Option<cuda::Placed>,
}

impl<'a> Placed<'a> {
    pub(crate) fn new(graph: &'a Graph, device: &Device) -> Candle<Self> {
        #[cfg(feature = "cuda")]
        return Ok(Self {
            graph,
            on_gpu: cuda::Placed::new(graph, device)?,
        });
        #[cfg(not(feature = "cuda"))]
        {
            let _ = device;
            Ok(Self { graph })
        }
    }
}

/// `[vertices, width]` to the same: for each vertex its neighbours' rows, added or compared in
/// their order, zero where there are none; and `own` times its own row added.
pub(crate) fn gather(
    x: &Tensor,
    graph: &Placed<'_>,
    reduce: Reduce,
    own: Option<f32>,
) -> Candle<Tensor> {
    x.contiguous()?
        .apply_op1_no_bwd(&Gathered { graph, reduce, own })
}

/// How heads attend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) heads: usize,
    /// Slope of the scores' leaky ReLU below zero.
    pub(crate) slope: f32,
    /// Heads are averaged, else they lie side by side.
    pub(crate) mean: bool,
    /// A score is the product of the leaky ReLU of both rows' sum (GATv2, Brody, Alon and Yahav
    /// 2022), else the leaky ReLU of the sum of two products.
    pub(crate) pair: bool,
}

/// Attention of each vertex over its neighbours: their `values`, `[vertices, heads * channels]`,
/// weighted by the softmax of the scores of the edges.
///
/// `scores` is `[vertices, 2 * heads]`, parts of senders and then of receivers; with `pair` the
/// receivers' rows, as the values'. `weights`, `[heads * channels]`, is read with `pair` only.
pub(crate) fn attend(
    values: &Tensor,
    scores: &Tensor,
    weights: &Tensor,
    graph: &Placed<'_>,
    heads: Heads,
) -> Candle<Tensor> {
    let (scores, weights) = (scores.contiguous()?, weights.contiguous()?);
    let op = Attended { graph, heads };
    values
        .contiguous()?
        .apply_op3_no_bwd(&scores, &weights, &op)
}

struct Gathered<'a> {
    graph: &'a Placed<'a>,
    reduce: Reduce,
    own: Option<f32>,
}

/// Computes all rows: on the calling thread, or on all where there is much to add.
fn rows(graph: &Graph, width: usize, run: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut to = vec![0.0_f32; graph.vertices() * width];
    if (graph.edges() + graph.vertices()) * width < SHARED_OUT {
        run(0, &mut to);
    } else {
        to.par_chunks_mut(STEP * width)
            .enumerate()
            .for_each(|(at, to)| run(at * STEP, to));
    }
    to
}

/// The width of rows, one for each vertex.
fn width_of(layout: &Layout, graph: &Graph) -> Candle<usize> {
    let (given, width) = layout.shape().dims2()?;
    if given != graph.vertices() || width == 0 {
        let vertices = graph.vertices();
        candle_core::bail!("{given} rows of {width} for a graph of {vertices} vertices");
    }
    Ok(width)
}

impl CustomOp1 for Gathered<'_> {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Candle<(CpuStorage, Shape)> {
        let graph = self.graph.graph;
        let width = width_of(layout, graph)?;
        let job = Neighbours {
            graph,
            x: numbers(storage, layout, self.name())?,
            width,
            reduce: self.reduce,
            own: self.own,
        };
        let to = rows(graph, width, |first, to| gather_rows(&job, first, to));
        Ok((CpuStorage::F32(to), Shape::from((graph.vertices(), width))))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> Candle<(candle_core::CudaStorage, Shape)> {
        cuda::gather(self, storage, layout)
    }
}

struct Attended<'a> {
    graph: &'a Placed<'a>,
    heads: Heads,
}

impl Attended<'_> {
    /// Numbers of a head, and of a result's row.
    fn widths(&self, width: usize) -> Candle<(usize, usize)> {
        let heads = self.heads.heads;
        if heads == 0 || !width.is_multiple_of(heads) {
            candle_core::bail!("{width} numbers for {heads} heads");
        }
        let channels = width / heads;
        Ok((channels, if self.heads.mean { channels } else { width }))
    }
}

impl CustomOp3 for Attended<'_> {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(
        &self,
        values: &CpuStorage,
        values_layout: &Layout,
        scores: &CpuStorage,
        scores_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Candle<(CpuStorage, Shape)> {
        let graph = self.graph.graph;
        let width = width_of(values_layout, graph)?;
        let (channels, outputs) = self.widths(width)?;
        let scores = numbers(scores, scores_layout, self.name())?;
        let job = Attend {
            graph,
            values: numbers(values, values_layout, self.name())?,
            heads: self.heads.heads,
            channels,
            scores: match self.heads.pair {
                true => Scores::Pair(scores, numbers(weights, weights_layout, self.name())?),
                false => Scores::Parts(scores),
            },
            slope: self.heads.slope,
            mean: self.heads.mean,
        };
        let to = rows(graph, outputs, |first, to| attend_rows(&job, first, to));
        Ok((
            CpuStorage::F32(to),
            Shape::from((graph.vertices(), outputs)),
        ))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        values: &candle_core::CudaStorage,
        values_layout: &Layout,
        scores: &candle_core::CudaStorage,
        scores_layout: &Layout,
        weights: &candle_core::CudaStorage,
        weights_layout: &Layout,
    ) -> Candle<(candle_core::CudaStorage, Shape)> {
        cuda::attend(
            self,
            [
                (values, values_layout),
                (scores, scores_layout),
                (weights, weights_layout),
            ],
        )
    }
}

#[cfg(test)]
mod tests;
