//! Which rows a vertex stands for.
//!
//! Rows that are equal as the metric compares them share one *vector*, and vectors whose codes are
//! equal share one *vertex*: no walk can tell them apart, and a crowd of them would fill each other's
//! lists of links, so that walks would not find their way past.

use std::ops::Range;

use crate::filter::Filter;
use crate::walk::NONE;

/// Rows, their vectors, and the vertices of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Vector of each row, or `NONE`.
    of: Vec<u32>,
    /// Rows, vector after vector; ascending within one.
    rows: Vec<u32>,
    /// Where the rows of each vector begin, and the end; empty where each has one row.
    row_starts: Vec<u32>,
    /// Vertex of each vector, ascending; empty where vertices and vectors are the same.
    vertices: Vec<u32>,
    /// Where the vectors of each vertex begin, and the end; empty likewise.
    vector_starts: Vec<u32>,
}

/// The sums of the numbers before each, and of all; `None` where every one is 1.
fn starts(sizes: &[u32]) -> Option<Vec<u32>> {
    if sizes.iter().all(|size| *size == 1) {
        return None;
    }
    let mut sum = 0;
    let mut starts = vec![0];
    starts.extend(sizes.iter().map(|size| {
        sum += size;
        sum
    }));
    Some(starts)
}

/// How often each number below `most` occurs; `None` if one does not, or another does.
fn counts(numbers: &[u32], most: usize) -> Option<Vec<u32>> {
    let mut counts = vec![0; most];
    for number in numbers.iter().filter(|number| **number != NONE) {
        *counts.get_mut(*number as usize)? += 1;
    }
    counts.iter().all(|count| *count > 0).then_some(counts)
}

impl Places {
    /// Of the vector of each row, or `NONE`, and the vertex of each vector. `None` where a vector has
    /// no row, a vertex no vector, or the vertices of vectors do not ascend.
    pub(crate) fn new(of: Vec<u32>, vertices: Vec<u32>) -> Option<Self> {
        let sizes = counts(&of, vertices.len())?;
        let placed = sizes.iter().map(|size| *size as usize).sum();
        let row_starts = starts(&sizes).unwrap_or_default();
        let mut rows = vec![0_u32; placed];
        let mut next = match row_starts.is_empty() {
            true => (0..vertices.len() as u32).collect(),
            false => row_starts.clone(),
        };
        for (row, vector) in of.iter().enumerate() {
            if let Some(next) = next.get_mut(*vector as usize).filter(|_| *vector != NONE) {
                rows[*next as usize] = row as u32;
                *next += 1;
            }
        }
        let count = vertices.last().map_or(0, |last| *last as usize + 1);
        let sizes = counts(&vertices, count).filter(|_| vertices.is_sorted())?;
        let vector_starts = starts(&sizes).unwrap_or_default();
        Some(Self {
            of,
            rows,
            row_starts,
            vertices: match vector_starts.is_empty() {
                true => Vec::new(),
                false => vertices,
            },
            vector_starts,
        })
    }

    /// Of the row of each vertex, where no two rows share one. `None` where a row is taken or not
    /// below `rows`.
    pub(crate) fn alone(row_of: &[u32], rows: usize) -> Option<Self> {
        let mut of = vec![NONE; rows];
        for (vertex, row) in row_of.iter().enumerate() {
            let place = of.get_mut(*row as usize);
            *place.filter(|place| **place == NONE)? = vertex as u32;
        }
        Self::new(of, (0..row_of.len() as u32).collect())
    }

