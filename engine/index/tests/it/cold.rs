//! An index on the disk, asked itself: under predicates, with rows that it has not, in versions
//! that came later. With all partitions searched and enough candidates compared again it finds what
//! comparing every row finds.

use penstock_index::{
    BuildOptions, IndexKind, ManyRequest, SearchOptions, SearchRequest, Searcher, Tier, build,
};
use penstock_store::{DeleteOptions, Table};
use penstock_types::{ErrorCode, Metric};

use crate::data::{COLUMN, Fixture, clustered, hits, some};

const K: usize = 10;

/// Looks so hard that nothing can be missed.
fn hardest() -> SearchOptions {
    SearchOptions {
        nprobes: Some(1024),
        ef: Some(600),
        refine: Some(60),
    }
}

/// Compares single searches and a batch with the exact answer; answers how many hits there were.
async fn as_exact(
    searcher: &Searcher,
    table: &Table,
    queries: &[Vec<f32>],
    metric: Metric,
    filter: Option<&str>,
) -> usize {
    let mut shared = SearchRequest::new(COLUMN, Vec::new(), K);
    shared.metric = Some(metric);
    shared.filter = filter.map(str::to_owned);
    shared.tier = Some(Tier::Cold);
    shared.options = hardest();
    let mut all = Vec::new();
    for query in queries {
        let mut request = shared.clone();
        request.vector.clone_from(query);
        let found = searcher.search(table, &request).await.unwrap();
        assert_eq!(found.plan.tier, Tier::Cold);
        request.tier = Some(Tier::Exact);
        let truth = searcher.search(table, &request).await.unwrap();
        assert_eq!(hits(&found.batch), hits(&truth.batch), "{filter:?}");
        all.extend(hits(&found.batch));
    }
    let vectors = queries.concat();
    let request = ManyRequest { shared, vectors };
    let together = searcher.search_many(table, &request).await.unwrap();
    assert_eq!(hits(&together.batch), all, "{filter:?}");
    all.len()
}

/// Nearly all rows, half of them, few, fewer than are wanted, none.
const PREDICATES: [&str; 6] = [
    "length <> 7",
    "length % 2 = 0",
    "length % 97 = 3 AND id > 'p000500'",
    "length BETWEEN 4000 AND 4004",
    "length >= 4090",
    "length < 0",
];

