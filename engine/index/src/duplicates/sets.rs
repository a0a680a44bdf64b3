//! Disjoint sets of rows (Tarjan 1975, <https://doi.org/10.1145/321879.321884>).

use std::collections::HashMap;

/// Rows `0..n`, each in one set: 8 bytes per row.
#[derive(Debug)]
pub(crate) struct Sets {
    parents: Vec<u32>,
    sizes: Vec<u32>,
}

impl Sets {
    /// Each row alone. There are at most 2^32 - 1.
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            parents: (0..rows as u32).collect(),
            sizes: vec![1; rows],
        }
    }

    fn root(&mut self, mut row: u32) -> u32 {
        while self.parents[row as usize] != row {
            // Every other row on the way moves up.
            let above = self.parents[row as usize];
            self.parents[row as usize] = self.parents[above as usize];
            row = self.parents[row as usize];
        }
        row
    }

    /// Makes the sets of two rows one.
    pub(crate) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let (small, large) = if self.sizes[a as usize] < self.sizes[b as usize] {
            (a, b)
        } else {
            (b, a)
        };
        self.parents[small as usize] = large;
        self.sizes[large as usize] += self.sizes[small as usize];
    }

    /// The sets of at least two rows, in no order.
    pub(crate) fn clusters(mut self) -> Vec<Vec<u32>> {
        let mut found: HashMap<u32, Vec<u32>> = HashMap::new();
        for row in 0..self.parents.len() as u32 {
            let root = self.root(row);
            if self.sizes[root as usize] > 1 {
                found.entry(root).or_default().push(row);
            }
        }
        found.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_and_rings_are_one_set() {
        let mut sets = Sets::new(10);
        for (a, b) in [(0, 1), (2, 3), (1, 2), (3, 0), (5, 9), (7, 7)] {
            sets.join(a, b);
        }
        let mut clusters = sets.clusters();
        clusters.sort();
        assert_eq!(clusters, [vec![0, 1, 2, 3], vec![5, 9]]);
        assert!(Sets::new(0).clusters().is_empty());
    }
}
