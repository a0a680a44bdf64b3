//! Rows of vertices that bound each other wherever a pattern occurs.
//!
//! # The rows
//!
//! With `B` buckets and `R` rounds, all in integers, and `sat(x) = min(x, 65535)` by coordinate:
//!
//! ```text
//! h0(v)[0]     = 1
//! h0(v)[i]     = 1 if i == 1 + hash(label(v)) mod (B - 1), else 0          for i = 1 .. B - 1
//! s(k)(v, c)   = sum of h(k)(w) over the neighbours w of v by edges of class c
//! h(k+1)(v)    = sat( W h(k)(v) + sum over classes c of V(c) s(k)(v, c) )
//! row(v)       = h(R)(v)
//! ```
//!
//! A class of edges is a hash of the edge's label together with a direction: both ways in an
//! undirected graph, outgoing or incoming in a directed one. `W` and every `V(c)` are `[B, B]`
//! matrices of small non-negative integers, output by input:
//! [`DominanceRecipe::self_weights`], [`DominanceRecipe::neighbour_weights`].
//!
//! In a pattern a vertex with a wildcard has only `h0[0]`, one with several labels what all of
//! them share, and an edge with several labels or a wildcard uses the coordinate-wise minimum of
//! the matrices of the classes that it allows. Attributes and their tolerances do not enter.
//!
//! # No false dismissals
//!
//! Let `f` map a pattern `Q` into a graph `G`, injectively, edges to edges and with labels
//! allowed. Then `row_Q(u) <= row_G(f(u))` in every coordinate, by induction over rounds:
//! `h0_Q(u) <= h0_G(f(u))` by construction. If `h(k)_Q <= h(k)_G . f`, then the edges at `u` go
//! to distinct edges at `f(u)`, each of a class whose matrix is at least the one that `Q` used,
//! and what `G` has beyond them adds nothing negative; `W`, `V(c)` and `sat` do not decrease. So
//! a row that is exceeded somewhere proves that `u` cannot be mapped there. Rows of different
//! recipes must not be compared; [`DominanceRecipe::digest`] tells them apart.
//!
//! Order embeddings of this kind: Ye, Lian, Chen, "Efficient Exact Subgraph Matching via
//! GNN-based Path Dominance Embedding", PVLDB 17 (2024), arXiv:2309.15641.
//!
//! # The same rows in floating point
//!
//! `sat(integer)` may be computed in `f32` with sums in any order and with fused products: every
//! term is a non-negative integer, so a sum is exact while it is below 2^24; once a partial sum
//! is 65535 or more, adding terms that are not negative cannot round it below that, and `min`
//! gives 65535 either way. Thus a message-passing layer `min(W h + sum_c V(c) s_c, 65535)` over
//! `f32` gives equal integers, for any degree.

mod embed;
mod scan;

use crate::error::{PatternError, Result};
use crate::graph::Graph;
use crate::pattern::{Allowed, Pattern};

pub use scan::{dominated, dominates};

/// How rows are made. Equal recipes make equal rows everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DominanceRecipe {
    /// Width of a row: 2 to 64.
    pub buckets: usize,
    /// How far a row sees: 0 to 8 edges.
    pub rounds: usize,
    /// Classes of edge labels: 1 to 64. Label 0 has one of its own, others share the rest.
    pub edge_classes: usize,
    /// What hashes and weights are drawn from.
    pub seed: u64,
}

impl Default for DominanceRecipe {
    fn default() -> Self {
        Self {
            buckets: 16,
            rounds: 2,
            edge_classes: 4,
            seed: 0,
        }
    }
}

/// Which way an edge is followed from the vertex that gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An edge of an undirected graph.
    Both,
    /// From its start to its end: the neighbour is the end.
    Out,
    /// From its end to its start.
    In,
}

/// A class of edges: those that share a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeClass {
    /// The class of the label, below [`DominanceRecipe::edge_classes`].
    pub class: usize,
    /// The way.
    pub way: Way,
}

/// Rows of vertices: `[vertices, width]` of `u16`, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Numbers per row.
    pub width: usize,
    /// The numbers.
    pub values: Vec<u16>,
}

