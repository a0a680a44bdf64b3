use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float32Type, UInt32Type};
use penstock_index::{
    HybridRequest, SearchRequest, TextAnswer, TextRequest, build_motif_index, build_text_index,
    hybrid, refresh, text_search,
};
use penstock_store::{DeleteOptions, Table};
use penstock_types::{ErrorCode, Kind};

use crate::data::{COLUMN, Fixture, Random, clustered, some};
use crate::sequences::{Record, Sequences};

fn scored(answer: &TextAnswer) -> Vec<(String, f32)> {
    let ids = answer
        .batch
        .column_by_name("id")
        .unwrap()
        .as_string::<i32>();
    let scores = answer.batch.column_by_name("score").unwrap();
    let scores = scores.as_primitive::<Float32Type>();
    assert_eq!(scores.null_count(), 0);
    let pairs = ids.iter().zip(scores.values());
    pairs
        .map(|(id, score)| (id.unwrap().to_owned(), *score))
        .collect()
}

async fn found(table: &Table, query: &str, k: usize, filter: Option<&str>) -> Vec<String> {
    let mut request = TextRequest::new(query, k);
    request.filter = filter.map(str::to_owned);
    let answer = text_search(table, &request).await.unwrap();
    let scored = scored(&answer);
    assert!(
        scored.is_sorted_by(|a, b| (b.1, &a.0) <= (a.1, &b.0)),
        "{scored:?}"
    );
    assert!(scored.iter().all(|(_, score)| *score > 0.0));
    scored.into_iter().map(|(id, _)| id).collect()
}

fn enzymes() -> Vec<Record> {
    [
        (
            "a",
            "CDK2_HUMAN",
            "Cyclin-dependent kinase 2, a serine/threonine protein",
        ),
        ("b", "CDK2_MOUSE", "Cyclin-dependent kinases of the mouse"),
        ("c", "TRYP_PIG", "Trypsin, a serine protease"),
        ("d", "", "Ubiquitin"),
        ("e", "HBA_HUMAN", ""),
        (
            "f",
            "",
            "A long description about many other things, globins, lysozymes and proteases",
        ),
    ]
    .map(|(id, name, description)| Record::described(id, name, description))
    .to_vec()
}

