use std::time::{Duration, Instant};

use futures::StreamExt;
use penstock_query::{Limits, QueryError};
use penstock_types::ErrorCode;

use crate::data::{Fixture, within};

/// 10^9 rows from three tables of 1,000.
const BILLION: &str = "(generate_series(1, 1000) a(x) CROSS JOIN generate_series(1, 1000) b(y)) \
                       CROSS JOIN generate_series(1, 1000) c(z)";

#[tokio::test]
async fn nothing_but_queries() {
    let fixture = Fixture::new().await;
    let file = std::env::temp_dir().join("penstock-query-must-not-exist");
    let file = file.display();
    for sql in [
        "INSERT INTO genes SELECT * FROM genes".to_owned(),
        "DELETE FROM genes".to_owned(),
        "UPDATE genes SET length = 0".to_owned(),
        "DROP TABLE genes".to_owned(),
        "TRUNCATE TABLE genes".to_owned(),
        "ALTER TABLE genes ADD COLUMN a INT".to_owned(),
        "CREATE TABLE t AS SELECT * FROM genes".to_owned(),
        "CREATE VIEW v AS SELECT * FROM genes".to_owned(),
        "CREATE SCHEMA s".to_owned(),
        "CREATE DATABASE d".to_owned(),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        format!("COPY genes TO '{file}.csv'"),
        format!("COPY (SELECT 1) TO '{file}.json'"),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SET TIME ZONE TO 'UTC'".to_owned(),
        "SHOW ALL".to_owned(),
        "EXPLAIN SELECT * FROM genes".to_owned(),
        "EXPLAIN ANALYZE SELECT * FROM genes".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "BEGIN".to_owned(),
        "SELECT 1; DROP TABLE genes".to_owned(),
        "SELECT * INTO t FROM genes".to_owned(),
        "WITH w AS (DELETE FROM genes RETURNING *) SELECT * FROM w".to_owned(),
    ] {
        let error = fixture.rows(&sql).await.unwrap_err();
        assert!(
            matches!(
                error.code(),
                ErrorCode::InvalidArgument | ErrorCode::Unsupported
            ),
            "{sql}: {error:?}"
        );
    }
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM \"s3://bucket/x.parquet\"",
    ] {
        assert!(fixture.rows(sql).await.is_err(), "{sql}");
    }
    assert_eq!(
        fixture
            .rows("SELECT count(*) AS n FROM genes")
            .await
            .unwrap()[0]["n"],
        101
    );
}

