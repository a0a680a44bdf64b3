//! Which rows may be found, and which way of searching suits how many they are.

use crate::codes;

/// A set of allowed rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    bits: Vec<u64>,
    rows: usize,
    count: usize,
}

impl Filter {
    /// The rows of `0..rows` for which `allow` holds.
    #[must_use]
    pub fn new(rows: usize, allow: impl Fn(usize) -> bool) -> Self {
        Self::from_rows(
            rows,
            (0..rows).filter(|row| allow(*row)).map(|row| row as u32),
        )
    }

    /// The given rows, in any order; those not below `rows` are left out.
    #[must_use]
    pub fn from_rows(rows: usize, allowed: impl IntoIterator<Item = u32>) -> Self {
        let mut bits = vec![0_u64; rows.div_ceil(64)];
        for row in allowed {
            if (row as usize) < rows {
                bits[row as usize / 64] |= 1 << (row % 64);
            }
        }
        let count = bits.iter().map(|word| word.count_ones() as usize).sum();
        Self { bits, rows, count }
    }

    /// Rows of the index that it is for.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Allowed rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether a row is allowed.
    #[inline(always)]
    #[must_use]
    pub fn allows(&self, row: u32) -> bool {
        self.bits
            .get(row as usize / 64)
            .is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// The allowed rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.bits.iter().enumerate().flat_map(|(i, word)| {
            std::iter::successors((*word != 0).then_some(*word), |word| {
                let rest = word & (word - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |word| (i * 64) as u32 + word.trailing_zeros())
        })
    }

    /// Allowed rows from all over the set, at most `most`: of each of as many equal parts the
    /// first, if it has any.
    pub(crate) fn spread(&self, most: usize) -> impl Iterator<Item = u32> + '_ {
        let part = self.bits.len().div_ceil(most).max(1);
        self.bits
            .chunks(part)
            .enumerate()
            .filter_map(move |(i, words)| {
                let (at, word) = words.iter().enumerate().find(|(_, word)| **word != 0)?;
                Some(((i * part + at) * 64) as u32 + word.trailing_zeros())
            })
    }
}

/// How a search finds its candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The graph, from neighbour to neighbour.
    Walk,
    /// The graph, over forbidden vertices to allowed ones.
    FilteredWalk,
    /// Every allowed row, exactly.
    Scan,
}

/// What both ways of a search cost, in cache lines read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Of the scan over the allowed rows.
    pub scan: f64,
    /// Of the walk; infinite where too few rows are allowed for the graph to hold together.
    pub walk: f64,
    /// The cheaper way.
    pub way: Way,
}

/// Allowed vertices within two links of a vertex, below which the walk is not trusted to find its
/// way: as many as a vertex of the graph itself makes links by default.
const HOLDS_TOGETHER: f64 = 16.0;

/// Assumed share of a vertex's slots that hold links; the selection fills few lists to the end.
const IN_USE: f64 = 0.65;

/// Allowed neighbours that an expansion takes at the most, in slots of a list.
pub(crate) const WIDTH: usize = 1;

/// Times `ef` that the pool of a filtered walk holds. Where whole clusters are allowed, the nearest
/// lie in several clusters far from the query: on 200,000 clustered vectors of 128 numbers, with
/// 5 to 50 % allowed and `ef` 64, recall@10 was 0.92 with a pool of 64 and 0.97 with one of 128.
pub(crate) const POOL: usize = 2;

/// Estimates what a search over `allowed` of `rows` rows costs with a pool of `ef` candidates.
#[must_use]
pub fn cost(rows: usize, dim: usize, edges: usize, allowed: usize, ef: usize) -> Cost {
    let lines = |bytes: usize| bytes.div_ceil(64) as f64;
    let scan = allowed as f64 * lines(4 * codes::vector_stride(dim));
    let code = lines(codes::stride(dim)) + 1.0;
    let list = lines(8 * edges);
    let links = 2.0 * edges as f64 * IN_USE;
    let share = allowed as f64 / rows.max(1) as f64;
    let near = links * share;
    let far = links * (1.0 - share) * near;
    // Half of what an expansion comes to was seen before.
    let walk = if share == 1.0 {
        ef as f64 * (list + links / 2.0 * code)
    } else if near + far < HOLDS_TOGETHER {
        f64::INFINITY
    } else {
        let found = (near + far).min((2 * edges * WIDTH) as f64) / 2.0;
        (POOL * ef) as f64 * (list * (1.0 + links * (1.0 - share)) + found * code)
    };
    let way = match (walk < scan, share == 1.0) {
        (false, _) => Way::Scan,
        (true, true) => Way::Walk,
        (true, false) => Way::FilteredWalk,
    };
    Cost { scan, walk, way }
}