async fn every_way(kind: IndexKind, metric: Metric, dim: usize, rows: usize) {
    let mut vectors = some(clustered(rows, dim, 31));
    // Vectors that are not there lie between the others in the file.
    for missing in (5..rows).step_by(61) {
        vectors[missing] = None;
    }
    let mut fixture = Fixture::new(dim).await;
    for part in vectors.chunks(rows / 2) {
        fixture.append(part).await;
    }
    let options = BuildOptions {
        metric,
        partitions: Some(5),
        ..BuildOptions::default()
    };
    build(&fixture.store, &fixture.name, COLUMN, kind, options)
        .await
        .unwrap();
    let searcher = Searcher::default();
    let queries: Vec<Vec<f32>> = vectors
        .iter()
        .step_by(rows / 6)
        .map(|vector| vector.clone().unwrap())
        .collect();
    let before = fixture.table().await;
    for filter in [None].into_iter().chain(PREDICATES.map(Some)) {
        as_exact(&searcher, &before, &queries, metric, filter).await;
    }

    // Rows that the index has not: a near one, and enough to be worth comparing.
    let mut fresh = clustered(200, dim, 32);
    fresh[0].clone_from(&queries[0]);
    fresh[0][0] += 0.001;
    let first = fixture.rows();
    fixture.append(&some(fresh)).await;
    // And rows that are gone, of both.
    let gone = format!("length % 5 = 1 OR length = {}", first + 3);
    let deleted = fixture
        .store
        .delete(&fixture.name, &gone, DeleteOptions::default());
    deleted.await.unwrap();
    let after = fixture.table().await;
    let newest = format!("length >= {first}");
    let both = format!("length >= {} AND length % 2 = 0", first - 300);
    let more = [
        Some(newest.as_str()),
        Some(both.as_str()),
        Some(gone.as_str()),
    ];
    for filter in [None].into_iter().chain(PREDICATES.map(Some)).chain(more) {
        let found = as_exact(&searcher, &after, &queries, metric, filter).await;
        if filter == Some(gone.as_str()) {
            assert_eq!(found, 0);
        }
    }
    let mut request = SearchRequest::new(COLUMN, queries[0].clone(), K);
    request.metric = Some(metric);
    request.tier = Some(Tier::Cold);
    let answer = searcher.search(&after, &request).await.unwrap();
    assert!(!answer.exact);
    assert_eq!(answer.unindexed_rows, 200 - 40 - 1);
    assert_eq!(hits(&answer.batch)[0].0, "p000000");
    assert_eq!(hits(&answer.batch)[1].0, format!("p{first:06}"));

    // A version that came later has no rows of the one before, and that one keeps its own.
    let changed = format!("length = {first}");
    let deleted = fixture
        .store
        .delete(&fixture.name, &changed, DeleteOptions::default());
    deleted.await.unwrap();
    let later = fixture.table().await;
    let answer = searcher.search(&later, &request).await.unwrap();
    assert_ne!(hits(&answer.batch)[1].0, format!("p{first:06}"));
    for table in [&later, &after, &before] {
        for filter in [None, Some(PREDICATES[1]), Some(newest.as_str())] {
            as_exact(&searcher, table, &queries, metric, filter).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_find_what_every_row_compared_finds() {
    every_way(IndexKind::IvfHnswSq, Metric::Cosine, 96, 5_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scanned_partitions_find_what_every_row_compared_finds() {
    every_way(IndexKind::IvfFlat, Metric::L2, 96, 5_000).await;
    every_way(IndexKind::IvfPq, Metric::L2, 96, 5_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_vectors_are_found_too() {
    // So short that several share a compressed block.
    every_way(IndexKind::IvfHnswSq, Metric::L2, 16, 5_000).await;
    every_way(IndexKind::IvfRq, Metric::L2, 64, 5_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_new_rows_than_are_kept() {
    // 64 MiB of new vectors and more: they are read with each search.
    let dim = 2_048;
    let vectors = clustered(300, dim, 41);
    let mut fixture = Fixture::new(dim).await;
    fixture.append(&some(vectors.clone())).await;
    let options = BuildOptions {
        metric: Metric::L2,
        ..BuildOptions::default()
    };
    let kind = IndexKind::IvfFlat;
    build(&fixture.store, &fixture.name, COLUMN, kind, options)
        .await
        .unwrap();
    fixture.append(&some(clustered(8_300, dim, 42))).await;
    let (searcher, table) = (Searcher::default(), fixture.table().await);
    for filter in [None, Some("length % 3 = 0")] {
        let found = as_exact(&searcher, &table, &vectors[..3], Metric::L2, filter).await;
        assert_eq!(found, 3 * K);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_predicates_are_refused_and_close_rows_keep_their_order() {
    let dim = 64;
    let mut vectors = clustered(600, dim, 51);
    // Rows at the same distance: the lower id first, but the row that was asked with before it.
    for twin in [200, 300, 400] {
        vectors[twin] = vectors[100].clone();
    }
    let mut fixture = Fixture::new(dim).await;
    fixture.append(&some(vectors.clone())).await;
    let options = BuildOptions::default();
    build(
        &fixture.store,
        &fixture.name,
        COLUMN,
        IndexKind::IvfHnswSq,
        options,
    )
    .await
    .unwrap();
    let (searcher, table) = (Searcher::default(), fixture.table().await);
    let mut request = SearchRequest::new(COLUMN, vectors[100].clone(), 2);
    request.tier = Some(Tier::Cold);
    request.options = hardest();
    let ids = |answer: &penstock_index::SearchAnswer| -> Vec<String> {
        hits(&answer.batch).into_iter().map(|(id, _)| id).collect()
    };
    let answer = searcher.search(&table, &request).await.unwrap();
    assert_eq!(ids(&answer), ["p000100", "p000200"]);
    request.prefer_id = Some("p000400".to_owned());
    let answer = searcher.search(&table, &request).await.unwrap();
    assert_eq!(ids(&answer), ["p000400", "p000100"]);
    request.prefer_id = None;
    request.filter = Some("length > 100".to_owned());
    let answer = searcher.search(&table, &request).await.unwrap();
    assert_eq!(ids(&answer), ["p000200", "p000300"]);
    request.k = 600;
    request.radius = Some(1e-6);
    let answer = searcher.search(&table, &request).await.unwrap();
    assert_eq!(ids(&answer), ["p000200", "p000300", "p000400"]);
    assert!(!answer.truncated);

    for wrong in ["", "true; DELETE FROM proteins", "length", "nothing = 3"] {
        request.filter = Some(wrong.to_owned());
        let error = searcher.search(&table, &request).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{wrong}");
    }
}
