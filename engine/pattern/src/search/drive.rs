//! Blocks of roots, and threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::error::{PatternError, Result};
use crate::search::enumerate::{Enumerator, Part};
use crate::search::order::{Stage, order};
use crate::search::query::Query;
use crate::search::sink::Sink;
use crate::search::space::{Growth, Prepared, Space};

/// Roots of the first block.
const FIRST_BLOCK: usize = 1024;
/// A block with fewer candidates than this part of what is allowed is followed by a bigger one.
const SMALL: usize = 64;

/// Totals of a search.
#[derive(Debug, Default)]
pub(super) struct Total {
    pub(super) candidates: u64,
    pub(super) steps: u64,
}

/// Roots, handed out in blocks.
struct Roots {
    /// Which range of the root's labels is next, and which vertex of it.
    range: usize,
    vertex: u32,
    block: usize,
}

impl Roots {
    /// Fills a block; leaves it empty at the end.
    fn next(&mut self, query: &Query<'_>, root: usize, block: &mut Vec<u32>, sink: &Sink<'_, '_>) {
        block.clear();
        let mut work = 0_u32;
        while let Some(&(low, high)) = query.vertices[root].ranges.get(self.range) {
            let mut v = self.vertex.max(low);
            while v < high {
                if query.passes(root, v) {
                    block.push(v);
                }
                v += 1;
                work += 1;
                if block.len() >= self.block || work.is_multiple_of(1 << 16) && sink.check() {
                    self.vertex = v;
                    return;
                }
            }
            self.range += 1;
        }
    }
}

/// Searches with at most `budget` candidates of a pattern vertex in a block.
pub(super) fn run(
    query: &Query<'_>,
    sink: &Sink<'_, '_>,
    threads: usize,
    budget: usize,
) -> Result<Total> {
    let mut total = Total::default();
    if query.hopeless || sink.check() {
        return Ok(total);
    }
    let growth = Growth::new(query);
    let root = growth.steps[0].vertex;
    let mut roots = Roots {
        range: 0,
        vertex: 0,
        block: FIRST_BLOCK.min(budget),
    };
    if threads == 1 {
        let mut space = query.host.borrow_space();
        let mut worker = Worker::new(query, &growth, sink, budget);
        let mut block = Vec::new();
        loop {
            roots.next(query, root, &mut block, sink);
            if block.is_empty() || sink.stopped() {
                break;
            }
            let size = worker.block(&mut space, &block, None);
            roots.block = adapt(roots.block, size, budget);
        }
        space.shrink();
        query.host.return_space(space);
        total.candidates = worker.candidates;
        total.steps = worker.enumerator.steps;
        return Ok(total);
    }
    let mut search = Worker::new(query, &growth, sink, budget);
    parallel(&mut search, root, threads, roots)
}

/// Bigger blocks while they are cheap, smaller ones when they are not.
fn adapt(block: usize, candidates: usize, budget: usize) -> usize {
    if candidates < budget / SMALL {
        (block * 4).min(1 << 20)
    } else if candidates < budget {
        block
    } else {
        (block / 4).max(1)
    }
}

fn parallel(
    worker: &mut Worker<'_, '_, '_>,
    root: usize,
    threads: usize,
    mut roots: Roots,
) -> Result<Total> {
    let (query, growth, sink, budget) = (worker.query, worker.growth, worker.sink, worker.budget);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(PatternError::Threads)?;
    let (candidates, steps) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut first = Vec::new();
    roots.block = 8 * threads;
    roots.next(query, root, &mut first, sink);
    if first.len() < 8 * threads {
        // Few roots: one space, whose enumeration is shared.
        let mut space = query.host.borrow_space();
        if !first.is_empty() {
            worker.block(&mut space, &first, Some((&pool, threads)));
        }
        query.host.return_space(space);
        return Ok(Total {
            candidates: worker.candidates,
            steps: worker.enumerator.steps,
        });
    }
    // Many roots: each thread takes blocks of its own.
    roots.block = 64;
    let queue = Mutex::new((roots, Some(first)));
    pool.scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                let mut space = query.host.borrow_space();
                let mut worker = Worker::new(query, growth, sink, budget);
                let mut block = Vec::new();
                loop {
                    let mut lock = queue.lock().unwrap_or_else(|e| e.into_inner());
                    match lock.1.take() {
                        Some(first) => block = first,
                        None => lock.0.next(query, root, &mut block, sink),
                    }
                    drop(lock);
                    if block.is_empty() || sink.stopped() {
                        break;
                    }
                    let size = worker.block(&mut space, &block, None);
                    let mut lock = queue.lock().unwrap_or_else(|e| e.into_inner());
                    lock.0.block = adapt(lock.0.block, size, budget).min(FIRST_BLOCK);
                }
                space.shrink();
                query.host.return_space(space);
                candidates.fetch_add(worker.candidates, Ordering::Relaxed);
                steps.fetch_add(worker.enumerator.steps, Ordering::Relaxed);
            });
        }
    });
    Ok(Total {
        candidates: candidates.into_inner(),
        steps: steps.into_inner(),
    })
}

