use penstock_types::Metric;

use super::{Random, clustered, common, index, options, truth};
use crate::build::build;
use crate::scan::{ScanOptions, nearest_by};
use crate::simd::isa::Isa;
use crate::{BatchOptions, Control, Hnsw, RangeOptions, Scratch, Way};

#[test]
fn every_metric_and_dimension_finds_nearly_all() {
    for metric in Metric::ALL {
        for dim in [3, 17, 64, 100, 256] {
            let (all, _) = clustered(4_050, dim, 40, 7);
            let (rows, queries) = all.split_at(4_000 * dim);
            let index = index(rows, dim, metric);
            let mut scratch = Scratch::new();
            let mut found = 0;
            for query in queries.chunks_exact(dim) {
                let truth = truth(rows, dim, query, metric, 10, |_| true);
                let answer = index.search(query, 10, 100, None, &mut scratch).unwrap();
                assert_eq!(answer.way, Way::Walk);
                assert!(answer.hits.is_sorted_by(|a, b| a.distance <= b.distance));
                found += common(answer.hits, &truth);
                for hit in answer.hits {
                    let vector = &rows[hit.row as usize * dim..][..dim];
                    let exact = penstock_types::Probe::new(metric, query).distance(vector);
                    let gap = (hit.distance - exact.unwrap()).abs();
                    assert!(
                        gap <= 1e-5 * exact.unwrap().abs().max(1.0),
                        "{metric} {dim}"
                    );
                }
            }
            assert!(found >= 490, "{metric}, {dim} dimensions: {found} of 500");
        }
    }
}

/// Lengths that differ much: the graph grows in the lifted space where there are few dimensions, by
/// the inner product where there are many.
#[test]
fn inner_products_of_unequal_lengths() {
    for (dim, least) in [(4, 480), (20, 440), (100, 380)] {
        let (mut all, _) = clustered(4_050, dim, 40, 7);
        let mut random = Random(1);
        for row in all.chunks_exact_mut(dim) {
            let factor = (0.5 * random.normal()).exp();
            row.iter_mut().for_each(|x| *x *= factor);
        }
        let (rows, queries) = all.split_at(4_000 * dim);
        let index = index(rows, dim, Metric::Dot);
        let mut scratch = Scratch::new();
        let mut found = 0;
        for query in queries.chunks_exact(dim) {
            let truth = truth(rows, dim, query, Metric::Dot, 10, |_| true);
            let answer = index.search(query, 10, 150, None, &mut scratch).unwrap();
            assert_eq!(answer.way, Way::Walk);
            found += common(answer.hits, &truth);
        }
        assert!(found >= least, "{dim} dimensions: {found} of 500");
    }
}

#[test]
fn every_instruction_set_builds_and_finds_the_same() {
    let dim = 50;
    let (all, _) = clustered(2_030, dim, 30, 3);
    let (rows, queries) = all.split_at(2_000 * dim);
    for metric in Metric::ALL {
        let scan = ScanOptions {
            metric,
            k: 10,
            threads: 2,
        };
        for isa in Isa::available() {
            let index = build(rows, dim, &options(metric, 1), &Control::default(), isa).unwrap();
            let scanned = nearest_by(isa, rows, dim, queries, &scan, &Control::default()).unwrap();
            let mut scratch = Scratch::new();
            let mut found = 0;
            for (query, scanned) in queries.chunks_exact(dim).zip(scanned) {
                let truth = truth(rows, dim, query, metric, 10, |_| true);
                assert_eq!(scanned, truth, "{isa:?} {metric}");
                let answer = index.search(query, 10, 100, None, &mut scratch).unwrap();
                found += common(answer.hits, &truth);
            }
            assert!(found >= 285, "{isa:?} {metric}: {found} of 300");
        }
    }
}

#[test]
fn stored_vectors_are_at_distance_zero() {
    let dim = 100;
    let (rows, _) = clustered(1_500, dim, 20, 5);
    for metric in [Metric::Cosine, Metric::L2] {
        let index = index(&rows, dim, metric);
        let mut scratch = Scratch::new();
        for row in (0..1_500).step_by(50) {
            let query = &rows[row * dim..][..dim];
            let hit = index.search(query, 1, 50, None, &mut scratch).unwrap().hits[0];
            assert_eq!(hit.row, row as u32);
            assert!(hit.distance <= 1e-6, "{}", hit.distance);
        }
    }
}

#[test]
fn one_thread_builds_the_same_bits_and_concurrent_searches_agree() {
    let dim = 24;
    let (all, _) = clustered(3_100, dim, 30, 9);
    let (rows, queries) = all.split_at(3_000 * dim);
    let written: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let index =
                Hnsw::build(rows, dim, &options(Metric::L2, 1), &Control::default()).unwrap();
            let mut bytes = Vec::new();
            index.write_to(&mut bytes).unwrap();
            bytes
        })
        .collect();
    assert!(written[0] == written[1]);
    let index = index(rows, dim, Metric::L2);
    let batch = |threads| {
        let options = BatchOptions {
            threads,
            ..BatchOptions::default()
        };
        index
            .search_batch(queries, &options, None, &Control::default())
            .unwrap()
    };
    let one = batch(1);
    assert_eq!(one, batch(4));
    let mut scratch = Scratch::new();
    for (i, query) in queries.chunks_exact(dim).enumerate() {
        let answer = index.search(query, 10, 64, None, &mut scratch).unwrap();
        assert_eq!(answer.hits, one.of(i));
    }
}

#[test]
fn a_range_holds_what_lies_within() {
    let dim = 16;
    let (all, _) = clustered(5_020, dim, 25, 4);
    let (rows, queries) = all.split_at(5_000 * dim);
    let index = index(rows, dim, Metric::L2);
    let mut scratch = Scratch::new();
    let (mut found, mut there) = (0, 0);
    for query in queries.chunks_exact(dim) {
        let truth = truth(rows, dim, query, Metric::L2, 5_000, |_| true);
        let radius = truth[300].distance;
        let inside = truth.partition_point(|hit| hit.distance <= radius);
        let answer = index
            .range(query, radius, &RangeOptions::default(), None, &mut scratch)
            .unwrap();
        assert!(answer.hits.iter().all(|hit| hit.distance <= radius));
        found += common(answer.hits, &truth[..inside]);
        there += inside;
        let few = RangeOptions {
            limit: 5,
            ..RangeOptions::default()
        };
        let answer = index
            .range(query, radius, &few, None, &mut scratch)
            .unwrap();
        assert_eq!(answer.hits.len(), 5);
    }
    assert!(found * 100 >= there * 98, "{found} of {there}");
}
