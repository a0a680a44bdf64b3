//! Indexes in memory: the same rows as the exact scan, whatever happens to the table.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use penstock_index::{
    HotOptions, HotTier, ManyRequest, MeasureOptions, SearchRequest, Searcher, Tier, Warmed, Watch,
};
use penstock_store::{DeleteOptions, VersionRef};
use penstock_types::{ErrorCode, Metric};

use crate::data::{COLUMN, Fixture, Random, clustered, hits, some};

const DIM: usize = 32;
const ROWS: usize = 6_000;

async fn filled() -> (Fixture, Vec<Vec<f32>>) {
    let vectors = clustered(ROWS, DIM, 5);
    let mut fixture = Fixture::new(DIM).await;
    for part in vectors.chunks(2_000) {
        fixture.append(&some(part.to_vec())).await;
    }
    (fixture, vectors)
}

async fn warm(searcher: &Searcher, fixture: &Fixture) -> Warmed {
    let watch = Watch::default();
    let metric = Metric::Cosine;
    let warmed = searcher
        .hot()
        .warm(&fixture.store, &fixture.name, COLUMN, metric, &watch)
        .await;
    warmed.unwrap().0
}

/// Mean share of the exact hits that the hot tier finds, over queries from all over the space.
async fn recall(
    searcher: &Searcher,
    fixture: &Fixture,
    at: &VersionRef,
    filter: Option<&str>,
) -> f64 {
    let table = fixture.store.table_at(&fixture.name, at).await.unwrap();
    let queries = clustered(50, DIM, 5);
    let (mut found, mut wanted) = (0, 0);
    for vector in queries {
        let mut request = SearchRequest::new(COLUMN, vector, 10);
        request.filter = filter.map(str::to_owned);
        request.tier = Some(Tier::Hot);
        let near = searcher.search(&table, &request).await.unwrap();
        assert_eq!(near.plan.tier, Tier::Hot);
        request.tier = Some(Tier::Exact);
        let truth = searcher.search(&table, &request).await.unwrap();
        assert!(truth.exact);
        let near = hits(&near.batch);
        let truth = hits(&truth.batch);
        assert_eq!(near.len(), truth.len());
        for ((_, near), (_, truth)) in near.iter().zip(&truth) {
            assert!(
                near - truth >= -1e-5,
                "{near} is nearer than the nearest, {truth}"
            );
        }
        let truth: HashSet<_> = truth.into_iter().map(|(id, _)| id).collect();
        wanted += truth.len();
        found += near.iter().filter(|(id, _)| truth.contains(id)).count();
    }
    found as f64 / wanted as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_searched_with_one_index() {
    let (mut fixture, _) = filled().await;
    let searcher = Searcher::default();
    assert_eq!(warm(&searcher, &fixture).await, Warmed::Built);
    assert_eq!(warm(&searcher, &fixture).await, Warmed::Kept);
    let latest = VersionRef::Latest;
    assert!(recall(&searcher, &fixture, &latest, None).await > 0.97);
    // An older version has fewer rows, and none of the others is found in it.
    let first = VersionRef::Number(1);
    assert!(recall(&searcher, &fixture, &first, None).await > 0.97);

    // Rows that came later, and rows that went.
    fixture.append(&some(clustered(300, DIM, 6))).await;
    fixture
        .store
        .delete(&fixture.name, "length % 7 = 0", DeleteOptions::default())
        .await
        .unwrap();
    assert!(recall(&searcher, &fixture, &latest, None).await > 0.97);
    let table = fixture.table().await;
    let mut request = SearchRequest::new(COLUMN, clustered(1, DIM, 6).remove(0), 10);
    let answer = searcher.search(&table, &request).await.unwrap();
    assert_eq!(answer.unindexed_rows, 300 - 42);
    request.filter = Some("length % 7 = 0".to_owned());
    assert_eq!(
        searcher
            .search(&table, &request)
            .await
            .unwrap()
            .batch
            .num_rows(),
        0
    );

    // Compaction moves every row: the index knows none of them, and is built anew.
    fixture.store.compact(&fixture.name).await.unwrap();
    assert!(recall(&searcher, &fixture, &latest, None).await == 1.0);
    assert_eq!(warm(&searcher, &fixture).await, Warmed::Built);
    assert!(recall(&searcher, &fixture, &latest, None).await > 0.97);

    // Many new rows become a segment.
    fixture.append(&some(clustered(1_500, DIM, 7))).await;
    assert_eq!(warm(&searcher, &fixture).await, Warmed::Extended);
    assert_eq!(searcher.hot().list()[0].segments, 2);
    assert!(recall(&searcher, &fixture, &latest, None).await > 0.97);

    // Another process reads what was saved.
    let other = Searcher::default();
    assert_eq!(warm(&other, &fixture).await, Warmed::Loaded);
    assert_eq!(other.hot().list(), searcher.hot().list());
    assert!(recall(&other, &fixture, &latest, None).await > 0.97);
    fixture.store.drop_table(&fixture.name).await.unwrap();
    assert!(
        fixture
            .store
            .objects()
            .list("hot")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_keep_the_recall() {
    let (fixture, _) = filled().await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    for (filter, least) in [
        ("length % 2 = 0", 0.95),
        ("length % 10 = 3", 0.95),
        ("length % 100 = 3", 0.95),
        ("length % 1000 = 3", 1.0),
        ("length < 40", 1.0),
        ("length < 0", 1.0),
    ] {
        let recall = recall(&searcher, &fixture, &VersionRef::Latest, Some(filter)).await;
        // Nothing to find is nothing missed.
        assert!(recall.is_nan() || recall >= least, "{filter}: {recall}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_queries_are_as_one_by_one() {
    let (mut fixture, _) = filled().await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    fixture.append(&some(clustered(100, DIM, 8))).await;
    let table = fixture.table().await;
    let queries = clustered(40, DIM, 9);
    for tier in [Tier::Hot, Tier::Exact] {
        let mut shared = SearchRequest::new(COLUMN, Vec::new(), 7);
        shared.tier = Some(tier);
        shared.filter = Some("length % 3 > 0".to_owned());
        let many = ManyRequest {
            shared: shared.clone(),
            vectors: queries.concat(),
        };
        let answer = searcher.search_many(&table, &many).await.unwrap();
        assert_eq!(answer.queries, 40);
        let all = hits(&answer.batch);
        for (query, vector) in queries.iter().enumerate() {
            let mut one = shared.clone();
            one.vector.clone_from(vector);
            let alone = hits(&searcher.search(&table, &one).await.unwrap().batch);
            assert_eq!(all[query * 7..(query + 1) * 7], alone, "{tier} {query}");
        }
    }
    let many = ManyRequest {
        shared: SearchRequest::new(COLUMN, Vec::new(), 7),
        vectors: vec![1.0; DIM + 1],
    };
    let error = searcher.search_many(&table, &many).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_radius_bounds_the_hits() {
    let (fixture, vectors) = filled().await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    let table = fixture.table().await;
    let mut random = Random(4);
    for _ in 0..20 {
        let vector = vectors[random.next() as usize % ROWS].clone();
        let mut request = SearchRequest::new(COLUMN, vector, 1_000);
        request.radius = Some(0.25);
        request.tier = Some(Tier::Exact);
        let truth = hits(&searcher.search(&table, &request).await.unwrap().batch);
        assert!(truth.iter().all(|(_, distance)| *distance <= 0.25));
        request.tier = Some(Tier::Hot);
        let near = hits(&searcher.search(&table, &request).await.unwrap().batch);
        assert!(near.iter().all(|(_, distance)| *distance <= 0.25));
        assert!(
            near.len() * 100 >= truth.len() * 95,
            "{} of {}",
            near.len(),
            truth.len()
        );
        request.k = 1;
        let answer = searcher.search(&table, &request).await.unwrap();
        assert!(answer.truncated && answer.batch.num_rows() == 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recall_is_measured_and_kept() {
    let (fixture, _) = filled().await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    let measure = |tier| {
        let (searcher, fixture) = (&searcher, &fixture);
        async move {
            let options = MeasureOptions::default();
            let metric = Metric::Cosine;
            searcher
                .measure(
                    &fixture.store,
                    &fixture.name,
                    COLUMN,
                    (tier, metric),
                    &options,
                )
                .await
        }
    };
    let measured = measure(Tier::Hot).await.unwrap();
    assert_eq!((measured.queries, measured.from_users), (64, false));
    let recalls: Vec<f64> = measured.points.iter().map(|point| point.recall).collect();
    assert!(recalls.last().unwrap() > &0.98, "{recalls:?}");
    let high = measured.setting(0.99).unwrap().ef;
    let table = fixture.table().await;
    let mut request = SearchRequest::new(COLUMN, clustered(1, DIM, 9).remove(0), 10);
    request.min_recall = Some(0.99);
    let answer = searcher.search(&table, &request).await.unwrap();
    assert_eq!(answer.plan.ef, Some(high));
    assert!(answer.plan.recall.unwrap() >= 0.99);

    assert_eq!(
        measure(Tier::Cold).await.unwrap_err().code(),
        ErrorCode::NotFound
    );
    assert_eq!(
        measure(Tier::Exact).await.unwrap_err().code(),
        ErrorCode::InvalidArgument
    );

    // Another process reads it; a setting of the table goes before the default.
    let other = Searcher::default();
    let recalls = other.recalls();
    recalls
        .set_min_recall(&fixture.store, &fixture.name, COLUMN, Tier::Hot, 0.6)
        .await
        .unwrap();
    let known = recalls.get(&fixture.name, COLUMN, Tier::Hot).unwrap();
    assert_eq!(
        (known.points.len(), known.min_recall),
        (measured.points.len(), Some(0.6))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_with_the_number() {
    let (fixture, _) = filled().await;
    let options = HotOptions {
        budget_bytes: 100_000,
        ..HotOptions::default()
    };
    let searcher = Searcher::new(HotTier::new(options));
    let (name, watch) = (&fixture.name, Watch::default());
    let warmed = searcher
        .hot()
        .warm(&fixture.store, name, COLUMN, Metric::L2, &watch)
        .await;
    let error = warmed.unwrap_err();
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
    assert!(error.to_string().contains("of the 100000"), "{error}");

    let searcher = Searcher::default();
    let watch = Watch {
        cancel: AtomicBool::new(true).into(),
        ..Watch::default()
    };
    let warmed = searcher
        .hot()
        .warm(&fixture.store, name, COLUMN, Metric::L2, &watch)
        .await;
    assert_eq!(warmed.unwrap_err().code(), ErrorCode::Cancelled);
    assert!(searcher.hot().list().is_empty());
    let mut request = SearchRequest::new(COLUMN, vec![1.0; DIM], 3);
    request.tier = Some(Tier::Hot);
    let error = searcher
        .search(&fixture.table().await, &request)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}
