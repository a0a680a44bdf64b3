//! Which rows a vertex stands for.
//!
//! Rows that are equal as the metric compares them share one vertex: a crowd of them would else fill
//! each other's lists of links, and walks would not find their way past.

use crate::filter::Filter;
use crate::walk::NONE;

/// Rows of vertices and vertices of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Vertex of each row, or `NONE`.
    of: Vec<u32>,
    /// Rows, vertex after vertex; ascending within one.
    rows: Vec<u32>,
    /// Where the rows of each vertex begin, and the end; empty where each has one row.
    starts: Vec<u32>,
}

impl Places {
    /// Whether every row has a vertex of `0..vertices` or none, and every vertex a row.
    pub(crate) fn are(of: &[u32], vertices: usize) -> bool {
        let mut taken = vec![false; vertices];
        for vertex in of.iter().filter(|vertex| **vertex != NONE) {
            match taken.get_mut(*vertex as usize) {
                Some(taken) => *taken = true,
                None => return false,
            }
        }
        taken.into_iter().all(|taken| taken)
    }

    /// Of the vertex of each row, of which [`Self::are`] holds.
    pub(crate) fn new(of: Vec<u32>, vertices: usize) -> Self {
        let mut starts = vec![0_u32; vertices + 1];
        let placed = || of.iter().enumerate().filter(|(_, vertex)| **vertex != NONE);
        for (_, vertex) in placed() {
            starts[*vertex as usize + 1] += 1;
        }
        let alone = starts.iter().skip(1).all(|rows| *rows == 1);
        for vertex in 0..vertices {
            starts[vertex + 1] += starts[vertex];
        }
        let mut rows = vec![0_u32; starts[vertices] as usize];
        let mut next = starts.clone();
        for (row, vertex) in placed() {
            let next = &mut next[*vertex as usize];
            rows[*next as usize] = row as u32;
            *next += 1;
        }
        if alone {
            starts = Vec::new();
        }
        Self { of, rows, starts }
    }

    /// Of the row of each vertex, where no two rows share one. `Err`: the first vertex whose row is
    /// taken or not below `rows`.
    pub(crate) fn alone(row_of: Vec<u32>, rows: usize) -> Result<Self, usize> {
        let mut of = vec![NONE; rows];
        for (vertex, row) in row_of.iter().enumerate() {
            match of.get_mut(*row as usize) {
                Some(place) if *place == NONE => *place = vertex as u32,
                _ => return Err(vertex),
            }
        }
        Ok(Self {
            of,
            rows: row_of,
            starts: Vec::new(),
        })
    }

    /// Rows, those without a vertex included.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// Rows that have a vertex.
    pub(crate) fn placed(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn vertices(&self) -> usize {
        match self.starts.len() {
            0 => self.rows.len(),
            some => some - 1,
        }
    }

    /// Vertex of each row, or `NONE`.
    pub(crate) fn of(&self) -> &[u32] {
        &self.of
    }

    /// The vertex of a row that exists, if it has one.
    #[inline(always)]
    pub(crate) fn vertex(&self, row: u32) -> Option<u32> {
        let vertex = *self.of.get(row as usize)?;
        (vertex != NONE).then_some(vertex)
    }

    /// The rows of a vertex, ascending.
    #[inline(always)]
    pub(crate) fn rows(&self, vertex: u32) -> &[u32] {
        let vertex = vertex as usize;
        if self.starts.is_empty() {
            return &self.rows[vertex..=vertex];
        }
        &self.rows[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }

    /// Whether any row of a vertex is allowed.
    #[inline(always)]
    pub(crate) fn any(&self, vertex: u32, filter: &Filter) -> bool {
        self.rows(vertex).iter().any(|row| filter.allows(*row))
    }

    /// The rows of a vertex that are allowed, ascending.
    #[inline(always)]
    pub(crate) fn allowed<'a>(
        &'a self,
        vertex: u32,
        filter: Option<&'a Filter>,
    ) -> impl Iterator<Item = u32> + 'a {
        let rows = self.rows(vertex).iter().copied();
        rows.filter(move |row| filter.is_none_or(|filter| filter.allows(*row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_vertices_agree() {
        let places = Places::new(vec![1, NONE, 0, 1, 1], 2);
        assert_eq!((places.rows(0), places.rows(1)), (&[2][..], &[0, 3, 4][..]));
        assert_eq!(
            (places.len(), places.placed(), places.vertices()),
            (5, 4, 2)
        );
        assert_eq!(places.vertex(3), Some(1));
        assert_eq!((places.vertex(1), places.vertex(9)), (None, None));
        let filter = Filter::from_rows(5, [1, 2, 4]);
        assert_eq!(places.allowed(1, Some(&filter)).collect::<Vec<_>>(), [4]);
        assert!(places.any(0, &filter) && !places.any(0, &Filter::from_rows(5, [0])));
    }

    #[test]
    fn one_row_each_is_the_same_both_ways() {
        let places = Places::new(vec![2, NONE, 0, 1], 3);
        assert_eq!(Places::alone(vec![2, 3, 0], 4), Ok(places));
        assert_eq!(Places::alone(vec![2, 2], 4), Err(1));
        assert_eq!(Places::alone(vec![0, 4], 4), Err(1));
        assert!(Places::are(&[1, NONE, 0], 2) && Places::are(&[], 0));
        assert!(!Places::are(&[0, 2], 2) && !Places::are(&[0, 0], 2));
        assert_eq!(Places::new(Vec::new(), 0).placed(), 0);
    }
}
