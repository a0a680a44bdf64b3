//! All sequences against all, or against their candidates, each pair once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::batch::Batch;
use super::kernel::isa::Isa;
use super::kernel::{self, Run};
use super::options::{Prepared, Sequence, SequenceOptions};
use super::rank::{Judge, SequenceScore};
use crate::error::{RerankError, Result};

/// How many hits are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllOptions {
    /// Hits kept per sequence, the best.
    pub keep: usize,
}

impl Default for AllOptions {
    fn default() -> Self {
        Self { keep: 100 }
    }
}

/// Ranks the hits of each sequence among the others, as [`super::rerank_sequences`] does, at half
/// the cost: the score of a pair is the same both ways, so each pair is aligned once.
///
/// `candidates` holds, for each sequence, those to align it with (the hits of a vector search, in
/// any order); without it all pairs are aligned. A pair of which either is a candidate of the other
/// counts for both. DNA is aligned on both strands where the options say so.
///
/// `progress` is told the pairs of residues done and how many there are in all, from any thread.
/// Memory: up to twice `keep` hits of 40 bytes per sequence, 8 bytes per candidate, and what
/// [`super::memory_bytes`] says.
///
/// # Errors
/// Options that are not possible, candidates that are no sequences, or a stop asked for.
pub fn rerank_all<T: AsRef<[u8]> + Sync>(
    sequences: &[T],
    candidates: Option<&[Vec<u32>]>,
    all: &AllOptions,
    options: &SequenceOptions,
    stop: &AtomicBool,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<Vec<SequenceScore>>> {
    let prepared = Prepared::new(options)?;
    let judge = Judge::new(options, sequences.len())?;
    let lists = candidates.map_or(sequences.len(), <[_]>::len);
    if lists != sequences.len() || u32::try_from(lists).is_err() {
        return Err(RerankError::Lists {
            lists,
            sequences: sequences.len(),
        });
    }
    // In the order of their length: those that share the lanes are then of similar length.
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|i| (sequences[*i].as_ref().len(), *i));
    let of = |i: &usize| prepared.sequence(sequences[*i].as_ref());
    let encoded: Vec<Sequence> = order.par_iter().map(of).collect();
    let partners = candidates
        .map(|candidates| partners(candidates, &order))
        .transpose()?;
    let work = Work {
        run: Run {
            isa: Isa::best(),
            scoring: &prepared.scoring,
            stop,
        },
        prepared: &prepared,
        judge,
        order: &order,
        sequences: &encoded,
        best: order.iter().map(|_| Mutex::default()).collect(),
        keep: all.keep,
        progress,
        done: AtomicU64::new(0),
        total: total(&encoded, partners.as_deref(), prepared.both_strands()),
    };
    match &partners {
        Some(partners) => work.chosen(partners),
        None => work.every(),
    }
    if stop.load(Ordering::Relaxed) {
        return Err(RerankError::Cancelled);
    }
    let mut ranked = vec![Vec::new(); order.len()];
    for (best, i) in work.best.into_iter().zip(&order) {
        let best = best.into_inner().unwrap_or_default();
        ranked[*i] = best.into_sorted(all.keep);
        ranked[*i].iter_mut().for_each(|hit| judge.finish(hit));
    }
    Ok(ranked)
}

/// For each sequence, in the order of length, the partners that come before it.
fn partners(candidates: &[Vec<u32>], order: &[usize]) -> Result<Vec<Vec<u32>>> {
    let count = order.len();
    let mut at = vec![0_u32; count];
    for (position, i) in (0_u32..).zip(order) {
        at[*i] = position;
    }
    let mut before = vec![Vec::new(); count];
    for (sequence, list) in candidates.iter().enumerate() {
        for candidate in list {
            let Some(b) = at.get(*candidate as usize) else {
                return Err(RerankError::Candidate {
                    sequence,
                    candidate: *candidate,
                    count,
                });
            };
            let a = at[sequence];
            if a != *b {
                before[a.max(*b) as usize].push(a.min(*b));
            }
        }
    }
    before.par_iter_mut().for_each(|list| {
        list.sort_unstable();
        list.dedup();
    });
    Ok(before)
}

/// Pairs of residues to align.
fn total(sequences: &[Sequence], partners: Option<&[Vec<u32>]>, both_strands: bool) -> u64 {
    let residues = |s: &Sequence| s.letters.len() as u64;
    let cells: u64 = match partners {
        Some(partners) => partners
            .iter()
            .zip(sequences)
            .map(|(list, s)| {
                let others = list.iter().map(|p| residues(&sequences[*p as usize]));
                residues(s) * others.sum::<u64>()
            })
            .sum(),
        None => {
            let mut before = 0;
            let mut cells = 0;
            for s in sequences {
                cells += residues(s) * before;
                before += residues(s);
            }
            cells
        }
    };
    cells * if both_strands { 2 } else { 1 }
}

/// Hits of one sequence, kept to twice as many as are wanted before the worse half goes.
#[derive(Debug, Default)]
struct Best {
    hits: Vec<SequenceScore>,
    /// The worst that still counts, once there are enough.
    bar: Option<f64>,
}

