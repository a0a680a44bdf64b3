//! What is refused, and how.

use reqwest::Method;
use serde_json::json;

use super::{Server, problem};

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense() {
    let server = Server::with_proteins().await;
    for (method, path, body, status, code) in [
        ("GET", "/nowhere", "", 404, "not-found"),
        ("PATCH", "/v1/tables", "", 405, "invalid-argument"),
        ("GET", "/v1/tables/nothing", "", 404, "not-found"),
        ("GET", "/v1/tables/no%20name", "", 404, "not-found"),
        (
            "GET",
            "/v1/tables/proteins?version=99",
            "",
            404,
            "not-found",
        ),
        (
            "GET",
            "/v1/tables/proteins?verzion=1",
            "",
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/search",
            "{",
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/search",
            "{}",
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/search",
            r#"{"id": "alpha", "kk": 1}"#,
            422,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/search",
            r#"{"id": "nobody"}"#,
            404,
            "not-found",
        ),
        (
            "POST",
            "/v1/tables/proteins/search",
            r#"{"vector": [1, 2]}"#,
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/search",
            r#"{"id": "alpha", "where": "lengthh > 1"}"#,
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/delete",
            r#"{"where": "lengthh > 1"}"#,
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/tables/proteins/encode",
            r#"{"encoder": "x"}"#,
            404,
            "not-found",
        ),
        ("POST", "/v1/tables/nothing/compact", "", 404, "not-found"),
        (
            "POST",
            "/v1/sql",
            r#"{"sql": "SELEC 1"}"#,
            400,
            "invalid-argument",
        ),
        (
            "POST",
            "/v1/sql",
            r#"{"sql": "DROP TABLE proteins"}"#,
            400,
            "invalid-argument",
        ),
        ("GET", "/v1/jobs/nothing", "", 404, "not-found"),
        ("GET", "/v1/jobs/..%2f..%2fx", "", 404, "not-found"),
        ("GET", "/v1/jobs?limit=0", "", 400, "invalid-argument"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = server
            .request(method, path)
            .header("content-type", "application/json");
        println!("{path} {body}");
        let found = problem(request.body(body).send().await.unwrap(), status, code).await;
        let instance = found["instance"].as_str().unwrap();
        assert!(path.starts_with(instance), "{path}: {instance}");
    }
    let text = server
        .request(Method::POST, "/v1/sql")
        .body("SELECT 1")
        .send()
        .await
        .unwrap();
    problem(text, 415, "unsupported").await;
    let allowed = server
        .request(Method::PUT, "/v1/tables")
        .send()
        .await
        .unwrap();
    assert!(allowed.headers()["allow"].to_str().unwrap().contains("GET"));
    let csv = server
        .request(Method::POST, "/v1/sql")
        .header("accept", "text/csv");
    problem(
        csv.json(&json!({"sql": "SELECT 1"})).send().await.unwrap(),
        406,
        "unsupported",
    )
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_a_file_has_its_line() {
    let server = Server::start().await;
    let reads = "@r1\nACGT\n+\nIIII\n@r2\nACGT\n+\nII\n";
    let response = server
        .request(Method::POST, "/v1/tables/reads/ingest?name=reads.fq")
        .header("prefer", "wait=60")
        .body(reads)
        .send()
        .await
        .unwrap();
    let found = problem(response, 422, "invalid-data").await;
    assert_eq!(found["file"], "reads.fq", "{found}");
    assert!(
        found["line"]
            .as_u64()
            .is_some_and(|line| (5..=9).contains(&line)),
        "{found}"
    );
    problem(server.get("/v1/tables/reads").await, 404, "not-found").await;

    let result = server
        .request(
            Method::POST,
            "/v1/tables/reads/ingest?name=reads.fq&on_error=skip",
        )
        .header("prefer", "wait=60")
        .body(reads)
        .send()
        .await
        .unwrap();
    let result: serde_json::Value = result.json().await.unwrap();
    assert_eq!(
        (&result["rows_added"], &result["rows_skipped"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(result["skipped"][0]["source"], "reads.fq");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_bounds() {
    let config = penstock_server::http::Config {
        max_upload_bytes: 1000,
        max_body_bytes: 1000,
        ..Default::default()
    };
    let server = Server::with(config).await;
    let large = format!(">a\n{}\n", "M".repeat(2000));
    let upload = server
        .request(Method::POST, "/v1/tables/t/ingest")
        .body(large.clone());
    problem(upload.send().await.unwrap(), 413, "limit-exceeded").await;
    let sql = json!({"sql": large});
    problem(server.post("/v1/sql", &sql).await, 413, "limit-exceeded").await;
    let jobs = server.json("/v1/jobs").await;
    assert_eq!(jobs["jobs"], json!([]));
    server.stop().await;
}
