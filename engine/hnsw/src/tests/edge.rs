use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use penstock_types::Metric;

use super::{clustered, index, options};
use crate::scan::{ScanOptions, nearest};
use crate::{Control, Filter, Found, Hnsw, HnswError, Options, RangeOptions, Scratch};

#[test]
fn few_rows_are_all_found() {
    for metric in Metric::ALL {
        for count in 0..3_usize {
            let rows: Vec<f32> = (0..count * 5).map(|i| i as f32 + 1.0).collect();
            let index = index(&rows, 5, metric);
            let mut scratch = Scratch::new();
            let answer = index.search(&[1.0; 5], 10, 20, None, &mut scratch).unwrap();
            assert_eq!(answer.hits.len(), count, "{metric}");
        }
    }
}

#[test]
fn more_hits_than_rows_are_all_rows() {
    let (rows, _) = clustered(500, 8, 5, 1);
    let index = index(&rows, 8, Metric::L2);
    let mut scratch = Scratch::new();
    let answer = index
        .search(&rows[..8], 700, 10, None, &mut scratch)
        .unwrap();
    let mut found: Vec<u32> = answer.hits.iter().map(|hit| hit.row).collect();
    found.sort_unstable();
    assert_eq!(found, (0..500).collect::<Vec<u32>>());
}

#[test]
fn a_crowd_of_equal_vectors_hides_nothing() {
    let (mut rows, _) = clustered(3_000, 12, 20, 6);
    let copy = rows[..12].to_vec();
    for _ in 0..1_000 {
        rows.extend_from_slice(&copy);
    }
    let only = Filter::new(4_000, |row| row >= 3_500 || row % 2 == 1);
    for seed in 0..12 {
        let options = Options {
            seed,
            ..options(Metric::L2, 2)
        };
        let index = Hnsw::build(&rows, 12, &options, &Control::default()).unwrap();
        let mut scratch = Scratch::new();
        let answer = index.search(&copy, 10, 64, None, &mut scratch).unwrap();
        // Of equals the lowest rows.
        let expected: Vec<u32> = [0].into_iter().chain(3_000..3_009).collect();
        let found = |found: &Found<'_>| found.hits.iter().map(|hit| hit.row).collect::<Vec<_>>();
        assert_eq!(found(&answer), expected);
        let answer = index
            .search(&copy, 10, 64, Some(&only), &mut scratch)
            .unwrap();
        let expected: Vec<u32> = (3_001..3_020).step_by(2).collect();
        assert_eq!(found(&answer), expected);
        let range = RangeOptions {
            limit: 2_000,
            ..RangeOptions::default()
        };
        let answer = index.range(&copy, 0.0, &range, None, &mut scratch).unwrap();
        assert_eq!(answer.hits.len(), 1_001);
        for row in (1..3_000_usize).step_by(10) {
            let query = &rows[row * 12..][..12];
            let hit = index.search(query, 1, 64, None, &mut scratch).unwrap().hits[0];
            assert_eq!(hit.row, row as u32, "{seed}");
        }
        assert!(index.vector(3_999) == Some(&copy[..]));
    }
    // Nor does one of vectors that differ by less than codes tell.
    let mut near = rows.clone();
    for (i, row) in near.chunks_exact_mut(12).enumerate().skip(3_000) {
        row[i % 12] += 1e-6 * (i - 2_999) as f32;
    }
    let index_near = index(&near, 12, Metric::L2);
    let mut scratch = Scratch::new();
    for row in (1..4_000_usize).step_by(7) {
        let query = &near[row * 12..][..12];
        let answer = index_near.search(query, 1, 64, None, &mut scratch).unwrap();
        assert_eq!(answer.hits[0].row, row as u32);
    }
    // Signs of zero and lengths of directions make no difference.
    let rows = [1.0, 0.0, 2.0, -0.0, 0.0, 1.0, 0.0, 0.0];
    let index = index(&rows, 2, Metric::Cosine);
    assert_eq!((index.places.vectors(), index.places.placed()), (2, 3));
}

