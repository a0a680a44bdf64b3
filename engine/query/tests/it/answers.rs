use futures::TryStreamExt;
use penstock_index::{SearchRequest, search};
use penstock_query::{Limits, json_rows};
use penstock_types::{ErrorCode, Metric, Probe, TableName};
use serde_json::{Value, json};

use crate::data::{COLUMN, Fixture, ROWS, vector};

#[tokio::test]
async fn tables_versions_and_names() {
    let fixture = Fixture::new().await;
    let first = fixture.first;
    for (sql, expected) in [
        ("SELECT count(*) AS n FROM genes".to_owned(), ROWS + 1),
        (
            format!("SELECT count(*) AS n FROM at('genes', {first})"),
            ROWS,
        ),
        (
            format!("SELECT count(*) AS n FROM at('genes', '{first}')"),
            ROWS,
        ),
        (
            "SELECT count(*) AS n FROM AT('genes', 'gold')".to_owned(),
            ROWS,
        ),
        (
            "SELECT count(*) AS n FROM at('genes', 'latest')".to_owned(),
            ROWS + 1,
        ),
        (
            "SELECT count(*) AS n FROM genes g LEFT ANTI JOIN at('genes', 'gold') o ON g.id = o.id"
                .to_owned(),
            1,
        ),
        ("SELECT count(*) AS n FROM \"Mixed-Case\"".to_owned(), 3),
        (
            "SELECT count(*) AS n FROM at('Mixed-Case', 'latest')".to_owned(),
            3,
        ),
        (
            "WITH at AS (SELECT * FROM genes WHERE length < 7) SELECT count(*) AS n FROM at"
                .to_owned(),
            7,
        ),
    ] {
        let rows = fixture
            .rows(&sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert_eq!(rows, [json!({ "n": expected })], "{sql}");
    }
    let rows = fixture
        .rows("SELECT id, length, event_time FROM genes WHERE length >= 99 ORDER BY length DESC LIMIT 1")
        .await
        .unwrap();
    assert_eq!(
        rows,
        [json!({"id": "d0100", "length": 100, "event_time": "2023-11-14T22:13:20Z"})]
    );
}

#[tokio::test]
async fn one_statement_sees_one_version() {
    let fixture = Fixture::new().await;
    let answer = fixture
        .sql
        .query(
            "SELECT * FROM genes, at('genes', 'gold') g",
            &Limits::default(),
        )
        .await
        .unwrap();
    let latest = fixture
        .store
        .table(&TableName::new("genes").unwrap())
        .await
        .unwrap()
        .version();
    assert_eq!(answer.versions["genes"], [fixture.first, latest]);
    assert_eq!(answer.schema.fields().len(), 2 * (7 + 9 + 1));
}

#[tokio::test]
async fn what_there_is() {
    let fixture = Fixture::new().await;
    let names = |rows: Vec<Value>, key: &str| -> Vec<String> {
        rows.iter()
            .map(|row| row[key].as_str().unwrap().to_owned())
            .collect()
    };
    let tables = names(fixture.rows("SHOW TABLES").await.unwrap(), "table_name");
    assert!(tables.contains(&"genes".to_owned()) && tables.contains(&"Mixed-Case".to_owned()));
    for sql in ["DESCRIBE genes", "SHOW COLUMNS FROM genes"] {
        let columns = names(fixture.rows(sql).await.unwrap(), "column_name");
        assert!(columns.contains(&COLUMN.to_owned()), "{sql}: {columns:?}");
    }
}

#[tokio::test]
async fn distances_are_those_of_a_search() {
    let fixture = Fixture::new().await;
    let query = json!(vector(7)).to_string();
    for metric in Metric::ALL {
        let sql = format!(
            "SELECT id, {metric}_distance({COLUMN}, {query}) AS d FROM genes ORDER BY d, id LIMIT 5"
        );
        let rows = fixture.rows(&sql).await.unwrap();
        let query = vector(7);
        let probe = Probe::new(metric, &query);
        let mut expected: Vec<_> = (0..=ROWS)
            .map(|i| (probe.distance(&vector(i)).unwrap(), format!("d{i:04}")))
            .collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        for (row, (distance, id)) in rows.iter().zip(expected) {
            assert_eq!(row["id"], json!(id), "{metric}");
            assert!((row["d"].as_f64().unwrap() - f64::from(distance)).abs() < 1e-6);
        }
    }
    let sql = format!(
        "SELECT max(l2_distance(a.{COLUMN}, b.{COLUMN})) AS d FROM genes a JOIN genes b USING (id)"
    );
    assert_eq!(fixture.rows(&sql).await.unwrap(), [json!({"d": 0.0})]);
}

#[tokio::test]
async fn vector_search_is_the_search() {
    let fixture = Fixture::new().await;
    let table = fixture
        .store
        .table(&TableName::new("genes").unwrap())
        .await
        .unwrap();
    let mut request = SearchRequest::new(COLUMN, vector(42), 6);
    let expected = |batch| -> Vec<Value> {
        json_rows(&batch)
            .unwrap()
            .into_iter()
            .map(Value::Object)
            .collect()
    };
    let plain = expected(search(&table, &request).await.unwrap().batch);
    assert_eq!(plain[0], json!({"id": "d0042", "distance": 0.0}));
    let array = json!(vector(42)).to_string();
    let text = "A".repeat(42);
    for query in [
        array.clone(),
        format!("ARRAY{array}"),
        format!("'{array}'"),
        "'id:d0042'".into(),
        format!("'{text}'"),
    ] {
        let sql = format!(
            "SELECT id, distance FROM vector_search('genes', '{COLUMN}', {query}, 6) ORDER BY distance, id"
        );
        assert_eq!(fixture.rows(&sql).await.unwrap(), plain, "{query}");
    }

    request.filter = Some("length < 40".into());
    let filtered = expected(search(&table, &request).await.unwrap().batch);
    let sql = format!(
        "SELECT s.id, s.distance FROM vector_search('genes', '{COLUMN}', {array}, 6, 'length < 40') s \
         JOIN genes USING (id) ORDER BY s.distance"
    );
    assert_eq!(fixture.rows(&sql).await.unwrap(), filtered);

    for (sql, n) in [
        (
            format!("SELECT count(*) AS n FROM vector_search('genes', '{COLUMN}', {array}, 1000)"),
            ROWS + 1,
        ),
        (
            format!(
                "SELECT count(*) AS n FROM vector_search('genes@gold', '{COLUMN}', {array}, 1000)"
            ),
            ROWS,
        ),
        (
            format!(
                "SELECT count(*) AS n FROM vector_search('genes', '{COLUMN}', {array}, 9) WHERE distance = 0"
            ),
            1,
        ),
    ] {
        assert_eq!(
            fixture.rows(&sql).await.unwrap(),
            [json!({ "n": n })],
            "{sql}"
        );
    }
    let sql = format!("SELECT * FROM vector_search('genes', '{COLUMN}', {array}, 2)");
    let schema = fixture.sql.schema(&sql, &Limits::default()).await.unwrap();
    let answer = fixture.sql.query(&sql, &Limits::default()).await.unwrap();
    assert_eq!(answer.schema, schema);
    let batches: Vec<_> = answer.batches.try_collect().await.unwrap();
    assert_eq!(
        batches[0].schema().fields().len(),
        table.schema().fields().len() + 1
    );
}

#[tokio::test]
async fn a_lost_worker_is_an_error_not_an_end() {
    let fixture = Fixture::new().await;
    let sql = format!("SELECT * FROM vector_search('genes', '{COLUMN}', 'panic', 2)");
    let error = fixture.rows(&sql).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Internal);
    // The next statement is none the worse.
    fixture.rows("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn mistakes_are_explained() {
    let fixture = Fixture::new().await;
    use ErrorCode::{EncoderMismatch, InvalidArgument, NotFound};
    for (sql, code, says) in [
        (
            "SELECT * FROM gene",
            NotFound,
            "the tables are Mixed-Case, genes",
        ),
        ("SELECT * FROM \"mixed-case\"", NotFound, "\"Mixed-Case\""),
        ("SELECT * FROM at('gene', 1)", NotFound, "the tables are"),
        ("SELECT * FROM at('genes', 999)", NotFound, "999"),
        ("SELECT * FROM at('genes', 'silver')", NotFound, "silver"),
        (
            "SELECT * FROM at('genes')",
            InvalidArgument,
            "at('table', version)",
        ),
        ("SELECT lengt FROM genes", InvalidArgument, "length"),
        ("SELECT nothing(id) FROM genes", InvalidArgument, "nothing"),
        ("SELECT * FROM nothing(1)", InvalidArgument, "nothing"),
        ("SELECT id + 1 FROM", InvalidArgument, ""),
        (
            "SELECT cosine_distance(test_v1, [1.0]) FROM genes",
            InvalidArgument,
            "4 and 1 numbers",
        ),
        (
            "SELECT cosine_distance(id, [1.0]) FROM genes",
            InvalidArgument,
            "two vectors",
        ),
        (
            "SELECT * FROM vector_search('genes', 'test_v1', [1.0], 3)",
            EncoderMismatch,
            "holds vectors of 4",
        ),
        (
            "SELECT * FROM vector_search('genes', 'test_v1', '[1, x]', 3)",
            InvalidArgument,
            "JSON",
        ),
        (
            "SELECT * FROM vector_search('genes', 'test_v1', 'id:d0001', 0)",
            InvalidArgument,
            "k is 0",
        ),
        (
            "SELECT * FROM vector_search('genes', 'test_v1', 'id:d0001', -1)",
            InvalidArgument,
            "k must be",
        ),
        (
            "SELECT * FROM vector_search('genes', 'sequence', 'id:d0001', 1)",
            InvalidArgument,
            "test_v1",
        ),
        (
            "SELECT * FROM vector_search('genes')",
            InvalidArgument,
            "vector_search('table'",
        ),
        (
            "SELECT * FROM vector_search('genes', 'test_v1', 'id:d0001', 1, 'length')",
            InvalidArgument,
            "boolean",
        ),
    ] {
        let error = fixture.rows(sql).await.unwrap_err();
        let text = error.to_string();
        println!("{sql}\n    {text}");
        assert_eq!(error.code(), code, "{sql}: {error:?}");
        assert!(text.contains(says), "{sql}: {text}");
        for word in ["DataFusion", "penstock.public", "/", ".rs", "LanceError"] {
            assert!(!text.contains(word), "{sql}: {text}");
        }
    }
}

#[tokio::test]
async fn match_pattern_is_a_table() {
    let fixture = Fixture::new().await;
    let rows = fixture
        .rows("SELECT match, graph, vertices[1] AS first FROM match_pattern('genes', 'abc') ORDER BY match DESC")
        .await
        .unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["match"], 2);
    assert_eq!(
        (rows[0]["graph"].as_str(), rows[0]["first"].as_i64()),
        (Some("abc"), Some(2))
    );
    // A limit of the statement reaches the search; so does one in the call.
    for sql in [
        "SELECT graph FROM match_pattern('genes', 'abc') LIMIT 2",
        "SELECT graph FROM MATCH_PATTERN('genes@gold', 'abc', 2)",
    ] {
        assert_eq!(fixture.rows(sql).await.unwrap().len(), 2, "{sql}");
    }
    for sql in [
        "SELECT * FROM match_pattern('nobody', 'abc')",
        "SELECT * FROM match_pattern('genes')",
        "SELECT * FROM match_pattern('genes', 3)",
    ] {
        assert!(fixture.rows(sql).await.is_err(), "{sql}");
    }
}
