//! Near-duplicates: planted ones are found, chains are one cluster, and both ways agree.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::{Float32Type, Int64Type};
use penstock_index::{DuplicateAnswer, DuplicateRequest, Searcher, Tier, Watch, duplicates};
use penstock_store::DeleteOptions;
use penstock_types::{ErrorCode, Metric, Probe};

use crate::data::{COLUMN, Fixture, Random, clustered, some};

const DIM: usize = 32;

/// Cluster, id, distance.
type Member = (i64, String, f32);

fn members(answer: &DuplicateAnswer) -> Vec<Member> {
    let batch = &answer.batch;
    let clusters = batch.column(0).as_primitive::<Int64Type>().values();
    let ids = batch.column(1).as_string::<i32>();
    let distances = batch.column(2).as_primitive::<Float32Type>().values();
    let rows = clusters.iter().zip(ids).zip(distances);
    rows.map(|((cluster, id), distance)| (*cluster, id.unwrap().to_owned(), *distance))
        .collect()
}

/// By comparing all pairs and joining them until nothing changes.
fn truth(rows: &[Option<Vec<f32>>], metric: Metric, within: f32) -> (u64, Vec<Member>) {
    let distance = |a: usize, b: usize| {
        let (a, b) = (rows[a].as_ref()?, rows[b].as_ref()?);
        Probe::new(metric, a).distance(b)
    };
    let mut of: Vec<usize> = (0..rows.len()).collect();
    let mut pairs = 0;
    for a in 0..rows.len() {
        for b in a + 1..rows.len() {
            if distance(a, b).is_some_and(|distance| distance <= within) {
                pairs += 1;
                let (from, to) = (of[b], of[a]);
                of.iter_mut()
                    .filter(|of| **of == from)
                    .for_each(|of| *of = to);
            }
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, of) in of.iter().enumerate() {
        clusters.entry(*of).or_default().push(row);
    }
    let mut clusters: Vec<Vec<usize>> = clusters.into_values().filter(|c| c.len() > 1).collect();
    clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.len()), cluster[0]));
    let all = clusters.iter().zip(0_i64..).flat_map(|(cluster, number)| {
        let first = cluster[0];
        let one = move |row: &usize| (number, format!("p{row:06}"), distance(first, *row).unwrap());
        cluster.iter().map(one).collect::<Vec<_>>()
    });
    (pairs, all.collect())
}

/// Far rows, copies of some with a little noise, a chain whose ends are far apart, rows without a
/// vector and without a direction.
fn planted() -> Vec<Option<Vec<f32>>> {
    let mut random = Random(11);
    let mut rows = some(clustered(1_500, DIM, 5));
    for copy in 0..300 {
        let mut row = rows[random.next() as usize % 120].clone().unwrap();
        if copy % 3 > 0 {
            let at = random.next() as usize % DIM;
            row[at] += 0.01;
        }
        rows.push(Some(row));
    }
    let step = 0.05_f32;
    for link in 0..40 {
        let mut row = vec![0.0; DIM];
        row[0] = (step * link as f32).cos();
        row[1] = (step * link as f32).sin();
        rows.push(Some(row));
    }
    rows.push(None);
    rows.push(Some(vec![0.0; DIM]));
    rows.push(Some(vec![0.0; DIM]));
    rows.push(None);
    rows
}

/// Around twice what is between the links of the chain.
const WITHIN: f32 = 0.002;

async fn loaded(rows: &[Option<Vec<f32>>]) -> Fixture {
    let mut fixture = Fixture::new(DIM).await;
    for part in rows.chunks(700) {
        fixture.append(part).await;
    }
    fixture
}

async fn warm(searcher: &Searcher, fixture: &Fixture, metric: Metric) {
    let watch = Watch::default();
    let hot = searcher.hot();
    hot.warm(&fixture.store, &fixture.name, COLUMN, metric, &watch)
        .await
        .unwrap();
}

