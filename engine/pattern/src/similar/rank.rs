//! The best places, each set of vertices once.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::similar::Place;

/// Better places first.
pub(super) fn order(a: &Place, b: &Place) -> Ordering {
    b.score
        .score
        .total_cmp(&a.score.score)
        .then(b.anchor.similarity.total_cmp(&a.anchor.similarity))
        .then_with(|| a.vertices.cmp(&b.vertices))
        .then(a.anchor.pattern.cmp(&b.anchor.pattern))
}

/// Keeps the best `limit` places, at most twice as many and 64 for a while.
#[derive(Debug)]
pub(super) struct Best {
    limit: usize,
    places: HashMap<Box<[u32]>, Place>,
}

impl Best {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            places: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, place: Place) {
        let mut set: Vec<u32> = place.vertices.iter().flatten().copied().collect();
        set.sort_unstable();
        let set = set.into_boxed_slice();
        match self.places.get_mut(&set) {
            Some(known) => {
                if order(&place, known).is_lt() {
                    *known = place;
                }
            }
            None => {
                self.places.insert(set, place);
            }
        }
        if self.places.len() > 2 * self.limit + 64 {
            self.cut();
        }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        other.places.into_values().for_each(|place| self.add(place));
        self
    }

    /// What is cut is worse than `limit` others, and stays so: the rest does not depend on when.
    fn cut(&mut self) {
        let mut all: Vec<_> = self.places.drain().collect();
        all.sort_unstable_by(|a, b| order(&a.1, &b.1));
        all.truncate(self.limit);
        self.places.extend(all);
    }

    pub(super) fn ranked(self) -> Vec<Place> {
        let mut places: Vec<_> = self.places.into_values().collect();
        places.sort_unstable_by(order);
        places.truncate(self.limit);
        places
    }
}
