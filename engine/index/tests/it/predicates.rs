//! A predicate is one whole expression, whichever search takes it.

use penstock_index::{
    HybridRequest, IndexError, ManyRequest, MotifRequest, SearchRequest, Searcher, TextRequest,
    Tier, Watch, build_text_index, hybrid, motif, text_search,
};
use penstock_store::{DeleteOptions, Table};
use penstock_types::{ErrorCode, Metric};

use crate::data::{COLUMN, Fixture, clustered, some};

const DIM: usize = 8;

/// What stands behind a condition that is true of one row.
const RESTS: [&str; 8] = [
    ") OR (true",
    ")",
    ";",
    "; DELETE FROM proteins",
    " LIMIT 1",
    " UNION SELECT 1",
    " -- AND false",
    " /* AND false */",
];

fn refused<T>(outcome: Result<T, IndexError>, what: &str) {
    let error = match outcome {
        Ok(_) => panic!("{what} was taken"),
        Err(IndexError::Query { source, .. }) => *source,
        Err(error) => error,
    };
    assert!(
        matches!(error, IndexError::Predicate { .. }),
        "{what}: {error:?}"
    );
    assert_eq!(error.code(), ErrorCode::InvalidArgument, "{what}");
}

async fn every_search(searcher: &Searcher, table: &Table, predicate: &str, tiers: &[Tier]) {
    let filter = Some(predicate.to_owned());
    let mut one = SearchRequest::new(COLUMN, vec![1.0; DIM], 3);
    one.filter.clone_from(&filter);
    for tier in tiers {
        one.tier = Some(*tier);
        let what = format!("{predicate}, {tier}");
        refused(searcher.search(table, &one).await, &what);
        let many = ManyRequest {
            shared: SearchRequest {
                vector: Vec::new(),
                ..one.clone()
            },
            vectors: vec![1.0; 2 * DIM],
        };
        refused(searcher.search_many(table, &many).await, &what);
    }
    one.tier = None;
    // Counts the rows of the predicate for the plan.
    one.explain = true;
    refused(searcher.search(table, &one).await, predicate);

    let mut pattern = MotifRequest::new("P");
    pattern.filter.clone_from(&filter);
    refused(motif(table, &pattern).await, predicate);

    let mut words = TextRequest::new("kinase", 3);
    words.search = vec!["name".to_owned()];
    words.filter.clone_from(&filter);
    refused(text_search(table, &words).await, predicate);

    let mut open = one.clone();
    open.filter = None;
    let by_words = HybridRequest::new(open, words.clone(), 3);
    refused(hybrid(table, &by_words).await, predicate);
    words.filter = None;
    let by_vector = HybridRequest::new(one, words, 3);
    refused(hybrid(table, &by_vector).await, predicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_may_follow_the_condition() {
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&some(clustered(600, DIM, 1))).await;
    build_text_index(&fixture.store, &fixture.name, "name")
        .await
        .unwrap();
    let searcher = Searcher::default();
    let (watch, metric) = (Watch::default(), Metric::Cosine);
    searcher
        .hot()
        .warm(&fixture.store, &fixture.name, COLUMN, metric, &watch)
        .await
        .unwrap();
    let table = fixture.table().await;
    let whole = "id = 'p000001'";
    let mut request = SearchRequest::new(COLUMN, vec![1.0; DIM], 3);
    request.filter = Some(whole.to_owned());
    for tier in [Tier::Hot, Tier::Exact] {
        request.tier = Some(tier);
        let answer = searcher.search(&table, &request).await.unwrap();
        assert_eq!(answer.batch.num_rows(), 1, "{tier}");
    }
    for rest in RESTS {
        let predicate = format!("{whole}{rest}");
        every_search(&searcher, &table, &predicate, &[Tier::Hot, Tier::Exact]).await;
        assert!(table.count_rows(Some(&predicate)).await.is_err());
        let options = DeleteOptions::default();
        let deleted = fixture.store.delete(&fixture.name, &predicate, options);
        assert!(deleted.await.is_err(), "{predicate} deletes");
    }
    assert_eq!(fixture.table().await.count_rows(None).await.unwrap(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_rows_refuses_too() {
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&some(clustered(40, DIM, 1))).await;
    let searcher = Searcher::default();
    let (watch, metric) = (Watch::default(), Metric::Cosine);
    searcher
        .hot()
        .warm(&fixture.store, &fixture.name, COLUMN, metric, &watch)
        .await
        .unwrap();
    let options = DeleteOptions::default();
    fixture
        .store
        .delete(&fixture.name, "true", options)
        .await
        .unwrap();
    let table = fixture.table().await;
    let mut request = SearchRequest::new(COLUMN, vec![1.0; DIM], 3);
    for rest in RESTS {
        request.filter = Some(format!("true{rest}"));
        for tier in [Tier::Hot, Tier::Exact] {
            request.tier = Some(tier);
            refused(searcher.search(&table, &request).await, rest);
        }
    }
}
