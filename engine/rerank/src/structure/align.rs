//! Alignment of two chains by their shape.
//!
//! After Y. Zhang and J. Skolnick (TM-align), Nucleic Acids Res. 33, 2302 (2005),
//! doi:10.1093/nar/gki524: first guesses by threading without gaps, by secondary structure, by the
//! superposition of fragments and by both together; each is improved by turns of superposition and
//! dynamic programming over the distances that it leaves.

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_geometry::{Transform, superpose};

use super::path::Path;
use super::secondary::{self, Secondary};
use super::tm::{Aim, Search, d0, squared, term};
use crate::error::{RerankError, Result};

/// Turns of superposition and dynamic programming.
const TURNS: usize = 20;
/// Costs of a gap that are tried.
const GAPS: [f64; 2] = [0.6, 0.0];
/// How much wider than that of the final score the scale of distances is while searching.
const WIDER: f64 = 0.8;
/// Lengths of fragments: the most, in residues, and the most as a part of the shorter chain.
const FRAGMENTS: [(usize, usize); 2] = [(20, 3), (100, 2)];

type Pairs = Vec<(usize, usize)>;

struct Aligner<'a> {
    query: &'a [[f64; 3]],
    target: &'a [[f64; 3]],
    search: &'a mut Search,
    path: Path,
    aim: Aim,
    moving: Vec<[f64; 3]>,
    fixed: Vec<[f64; 3]>,
    moved: Vec<[f64; 3]>,
    best: (Pairs, f64, Transform),
}

/// The residues that correspond.
pub(super) fn align(
    query: &[[f64; 3]],
    target: &[[f64; 3]],
    search: &mut Search,
    stop: &AtomicBool,
) -> Result<Pairs> {
    let shorter = query.len().min(target.len());
    let aim = Aim {
        d0: d0(shorter) + WIDER,
        residues: shorter,
        step: 40,
        halvings: 6,
    };
    let mut aligner = Aligner {
        query,
        target,
        search,
        path: Path::default(),
        aim,
        moving: Vec::new(),
        fixed: Vec::new(),
        moved: Vec::new(),
        best: (Vec::new(), 0.0, Transform::IDENTITY),
    };
    let go = || {
        if stop.load(Ordering::Relaxed) {
            Err(RerankError::Cancelled)
        } else {
            Ok(())
        }
    };
    let kinds = (secondary::assign(query), secondary::assign(target));
    for guess in [
        Aligner::threading,
        Aligner::by_kind,
        Aligner::by_fragments,
        Aligner::by_both,
    ] {
        go()?;
        let pairs = guess(&mut aligner, &kinds, stop);
        go()?;
        aligner.improve(pairs, stop);
    }
    go()?;
    Ok(aligner.close())
}

type Kinds = (Vec<Secondary>, Vec<Secondary>);

