//! One ranking out of several.

use std::collections::HashMap;
use std::hash::Hash;

/// The constant of the fusion: a first place counts 1/61, a hundredth 1/160. The value of Cormack,
/// Clarke & Buettcher 2009 (doi:10.1145/1571941.1572114).
pub const FUSION_CONSTANT: f64 = 60.0;

/// One ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked<T> {
    /// The items, best first. Only the first place of an item counts.
    pub items: Vec<T>,
    /// What a place in this ranking counts, against the others; 1 for all is the published method.
    pub weight: f64,
}

impl<T> From<Vec<T>> for Ranked<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, weight: 1.0 }
    }
}

/// An item of the fused ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused<T> {
    /// The item.
    pub item: T,
    /// The sum of `weight / (constant + rank)` over the rankings that the item is in.
    pub score: f64,
    /// Its rank in each ranking, from 1; `None` where it is not in there.
    pub ranks: Vec<Option<usize>>,
}

/// Reciprocal rank fusion: all items of all rankings, highest score first. Equal scores are ordered
/// by the better of the items' best ranks, then by the items themselves, so that the order of a
/// tie depends on nothing else. Takes memory in proportion to the items.
///
/// `constant` must not be negative; a score that is no number comes last.
#[must_use]
pub fn reciprocal_rank_fusion<T: Ord + Hash + Clone>(
    rankings: &[Ranked<T>],
    constant: f64,
) -> Vec<Fused<T>> {
    let mut places: HashMap<&T, Vec<Option<usize>>> = HashMap::new();
    for (which, ranking) in rankings.iter().enumerate() {
        for (rank, item) in (1..).zip(&ranking.items) {
            let ranks = places
                .entry(item)
                .or_insert_with(|| vec![None; rankings.len()]);
            ranks[which] = ranks[which].or(Some(rank));
        }
    }
    let mut fused: Vec<Fused<T>> = places
        .into_iter()
        .map(|(item, ranks)| {
            let share = |(rank, ranking): (&Option<usize>, &Ranked<T>)| {
                rank.map_or(0.0, |rank| ranking.weight / (constant + rank as f64))
            };
            // In the order of the rankings: sums of floats depend on it.
            let score: f64 = ranks.iter().zip(rankings).map(share).sum();
            Fused {
                item: item.clone(),
                score: if score.is_nan() {
                    f64::NEG_INFINITY
                } else {
                    score
                },
                ranks,
            }
        })
        .collect();
    let best = |fused: &Fused<T>| fused.ranks.iter().flatten().min().copied();
    fused.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| best(a).cmp(&best(b)))
            .then_with(|| a.item.cmp(&b.item))
    });
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fused(rankings: &[&str]) -> String {
        let rankings: Vec<Ranked<char>> = rankings
            .iter()
            .map(|ranking| ranking.chars().collect::<Vec<_>>().into())
            .collect();
        let fused = reciprocal_rank_fusion(&rankings, FUSION_CONSTANT);
        fused.into_iter().map(|one| one.item).collect()
    }

    #[test]
    fn orders() {
        for (rankings, order) in [
            (&[][..], ""),
            (&[""], ""),
            (&["abc"], "abc"),
            (&["abc", ""], "abc"),
            // In both beats first in one.
            (&["abx", "cdx"], "xacbd"),
            (&["ab", "ba"], "ab"),
            (&["ba", "ab"], "ab"),
            // Twice in one list is no second vote.
            (&["aab", "b"], "ba"),
            (&["ab", "ca", "ba"], "abc"),
        ] {
            assert_eq!(fused(rankings), order, "{rankings:?}");
        }
    }

    #[test]
    fn scores_and_ranks() {
        let second = Ranked {
            items: vec!["b", "c"],
            weight: 2.0,
        };
        let found = reciprocal_rank_fusion(&[vec!["a", "b"].into(), second], 60.0);
        let expected = [
            ("b", 1.0 / 62.0 + 2.0 / 61.0, vec![Some(2), Some(1)]),
            ("c", 2.0 / 62.0, vec![None, Some(2)]),
            ("a", 1.0 / 61.0, vec![Some(1), None]),
        ];
        for (found, (item, score, ranks)) in found.iter().zip(expected) {
            assert_eq!((found.item, &found.ranks), (item, &ranks));
            assert!((found.score - score).abs() < 1e-15);
        }
    }
}
