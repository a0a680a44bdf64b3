//! Finding all occurrences of a pattern.

mod drive;
mod enumerate;
mod intersect;
mod local;
mod order;
pub(crate) mod query;
mod sink;
mod space;

use std::ops::ControlFlow;
use std::time::Instant;

use crate::error::{PatternError, Result};
use crate::host::Host;
use crate::pattern::Pattern;

pub(crate) use space::Space;

/// Threads that a search may use.
pub(crate) const MAX_THREADS: usize = 1024;

/// How a search goes.
#[derive(Clone, Copy)]
pub struct MatchOptions<'a> {
    /// Whether vertices that the pattern does not join must not be joined in the graph either
    /// (in each direction by itself, if directed). Otherwise edges beyond the pattern's are
    /// allowed.
    pub induced: bool,
    /// Stop when so many matches were found.
    pub limit: Option<u64>,
    /// Stop at this time.
    pub deadline: Option<Instant>,
    /// Stop when this says so. It is asked every few thousand steps, by every thread.
    pub cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// Threads, 1 to 1024. Which matches are found does not depend on it, unless a limit cuts
    /// them; their order does.
    pub threads: usize,
    /// Candidates of one pattern vertex that a thread holds at a time, from 1; pairs of
    /// neighbouring candidates are at most four times as many in all. It bounds memory,
    /// except that the surroundings of a single root vertex are always held as a whole.
    pub block: usize,
    /// Matches that [`Host::find`] keeps in memory: `4 * pattern vertices` bytes each.
    pub keep: usize,
}

impl Default for MatchOptions<'_> {
    fn default() -> Self {
        Self {
            induced: false,
            limit: None,
            deadline: None,
            cancelled: None,
            threads: 1,
            block: 1 << 21,
            keep: 1000,
        }
    }
}

impl std::fmt::Debug for MatchOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MatchOptions")
            .field("induced", &self.induced)
            .field("limit", &self.limit)
            .field("deadline", &self.deadline)
            .field("cancelled", &self.cancelled.is_some())
            .field("threads", &self.threads)
            .field("block", &self.block)
            .field("keep", &self.keep)
            .finish()
    }
}

/// Why a search ended before everything was searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// As many matches as wanted were found; there may be more or not.
    Limit,
    /// The deadline passed.
    Deadline,
    /// The caller did not want it any more.
    Cancelled,
}

/// Matches, one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// Vertices of the pattern.
    pub width: usize,
    /// For each match, the graph's vertex for each pattern vertex: `[matches, width]`.
    pub vertices: Vec<u32>,
}

impl Matches {
    /// Each match: the graph's vertex for each pattern vertex.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.vertices.chunks_exact(self.width.max(1))
    }

    /// How many are kept here.
    pub fn len(&self) -> usize {
        self.vertices.len() / self.width.max(1)
    }

    /// Whether none is kept here.
    pub fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }
}

/// What a search found. A match is an injective mapping of the pattern's vertices; two mappings
/// of the same vertices are two matches.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchOutcome {
    /// Matches found.
    pub count: u64,
    /// Whether there are no others.
    pub complete: bool,
    /// Why not, if not.
    pub stopped: Option<Stopped>,
    /// Candidates left after filtering, over all pattern vertices.
    pub candidates: u64,
    /// Partial mappings that were tried.
    pub steps: u64,
    /// Time of the whole search.
    pub seconds: f64,
    /// The matches that were kept: by [`Host::find`], the first [`MatchOptions::keep`].
    pub matches: Matches,
}

/// What [`Host::visit`] calls with each match: the graph's vertex for each pattern vertex.
/// Breaking ends the search, as [`Stopped::Cancelled`].
pub type Visitor<'a> = &'a mut (dyn FnMut(&[u32]) -> ControlFlow<()> + Send);

impl Host {
    /// Counts the matches of a pattern; faster than visiting them.
    ///
    /// # Errors
    /// A pattern that does not fit the graph: the other kind of edges, attributes that the graph
    /// lacks, names where the graph has numbers; threads out of bounds or refused by the system.
    pub fn count(&self, pattern: &Pattern, options: &MatchOptions<'_>) -> Result<MatchOutcome> {
        self.search(pattern, options, None)
    }

    /// Calls a function with each match. It is called by one thread at a time.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn visit(
        &self,
        pattern: &Pattern,
        options: &MatchOptions<'_>,
        visitor: Visitor<'_>,
    ) -> Result<MatchOutcome> {
        self.search(pattern, options, Some(visitor))
    }

    /// Counts the matches and keeps the first [`MatchOptions::keep`] of them.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn find(&self, pattern: &Pattern, options: &MatchOptions<'_>) -> Result<MatchOutcome> {
        let mut matches = Matches {
            width: pattern.vertices().len(),
            vertices: Vec::new(),
        };
        let mut outcome = self.search(
            pattern,
            options,
            Some(&mut |found| {
                if matches.len() < options.keep {
                    matches.vertices.extend_from_slice(found);
                }
                ControlFlow::Continue(())
            }),
        )?;
        outcome.matches = matches;
        Ok(outcome)
    }

    fn search(
        &self,
        pattern: &Pattern,
        options: &MatchOptions<'_>,
        visitor: Option<Visitor<'_>>,
    ) -> Result<MatchOutcome> {
        for (option, given, max) in [
            ("threads", options.threads, MAX_THREADS),
            ("block", options.block, 1 << 28),
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
        let start = Instant::now();
        let pattern = pattern.numbered(&self.graph)?;
        let query = query::Query::new(self, &pattern, options.induced)?;
        let sink = sink::Sink::new(options, visitor);
        let total = drive::run(&query, &sink, options.threads, options.block)?;
        let (count, stopped) = sink.finish();
        Ok(MatchOutcome {
            count,
            complete: stopped.is_none(),
            stopped,
            candidates: total.candidates,
            steps: total.steps,
            seconds: start.elapsed().as_secs_f64(),
            matches: Matches::default(),
        })
    }
}