impl Aligner<'_> {
    /// The best superposition of pairs.
    fn superposed(&mut self, pairs: &[(usize, usize)], aim: Aim) -> (Transform, f64) {
        self.moving.clear();
        self.fixed.clear();
        self.moving
            .extend(pairs.iter().map(|(a, _)| self.query[*a]));
        self.fixed
            .extend(pairs.iter().map(|(_, b)| self.target[*b]));
        self.search.best(&self.moving, &self.fixed, aim)
    }

    /// A superposition of all pairs and of those that lie near: a fast look.
    fn glance(&mut self, pairs: &[(usize, usize)]) -> f64 {
        let aim = Aim {
            halvings: 0,
            ..self.aim
        };
        self.superposed(pairs, aim).1
    }

    /// Pairs by the distances that a superposition leaves.
    fn near(&mut self, transform: &Transform, gap: f64) -> Pairs {
        self.moved.clear();
        self.moved
            .extend(self.query.iter().map(|p| transform.apply(*p)));
        self.path.worth.clear();
        for a in &self.moved {
            let worth = self
                .target
                .iter()
                .map(|b| term(squared(*a, *b), self.aim.d0));
            self.path.worth.extend(worth);
        }
        self.path.best(self.query.len(), self.target.len(), gap)
    }

    /// Turns of superposition and dynamic programming; keeps the best pairs of all.
    fn improve(&mut self, first: Pairs, stop: &AtomicBool) {
        if first.is_empty() {
            return;
        }
        let (start, score) = self.superposed(&first, self.aim);
        self.keep(first, score, start);
        for gap in GAPS {
            let mut transform = start;
            let mut last = 0.0_f64;
            for _ in 0..TURNS {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let pairs = self.near(&transform, gap);
                if pairs.is_empty() {
                    break;
                }
                let (next, score) = self.superposed(&pairs, self.aim);
                transform = next;
                self.keep(pairs, score, next);
                if (score - last).abs() < 1e-6 {
                    break;
                }
                last = score;
            }
        }
    }

    fn keep(&mut self, pairs: Pairs, score: f64, transform: Transform) {
        if score > self.best.1 || self.best.0.is_empty() {
            self.best = (pairs, score, transform);
        }
    }

    /// The offset without gaps that fits best.
    fn threading(&mut self, _: &Kinds, stop: &AtomicBool) -> Pairs {
        let (n, m) = (self.query.len(), self.target.len());
        let shorter = n.min(m);
        let overlap = (shorter / 2).max(5).min(shorter);
        let mut best = (Vec::new(), -1.0);
        // `shift` residues of the target come before the query, or minus so many.
        for shift in overlap as isize - n as isize..=m as isize - overlap as isize {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let from = (-shift).max(0);
            let to = (m as isize - shift).min(n as isize);
            let pairs: Pairs = (from..to)
                .map(|i| (i as usize, (i + shift) as usize))
                .collect();
            let score = self.glance(&pairs);
            if score > best.1 {
                best = (pairs, score);
            }
        }
        best.0
    }

    fn by_kind(&mut self, kinds: &Kinds, _: &AtomicBool) -> Pairs {
        self.path.worth.clear();
        for a in &kinds.0 {
            let same = kinds.1.iter().map(|b| f64::from(u8::from(a == b)));
            self.path.worth.extend(same);
        }
        self.path.best(self.query.len(), self.target.len(), 1.0)
    }

    /// The superposition of two fragments that leads to the best pairs.
    fn by_fragments(&mut self, _: &Kinds, stop: &AtomicBool) -> Pairs {
        let (n, m) = (self.query.len(), self.target.len());
        let step = |residues: usize| match residues {
            0..=150 => 15,
            151..=200 => 25,
            201..=250 => 35,
            _ => 45,
        };
        let mut best = (Vec::new(), -1.0);
        let shorter = n.min(m);
        for (most, share) in FRAGMENTS {
            let length = most.min(shorter / share).max(shorter.min(5));
            let starts = (0..=n - length).step_by(step(n).min(n / 3).max(1));
            let others = (0..=m - length).step_by(step(m).min(m / 3).max(1));
            for (i, j) in starts.flat_map(|i| others.clone().map(move |j| (i, j))) {
                if stop.load(Ordering::Relaxed) {
                    return best.0;
                }
                let found = superpose(&self.query[i..i + length], &self.target[j..j + length]);
                // Coordinates were checked before, so that this has an answer.
                let Ok(found) = found else { continue };
                let pairs = self.near(&found.transform, 0.0);
                if pairs.is_empty() {
                    continue;
                }
                let score = self.glance(&pairs);
                if score > best.1 {
                    best = (pairs, score);
                }
            }
        }
        best.0
    }

    /// The best superposition so far, with secondary structure as half of the evidence.
    fn by_both(&mut self, kinds: &Kinds, _: &AtomicBool) -> Pairs {
        let transform = self.best.2;
        self.moved.clear();
        self.moved
            .extend(self.query.iter().map(|p| transform.apply(*p)));
        self.path.worth.clear();
        for (a, kind) in self.moved.iter().zip(&kinds.0) {
            let others = self.target.iter().zip(&kinds.1);
            let worth = others.map(|(b, other)| {
                term(squared(*a, *b), self.aim.d0) + if kind == other { 0.5 } else { 0.0 }
            });
            self.path.worth.extend(worth);
        }
        self.path.best(self.query.len(), self.target.len(), 1.0)
    }

    /// The best pairs, without those that lie far apart once the others are superposed.
    fn close(mut self) -> Pairs {
        let pairs = std::mem::take(&mut self.best.0);
        let aim = Aim {
            step: 1,
            ..self.aim
        };
        let (transform, _) = self.superposed(&pairs, aim);
        // The reach of TM-align: it grows slowly with the shorter chain.
        let reach = 1.5 * (self.aim.residues as f64).powf(0.3) + 3.5;
        let (query, target) = (self.query, self.target);
        let near = |pair: &&(usize, usize)| {
            squared(transform.apply(query[pair.0]), target[pair.1]) <= reach * reach
        };
        let kept: Pairs = pairs.iter().filter(near).copied().collect();
        if kept.is_empty() { pairs } else { kept }
    }
}
