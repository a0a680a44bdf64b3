//! Finding places that resemble a pattern, from anchors outwards.
//!
//! An anchor says that a vertex of the graph may be the image of a vertex of the pattern; a
//! search by vectors finds such. From each anchor a partial mapping grows by beam search:
//!
//! 1. The next vertex of the pattern is the one with most edges to mapped ones, of those the one
//!    whose labels are rarest. Its candidates are the neighbours of its neighbours' images; or it
//!    stays unmapped until another of its neighbours is mapped.
//! 2. A candidate costs its label, if it is wrong, the edges to mapped vertices that it lacks, and
//!    the edges that it cannot have because no neighbour of it has a label that they lead to.
//!    Mappings that can still reach the highest score are kept, `beam` of them.
//! 3. Parts of a pattern that no edge joins are mapped by anchors of their own in the same graph,
//!    and left unmapped where there is none.
//!
//! Places are ranked, not proved: there may be better ones that no anchor leads to, or that the
//! beam let go. A score says what a place has, and is 1 exactly if it is an occurrence that the
//! exact search finds.

mod grow;
mod plan;
mod rank;
mod score;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use crate::error::{PatternError, Result};
use crate::host::Host;
use crate::pattern::Pattern;
use crate::search::{MAX_THREADS, Stopped};
use grow::Grower;
use plan::Plan;
use rank::Best;

/// A vertex of the graph that may be the image of a vertex of the pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anchor {
    /// The vertex of the pattern.
    pub pattern: u32,
    /// The vertex of the graph, in the caller's numbers.
    pub vertex: u32,
    /// How alike they are: higher is better. Only the order counts.
    pub similarity: f32,
}

/// How places are grown.
#[derive(Clone, Copy)]
pub struct SimilarOptions<'a> {
    /// Partial mappings that are followed at a time, from each anchor. More find better places, in
    /// proportionally more time.
    pub beam: usize,
    /// Neighbours of one vertex that are looked at in a step, those with a right label first. A
    /// place is missed if it leaves a hub by another edge than the first so many.
    pub scan: usize,
    /// What a vertex counts whose label or attributes are wrong: from 0 to less than 1. Even
    /// at 0 it is mapped where that gains edges.
    pub mismatch: f64,
    /// Places below this score are not followed: from 0 to 1. The higher, the sooner a bad anchor
    /// is given up.
    pub min_score: f64,
    /// Places from one anchor, at most.
    pub per_anchor: usize,
    /// Places of the answer, at most.
    pub limit: usize,
    /// Stop at this time.
    pub deadline: Option<Instant>,
    /// Stop when this says so. It is asked before each anchor, and once per round of the beam.
    pub cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// Threads, 1 to 1024, each with anchors of its own. The answer does not depend on it.
    pub threads: usize,
}

impl Default for SimilarOptions<'_> {
    fn default() -> Self {
        Self {
            beam: 8,
            scan: 256,
            mismatch: 0.0,
            min_score: 0.5,
            per_anchor: 1,
            limit: 100,
            deadline: None,
            cancelled: None,
            threads: 1,
        }
    }
}

impl std::fmt::Debug for SimilarOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimilarOptions")
            .field("beam", &self.beam)
            .field("scan", &self.scan)
            .field("mismatch", &self.mismatch)
            .field("min_score", &self.min_score)
            .field("per_anchor", &self.per_anchor)
            .field("limit", &self.limit)
            .field("deadline", &self.deadline)
            .field("cancelled", &self.cancelled.is_some())
            .field("threads", &self.threads)
            .finish()
    }
}

impl SimilarOptions<'_> {
    fn check(&self) -> Result<()> {
        for (option, given, max) in [
            ("beam", self.beam, 1 << 20),
            ("scan", self.scan, u32::MAX as usize),
            ("per_anchor", self.per_anchor, self.beam.max(1)),
            ("limit", self.limit, 1_000_000),
            ("threads", self.threads, MAX_THREADS),
        ] {
            if given == 0 || given > max {
                return Err(PatternError::Option {
                    option,
                    given,
                    min: 1,
                    max,
                });
            }
        }
        check_mismatch(self.mismatch)?;
        if !(0.0..=1.0).contains(&self.min_score) {
            return Err(PatternError::Share {
                option: "min_score",
                given: self.min_score,
                expected: "from 0 to 1",
            });
        }
        Ok(())
    }
}

fn check_mismatch(mismatch: f64) -> Result<()> {
    if (0.0..1.0).contains(&mismatch) {
        return Ok(());
    }
    Err(PatternError::Share {
        option: "mismatch",
        given: mismatch,
        expected: "from 0 to less than 1",
    })
}

/// What a mapping has of a pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// `(vertices_matched + mismatch * vertices_wrong + edges_matched) / (vertices + edges)`, the
    /// latter of the pattern: 0 to 1; 1 exactly where the whole pattern is there.
    pub score: f64,
    /// Vertices that are mapped to one with an allowed label, and attributes near enough.
    pub vertices_matched: u32,
    /// Vertices that are mapped to another.
    pub vertices_wrong: u32,
    /// Edges whose ends are mapped and joined, by an edge with an allowed label, and attributes
    /// near enough.
    pub edges_matched: u32,
}

