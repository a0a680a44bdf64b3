//! Backtracking over a candidate space.
//!
//! Every stage's candidates are the intersection of the lists of the links that end there. A
//! stage that fails knows which earlier stages made it fail; stages that had no part in it are
//! jumped over (conflict-directed backjumping: Prosser 1993, DOI
//! 10.1111/j.1467-8640.1993.tb00310.x; failing sets: Han et al. 2019, DOI
//! 10.1145/3299869.3319880).

use crate::search::intersect::{intersect, retain};
use crate::search::order::Stage;
use crate::search::query::Query;
use crate::search::sink::Sink;
use crate::search::space::Space;

/// Steps between looks at the clock.
const STEPS: u32 = 4096;

/// Which part of a search to do: of every stripe-th candidate of the second stage one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Candidates of the first stage: from, to.
    pub(super) roots: (u32, u32),
    /// Which candidates of the second stage: those that are `stripe.0` modulo `stripe.1`.
    pub(super) stripe: (u32, u32),
}

/// Where a stage's candidates are.
#[derive(Debug, Clone, Copy, Default)]
struct List {
    /// A link whose list it is, unless it is in the stage's buffer.
    link: Option<u32>,
    start: u32,
    end: u32,
}

/// The state of a search, kept from part to part.
#[derive(Debug, Default)]
pub(super) struct Enumerator {
    lists: Vec<List>,
    buffers: Vec<Vec<u32>>,
    positions: Vec<u32>,
    mapped: Vec<u32>,
    /// Stages, as bits, that had a part in what failed so far.
    blame: Vec<u64>,
    found: Vec<u32>,
    gathered: Vec<u32>,
    pub(super) steps: u64,
}

/// What was found below one candidate: everything is to blame, so that nothing is jumped over.
const SUCCESS: u64 = u64::MAX;

