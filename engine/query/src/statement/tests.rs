use penstock_types::ErrorCode;

use super::*;

fn code(sql: &str) -> ErrorCode {
    parse(sql).unwrap_err().code()
}

#[test]
fn names_are_collected() {
    let parsed = parse(
        "WITH near AS (SELECT * FROM vector_search('p@7', 'f', 'id:a', 5)) \
         SELECT * FROM Proteins a JOIN at('p', 'gold') b USING (id), near, \"Quoted\" \
         WHERE a.id IN (SELECT id FROM at('p', 3))",
    )
    .unwrap();
    let tables: Vec<_> = parsed
        .tables
        .iter()
        .filter(|table| !parsed.functions.contains(*table))
        .collect();
    assert_eq!(tables, ["Quoted", "proteins"]);
    let pinned: Vec<_> = parsed
        .pinned
        .keys()
        .map(|(t, v)| format!("{t}@{v}"))
        .collect();
    assert_eq!(pinned, ["p@3", "p@7", "p@gold"]);
    assert!(!parsed.lists_tables);
    assert!(parse("SHOW TABLES").unwrap().lists_tables);
    assert!(
        parse("SELECT * FROM information_schema.columns")
            .unwrap()
            .lists_tables
    );
}

#[test]
fn only_queries_pass() {
    for sql in [
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN a INT",
        "TRUNCATE TABLE t",
        "COPY t TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "SHOW ALL",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "GRANT SELECT ON t TO u",
        "USE x",
    ] {
        let error = parse(sql).unwrap_err();
        assert!(
            matches!(
                error,
                QueryError::ReadOnly { .. } | QueryError::Syntax { .. }
            ),
            "{sql}: {error}"
        );
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{sql}");
    }
    assert!(matches!(
        parse("SELECT 1; SELECT 2").unwrap_err(),
        QueryError::Count { found: 2 }
    ));
    assert!(matches!(
        parse("").unwrap_err(),
        QueryError::Count { found: 0 }
    ));
    assert!(matches!(
        parse("SELEC 1").unwrap_err(),
        QueryError::Syntax { .. } | QueryError::ReadOnly { .. }
    ));
}

#[test]
fn size_and_depth_are_bounded() {
    let chain = |operator: &str, n: usize| format!("SELECT {}", vec!["1"; n].join(operator));
    assert_eq!(code(&chain(" + ", 5_000)), ErrorCode::LimitExceeded);
    assert_eq!(code(&chain(" + ", 100_000)), ErrorCode::LimitExceeded);
    assert_eq!(code(&chain(" OR ", 5_000)), ErrorCode::LimitExceeded);
    parse(&chain(" + ", 300)).unwrap();

    for (open, close) in [
        ("(", ")"),
        ("abs(", ")"),
        ("[", "]"),
        ("- ", ""),
        ("NOT ", ""),
    ] {
        let sql = format!("SELECT {}1{}", open.repeat(5_000), close.repeat(5_000));
        assert!(parse(&sql).is_err(), "{open}");
    }
    let selects = format!(
        "SELECT * FROM {}t{}",
        "(SELECT * FROM ".repeat(5_000),
        ")".repeat(5_000)
    );
    assert!(parse(&selects).is_err());
    let unions = vec!["SELECT 1"; 5_000].join(" UNION ALL ");
    assert_eq!(code(&unions), ErrorCode::LimitExceeded);
    let tables = vec!["t"; 5_000].join(", ");
    assert_eq!(
        code(&format!("SELECT * FROM {tables}")),
        ErrorCode::LimitExceeded
    );

    let mut copies = String::from("WITH c0 AS (SELECT * FROM t)");
    for i in 1..30 {
        copies += &format!(", c{i} AS (SELECT * FROM c{0} a, c{0} b)", i - 1);
    }
    assert_eq!(
        code(&format!("{copies} SELECT * FROM c29")),
        ErrorCode::LimitExceeded
    );

    let vector = vec!["-0.25"; 2_048].join(", ");
    parse(&format!("SELECT cosine_distance(f, [{vector}]) FROM t")).unwrap();
    let ids = vec!["'x'"; 10_000].join(", ");
    parse(&format!("SELECT * FROM t WHERE id IN ({ids})")).unwrap();
}