    /// Rows, those without a vector included.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// Rows that have a vector.
    pub(crate) fn placed(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn vectors(&self) -> usize {
        match self.row_starts.len() {
            0 => self.rows.len(),
            some => some - 1,
        }
    }

    pub(crate) fn vertices(&self) -> usize {
        match self.vector_starts.len() {
            0 => self.vectors(),
            some => some - 1,
        }
    }

    /// Vector of each row, or `NONE`.
    pub(crate) fn of(&self) -> &[u32] {
        &self.of
    }

    /// The vector of a row that exists, if it has one.
    #[inline(always)]
    pub(crate) fn vector(&self, row: u32) -> Option<u32> {
        let vector = *self.of.get(row as usize)?;
        (vector != NONE).then_some(vector)
    }

    /// The vertex of a vector.
    #[inline(always)]
    pub(crate) fn vertex(&self, vector: u32) -> u32 {
        match self.vertices.is_empty() {
            true => vector,
            false => self.vertices[vector as usize],
        }
    }

    /// The vectors of a vertex.
    #[inline(always)]
    pub(crate) fn vectors_of(&self, vertex: u32) -> Range<u32> {
        if self.vector_starts.is_empty() {
            return vertex..vertex + 1;
        }
        self.vector_starts[vertex as usize]..self.vector_starts[vertex as usize + 1]
    }

    /// The rows of a vector, ascending.
    #[inline(always)]
    pub(crate) fn rows(&self, vector: u32) -> &[u32] {
        let vector = vector as usize;
        if self.row_starts.is_empty() {
            return &self.rows[vector..=vector];
        }
        &self.rows[self.row_starts[vector] as usize..self.row_starts[vector + 1] as usize]
    }

    /// The rows of a vector that are allowed, ascending.
    #[inline(always)]
    pub(crate) fn allowed<'a>(
        &'a self,
        vector: u32,
        filter: Option<&'a Filter>,
    ) -> impl Iterator<Item = u32> + 'a {
        let rows = self.rows(vector).iter().copied();
        rows.filter(move |row| filter.is_none_or(|filter| filter.allows(*row)))
    }

    /// Whether any row of a vertex is allowed.
    #[inline(always)]
    pub(crate) fn any(&self, vertex: u32, filter: &Filter) -> bool {
        let mut vectors = self.vectors_of(vertex);
        vectors.any(|vector| self.allowed(vector, Some(filter)).next().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_vectors_and_vertices_agree() {
        let places = Places::new(vec![1, NONE, 0, 1, 1, 2], vec![0, 0, 1]).unwrap();
        let rows: Vec<&[u32]> = (0..3).map(|vector| places.rows(vector)).collect();
        assert_eq!(rows, [&[2][..], &[0, 3, 4], &[5]]);
        let sizes = [places.len(), places.placed(), places.vectors()];
        assert_eq!((sizes, places.vertices()), ([6, 5, 3], 2));
        assert_eq!((places.vectors_of(0), places.vectors_of(1)), (0..2, 2..3));
        assert_eq!((places.vector(3), places.vector(1)), (Some(1), None));
        assert_eq!((places.vertex(1), places.vertex(2)), (0, 1));
        let filter = Filter::from_rows(6, [1, 4]);
        assert_eq!(places.allowed(1, Some(&filter)).collect::<Vec<_>>(), [4]);
        assert!(places.any(0, &filter) && !places.any(1, &filter));
    }

    #[test]
    fn one_row_each_takes_no_lists() {
        let places = Places::new(vec![2, NONE, 0, 1], vec![0, 1, 2]).unwrap();
        assert!(places.row_starts.is_empty() && places.vertices.is_empty());
        assert_eq!(Places::alone(&[2, 3, 0], 4), Some(places));
        assert_eq!(Places::new(Vec::new(), Vec::new()).unwrap().placed(), 0);
    }

    #[test]
    fn contradictions_are_refused() {
        assert_eq!(Places::alone(&[2, 2], 4), None);
        assert_eq!(Places::alone(&[0, 4], 4), None);
        for (of, vertices) in [
            (vec![0, 2], vec![0, 1]),
            (vec![0, 0], vec![0, 1]),
            (vec![0, 1], vec![1, 0]),
            (vec![0, 1], vec![0, 2]),
        ] {
            assert_eq!(Places::new(of, vertices), None);
        }
    }
}