impl Enumerator {
    /// Searches a part; tells whether to stop.
    pub(super) fn run(
        &mut self,
        query: &Query<'_>,
        space: &Space,
        stages: &[Stage],
        part: Part,
        sink: &Sink<'_, '_>,
    ) -> bool {
        let depth = stages.len();
        self.lists.resize(depth, List::default());
        self.buffers
            .resize_with(depth.max(self.buffers.len()), Vec::new);
        self.positions.resize(depth, 0);
        self.mapped.resize(depth, 0);
        self.blame.resize(depth, 0);
        self.found.resize(depth, 0);
        let mut pending = 0;
        let enough = sink.enough();
        let mut countdown = STEPS;
        let last = depth - 1;
        self.buffers[0].clear();
        self.buffers[0].extend(part.roots.0..part.roots.1);
        self.lists[0] = List {
            link: None,
            start: 0,
            end: part.roots.1 - part.roots.0,
        };
        self.blame[0] = 0;
        let mut at = 0;
        let stop = 'search: loop {
            let stage = &stages[at];
            let candidates = &space.candidates[stage.vertex];
            if at == last && !sink.visits() && stage.rivals.is_empty() && stage.apart.is_empty() {
                let list = self.lists[at];
                let count = u64::from(list.end - list.start);
                pending += count;
                self.lists[at].start = list.end;
                if count > 0 {
                    self.blame[at] = SUCCESS;
                }
                if pending >= enough && sink.add(std::mem::take(&mut pending)) {
                    break true;
                }
            }
            let next = self.next(space, at);
            let Some(position) = next else {
                // Exhausted: back to the latest stage that had a part in it.
                let mut blame = self.blame[at];
                loop {
                    if at == 0 {
                        break 'search sink.stopped();
                    }
                    at -= 1;
                    if blame >> at & 1 == 1 {
                        break;
                    }
                }
                blame &= if blame == SUCCESS {
                    SUCCESS
                } else {
                    !(1 << at)
                };
                self.blame[at] |= blame;
                continue;
            };
            self.steps += 1;
            countdown -= 1;
            if countdown == 0 {
                countdown = STEPS;
                if sink.add(std::mem::take(&mut pending)) || sink.check() {
                    break true;
                }
            }
            let vertex = candidates[position as usize];
            if let Some(blame) = self.conflict(query, stage, vertex) {
                self.blame[at] |= blame;
                continue;
            }
            self.mapped[at] = vertex;
            self.positions[at] = position;
            if at == last {
                self.blame[at] = SUCCESS;
                if sink.visits() {
                    for (stage, &vertex) in stages.iter().zip(&self.mapped) {
                        self.found[stage.vertex] = query.host.outer[vertex as usize];
                    }
                    if sink.give(&mut self.gathered, &self.found) {
                        break true;
                    }
                } else {
                    pending += 1;
                    if pending >= enough && sink.add(std::mem::take(&mut pending)) {
                        break true;
                    }
                }
                continue;
            }
            let below = &stages[at + 1];
            self.descend(space, below, at + 1);
            if at == 0 && part.stripe.1 > 1 {
                self.thin(space, part.stripe);
            }
            let list = self.lists[at + 1];
            if list.start == list.end {
                // Nothing to try below; the stripe may have emptied it, which blames the root.
                let blame = below.decided_by;
                if blame >> at & 1 == 1 || at == 0 {
                    self.blame[at] |= blame & !(1 << at);
                } else {
                    self.lists[at].start = self.lists[at].end;
                    self.blame[at] = blame;
                }
                continue;
            }
            self.blame[at + 1] = below.decided_by;
            at += 1;
        };
        sink.add(pending) | (sink.visits() && sink.flush(&mut self.gathered, depth)) | stop
    }

    #[inline]
    fn next(&mut self, space: &Space, at: usize) -> Option<u32> {
        let list = &mut self.lists[at];
        if list.start == list.end {
            return None;
        }
        let position = match list.link {
            Some(link) => space.links[link as usize].items[list.start as usize],
            None => self.buffers[at][list.start as usize],
        };
        list.start += 1;
        Some(position)
    }

    /// Whether a vertex is taken, or joined to what it must not be: the stage to blame.
    #[inline]
    fn conflict(&self, query: &Query<'_>, stage: &Stage, vertex: u32) -> Option<u64> {
        for &rival in &stage.rivals {
            if self.mapped[rival] == vertex {
                return Some(1 << rival);
            }
        }
        for &(other, ways) in &stage.apart {
            let host = &query.host.graph;
            let there = self.mapped[other];
            if ways[0] && host.joins(vertex, there) || ways[1] && host.joins(there, vertex) {
                return Some(1 << other);
            }
        }
        None
    }

    /// The candidates of a stage, given those before.
    #[inline]
    fn descend(&mut self, space: &Space, stage: &Stage, at: usize) {
        let list = |positions: &[u32], &(link, from): &(usize, usize)| {
            space.links[link].spans[positions[from] as usize]
        };
        if let [(link, from)] = stage.links[..] {
            let (start, end) = list(&self.positions, &(link, from));
            self.lists[at] = List {
                link: Some(link as u32),
                start,
                end,
            };
            return;
        }
        let buffer = &mut self.buffers[at];
        let items = |link: &(usize, usize)| {
            let (start, end) = list(&self.positions, link);
            &space.links[link.0].items[start as usize..end as usize]
        };
        match &stage.links[..] {
            [] => buffer.clear(),
            [first, second, rest @ ..] => {
                intersect(items(first), items(second), buffer);
                for link in rest {
                    if buffer.is_empty() {
                        break;
                    }
                    retain(buffer, items(link));
                }
            }
            [_] => {}
        }
        self.lists[at] = List {
            link: None,
            start: 0,
            end: buffer.len() as u32,
        };
    }

    /// Leaves one stripe of the second stage's candidates.
    fn thin(&mut self, space: &Space, (which, of): (u32, u32)) {
        let list = self.lists[1];
        let mut kept = Vec::new();
        for index in (list.start..list.end).filter(|i| (i - list.start) % of == which) {
            kept.push(match list.link {
                Some(link) => space.links[link as usize].items[index as usize],
                None => self.buffers[1][index as usize],
            });
        }
        self.lists[1] = List {
            link: None,
            start: 0,
            end: kept.len() as u32,
        };
        self.buffers[1] = kept;
    }
}
