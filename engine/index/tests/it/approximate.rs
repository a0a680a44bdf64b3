use std::collections::HashSet;
use std::time::Instant;

use penstock_index::{
    BuildOptions, IndexKind, ManyRequest, Reason, SearchRequest, Searcher, Tier, build,
    needs_index, refresh, search,
};
use penstock_store::{DeleteOptions, Table};
use penstock_types::{ErrorCode, Metric};

use crate::data::{COLUMN, Fixture, Random, clustered, hits, some};

const DIM: usize = 64;
const ROWS: usize = 20_000;
const QUERIES: usize = 100;

/// Mean share of the true ten that the index finds too.
async fn recall(fixture: &Fixture, vectors: &[Vec<f32>], metric: Metric) -> f64 {
    let table = fixture.table().await;
    let mut random = Random(3);
    let (mut found, mut seconds) = (0, [0.0, 0.0]);
    for _ in 0..QUERIES {
        let i = random.next() as usize % vectors.len();
        let mut request = SearchRequest::new(COLUMN, vectors[i].clone(), 10);
        request.metric = Some(metric);
        request.prefer_id = Some(format!("p{i:06}"));
        let started = Instant::now();
        let near = search(&table, &request).await.unwrap();
        seconds[0] += started.elapsed().as_secs_f64();
        assert!(!near.exact);
        request.exact = true;
        let started = Instant::now();
        let truth = search(&table, &request).await.unwrap();
        seconds[1] += started.elapsed().as_secs_f64();
        assert!(truth.exact);

        let near = hits(&near.batch);
        let truth: HashSet<_> = hits(&truth.batch).into_iter().map(|(id, _)| id).collect();
        if metric != Metric::Dot {
            assert_eq!(near[0], (format!("p{i:06}"), 0.0));
        }
        assert!(near.is_sorted_by(|a, b| a.1 <= b.1));
        found += near.iter().filter(|(id, _)| truth.contains(id)).count();
    }
    println!(
        "indexed {:.2} ms, exact {:.2} ms",
        1e3 * seconds[0] / QUERIES as f64,
        1e3 * seconds[1] / QUERIES as f64
    );
    found as f64 / (10 * QUERIES) as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_finds_nearly_all() {
    let vectors = clustered(ROWS, DIM, 1);
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&some(vectors.clone())).await;
    assert_eq!(
        needs_index(&fixture.table().await, COLUMN).await.unwrap(),
        Some(Reason::Missing { rows: ROWS as u64 })
    );
    for kind in IndexKind::ALL {
        let started = Instant::now();
        let info = build(
            &fixture.store,
            &fixture.name,
            COLUMN,
            kind,
            BuildOptions::default(),
        )
        .await
        .unwrap();
        println!("{kind}: built in {:.1} s", started.elapsed().as_secs_f64());
        assert_eq!(info.indexed_rows, ROWS as u64);
        let recall = recall(&fixture, &vectors, Metric::Cosine).await;
        println!("{kind}: recall@10 {recall:.4}");
        assert!(recall >= 0.95, "{kind}: {recall}");
    }
    assert_eq!(
        needs_index(&fixture.table().await, COLUMN).await.unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_finds_nearly_all() {
    let vectors = clustered(5_000, DIM, 2);
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&some(vectors.clone())).await;
    for metric in Metric::ALL {
        let options = BuildOptions {
            metric,
            ..BuildOptions::default()
        };
        let kind = IndexKind::default();
        build(&fixture.store, &fixture.name, COLUMN, kind, options)
            .await
            .unwrap();
        let recall = recall(&fixture, &vectors, metric).await;
        println!("{metric}: recall@10 {recall:.4}");
        assert!(recall >= 0.95, "{metric}: {recall}");
    }
    // The index there is now compares by dot product: another metric is answered exactly.
    let request = SearchRequest::new(COLUMN, vectors[0].clone(), 10);
    assert!(
        search(&fixture.table().await, &request)
            .await
            .unwrap()
            .exact
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_are_found_before_and_after_a_refresh() {
    let mut vectors = some(clustered(12_000, DIM, 5));
    vectors[50] = None;
    let fresh = some(clustered(1_500, DIM, 6));
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&vectors).await;
    let outcome = refresh(&fixture.store, &fixture.name).await.unwrap();
    assert_eq!((outcome.built.len(), outcome.updated), (1, false));
    assert_eq!(
        outcome.built[0].kind.to_lowercase(),
        IndexKind::default().as_str()
    );

    fixture.append(&fresh).await;
    for (round, unindexed) in [(0, 1_500), (1, 0)] {
        let table = fixture.table().await;
        for i in [0, 700, 1_499] {
            let id = format!("p{:06}", 12_000 + i);
            let mut request = SearchRequest::new(COLUMN, fresh[i].clone().unwrap(), 5);
            request.prefer_id = Some(id.clone());
            let answer = search(&table, &request).await.unwrap();
            assert_eq!(hits(&answer.batch)[0], (id, 0.0), "round {round}");
            assert!(!answer.exact);
            assert_eq!(answer.unindexed_rows, unindexed);
        }
        if round == 0 {
            assert!(matches!(
                needs_index(&table, COLUMN).await.unwrap(),
                Some(Reason::Stale {
                    unindexed_rows: 1_500,
                    ..
                })
            ));
            assert!(
                refresh(&fixture.store, &fixture.name)
                    .await
                    .unwrap()
                    .updated
            );
        }
    }
    let outcome = refresh(&fixture.store, &fixture.name).await.unwrap();
    assert!(outcome.built.is_empty() && !outcome.updated);

    // A predicate is applied before the walk, however few rows it leaves.
    let table = fixture.table().await;
    for (filter, expected) in [
        ("length >= 100 AND length < 107", 7),
        ("length = 50", 0),
        ("length % 2 = 0", 10),
    ] {
        let mut request = SearchRequest::new(COLUMN, vectors[0].clone().unwrap(), 10);
        request.filter = Some(filter.into());
        let answer = search(&table, &request).await.unwrap();
        assert_eq!(answer.batch.num_rows(), expected, "{filter}");
    }
    let mut request = SearchRequest::new(COLUMN, vectors[0].clone().unwrap(), 10_000);
    request.columns = vec!["id".into(), COLUMN.into()];
    let answer = search(&table, &request).await.unwrap();
    assert_eq!(answer.batch.num_rows(), 10_000);
    assert_eq!(answer.batch.column_by_name(COLUMN).unwrap().null_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_tables_and_wrong_options() {
    let vectors = clustered(200, DIM, 8);
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&some(vectors.clone())).await;
    assert_eq!(
        needs_index(&fixture.table().await, COLUMN).await.unwrap(),
        None
    );
    let build = async |column: &str, kind, options| {
        build(&fixture.store, &fixture.name, column, kind, options).await
    };
    for kind in [IndexKind::IvfPq, IndexKind::IvfHnswPq] {
        let error = build(COLUMN, kind, BuildOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(
            error.to_string().contains("at least 256 vectors"),
            "{error}"
        );
    }
    let error = build("sequence", IndexKind::default(), BuildOptions::default()).await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidArgument);
    let options = BuildOptions {
        partitions: Some(0),
        ..BuildOptions::default()
    };
    let error = build(COLUMN, IndexKind::default(), options)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);

    build(COLUMN, IndexKind::default(), BuildOptions::default())
        .await
        .unwrap();
    let options = BuildOptions {
        replace: false,
        ..BuildOptions::default()
    };
    let error = build(COLUMN, IndexKind::IvfFlat, options)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    assert!(recall(&fixture, &vectors, Metric::Cosine).await >= 0.95);
}

/// What an index that stays open answers: single searches and a batch, which find the same.
async fn both(searcher: &Searcher, table: &Table, queries: &[Vec<f32>]) -> Vec<Vec<(String, f32)>> {
    let mut shared = SearchRequest::new(COLUMN, Vec::new(), 10);
    shared.tier = Some(Tier::Cold);
    let mut single = Vec::new();
    for query in queries {
        let mut request = shared.clone();
        request.vector.clone_from(query);
        let answer = searcher.search(table, &request).await.unwrap();
        single.push(hits(&answer.batch));
    }
    let vectors = queries.concat();
    let answer = searcher
        .search_many(table, &ManyRequest { shared, vectors })
        .await
        .unwrap();
    let together = hits(&answer.batch);
    assert_eq!(together.len(), 10 * queries.len());
    let together: Vec<_> = together.chunks(10).map(<[_]>::to_vec).collect();
    assert_eq!(single, together);
    single
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_index_answers_for_the_version_that_is_asked() {
    let vectors = clustered(6_000, DIM, 9);
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&some(vectors.clone())).await;
    let queries: Vec<Vec<f32>> = vectors.iter().step_by(250).cloned().collect();
    for kind in [IndexKind::IvfHnswSq, IndexKind::IvfPq, IndexKind::IvfRq] {
        let options = BuildOptions::default();
        build(&fixture.store, &fixture.name, COLUMN, kind, options)
            .await
            .unwrap();
        let searcher = Searcher::default();
        let before = fixture.table().await;
        let found = both(&searcher, &before, &queries).await;
        let gone = found[3][1].0.clone();
        let predicate = format!("id = '{gone}'");
        let options = DeleteOptions::default();
        let deleted = fixture.store.delete(&fixture.name, &predicate, options);
        assert_eq!(deleted.await.unwrap().rows_deleted, 1);
        let after = fixture.table().await;
        let there = both(&searcher, &after, &queries).await;
        assert!(!there[3].iter().any(|(id, _)| *id == gone), "{kind}");
        assert_eq!(both(&searcher, &before, &queries).await, found, "{kind}");

        // Rows that no index covers, then a second part of the index.
        let fresh = clustered(300, DIM, 10 + kind as u64);
        let first = fixture.rows();
        fixture.append(&some(fresh.clone())).await;
        for _ in 0..2 {
            let table = fixture.table().await;
            let found = both(&searcher, &table, &fresh[..5]).await;
            for (i, found) in found.iter().enumerate() {
                assert_eq!(found[0], (format!("p{:06}", first + i), 0.0), "{kind}");
            }
            fixture.store.optimize(&fixture.name).await.unwrap();
        }
    }
}
