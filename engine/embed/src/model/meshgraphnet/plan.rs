//! A graph cut into blocks of whole receivers.

use std::ops::Range;

use candle_core::Tensor;

use crate::mesh::graph::Graph;
use crate::ops::{Candle, Reduce, segment};

/// Some vertices and the edges that end there.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) nodes: Range<usize>,
    /// Edges of each vertex, from the block's first.
    offsets: Vec<usize>,
    /// Vertices of the graph.
    pub(super) senders: Vec<u32>,
    /// Vertices from the block's first.
    pub(super) receivers: Vec<u32>,
}

/// Cuts a graph: no block has more than `rows` vertices, nor more edges but where one vertex has.
pub(super) fn plan(graph: Graph, rows: usize) -> Vec<Block> {
    let Graph { offsets, senders } = graph;
    let vertices = offsets.len() - 1;
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < vertices {
        let first = offsets[start];
        let most = offsets[start + 1..(start + rows + 1).min(vertices + 1)]
            .partition_point(|offset| offset - first <= rows);
        let end = start + most.max(1);
        let offsets: Vec<usize> = offsets[start..=end].iter().map(|o| o - first).collect();
        let receivers = (0_u32..)
            .zip(offsets.windows(2))
            .flat_map(|(vertex, range)| std::iter::repeat_n(vertex, range[1] - range[0]))
            .collect();
        blocks.push(Block {
            nodes: start..end,
            senders: senders[first..first + offsets[end - start]].to_vec(),
            receivers,
            offsets,
        });
        start = end;
    }
    blocks
}

impl Block {
    /// What the vertices receive of their edges: `[edges, width]` to `[vertices, width]`.
    pub(super) fn received(&self, edges: &Tensor, reduce: Reduce) -> Candle<Tensor> {
        if edges.device().is_cpu() {
            segment(edges, &self.offsets, reduce)
        } else {
            self.received_in_turn(edges, reduce)
        }
    }

    /// The same without the CPU's kernel: the first edge of every vertex, then the second of
    /// every vertex, until none has more. A mesh has few edges at a vertex, and a device adds all
    /// vertices at once.
    fn received_in_turn(&self, edges: &Tensor, reduce: Reduce) -> Candle<Tensor> {
        let (rows, width) = edges.dims2()?;
        let device = edges.device();
        let none = Tensor::zeros((1, width), edges.dtype(), device)?;
        let padded = Tensor::cat(&[edges, &none], 0)?;
        let degrees: Vec<usize> = self.offsets.windows(2).map(|r| r[1] - r[0]).collect();
        let most = degrees.iter().max().copied().unwrap_or(0);
        let mut sums = Tensor::zeros((degrees.len(), width), edges.dtype(), device)?;
        for turn in 0..most {
            let picked: Vec<u32> = degrees
                .iter()
                .zip(&self.offsets)
                .map(|(degree, first)| if turn < *degree { first + turn } else { rows } as u32)
                .collect();
            sums = (sums + padded.index_select(&Tensor::new(picked, device)?, 0)?)?;
        }
        if reduce != Reduce::Mean {
            return Ok(sums);
        }
        let shares: Vec<f32> = degrees.iter().map(|d| 1.0 / (*d).max(1) as f32).collect();
        sums.broadcast_mul(&Tensor::new(shares, device)?.unsqueeze(1)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn graph() -> Graph {
        Graph {
            offsets: vec![0, 2, 2, 7, 8, 8],
            senders: vec![1, 2, 0, 1, 2, 3, 4, 0],
        }
    }

    #[test]
    fn blocks_hold_whole_receivers() {
        let blocks = plan(graph(), 3);
        let nodes: Vec<_> = blocks.iter().map(|b| b.nodes.clone()).collect();
        assert_eq!(nodes, [0..2, 2..3, 3..5]);
        assert_eq!(blocks[1].senders, [0, 1, 2, 3, 4]);
        assert_eq!(blocks[1].receivers, [0; 5]);
        assert_eq!(blocks[2].senders, [0]);
        assert_eq!(blocks[2].offsets, [0, 1, 1]);
        let one = plan(graph(), 100);
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].receivers, [0, 0, 2, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn receiving_in_turn_is_the_same() {
        let block = &plan(graph(), 100)[0];
        let edges = Tensor::randn(0_f32, 1.0, (8, 5), &Device::Cpu).unwrap();
        for reduce in [Reduce::Sum, Reduce::Mean] {
            let numbers = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let expected = numbers(block.received(&edges, reduce).unwrap());
            let given = numbers(block.received_in_turn(&edges, reduce).unwrap());
            assert_eq!(given.len(), 25);
            for (x, y) in given.iter().zip(&expected) {
                assert!((x - y).abs() < 1e-5, "{reduce:?}: {x} {y}");
            }
        }
    }
}
