//! What a vertex shows by itself: degree, labels of neighbours, attributes, its row.

use crate::dominance::dominates;
use crate::search::query::{Query, Tie};

impl Query<'_> {
    /// Whether a vertex of the right label passes the tests of a pattern vertex. Cheap and
    /// telling tests come first.
    #[inline]
    pub(super) fn passes(&self, u: usize, vertex: u32) -> bool {
        let test = &self.vertices[u];
        let ways = if self.host.graph.directed { 2 } else { 1 };
        for way in 0..ways {
            let signature = self.host.signatures[way][vertex as usize];
            if self.lists(way).degree(vertex) < test.degrees[way]
                || test.signatures[way] & !signature != 0
            {
                return false;
            }
        }
        if let (Some(row), Some((_, rows))) = (&test.row, &self.host.rows)
            && !dominates(row, rows.row(vertex))
        {
            return false;
        }
        for way in 0..ways {
            let list = self.lists(way).list(vertex);
            for &(low, high, least) in &test.counts[way] {
                let (start, end) = within(list, low, high);
                if end - start < least {
                    return false;
                }
            }
        }
        test.near
            .iter()
            .all(|(column, near)| near.holds(column[vertex as usize]))
    }

    /// Calls back with the vertices that are tied to a vertex as `tie` wants, of the labels of
    /// its far end, ascending, until the function says no; tells whether it said no.
    #[inline]
    pub(super) fn tied(&self, tie: Tie, vertex: u32, mut visit: impl FnMut(u32) -> bool) -> bool {
        let (way, edge) = match (tie.forth, tie.back) {
            (Some(edge), _) => (0, edge),
            (None, Some(edge)) => (1, edge),
            (None, None) => return false,
        };
        let test = &self.edges[edge];
        let lists = self.lists(way);
        let list = lists.list(vertex);
        let first = lists.range(vertex).start;
        // The second of two edges, which come and go.
        let second = tie.forth.and(tie.back).map(|edge| &self.edges[edge]);
        let plain = test.is_trivial() && second.is_none();
        for &(low, high) in &self.vertices[tie.to].ranges {
            let (start, end) = within(list, low, high);
            for (at, &other) in list[start..end].iter().enumerate() {
                if !plain {
                    if !test.holds(self.host, lists, first + start + at) {
                        continue;
                    }
                    if let Some(second) = second {
                        let back = self.lists(1);
                        match back.find(vertex, other) {
                            Some(at) if second.holds(self.host, back, at) => {}
                            _ => continue,
                        }
                    }
                }
                if !visit(other) {
                    return true;
                }
            }
        }
        false
    }
}

/// The part of an ascending list with `low <= vertex < high`.
#[inline]
pub(super) fn within(list: &[u32], low: u32, high: u32) -> (usize, usize) {
    if list.len() <= 24 {
        // A count without branches beats a binary search.
        let start = list.iter().filter(|&&v| v < low).count();
        let end = list.iter().filter(|&&v| v < high).count();
        return (start, end);
    }
    let start = list.partition_point(|&v| v < low);
    (start, start + list[start..].partition_point(|&v| v < high))
}