/// A place that resembles a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// For each vertex of the pattern, the graph's, in the caller's numbers: each at most once,
    /// all of one graph.
    pub vertices: Vec<Option<u32>>,
    /// What it has of the pattern.
    pub score: Score,
    /// Where it grew from.
    pub anchor: Anchor,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarOutcome {
    /// By falling score, then falling similarity of the anchor, then vertices. Of places with the
    /// same vertices only the first is here.
    pub places: Vec<Place>,
    /// Anchors, each once.
    pub anchors: u64,
    /// Anchors from which a place grew that reaches the least score.
    pub grown: u64,
    /// Vertices of the graph that were weighed, over all steps.
    pub steps: u64,
    /// Why the search ended before all anchors were grown: the places are then those of the
    /// others.
    pub stopped: Option<Stopped>,
    /// Time of the whole search.
    pub seconds: f64,
}

impl Host {
    /// Grows places that resemble a pattern from anchors, and ranks them.
    ///
    /// Memory: 16 bytes per anchor; per thread `20 * pattern vertices` bytes for each of 2 `beam`
    /// mappings, 64 bytes for each candidate of a round, of which there are at most
    /// `beam * scan * ` the largest degree of the pattern; and 3 `limit` places.
    ///
    /// # Errors
    /// A pattern that does not fit the graph, as [`count`](Self::count); anchors whose vertices are
    /// not there; options out of bounds; threads refused by the system.
    pub fn similar(
        &self,
        pattern: &Pattern,
        anchors: &[Anchor],
        options: &SimilarOptions<'_>,
    ) -> Result<SimilarOutcome> {
        let started = Instant::now();
        options.check()?;
        let pattern = pattern.numbered(&self.graph)?;
        let plan = Plan::new(self, &pattern, anchors)?;
        let stop = Stop::new(options);
        let worker = || Worker {
            best: Best::new(options.limit),
            grower: Grower::new(&plan, options),
            stop: &stop,
            grown: 0,
        };
        let found = if options.threads == 1 {
            plan.anchors.iter().fold(worker(), Worker::grow).end()
        } else {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(options.threads)
                .build()
                .map_err(PatternError::Threads)?;
            pool.install(|| {
                let anchors = plan.anchors.par_iter().with_min_len(4);
                let parts = anchors.fold(worker, Worker::grow).map(Worker::end);
                parts.reduce(|| Found::new(options.limit), Found::and)
            })
        };
        Ok(SimilarOutcome {
            places: found.best.ranked(),
            anchors: plan.anchors.len() as u64,
            grown: found.grown,
            steps: found.steps,
            stopped: stop.why(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// How many vertices have a label that each vertex of a pattern allows: `[pattern vertices]`.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn frequencies(&self, pattern: &Pattern) -> Result<Vec<usize>> {
        let pattern = pattern.numbered(&self.graph)?;
        Ok(Plan::new(self, &pattern, &[])?.frequency)
    }

    /// What a mapping has of a pattern: for each of its vertices the graph's, in the caller's
    /// numbers, or none. `mismatch` is [`SimilarOptions::mismatch`].
    ///
    /// # Errors
    /// As [`similar`](Self::similar); a mapping of another length, or that takes a vertex twice.
    pub fn score(
        &self,
        pattern: &Pattern,
        mapping: &[Option<u32>],
        mismatch: f64,
    ) -> Result<Score> {
        check_mismatch(mismatch)?;
        let pattern = pattern.numbered(&self.graph)?;
        score::of(self, &pattern, mapping, mismatch)
    }
}

/// One thread's part of a search.
struct Worker<'a> {
    best: Best,
    grower: Grower<'a>,
    stop: &'a Stop<'a>,
    grown: u64,
}

impl Worker<'_> {
    fn grow(mut self, anchor: &Anchor) -> Self {
        if !self.stop.check() {
            let places = self.grower.from(anchor, self.stop);
            self.grown += u64::from(!places.is_empty());
            places.into_iter().for_each(|place| self.best.add(place));
        }
        self
    }

    fn end(self) -> Found {
        Found {
            best: self.best,
            grown: self.grown,
            steps: self.grower.steps,
        }
    }
}

/// What threads found.
struct Found {
    best: Best,
    grown: u64,
    steps: u64,
}

impl Found {
    fn new(limit: usize) -> Self {
        Self {
            best: Best::new(limit),
            grown: 0,
            steps: 0,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            best: self.best.merge(other.best),
            grown: self.grown + other.grown,
            steps: self.steps + other.steps,
        }
    }
}

/// Whether to stop, and why.
struct Stop<'a> {
    deadline: Option<Instant>,
    cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    late: AtomicBool,
    unwanted: AtomicBool,
}

impl<'a> Stop<'a> {
    fn new(options: &SimilarOptions<'a>) -> Self {
        Self {
            deadline: options.deadline,
            cancelled: options.cancelled,
            late: AtomicBool::new(false),
            unwanted: AtomicBool::new(false),
        }
    }

    fn check(&self) -> bool {
        if self.why().is_some() {
            return true;
        }
        if self.cancelled.is_some_and(|cancelled| cancelled()) {
            self.unwanted.store(true, Ordering::Relaxed);
            return true;
        }
        if self.deadline.is_some_and(|at| Instant::now() >= at) {
            self.late.store(true, Ordering::Relaxed);
            return true;
        }
        false
    }

    fn why(&self) -> Option<Stopped> {
        if self.unwanted.load(Ordering::Relaxed) {
            return Some(Stopped::Cancelled);
        }
        self.late
            .load(Ordering::Relaxed)
            .then_some(Stopped::Deadline)
    }
}