/// One thread's part of a search.
struct Worker<'q, 'a, 'v> {
    query: &'q Query<'q>,
    growth: &'q Growth,
    sink: &'q Sink<'a, 'v>,
    enumerator: Enumerator,
    candidates: u64,
    budget: usize,
}

impl<'q, 'a, 'v> Worker<'q, 'a, 'v> {
    fn new(
        query: &'q Query<'q>,
        growth: &'q Growth,
        sink: &'q Sink<'a, 'v>,
        budget: usize,
    ) -> Self {
        Self {
            query,
            growth,
            sink,
            enumerator: Enumerator::default(),
            candidates: 0,
            budget,
        }
    }

    /// Searches a block, in halves if it is too big; tells how many candidates it had.
    fn block(
        &mut self,
        space: &mut Space,
        roots: &[u32],
        shared: Option<(&rayon::ThreadPool, usize)>,
    ) -> usize {
        match space.prepare(self.query, self.growth, roots, self.budget, self.sink) {
            Prepared::Stopped => return 0,
            Prepared::Empty => return roots.len(),
            Prepared::TooBig => {
                let (left, right) = roots.split_at(roots.len() / 2);
                self.block(space, left, shared);
                if !self.sink.stopped() {
                    self.block(space, right, shared);
                }
                return self.budget;
            }
            Prepared::Ready => {}
        }
        let stages = order(self.query, space);
        let sizes = stages.iter().map(|s| space.candidates[s.vertex].len());
        let size: usize = sizes.sum();
        self.candidates += size as u64;
        let count = space.candidates[stages[0].vertex].len() as u32;
        match shared {
            None => {
                let part = Part {
                    roots: (0, count),
                    stripe: (0, 1),
                };
                let sink = self.sink;
                self.enumerator.run(self.query, space, &stages, part, sink);
            }
            Some((pool, threads)) => self.share(space, &stages, count, pool, threads),
        }
        size
    }

    /// Enumerates one space by many threads: root by root, and each root in stripes of the second
    /// stage, so that a single root is shared as well.
    fn share(
        &mut self,
        space: &Space,
        stages: &[Stage],
        count: u32,
        pool: &rayon::ThreadPool,
        threads: usize,
    ) {
        let stripes = if stages.len() > 1 {
            (8 * threads as u32).div_ceil(count.max(1))
        } else {
            1
        };
        let next = AtomicU32::new(0);
        let steps = AtomicU64::new(0);
        let (query, sink) = (self.query, self.sink);
        pool.scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|_| {
                    let mut enumerator = Enumerator::default();
                    loop {
                        let task = next.fetch_add(1, Ordering::Relaxed);
                        if task >= count * stripes {
                            break;
                        }
                        let root = task / stripes;
                        let part = Part {
                            roots: (root, root + 1),
                            stripe: (task % stripes, stripes),
                        };
                        if enumerator.run(query, space, stages, part, sink) {
                            break;
                        }
                    }
                    steps.fetch_add(enumerator.steps, Ordering::Relaxed);
                });
            }
        });
        self.enumerator.steps += steps.into_inner();
    }
}
