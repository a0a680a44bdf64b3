//! The index as it is searched.

use penstock_types::Metric;

use crate::build;
use crate::codes::{Codes, Probe, Quantiser, vector_stride};
use crate::error::{HnswError, Result};
use crate::layers::Layers;
use crate::memory::Aligned;
use crate::options::{Control, Memory, Options, memory};
use crate::places::Places;
use crate::scratch::Scratches;
use crate::simd::isa::Isa;
use crate::simd::lanes::Lanes;
use crate::walk::{Frozen, descend};

/// A graph over quantised vectors, with the exact vectors beside it.
///
/// A *row* is a position in the caller's input; equal rows share a *vector*, and vectors that the walk
/// cannot tell apart share a *vertex*. Under cosine the rows that are all zero have no vertex and are never found.
#[derive(Debug)]
pub struct Hnsw {
    pub(crate) options: Options,
    pub(crate) dim: usize,
    pub(crate) isa: Isa,
    pub(crate) quantiser: Quantiser,
    pub(crate) codes: Codes,
    /// `f32[vectors, vector_stride(dim)]`, of length 1 under cosine.
    pub(crate) vectors: Aligned<f32>,
    /// `u32[vertices, 2 * edges]`.
    pub(crate) base: Aligned<u32>,
    /// Layer 1, 2, ...: `u32[vertices of the layer, edges]`; they are the first vertices.
    pub(crate) upper: Vec<Aligned<u32>>,
    pub(crate) places: Places,
    pub(crate) labels: Vec<u64>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) scratches: Scratches,
}

impl Hnsw {
    /// Builds an index of `rows`, `f32[n, dim]` in row-major order. Labels are the row numbers.
    ///
    /// # Errors
    /// Shapes or options out of range, NaN or infinity in a row, or [`HnswError::Cancelled`].
    pub fn build(
        rows: &[f32],
        dim: usize,
        options: &Options,
        control: &Control<'_>,
    ) -> Result<Self> {
        build::build(rows, dim, options, control, Isa::widest())
    }

    /// The rows that have a vertex of their own, ascending: of rows that are equal as the metric
    /// compares them, or that the codes cannot tell apart, the first. Under cosine the rows without
    /// a direction are left out. Of `options` the metric and the threads count.
    ///
    /// # Errors
    /// As [`Hnsw::build`].
    pub fn distinct_rows(
        rows: &[f32],
        dim: usize,
        options: &Options,
        control: &Control<'_>,
    ) -> Result<Vec<u32>> {
        build::distinct_rows(rows, dim, options, control)
    }

    /// Makes an index of `rows`, `f32[n, dim]` in row-major order, and of a graph that another
    /// program built over [`Hnsw::distinct_rows`] of them. The other rows share the vertices of their
    /// likes, so that all are found. Of `options` the metric, the edges and the threads count; the
    /// rest is kept with the index.
    ///
    /// The graph stays as it is but for vertices of the base layer that no path leads to from the
    /// entry point: each gets an edge from a vertex near it, for which one that no shortest path
    /// from the entry point takes may have to give way.
    ///
    /// Takes the memory of a build ([`Hnsw::bytes`]); calls `progress` with vertices.
    ///
    /// # Errors
    /// As [`Hnsw::build`], and [`HnswError::Graph`] where the graph is not one over these rows, or
    /// has more neighbours at a vertex than `options.edges` (twice as many in the base layer).
    pub fn from_graph(
        rows: &[f32],
        dim: usize,
        options: &Options,
        graph: &Layers,
        control: &Control<'_>,
    ) -> Result<Self> {
        build::from_graph(rows, dim, options, graph, control)
    }

    /// The memory that an index of so many rows takes, and its build.
    #[must_use]
    pub fn bytes(rows: usize, dim: usize, options: &Options) -> Memory {
        memory(rows, dim, options)
    }

    /// Rows, those that cannot be found included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.len() == 0
    }

    /// Numbers per vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How vectors are compared.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.options.metric
    }

    /// What it was built with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The caller's identifier of each row.
    #[must_use]
    pub fn labels(&self) -> &[u64] {
        &self.labels
    }

    /// Replaces the identifiers.
    ///
    /// # Errors
    /// Another number of labels than of rows.
    pub fn set_labels(&mut self, labels: Vec<u64>) -> Result<()> {
        if labels.len() != self.len() {
            return Err(HnswError::Rows {
                what: "labels",
                got: labels.len(),
                rows: self.len(),
            });
        }
        self.labels = labels;
        Ok(())
    }

    /// What the caller keeps with the index; nothing here reads it.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Replaces what the caller keeps with the index.
    pub fn set_metadata(&mut self, metadata: Vec<u8>) {
        self.metadata = metadata;
    }

    /// The stored vector of a row, `f32[dim]`: of length 1 under cosine, and `None` where it has no
    /// direction there or no such row exists.
    #[must_use]
    pub fn vector(&self, row: u32) -> Option<&[f32]> {
        let vector = self.places.vector(row)? as usize;
        Some(&self.vectors[vector * vector_stride(self.dim)..][..self.dim])
    }

    pub(crate) fn base(&self) -> Frozen<'_> {
        Frozen {
            links: &self.base,
            slots: self.options.base_slots(),
        }
    }

    /// Where a walk of the base layer starts.
    ///
    /// # Safety
    /// As for [`Lanes`]; there is a vertex.
    #[inline(always)]
    pub(crate) unsafe fn entry<L: Lanes>(
        &self,
        probe: &Probe<'_>,
        compared: &mut usize,
    ) -> (u32, f32) {
        // SAFETY: vertex 0 exists, and links are vertices of their layer: checked when the index
        // was built or read.
        unsafe {
            let [key, ..] = self.codes.keys::<L>(probe, [0; 4]);
            *compared += 1;
            let mut nearest = (0, key);
            for links in self.upper.iter().rev() {
                let layer = Frozen {
                    links,
                    slots: self.options.edges,
                };
                nearest = descend::<L, _>(&self.codes, layer, probe, nearest, compared);
            }
            nearest
        }
    }
}