/// As equal as single precision in the index allows.
#[track_caller]
fn same(found: &[Member], truth: &[Member]) {
    assert_eq!(found.len(), truth.len());
    for (found, truth) in found.iter().zip(truth) {
        assert_eq!((found.0, &found.1), (truth.0, &truth.1));
        assert!((found.2 - truth.2).abs() < 1e-5, "{found:?} {truth:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_find_what_was_planted() {
    let rows = planted();
    let fixture = loaded(&rows).await;
    let table = fixture.table().await;
    for (metric, within) in [
        (Metric::Cosine, WITHIN),
        (Metric::Cosine, 0.0),
        (Metric::L2, 2.0 * WITHIN),
    ] {
        let (pairs, truth) = truth(&rows, metric, within);
        let searcher = Searcher::default();
        let mut request = DuplicateRequest::new(COLUMN, within);
        request.metric = Some(metric);
        let answer = duplicates(&searcher, &table, &request).await.unwrap();
        assert_eq!(members(&answer), truth);
        assert_eq!((answer.tier, answer.exact), (Tier::Exact, true));
        assert_eq!((answer.pairs, answer.rows), (pairs, rows.len() as u64 - 2));
        assert_eq!(answer.members, truth.len() as u64);
        assert_eq!(answer.clusters as i64, truth.last().unwrap().0 + 1);
        assert!(answer.complete);
        // The chain is whole, though its ends are far apart.
        if within > 0.0 {
            let chain: Vec<_> = truth.iter().filter(|m| m.1.as_str() >= "p001800").collect();
            assert!(chain.len() >= 40 && chain[..40].iter().all(|m| m.0 == chain[0].0));
            assert!(chain[39].2 > 100.0 * within);
        }

        warm(&searcher, &fixture, metric).await;
        let answer = duplicates(&searcher, &table, &request).await.unwrap();
        same(&members(&answer), &truth);
        assert_eq!((answer.tier, answer.exact), (Tier::Hot, false));
        assert_eq!(answer.crowded, 0);
        // A few are found from one side only.
        assert!(answer.pairs <= pairs && answer.pairs * 10 >= pairs * 9);
        let again = duplicates(&searcher, &table, &request).await.unwrap();
        assert_eq!(again.batch, answer.batch);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_deletions_and_new_rows_count() {
    let mut rows = planted();
    let mut fixture = loaded(&rows).await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture, Metric::Cosine).await;
    // Rows that the index does not have: copies of its rows and of each other, and one link of the
    // chain beyond its end.
    let mut more: Vec<_> = (0..20).map(|i| rows[i * 7].clone()).collect();
    more.extend(vec![Some(clustered(1, DIM, 77).remove(0)); 3]);
    rows.extend(more.clone());
    fixture.append(&more).await;
    let gone = |row: usize| row % 11 == 4;
    let options = DeleteOptions::default();
    fixture
        .store
        .delete(&fixture.name, "length % 11 = 4", options)
        .await
        .unwrap();
    let table = fixture.table().await;
    for filter in [None, Some("length % 5 < 3")] {
        let kept: Vec<_> = (0..rows.len())
            .map(|row| {
                let keep = !gone(row) && (filter.is_none() || row % 5 < 3);
                rows[row].clone().filter(|_| keep)
            })
            .collect();
        let (pairs, truth) = truth(&kept, Metric::Cosine, WITHIN);
        let mut request = DuplicateRequest::new(COLUMN, WITHIN);
        request.filter = filter.map(str::to_owned);
        for tier in [Tier::Exact, Tier::Hot] {
            request.tier = Some(tier);
            let answer = duplicates(&searcher, &table, &request).await.unwrap();
            same(&members(&answer), &truth);
            assert_eq!(answer.tier, tier, "{filter:?}");
            let least = if tier == Tier::Exact {
                pairs
            } else {
                pairs * 9 / 10
            };
            assert!((least..=pairs).contains(&answer.pairs), "{tier} {filter:?}");
            let there = kept.iter().filter(|row| row.is_some()).count();
            assert_eq!(answer.rows, there as u64);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_kept_and_said() {
    let rows = planted();
    let fixture = loaded(&rows).await;
    let table = fixture.table().await;
    let searcher = Searcher::default();
    let good = DuplicateRequest::new(COLUMN, WITHIN);
    let with = |change: &dyn Fn(&mut DuplicateRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let invalid = ErrorCode::InvalidArgument;
    for (request, code) in [
        (with(&|r| r.max_rows = 1_000), ErrorCode::LimitExceeded),
        (with(&|r| r.max_bytes = 200_000), ErrorCode::LimitExceeded),
        (with(&|r| r.tier = Some(Tier::Hot)), ErrorCode::NotFound),
        (with(&|r| r.tier = Some(Tier::Cold)), invalid),
        (with(&|r| r.metric = Some(Metric::Dot)), invalid),
        (with(&|r| r.within = -0.5), invalid),
        (with(&|r| r.within = f32::NAN), invalid),
        (with(&|r| r.limit = 1), invalid),
        (with(&|r| r.neighbours = 0), invalid),
        (with(&|r| r.filter = Some("true;".to_owned())), invalid),
        (with(&|r| r.column = "length".to_owned()), invalid),
    ] {
        let error = duplicates(&searcher, &table, &request).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let error = duplicates(&searcher, &table, &with(&|r| r.max_rows = 1_000))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Warm the index"), "{error}");

    // The largest clusters that fit, whole.
    let whole = duplicates(&searcher, &table, &good).await.unwrap();
    let part = duplicates(&searcher, &table, &with(&|r| r.limit = 45))
        .await
        .unwrap();
    assert!(!part.complete && part.batch.num_rows() <= 45);
    assert_eq!(
        (part.members, part.clusters),
        (whole.members, whole.clusters)
    );
    let (whole, part) = (members(&whole), members(&part));
    let first = part.len();
    assert!(first >= 40 && part.iter().all(|member| whole.contains(member)));

    // Of rows with more neighbours than are looked at, the answer says how many.
    warm(&searcher, &fixture, Metric::Cosine).await;
    let crowded = duplicates(&searcher, &table, &with(&|r| r.neighbours = 1))
        .await
        .unwrap();
    assert!(crowded.crowded > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_watched_and_stopped() {
    let fixture = loaded(&planted()).await;
    let table = fixture.table().await;
    let searcher = Searcher::default();
    let request = DuplicateRequest::new(COLUMN, WITHIN);
    for tier in [Tier::Exact, Tier::Hot] {
        if tier == Tier::Hot {
            warm(&searcher, &fixture, Metric::Cosine).await;
        }
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&steps);
        let watch = Watch {
            progress: Arc::new(move |done, all| seen.lock().unwrap().push((done, all))),
            ..Watch::default()
        };
        searcher.duplicates(&table, &request, &watch).await.unwrap();
        let steps = std::mem::take(&mut *steps.lock().unwrap());
        assert!(steps.iter().any(|(done, all)| done == all), "{steps:?}");

        // Stopped at the first step.
        let cancel = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let (stop, counted) = (Arc::clone(&cancel), Arc::clone(&count));
        let watch = Watch {
            cancel: Arc::clone(&cancel),
            progress: Arc::new(move |_, _| {
                counted.fetch_add(1, Ordering::Relaxed);
                stop.store(true, Ordering::Relaxed);
            }),
        };
        let stopped = searcher.duplicates(&table, &request, &watch).await;
        let error = stopped.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Cancelled, "{tier}");
        assert!(count.load(Ordering::Relaxed) < steps.len() + 1);
    }
}
