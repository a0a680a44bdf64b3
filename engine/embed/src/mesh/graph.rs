//! The graph that messages are passed over: the edges of a mesh, or the nearest neighbours of its
//! points.

use std::cmp::Ordering;

use super::surface::{Vec3, dot, sub};
use super::vertex::Mesh;

/// Directed edges by receiver, and by sender within one; each edge in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Graph {
    /// Edges to vertex `i` are `offsets[i]..offsets[i + 1]`.
    pub(crate) offsets: Vec<usize>,
    pub(crate) senders: Vec<u32>,
}

impl Graph {
    /// The edges of the faces, each once in each direction.
    pub(crate) fn of_mesh(mesh: &Mesh) -> Self {
        let mut pairs = mesh.sides();
        pairs.dedup();
        Self::of_pairs(mesh.points.len(), &pairs)
    }

    /// An edge between two points where one is among the `k` nearest of the other. Of two at the
    /// same distance the one with smaller coordinates is nearer, whatever their numbers.
    pub(crate) fn of_points(points: &[Vec3], k: usize) -> Self {
        let tree = Tree::new(points);
        let mut pairs = Vec::with_capacity(points.len() * k);
        let mut nearest = Vec::with_capacity(k + 1);
        for i in 0..points.len() as u32 {
            nearest.clear();
            tree.nearest(0..points.len(), 0, i, k, &mut nearest);
            pairs.extend(nearest.iter().map(|&(_, j)| [i.min(j), i.max(j)]));
        }
        pairs.sort_unstable();
        pairs.dedup();
        Self::of_pairs(points.len(), &pairs)
    }

    /// `pairs` are sorted, smaller vertex first, each once.
    fn of_pairs(vertices: usize, pairs: &[[u32; 2]]) -> Self {
        let mut offsets = vec![0; vertices + 1];
        for v in pairs.iter().flatten() {
            offsets[*v as usize + 1] += 1;
        }
        for i in 0..vertices {
            offsets[i + 1] += offsets[i];
        }
        let mut senders = vec![0; 2 * pairs.len()];
        let mut next = offsets.clone();
        let mut put = |to: u32, from: u32| {
            let at = &mut next[to as usize];
            senders[*at] = from;
            *at += 1;
        };
        // Sorted by the smaller vertex and then the larger: smaller senders come first, for the
        // larger vertex here, and the larger senders, for the smaller vertex, after them.
        for [a, b] in pairs {
            put(*b, *a);
        }
        for [a, b] in pairs {
            put(*a, *b);
        }
        Self { offsets, senders }
    }

    /// How many directed edges there are.
    pub(crate) const fn len(&self) -> usize {
        self.senders.len()
    }
}

/// Points sorted into halves along x, y and z in turn (Bentley 1975, doi:10.1145/361002.361007).
struct Tree<'a> {
    points: &'a [Vec3],
    /// The middle of a range divides it.
    order: Vec<u32>,
}

impl<'a> Tree<'a> {
    fn new(points: &'a [Vec3]) -> Self {
        let mut order: Vec<u32> = (0..points.len() as u32).collect();
        split(points, &mut order, 0);
        Self { points, order }
    }

    fn nearer(&self, a: (f64, u32), b: (f64, u32)) -> Ordering {
        let place = |v: u32| self.points[v as usize];
        let coordinates = || {
            let pairs = place(a.1).into_iter().zip(place(b.1));
            pairs.fold(Ordering::Equal, |o, (x, y)| o.then(x.total_cmp(&y)))
        };
        let order = a.0.total_cmp(&b.0);
        order.then_with(coordinates).then(a.1.cmp(&b.1))
    }

    /// Adds what of a range of the order is among the `k` nearest of a vertex, nearest first.
    fn nearest(
        &self,
        range: std::ops::Range<usize>,
        axis: usize,
        of: u32,
        k: usize,
        found: &mut Vec<(f64, u32)>,
    ) {
        if range.is_empty() || k == 0 {
            return;
        }
        let middle = range.start + range.len() / 2;
        let candidate = self.order[middle];
        let (here, there) = (self.points[of as usize], self.points[candidate as usize]);
        if candidate != of {
            let offset = sub(here, there);
            let entry = (dot(offset, offset), candidate);
            let at = found.partition_point(|other| self.nearer(*other, entry).is_lt());
            if at < k {
                found.insert(at, entry);
                found.truncate(k);
            }
        }
        let gap = here[axis] - there[axis];
        let (low, high) = (range.start..middle, middle + 1..range.end);
        let (near, far) = if gap < 0.0 { (low, high) } else { (high, low) };
        let next = (axis + 1) % 3;
        self.nearest(near, next, of, k, found);
        let reach = found.last().map_or(f64::INFINITY, |(d, _)| *d);
        // One as far as the last may still be nearer by its coordinates.
        if found.len() < k || gap * gap <= reach {
            self.nearest(far, next, of, k, found);
        }
    }
}

fn split(points: &[Vec3], order: &mut [u32], axis: usize) {
    if order.len() < 2 {
        return;
    }
    let middle = order.len() / 2;
    let along = |v: &u32| points[*v as usize][axis];
    order.select_nth_unstable_by(middle, |a, b| along(a).total_cmp(&along(b)));
    let (low, high) = order.split_at_mut(middle);
    split(points, low, (axis + 1) % 3);
    split(points, &mut high[1..], (axis + 1) % 3);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_of_two_triangles() {
        let mesh = Mesh {
            points: vec![[0.0; 3]; 5],
            faces: vec![[0, 1, 2], [2, 1, 3], [3, 3, 3]],
        };
        let graph = Graph::of_mesh(&mesh);
        assert_eq!(graph.offsets, [0, 2, 5, 8, 10, 10]);
        assert_eq!(graph.senders, [1, 2, 0, 2, 3, 0, 1, 3, 1, 2]);
    }

    proptest! {
        #[test]
        fn nearest_are_those_of_all(
            points in prop::collection::vec(prop::array::uniform3(-3_i8..3), 1..60),
            k in 1_usize..7,
        ) {
            // Whole numbers, so that many distances are the same.
            let points: Vec<Vec3> = points.iter().map(|p| p.map(f64::from)).collect();
            let tree = Tree::new(&points);
            for i in 0..points.len() as u32 {
                let mut all: Vec<(f64, u32)> = (0..points.len() as u32)
                    .filter(|j| *j != i)
                    .map(|j| {
                        let d = sub(points[i as usize], points[j as usize]);
                        (dot(d, d), j)
                    })
                    .collect();
                all.sort_by(|a, b| tree.nearer(*a, *b));
                all.truncate(k);
                let mut found = Vec::new();
                tree.nearest(0..points.len(), 0, i, k, &mut found);
                prop_assert_eq!(found, all);
            }
        }
    }
}