impl Rows {
    /// The row of a vertex.
    pub fn row(&self, vertex: u32) -> &[u16] {
        let start = vertex as usize * self.width;
        &self.values[start..start + self.width]
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl DominanceRecipe {
    /// Whether the numbers are within their bounds.
    ///
    /// # Errors
    /// The option that is not.
    pub fn check(&self) -> Result<()> {
        for (option, given, min, max) in [
            ("buckets", self.buckets, 2, 64),
            ("rounds", self.rounds, 0, 8),
            ("edge_classes", self.edge_classes, 1, 64),
        ] {
            if given < min || given > max {
                return Err(PatternError::Option {
                    option,
                    given,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }

    /// BLAKE3 of the recipe and of all its weights, in hexadecimal: rows of one digest compare.
    pub fn digest(&self) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(b"penstock dominance 1\0");
        for number in [self.buckets, self.rounds, self.edge_classes] {
            hash.update(&(number as u64).to_le_bytes());
        }
        hash.update(&self.seed.to_le_bytes());
        let mut add = |weights: Vec<u16>| {
            for weight in weights {
                hash.update(&weight.to_le_bytes());
            }
        };
        add(self.self_weights());
        for way in [Way::Both, Way::Out, Way::In] {
            for class in 0..self.edge_classes {
                add(self.neighbour_weights(EdgeClass { class, way }));
            }
        }
        hash.finalize().to_hex().to_string()
    }

    /// The coordinate that a vertex label sets, from 1.
    pub fn bucket(&self, label: u32) -> usize {
        1 + (mix(self.seed ^ 0x76_0000_0000 ^ u64::from(label)) % (self.buckets as u64 - 1))
            as usize
    }

    /// The class of an edge label.
    pub fn class(&self, label: u32) -> usize {
        if label == 0 || self.edge_classes == 1 {
            return 0;
        }
        let others = self.edge_classes as u64 - 1;
        1 + (mix(self.seed ^ 0x65_0000_0000 ^ u64::from(label)) % others) as usize
    }

    /// `h0` of a vertex with a label.
    pub fn initial(&self, label: u32) -> Vec<u16> {
        let mut row = vec![0; self.buckets];
        row[0] = 1;
        row[self.bucket(label)] = 1;
        row
    }

    /// `W`: `[buckets, buckets]`, output by input. It is the identity.
    pub fn self_weights(&self) -> Vec<u16> {
        let mut weights = vec![0; self.buckets * self.buckets];
        for i in 0..self.buckets {
            weights[i * self.buckets + i] = 1;
        }
        weights
    }

    /// `V(c)`: `[buckets, buckets]`, output by input: a permutation that all classes of one way
    /// share, so that an edge of any label counts, plus one of the class's own. Coordinate 0
    /// stays where it is: it counts walks.
    pub fn neighbour_weights(&self, class: EdgeClass) -> Vec<u16> {
        let way = class.way as u64;
        let mut weights = vec![0; self.buckets * self.buckets];
        let mut add = |salt: u64| {
            for (to, from) in self.permutation(salt).into_iter().enumerate() {
                weights[to * self.buckets + from] += 1;
            }
        };
        add(way);
        if class.class > 0 {
            add(way + 4 * class.class as u64);
        }
        weights
    }

    /// The least of the matrices of the classes that a pattern's edge allows.
    pub fn certain_weights(&self, allowed: &Allowed, way: Way) -> Vec<u16> {
        let mut classes: Vec<usize> = match allowed {
            Allowed::Any => (0..self.edge_classes).collect(),
            Allowed::Only(labels) => labels.iter().map(|&label| self.class(label)).collect(),
        };
        classes.sort_unstable();
        classes.dedup();
        let weights = |class| self.neighbour_weights(EdgeClass { class, way });
        let least = classes.into_iter().map(weights).reduce(|mut least, other| {
            least
                .iter_mut()
                .zip(other)
                .for_each(|(a, b)| *a = b.min(*a));
            least
        });
        least.unwrap_or_else(|| vec![0; self.buckets * self.buckets])
    }

    /// The rows of a graph's vertices. Time is linear in `rounds * (arcs + vertices) * buckets`;
    /// two copies of the rows are held.
    ///
    /// # Errors
    /// A recipe out of its bounds.
    pub fn embed(&self, graph: &Graph) -> Result<Rows> {
        self.check()?;
        Ok(embed::graph(self, graph))
    }

    /// The rows of a pattern's vertices. The pattern's labels are taken as the graph's numbers.
    ///
    /// # Errors
    /// A recipe out of its bounds.
    pub fn embed_pattern(&self, pattern: &Pattern) -> Result<Rows> {
        self.check()?;
        Ok(embed::pattern(self, pattern))
    }

    /// A permutation of the coordinates that keeps 0: Fisher and Yates.
    fn permutation(&self, salt: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.buckets).collect();
        for i in (2..self.buckets).rev() {
            let draw = mix(self.seed ^ mix((salt << 8) + i as u64 + 1));
            order.swap(i, 1 + (draw % i as u64) as usize);
        }
        order
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014, DOI 10.1145/2660193.2660195).
pub(crate) fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