impl Best {
    fn push(&mut self, hit: SequenceScore, keep: usize) {
        if self.bar.is_some_and(|bar| hit.log_evalue > bar) || keep == 0 {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() >= keep.saturating_mul(2) {
            self.hits
                .select_nth_unstable_by(keep - 1, SequenceScore::better);
            self.hits.truncate(keep);
            self.bar = Some(self.hits[keep - 1].log_evalue);
        }
    }

    fn into_sorted(mut self, keep: usize) -> Vec<SequenceScore> {
        self.hits.sort_unstable_by(SequenceScore::better);
        self.hits.truncate(keep);
        self.hits.shrink_to_fit();
        self.hits
    }
}

struct Work<'a> {
    run: Run<'a>,
    prepared: &'a Prepared,
    judge: Judge,
    order: &'a [usize],
    sequences: &'a [Sequence],
    best: Vec<Mutex<Best>>,
    keep: usize,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    done: AtomicU64,
    total: u64,
}

impl Work<'_> {
    /// Lanes full of neighbours in length, with all that are no longer. The longest come first,
    /// so that the threads end together.
    fn every(&self) {
        let width = kernel::width(self.run.isa);
        let groups = self.sequences.len().div_ceil(width);
        (0..groups)
            .into_par_iter()
            .rev()
            .with_max_len(1)
            .for_each_init(Batch::default, |batch, group| {
                let from = group * width;
                let to = (from + width).min(self.sequences.len());
                let lanes: Vec<usize> = (from..to).collect();
                let targets: Vec<_> = lanes.iter().map(|i| self.sequences[*i].encoded()).collect();
                batch.fill(self.run, &targets);
                let mut own: Vec<Best> = lanes.iter().map(|_| Best::default()).collect();
                for query in 0..to {
                    // Among themselves each pair once: a lane with the queries before it.
                    let skip = (query + 1).saturating_sub(from);
                    self.pairs(batch, query, &targets, &lanes, skip, Some(&mut own));
                }
                for (lane, own) in lanes.iter().zip(own) {
                    self.keep_all(*lane, own.hits);
                }
            });
    }

    /// Each sequence with its partners.
    fn chosen(&self, partners: &[Vec<u32>]) {
        let width = kernel::width(self.run.isa);
        (0..partners.len())
            .into_par_iter()
            .rev()
            .with_max_len(16)
            .for_each_init(Batch::default, |batch, query| {
                for lanes in partners[query].chunks(width) {
                    let lanes: Vec<usize> = lanes.iter().map(|i| *i as usize).collect();
                    let targets: Vec<_> =
                        lanes.iter().map(|i| self.sequences[*i].encoded()).collect();
                    batch.fill(self.run, &targets);
                    self.pairs(batch, query, &targets, &lanes, 0, None);
                }
            });
    }

    /// Aligns a query with the lanes after the first `skip` and keeps the hits both ways.
    fn pairs(
        &self,
        batch: &mut Batch,
        query: usize,
        targets: &[kernel::Encoded<'_>],
        lanes: &[usize],
        skip: usize,
        mut own: Option<&mut Vec<Best>>,
    ) {
        if self.run.stop.load(Ordering::Relaxed) || skip >= lanes.len() {
            return;
        }
        let sequence = &self.sequences[query];
        let residues = sequence.letters.len();
        let mut scores = batch.scores(self.run, sequence.encoded(), targets).to_vec();
        let mut reverse = vec![
            false;
            if self.prepared.both_strands() {
                lanes.len()
            } else {
                0
            }
        ];
        if self.prepared.both_strands() {
            let other = self.prepared.other_strand(sequence);
            let others = batch.scores(self.run, other.encoded(), targets);
            for ((score, other), reverse) in scores.iter_mut().zip(others).zip(&mut reverse) {
                *reverse = other > score;
                *score = *score.max(&mut other.clone());
            }
        }
        let mut cells = 0;
        let mut space = (usize::MAX, 0.0);
        let mut hits = Vec::with_capacity(lanes.len());
        for lane in skip..lanes.len() {
            let length = targets[lane].letters.len();
            cells += (residues * length) as u64;
            if space.0 != length {
                space = (length, self.judge.log_space(residues, length));
            }
            let mut hit = self.judge.judge(lanes[lane], scores[lane], space.1);
            hit.reverse = reverse.get(lane).copied().unwrap_or(false);
            hit.target = self.order[query];
            match &mut own {
                Some(own) => own[lane].push(hit, self.keep),
                None => self.keep_all(lanes[lane], [hit]),
            }
            hit.target = self.order[lanes[lane]];
            hits.push(hit);
        }
        self.keep_all(query, hits);
        let strands = if self.prepared.both_strands() { 2 } else { 1 };
        let done = self.done.fetch_add(cells * strands, Ordering::Relaxed) + cells * strands;
        (self.progress)(done, self.total);
    }

    fn keep_all(&self, of: usize, hits: impl IntoIterator<Item = SequenceScore>) {
        // No thread panics while it holds the lock: numbers are compared and moved.
        if let Ok(mut best) = self.best[of].lock() {
            for hit in hits {
                best.push(hit, self.keep);
            }
        }
    }
}
