use penstock_types::Metric;

use super::{clustered, common, index, truth};
use crate::{Filter, Scratch, Way};

const ROWS: usize = 20_000;
const DIM: usize = 32;

#[test]
fn recall_holds_at_every_selectivity_and_correlation() {
    let (all, centre) = clustered(ROWS + 40, DIM, 200, 11);
    let (rows, queries) = all.split_at(ROWS * DIM);
    let index = index(rows, DIM, Metric::L2);
    let mut scratch = Scratch::new();
    let chance = |row: usize| crate::level::mix(row as u64) % 1_000;
    for share in [500, 100, 10, 1] {
        let scattered = Filter::new(ROWS, |row| chance(row) < share);
        // Whole clusters, so that those of most queries are forbidden altogether.
        let whole = Filter::new(ROWS, |row| chance(centre[row] + 1_000_000) < share.max(10));
        for (name, filter) in [("scattered", &scattered), ("whole clusters", &whole)] {
            let (mut found, mut there) = (0, 0);
            for query in queries.chunks_exact(DIM) {
                let allow = |row: usize| filter.allows(row as u32);
                let truth = truth(rows, DIM, query, Metric::L2, 10, allow);
                let answer = index
                    .search(query, 10, 100, Some(filter), &mut scratch)
                    .unwrap();
                assert!(answer.hits.iter().all(|hit| filter.allows(hit.row)));
                assert_eq!(answer.hits.len(), truth.len());
                found += common(answer.hits, &truth);
                there += truth.len();
            }
            assert!(
                found * 100 >= there * 95,
                "{name}, {share} of 1,000: {found} of {there}"
            );
        }
    }
    // Everything but the query's own cluster.
    let (mut found, mut there) = (0, 0);
    for (i, query) in queries.chunks_exact(DIM).enumerate() {
        let filter = Filter::new(ROWS, |row| centre[row] != centre[ROWS + i]);
        let allow = |row: usize| filter.allows(row as u32);
        let truth = truth(rows, DIM, query, Metric::L2, 10, allow);
        let answer = index
            .search(query, 10, 100, Some(&filter), &mut scratch)
            .unwrap();
        found += common(answer.hits, &truth);
        there += truth.len();
    }
    assert!(
        found * 100 >= there * 95,
        "all but the own: {found} of {there}"
    );
}

#[test]
fn none_and_one_allowed() {
    let (rows, _) = clustered(1_000, DIM, 10, 2);
    let index = index(&rows, DIM, Metric::L2);
    let mut scratch = Scratch::new();
    let none = Filter::new(1_000, |_| false);
    let answer = index
        .search(&rows[..DIM], 10, 50, Some(&none), &mut scratch)
        .unwrap();
    assert!(answer.hits.is_empty());
    let one = Filter::from_rows(1_000, [777, 5_000]);
    let answer = index
        .search(&rows[..DIM], 10, 50, Some(&one), &mut scratch)
        .unwrap();
    assert_eq!((answer.hits.len(), answer.hits[0].row), (1, 777));
    assert_eq!((answer.candidates, answer.way), (1, Way::Scan));
    let other = Filter::new(999, |_| true);
    assert!(
        index
            .search(&rows[..DIM], 10, 50, Some(&other), &mut scratch)
            .is_err()
    );
}

#[test]
fn a_filter_is_a_set() {
    let filter = Filter::from_rows(200, [199, 3, 64, 3]);
    assert_eq!(filter.iter().collect::<Vec<_>>(), [3, 64, 199]);
    assert_eq!(filter.count(), 3);
    assert!(filter.allows(64) && !filter.allows(65) && !filter.allows(100_000));
}

#[test]
fn the_planner_scans_few_and_walks_many() {
    let cost = |allowed| crate::cost(1_000_000, 128, 16, allowed, 64).way;
    assert_eq!(cost(100), Way::Scan);
    assert_eq!(cost(500_000), Way::FilteredWalk);
    assert_eq!(cost(1_000_000), Way::Walk);
}