#[tokio::test]
async fn a_billion_rows_are_stopped() {
    let fixture = Fixture::new().await;
    let generous = Limits {
        intermediate_rows: 50_000_000,
        ..within(Duration::from_secs(60))
    };
    for sql in [
        format!("SELECT sum(x + y + z) FROM {BILLION}"),
        format!("SELECT count(*) FROM {BILLION} WHERE x * y > z"),
        "SELECT a.value FROM generate_series(1, 40000) a JOIN generate_series(1, 40000) b ON a.value > b.value + 1000000".to_owned(),
        "SELECT sum(a.value * b.value) FROM generate_series(1, 40000) a, generate_series(1, 40000) b".to_owned(),
    ] {
        let started = Instant::now();
        let error = fixture.rows_within(&sql, &generous).await.unwrap_err();
        println!("{sql}: {error}, {:.2?}", started.elapsed());
        assert_eq!(error.code(), ErrorCode::LimitExceeded, "{sql}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
    let error = fixture
        .rows(&format!("SELECT * FROM {BILLION}"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, QueryError::Rows { max: 1_000_000 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn time_is_bounded() {
    let fixture = Fixture::new().await;
    let limits = Limits {
        intermediate_rows: u64::MAX,
        rows: u64::MAX,
        ..within(Duration::from_millis(300))
    };
    for sql in [
        format!("SELECT sum(x + y + z) FROM {BILLION}"),
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT sum(n) FROM r".to_owned(),
        "SELECT sum(value) FROM generate_series(1, 1000000000000)".to_owned(),
        "SELECT a.value FROM generate_series(1, 100000) a JOIN generate_series(1, 100000) b ON a.value > b.value + 1000000".to_owned(),
        "SELECT a.value FROM generate_series(1, 3000000) a ORDER BY md5(CAST(a.value AS VARCHAR)) LIMIT 1".to_owned(),
    ] {
        let started = Instant::now();
        let error = fixture.rows_within(&sql, &limits).await.unwrap_err();
        println!("{sql}: {error}, {:.2?}", started.elapsed());
        assert!(matches!(error, QueryError::Time { .. }), "{sql}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{sql}");
    }
}

#[tokio::test]
async fn memory_is_bounded() {
    let fixture = Fixture::new().await;
    let limits = Limits {
        memory_bytes: 4 << 20,
        spill_bytes: 1 << 20,
        intermediate_rows: u64::MAX,
        ..Limits::default()
    };
    for sql in [
        "SELECT value, count(*) AS n FROM generate_series(1, 5000000) GROUP BY value ORDER BY n, value LIMIT 3",
        "SELECT array_agg(value) FROM generate_series(1, 50000000)",
    ] {
        let error = fixture.rows_within(sql, &limits).await.unwrap_err();
        println!("{sql}: {error}");
        assert!(
            matches!(error, QueryError::Memory { memory_mib: 4 }),
            "{sql}: {error:?}"
        );
    }
    // With room to spill, the same order fits little memory.
    let limits = Limits {
        memory_bytes: 16 << 20,
        ..Limits::default()
    };
    let sql = "SELECT value FROM (SELECT value, md5(CAST(value AS VARCHAR)) AS h FROM generate_series(1, 400000) ORDER BY h) LIMIT 400000";
    assert_eq!(
        fixture.rows_within(sql, &limits).await.unwrap().len(),
        400_000
    );
}

#[tokio::test]
async fn depth_is_bounded() {
    let fixture = Fixture::new().await;
    let deep = [
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT {}", vec!["1"; 5_000].join(" + ")),
        format!(
            "SELECT * FROM genes WHERE {}",
            vec!["length = 1"; 5_000].join(" OR ")
        ),
        vec!["SELECT 1"; 5_000].join(" UNION ALL "),
        format!(
            "SELECT * FROM {}genes{}",
            "(SELECT * FROM ".repeat(5_000),
            ")".repeat(5_000)
        ),
        format!("SELECT {}1{}", "abs(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT {}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("SELECT {}1", "NOT ".repeat(5_000)),
        format!(
            "SELECT {}1 {}",
            "CASE WHEN true THEN ".repeat(5_000),
            "END ".repeat(5_000)
        ),
    ];
    for sql in deep {
        let error = fixture.rows(&sql).await.unwrap_err();
        assert!(
            matches!(
                error.code(),
                ErrorCode::LimitExceeded | ErrorCode::InvalidArgument
            ),
            "{}...: {error:?}",
            &sql[..60]
        );
    }
    // What is allowed runs, on ordinary stacks.
    for n in [100, 390] {
        let sum = vec!["length"; n].join(" + ");
        let rows = fixture
            .rows(&format!("SELECT {sum} AS n FROM genes WHERE id = 'd0002'"))
            .await
            .unwrap();
        assert_eq!(rows[0]["n"], 2 * n);
        let any = vec!["length % 7 = 1"; n / 3].join(" OR ");
        fixture
            .rows(&format!("SELECT * FROM genes WHERE {any}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_dropped_answer_stops() {
    let fixture = Fixture::new().await;
    let limits = Limits {
        rows: u64::MAX,
        intermediate_rows: u64::MAX,
        ..within(Duration::from_secs(120))
    };
    let mut answer = fixture
        .sql
        .query(&format!("SELECT x + y + z FROM {BILLION}"), &limits)
        .await
        .unwrap();
    assert!(answer.batches.next().await.unwrap().is_ok());
    let aggregate = fixture
        .sql
        .query(&format!("SELECT sum(x + y + z) FROM {BILLION}"), &limits)
        .await
        .unwrap();
    drop(answer);
    drop(aggregate);
    // The statements held every thread; the next one runs at once, so they are gone.
    let started = Instant::now();
    fixture
        .rows("SELECT sum(value) FROM generate_series(1, 1000)")
        .await
        .unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}
