//! Columns of hits: the same from memory, from files that stay open and from the table.

use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use penstock_index::{HotOptions, HotTier, ManyRequest, SearchRequest, Searcher, Tier, Watch};
use penstock_store::{DeleteOptions, VersionRef};
use penstock_types::{Kind, Metric, columns};

use crate::data::{COLUMN, Fixture, clustered, some};

const DIM: usize = 16;
const ROWS: usize = 3_000;

async fn filled() -> Fixture {
    let mut fixture = Fixture::new(DIM).await;
    for part in clustered(ROWS, DIM, 5).chunks(ROWS / 3) {
        fixture.append(&some(part.to_vec())).await;
    }
    fixture
}

async fn warm(searcher: &Searcher, fixture: &Fixture) {
    let (hot, watch) = (searcher.hot(), Watch::default());
    hot.warm(&fixture.store, &fixture.name, COLUMN, Metric::L2, &watch)
        .await
        .unwrap();
}

/// For everything that a hit can have, but the vector.
fn wanted(seed: u64) -> SearchRequest {
    let mut request = SearchRequest::new(COLUMN, clustered(1, DIM, seed).remove(0), 40);
    request.metric = Some(Metric::L2);
    let all = columns::schema(Kind::Protein);
    request.columns = all.fields().iter().map(|f| f.name().clone()).collect();
    request
}

/// What the table itself says of the rows of an answer is what the answer says.
async fn check(fixture: &Fixture, version: &VersionRef, found: &RecordBatch) {
    let table = fixture
        .store
        .table_at(&fixture.name, version)
        .await
        .unwrap();
    let ids = found.column_by_name("id").unwrap().as_string::<i32>();
    let ids: Vec<&str> = ids.iter().flatten().collect();
    assert!(!ids.is_empty());
    let schema = found.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let names: Vec<&str> = names.into_iter().filter(|n| *n != "distance").collect();
    let truth = table.rows_by_id(&ids, Some(&names)).await.unwrap();
    for name in names {
        let (found, truth) = (found.column_by_name(name), truth.column_by_name(name));
        assert_eq!(found.unwrap(), truth.unwrap(), "{name}");
    }
}

/// Searches until columns are in memory; the answer is the same all the while.
async fn settle(searcher: &Searcher, fixture: &Fixture, request: &SearchRequest) -> RecordBatch {
    let table = fixture.table().await;
    let first = searcher.search(&table, request).await.unwrap().batch;
    let kept = async {
        let mut before = 0;
        loop {
            let again = searcher.search(&table, request).await.unwrap().batch;
            assert_eq!(again, first);
            // Nothing is added any more: all is there.
            match searcher.hot().column_bytes() {
                0 => {}
                bytes if bytes == before => break,
                bytes => before = bytes,
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), kept)
        .await
        .unwrap();
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_are_the_same_wherever_they_are_read() {
    let mut fixture = filled().await;
    let latest = VersionRef::Latest;
    let cold = Searcher::default();
    for seed in 0..5 {
        let mut request = wanted(seed);
        request.tier = Some(Tier::Exact);
        let answer = cold.search(&fixture.table().await, &request).await.unwrap();
        check(&fixture, &latest, &answer.batch).await;
    }
    assert_eq!(cold.hot().column_bytes(), 0, "nothing is in memory");

    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    let found = settle(&searcher, &fixture, &wanted(1)).await;
    check(&fixture, &latest, &found).await;

    // Rows go, others come; what is in memory serves the old version and the new one.
    let old = VersionRef::Number(fixture.table().await.version());
    let before = searcher.hot().column_bytes();
    fixture
        .store
        .delete(&fixture.name, "length % 3 = 0", DeleteOptions::default())
        .await
        .unwrap();
    fixture.append(&some(clustered(500, DIM, 9))).await;
    for seed in [1, 9] {
        let found = settle(&searcher, &fixture, &wanted(seed)).await;
        check(&fixture, &latest, &found).await;
        let lengths = found.column_by_name("length").unwrap();
        let lengths = lengths.as_primitive::<Int64Type>();
        let came = |length: &i64| *length >= ROWS as i64;
        assert!(
            lengths
                .values()
                .iter()
                .all(|length| length % 3 != 0 || came(length))
        );
        let table = fixture.store.table_at(&fixture.name, &old).await.unwrap();
        let found = searcher.search(&table, &wanted(seed)).await.unwrap();
        check(&fixture, &old, &found.batch).await;
    }
    assert!(searcher.hot().column_bytes() > before);

    // Every row in another place.
    fixture.store.compact(&fixture.name).await.unwrap();
    let found = settle(&searcher, &fixture, &wanted(1)).await;
    check(&fixture, &latest, &found).await;

    searcher.hot().cool(&fixture.name, None);
    assert_eq!(searcher.hot().column_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_of_many_queries_share_rows() {
    let fixture = filled().await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    let mut many = ManyRequest {
        shared: wanted(1),
        vectors: clustered(20, DIM, 1).concat(),
    };
    many.shared.k = 10;
    let table = fixture.table().await;
    for _ in 0..3 {
        let found = searcher.search_many(&table, &many).await.unwrap();
        assert_eq!(found.batch.num_rows(), 200);
        for query in 0..20 {
            let part = found.batch.slice(query * 10, 10);
            let part = part.project(&(1..part.num_columns()).collect::<Vec<_>>());
            check(&fixture, &VersionRef::Latest, &part.unwrap()).await;
        }
        settle(&searcher, &fixture, &wanted(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_keep_to_their_part_of_the_memory() {
    let fixture = filled().await;
    let budget_bytes = 4 << 20;
    let searcher = Searcher::new(HotTier::new(HotOptions {
        budget_bytes,
        ..HotOptions::default()
    }));
    warm(&searcher, &fixture).await;
    for seed in 0..10 {
        let found = settle(&searcher, &fixture, &wanted(seed)).await;
        check(&fixture, &VersionRef::Latest, &found).await;
        assert!(searcher.hot().column_bytes() <= budget_bytes / 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_anew_has_none_of_the_old_rows() {
    let fixture = filled().await;
    let searcher = Searcher::default();
    warm(&searcher, &fixture).await;
    settle(&searcher, &fixture, &wanted(1)).await;
    let version = fixture.table().await.version();
    // As another process does it.
    fixture.store.drop_table(&fixture.name).await.unwrap();
    let mut fixture = fixture.anew();
    for part in clustered(ROWS, DIM, 77).chunks(ROWS / 3) {
        fixture.append(&some(part.to_vec())).await;
    }
    assert_eq!(fixture.table().await.version(), version);
    let table = fixture.table().await;
    let mut request = wanted(77);
    let found = searcher.search(&table, &request).await.unwrap();
    check(&fixture, &VersionRef::Latest, &found.batch).await;
    request.tier = Some(Tier::Exact);
    let truth = searcher.search(&table, &request).await.unwrap();
    assert_eq!(found.batch, truth.batch);
}