#[test]
fn vectors_without_a_direction_are_never_near() {
    let (mut rows, _) = clustered(300, 6, 5, 8);
    rows[12..18].fill(0.0);
    let index = index(&rows, 6, Metric::Cosine);
    let mut scratch = Scratch::new();
    assert!(
        index
            .search(&[0.0; 6], 5, 50, None, &mut scratch)
            .unwrap()
            .hits
            .is_empty()
    );
    let all = index
        .search(&rows[..6], 300, 300, None, &mut scratch)
        .unwrap();
    assert_eq!(all.hits.len(), 299);
    assert!(all.hits.iter().all(|hit| hit.row != 2));
    assert!(index.vector(2).is_none() && index.vector(3).is_some());
    let scan = ScanOptions {
        k: 300,
        ..ScanOptions::default()
    };
    let scanned = nearest(&rows, 6, &rows[..6], &scan, &Control::default()).unwrap();
    assert_eq!(scanned[0].len(), 299);
}

#[test]
fn what_is_wrong_is_said() {
    let build = |rows: &[f32], dim, options| Hnsw::build(rows, dim, options, &Control::default());
    let usual = options(Metric::L2, 1);
    assert!(matches!(
        build(&[], 0, &usual),
        Err(HnswError::Dim { dim: 0 })
    ));
    assert!(matches!(
        build(&[1.0; 7], 2, &usual),
        Err(HnswError::Ragged { .. })
    ));
    let error = build(&[0.0, 1.0, f32::NAN, 0.0], 2, &usual);
    assert!(matches!(error, Err(HnswError::NotFinite { row: 1 })));
    let error = build(&[f32::INFINITY, 1.0], 2, &usual);
    assert!(matches!(error, Err(HnswError::NotFinite { row: 0 })));
    let mut narrow = usual.clone();
    narrow.edges = 1;
    assert!(matches!(
        build(&[1.0], 1, &narrow),
        Err(HnswError::Option { .. })
    ));
    let index = build(&[1.0, 2.0], 2, &usual).unwrap();
    let mut scratch = Scratch::new();
    let error = index.search(&[1.0], 1, 1, None, &mut scratch);
    assert!(matches!(error, Err(HnswError::QueryDim { got: 1, dim: 2 })));
    let error = index.search(&[1.0, f32::NAN], 1, 1, None, &mut scratch);
    assert!(matches!(error, Err(HnswError::QueryNotFinite { .. })));
}

#[test]
fn a_build_counts_its_rows_and_stops_when_asked() {
    let (rows, _) = clustered(3_000, 8, 10, 1);
    let most = AtomicUsize::new(0);
    let cancel = AtomicBool::new(false);
    let control = Control {
        cancel: &cancel,
        progress: &|done, total| {
            assert_eq!(total, 3_000);
            most.fetch_max(done, Ordering::Relaxed);
        },
    };
    Hnsw::build(&rows, 8, &options(Metric::L2, 2), &control).unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 3_000);
    let stop = Control {
        cancel: &cancel,
        progress: &|done, _| cancel.store(done >= 640, Ordering::Relaxed),
    };
    let stopped = Hnsw::build(&rows, 8, &options(Metric::L2, 2), &stop);
    assert!(matches!(stopped, Err(HnswError::Cancelled)));
}

#[test]
fn a_scratch_serves_indexes_of_any_size() {
    let mut scratch = Scratch::new();
    for (count, dim) in [(2_000, 8), (100, 70), (1_500, 130)] {
        let (rows, _) = clustered(count, dim, 10, 1);
        let index = index(&rows, dim, Metric::L2);
        let answer = index
            .search(&rows[..dim], 1, 50, None, &mut scratch)
            .unwrap();
        assert_eq!(answer.hits[0].row, 0);
    }
}
