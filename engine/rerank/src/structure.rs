//! Structures of proteins: TM-score and alignment of chains of C-alpha atoms, in angstrom.

mod align;
mod path;
mod secondary;
mod tm;

use std::sync::atomic::AtomicBool;

use penstock_geometry::{Coordinate, GeometryError, Transform, superpose};
use rayon::prelude::*;

use crate::error::{RerankError, Result};
use tm::{Aim, Search};

pub use tm::d0;

/// Which chain's length a score is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalise {
    /// The query's: how much of the query is found in the target.
    #[default]
    Query,
    /// The target's.
    Target,
}

/// How structures are aligned and ranked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructureOptions {
    /// The score to rank by.
    pub rank_by: Normalise,
    /// The most pairs of residues of two chains that are aligned, at 9 bytes each per thread.
    pub most_pairs: u64,
}

impl Default for StructureOptions {
    fn default() -> Self {
        Self {
            rank_by: Normalise::Query,
            most_pairs: 1 << 25,
        }
    }
}

/// How alike two chains are.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureScore {
    /// Position of the hit among the targets; 0 for a single pair.
    pub target: usize,
    /// TM-score divided by the query's length: 1 for the same structure; above 0.5 mostly the same
    /// fold, below 0.2 as unrelated ones.
    pub tm_query: f64,
    /// TM-score divided by the target's length.
    pub tm_target: f64,
    /// Deviation of the pairs after the superposition that makes it least, in angstrom.
    pub rmsd: f64,
    /// Moves the query onto the target as `tm_query` wants it.
    pub transform: Transform,
    /// Residues that correspond, as (query, target), ascending in both, counted from 0.
    pub pairs: Vec<(usize, usize)>,
}

/// The TM-score of chains `[n, 3]` and `[m, 3]` whose residues are known to correspond: by their
/// numbering, or by an alignment of their sequences ([`crate::Alignment::pairs`]).
///
/// # Errors
/// No pairs, pairs that are not in the chains, coordinates that are not finite or too large.
pub fn tm_score<T: Coordinate, U: Coordinate>(
    query: &[[T; 3]],
    target: &[[U; 3]],
    pairs: &[(usize, usize)],
) -> Result<StructureScore> {
    let (query, target) = (widen(query)?, widen(target)?);
    for (a, b) in pairs {
        if *a >= query.len() || *b >= target.len() {
            return Err(RerankError::Pair {
                query: *a,
                target: *b,
            });
        }
    }
    finish(&query, &target, pairs.to_vec(), &mut Search::default())
}

/// Aligns chains `[n, 3]` and `[m, 3]` by their shape alone, as TM-align does, and scores them.
///
/// # Errors
/// Chains that are empty, not finite, too large, or have more pairs of residues than the options
/// allow; a stop asked for.
pub fn align_structures<T: Coordinate, U: Coordinate>(
    query: &[[T; 3]],
    target: &[[U; 3]],
    options: &StructureOptions,
    stop: &AtomicBool,
) -> Result<StructureScore> {
    let (query, target) = (widen(query)?, widen(target)?);
    let cells = query.len() as u64 * target.len() as u64;
    if cells > options.most_pairs {
        return Err(RerankError::TooLong {
            cells,
            limit: options.most_pairs,
        });
    }
    let mut search = Search::default();
    let pairs = align::align(&query, &target, &mut search, stop)?;
    finish(&query, &target, pairs, &mut search)
}

/// Ranks structures by the TM-score of their alignment with a query, the best first. Works on all
/// threads of the rayon pool that it is called in.
///
/// # Errors
/// Those of [`align_structures`].
pub fn rerank_structures<T, U, C>(
    query: &[[T; 3]],
    targets: &[C],
    options: &StructureOptions,
    stop: &AtomicBool,
) -> Result<Vec<StructureScore>>
where
    T: Coordinate + Sync,
    U: Coordinate,
    C: AsRef<[[U; 3]]> + Sync,
{
    let mut ranked = targets
        .par_iter()
        .enumerate()
        .map(|(target, chain)| {
            let mut score = align_structures(query, chain.as_ref(), options, stop)?;
            score.target = target;
            Ok(score)
        })
        .collect::<Result<Vec<_>>>()?;
    let key = |score: &StructureScore| match options.rank_by {
        Normalise::Query => score.tm_query,
        Normalise::Target => score.tm_target,
    };
    ranked.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.target.cmp(&b.target)));
    Ok(ranked)
}

/// Scores of pairs, with a search for each length.
fn finish(
    query: &[[f64; 3]],
    target: &[[f64; 3]],
    pairs: Vec<(usize, usize)>,
    search: &mut Search,
) -> Result<StructureScore> {
    let moving: Vec<_> = pairs.iter().map(|(a, _)| query[*a]).collect();
    let fixed: Vec<_> = pairs.iter().map(|(_, b)| target[*b]).collect();
    let rmsd = superpose(&moving, &fixed)?.rmsd;
    let mut score = |residues: usize| {
        let aim = Aim {
            d0: d0(residues),
            residues,
            step: 1,
            halvings: 6,
        };
        search.best(&moving, &fixed, aim)
    };
    let (transform, tm_query) = score(query.len());
    let (_, tm_target) = score(target.len());
    Ok(StructureScore {
        target: 0,
        tm_query,
        tm_target,
        rmsd,
        transform,
        pairs,
    })
}

/// Beyond this a coordinate is no position in a protein, and its square may overflow.
const FAR: f64 = 1e9;

fn widen<T: Coordinate>(chain: &[[T; 3]]) -> Result<Vec<[f64; 3]>> {
    if chain.is_empty() {
        return Err(GeometryError::Empty.into());
    }
    let wide: Vec<[f64; 3]> = chain.iter().map(|p| p.map(Into::into)).collect();
    for (index, point) in wide.iter().enumerate() {
        if !point.iter().all(|x| x.is_finite()) {
            return Err(GeometryError::NotFinite { index }.into());
        }
        if !point.iter().all(|x| x.abs() < FAR) {
            return Err(GeometryError::TooLarge.into());
        }
    }
    Ok(wide)
}

#[cfg(test)]
mod tests;