async fn check(table: &Table) {
    for (query, filter, ids) in [
        ("kinase", None, &["a", "b"][..]),
        ("KINASES", None, &["a", "b"]),
        ("serine protease", None, &["a", "c", "f"]),
        ("human", None, &["a", "e"]),
        ("CDK2_MOUSE", None, &["a", "b"]),
        ("ubiquitin", None, &["d"]),
        ("human", Some("id != 'a'"), &["e"]),
        ("haemoglobin", None, &[]),
        ("the", None, &[]),
    ] {
        let mut ids_found = found(table, query, 10, filter).await;
        ids_found.sort_unstable();
        assert_eq!(ids_found, ids, "{query}");
    }
    assert_eq!(found(table, "serine protease", 10, None).await[0], "c");
    assert_eq!(found(table, "CDK2_MOUSE", 1, None).await, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found() {
    let fixture = Sequences::new(Kind::Protein).await;
    fixture.load(&enzymes()).await;
    let request = TextRequest::new("kinase", 3);
    for column in ["description", "name"] {
        let error = text_search(&fixture.table().await, &request)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(
            error.to_string().contains(&format!("`{column}`")),
            "{error}"
        );
        build_text_index(&fixture.store, &fixture.name, column)
            .await
            .unwrap();
    }
    let table = fixture.table().await;
    let answer = text_search(&table, &request).await.unwrap();
    assert_eq!(
        (answer.unindexed_rows, answer.version),
        (0, table.version())
    );
    check(&table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_index_covers_are_found() {
    let fixture = Sequences::new(Kind::Protein).await;
    fixture.load(&enzymes()).await;
    for column in ["description", "name"] {
        build_text_index(&fixture.store, &fixture.name, column)
            .await
            .unwrap();
    }
    let mut later = [
        Record::described("g", "KIN_YEAST", "Another kinase"),
        Record::described("b", "CDK2_MOUSE", "Replaced: no longer that enzyme"),
    ];
    later[1].sequence = "MKVA".to_owned();
    fixture.load(&later).await;
    for step in 0..4 {
        let table = fixture.table().await;
        let answer = text_search(&table, &TextRequest::new("kinase", 10))
            .await
            .unwrap();
        let mut ids: Vec<_> = scored(&answer).into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        match step {
            0 => {
                assert_eq!(
                    (ids.as_slice(), answer.unindexed_rows),
                    (&["a".into(), "g".into()][..], 2)
                );
                fixture.store.optimize(&fixture.name).await.unwrap();
            }
            1 => {
                assert_eq!(
                    (ids.as_slice(), answer.unindexed_rows),
                    (&["a".into(), "g".into()][..], 0)
                );
                let options = DeleteOptions::default();
                fixture
                    .store
                    .delete(&fixture.name, "id = 'a'", options)
                    .await
                    .unwrap();
            }
            2 => {
                assert_eq!(ids, ["g"]);
                fixture.store.compact(&fixture.name).await.unwrap();
            }
            _ => assert_eq!(ids, ["g"]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equals_come_by_id() {
    let fixture = Sequences::new(Kind::Protein).await;
    let mut source = Random(9);
    let mut rows: Vec<_> = (0..3_000)
        .map(|i| Record::described(&format!("r{i:04}"), "", "one kinase"))
        .collect();
    for i in (1..rows.len()).rev() {
        rows.swap(i, source.next() as usize % (i + 1));
    }
    fixture.load(&rows).await;
    for column in ["description", "name"] {
        build_text_index(&fixture.store, &fixture.name, column)
            .await
            .unwrap();
    }
    let table = fixture.table().await;
    let ids = found(&table, "kinase", 5, None).await;
    assert_eq!(ids, ["r0000", "r0001", "r0002", "r0003", "r0004"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked() {
    let fixture = Sequences::new(Kind::Protein).await;
    fixture.load(&enzymes()).await;
    let table = fixture.table().await;
    let request = |query: &str| TextRequest::new(query, 3);
    let of = |column: &str| TextRequest {
        search: vec![column.to_owned()],
        ..TextRequest::new("kinase", 3)
    };
    for (request, code) in [
        (request("  "), ErrorCode::InvalidArgument),
        (request(&"a".repeat(5_000)), ErrorCode::InvalidArgument),
        (TextRequest::new("kinase", 0), ErrorCode::InvalidArgument),
        (of("length"), ErrorCode::Unsupported),
        (of("nothing"), ErrorCode::NotFound),
        (
            TextRequest {
                search: vec![],
                ..request("kinase")
            },
            ErrorCode::InvalidArgument,
        ),
    ] {
        let error = text_search(&table, &request).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_brings_indexes_of_words_and_motifs_up_to_date() {
    let mut fixture = Fixture::new(8).await;
    fixture.append(&some(clustered(400, 8, 11))).await;
    let (store, name) = (&fixture.store, &fixture.name);
    build_text_index(store, name, "source").await.unwrap();
    build_motif_index(store, name, "sequence").await.unwrap();
    assert!(!refresh(store, name).await.unwrap().updated);
    for (rows, due) in [(10, false), (40, true)] {
        fixture.append(&some(clustered(rows, 8, rows as u64))).await;
        let outcome = refresh(&fixture.store, &fixture.name).await.unwrap();
        assert_eq!(outcome.updated, due, "{rows} more");
        for index in fixture.table().await.indexes().await.unwrap() {
            assert_eq!(index.unindexed_rows, if due { 0 } else { 10 }, "{index:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_and_words_together() {
    let vectors = clustered(300, 8, 11);
    let mut fixture = Fixture::new(8).await;
    fixture.append(&some(vectors.clone())).await;
    build_text_index(&fixture.store, &fixture.name, "source")
        .await
        .unwrap();
    let table = fixture.table().await;
    let vector = SearchRequest::new(COLUMN, vectors[7].clone(), 20);
    // Nothing is described here; the source is text too, and the same of all rows.
    let mut text = TextRequest::new("synthetic", 10);
    text.search = vec!["source".to_owned()];
    let mut request = HybridRequest::new(vector, text, 25);
    request.columns = vec!["length".into(), "id".into()];
    let answer = hybrid(&table, &request).await.unwrap();
    let batch = &answer.batch;
    let names: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let expected = [
        "length",
        "id",
        "score",
        "vector_rank",
        "text_rank",
        "distance",
        "text_score",
    ];
    assert_eq!(names, expected);
    let ids = batch.column(1).as_string::<i32>();
    let (near, told) = (
        batch.column(3).as_primitive::<UInt32Type>(),
        batch.column(4).as_primitive::<UInt32Type>(),
    );
    // Row 7 is the nearest and eighth of the equals: first in all.
    assert_eq!(
        (ids.value(0), near.value(0), told.value(0)),
        ("p000007", 1, 8)
    );
    assert_eq!(batch.column(5).as_primitive::<Float32Type>().value(0), 0.0);
    let scores = batch
        .column(2)
        .as_primitive::<arrow::datatypes::Float64Type>();
    assert_eq!(scores.value(0), 1.0 / 61.0 + 1.0 / 68.0);
    assert!(scores.values().is_sorted_by(|a, b| a >= b));
    for row in 0..batch.num_rows() {
        assert_eq!(near.is_null(row), batch.column(5).is_null(row));
        assert_eq!(told.is_null(row), batch.column(6).is_null(row));
        assert!(near.is_valid(row) || told.is_valid(row));
    }
    request.weights[1] = -1.0;
    let error = hybrid(&table, &request).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}
