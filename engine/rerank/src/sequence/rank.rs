//! Hits of one query, ranked by the score of their alignment.

use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::batch::Batch;
use super::kernel::isa::Isa;
use super::kernel::{self, Run};
use super::options::{Prepared, SequenceOptions};
use super::statistics::KarlinAltschul;
use crate::error::{RerankError, Result};

/// A hit and the score of its alignment with the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceScore {
    /// Position of the hit among the targets.
    pub target: usize,
    /// Smith-Waterman score in the points of the matrix; 0 where nothing aligns.
    pub score: u32,
    /// The score in bits.
    pub bits: f64,
    /// How many hits as good are to be expected by chance in a database whose sequences are all as
    /// long as this target. So a long target, which offers more places to align, has to score more.
    pub evalue: f64,
    /// Natural logarithm of `evalue`, which keeps its order where `evalue` is zero.
    pub log_evalue: f64,
    /// Whether the other strand of the query scores.
    pub reverse: bool,
}

impl SequenceScore {
    /// The better hit first; equal ones by their position.
    pub(super) fn better(&self, other: &Self) -> Order {
        self.log_evalue
            .total_cmp(&other.log_evalue)
            .then(self.target.cmp(&other.target))
    }
}

/// Scores and E-values, the same for all hits of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge {
    pub statistics: KarlinAltschul,
    log_database: f64,
    /// BLAST knows its constants of 2 and -3 for even scores alone, and rounds down.
    even: bool,
}

impl Judge {
    pub(super) fn new(options: &SequenceOptions, targets: usize) -> Result<Self> {
        let database = options.database_sequences.unwrap_or(targets as u64);
        let two_three = super::Matrix::Nucleotide { same: 2, other: -3 };
        Ok(Self {
            statistics: Prepared::statistics(options)?,
            log_database: (database.max(1) as f64).ln(),
            even: options.matrix == two_three && options.statistics.is_none(),
        })
    }

    pub(super) fn counted(&self, score: u32) -> u32 {
        if self.even { score & !1 } else { score }
    }

    pub(super) fn log_space(&self, query: usize, target: usize) -> f64 {
        self.statistics.log_space(query, target) + self.log_database
    }

    /// A hit with what ranks it; [`Judge::finish`] adds the rest to those that are kept.
    pub(super) fn judge(&self, target: usize, score: u32, log_space: f64) -> SequenceScore {
        SequenceScore {
            target,
            score,
            bits: 0.0,
            evalue: 0.0,
            log_evalue: log_space - self.statistics.lambda * f64::from(self.counted(score)),
            reverse: false,
        }
    }

    /// Bits and E-value.
    pub(super) fn finish(&self, hit: &mut SequenceScore) {
        hit.bits = self.statistics.bits(self.counted(hit.score));
        hit.evalue = hit.log_evalue.exp();
    }
}

/// Memory that ranking needs, in bytes, with `threads` threads, for sequences of at most these
/// residues; sequences themselves and their encoded copies (at most two bytes per residue) apart.
#[must_use]
pub fn memory_bytes(
    longest_query: usize,
    longest_target: usize,
    targets: usize,
    threads: usize,
) -> u64 {
    let lanes = kernel::width(Isa::best()) as u64;
    // Two states of eight bits, two of sixteen in half as many lanes; letters and bias.
    let state = longest_query as u64 * lanes * 4;
    let columns = (longest_target as u64 + 4) * lanes * 3;
    let profile = 64 * 32 * 4 * 2;
    // The last resort, one pair at a time.
    let single = longest_query as u64 * 16;
    threads as u64 * (state + columns + profile + single)
        + targets as u64 * size_of::<SequenceScore>() as u64
}

/// Ranks hits by the E-value of their local alignment with a query, the best first. Sequences are
/// letters, in upper or lower case. Each score is exact: the same on every processor.
///
/// Works on all threads of the rayon pool that it is called in.
///
/// # Errors
/// Options that are not possible, or a stop asked for.
pub fn rerank_sequences<T: AsRef<[u8]> + Sync>(
    query: &[u8],
    targets: &[T],
    options: &SequenceOptions,
    stop: &AtomicBool,
) -> Result<Vec<SequenceScore>> {
    let prepared = Prepared::new(options)?;
    let judge = Judge::new(options, targets.len())?;
    let run = Run {
        isa: Isa::best(),
        scoring: &prepared.scoring,
        stop,
    };
    let forward = prepared.sequence(query);
    let backward = prepared
        .both_strands()
        .then(|| prepared.other_strand(&forward));
    // Targets of similar length share the lanes.
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by_key(|i| (targets[*i].as_ref().len(), *i));
    let chunks: Vec<&[usize]> = order.chunks(kernel::width(run.isa)).collect();
    let ranked: Vec<Vec<SequenceScore>> = chunks
        .par_iter()
        .map_init(Batch::default, |batch, chunk| {
            let sequences: Vec<_> = chunk
                .iter()
                .map(|i| prepared.sequence(targets[*i].as_ref()))
                .collect();
            let encoded: Vec<_> = sequences.iter().map(|s| s.encoded()).collect();
            batch.fill(run, &encoded);
            let mut hits: Vec<_> = batch
                .scores(run, forward.encoded(), &encoded)
                .iter()
                .zip(*chunk)
                .zip(&encoded)
                .map(|((score, target), sequence)| {
                    let space = judge.log_space(query.len(), sequence.letters.len());
                    judge.judge(*target, *score, space)
                })
                .collect();
            if let Some(backward) = &backward {
                let scores = batch.scores(run, backward.encoded(), &encoded);
                for ((hit, score), sequence) in hits.iter_mut().zip(scores).zip(&encoded) {
                    if *score > hit.score {
                        let space = judge.log_space(query.len(), sequence.letters.len());
                        *hit = judge.judge(hit.target, *score, space);
                        hit.reverse = true;
                    }
                }
            }
            hits
        })
        .collect();
    if stop.load(Ordering::Relaxed) {
        return Err(RerankError::Cancelled);
    }
    let mut ranked: Vec<_> = ranked.into_iter().flatten().collect();
    ranked.sort_unstable_by(SequenceScore::better);
    ranked.iter_mut().for_each(|hit| judge.finish(hit));
    Ok(ranked)
}
