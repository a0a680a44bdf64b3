//! Connections, shutdown, headers, probes.

use std::time::{Duration, Instant};

use penstock_server::http::Config;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PROTEINS, Server, problem};

fn address(server: &Server) -> String {
    server.url.trim_start_matches("http://").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_are_cut() {
    let config = Config {
        header_timeout: Duration::from_millis(500),
        ..Config::default()
    };
    let server = Server::with(config).await;
    // Nothing at all, the beginning of what might be HTTP/2, half a head.
    for sent in ["", "P", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // However it is cut, the connection ends.
        let _ = tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .expect("never cut");
        assert!(started.elapsed() < Duration::from_secs(5), "{sent:?}");
    }
    assert_eq!(server.get("/livez").await.status(), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_heads_are_refused() {
    let server = Server::start().await;
    let request = server
        .request(Method::GET, "/livez")
        .header("x-large", "a".repeat(1 << 20));
    if let Ok(response) = request.send().await {
        assert_eq!(response.status(), 431);
    }
    assert_eq!(server.get("/livez").await.status(), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_when_the_server_stops() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(address(&server)).await.unwrap();
    let head = format!(
        "POST /v1/tables/t/ingest?name=t.fasta HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        PROTEINS.len()
    );
    let (first, second) = PROTEINS.split_at(20);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    // The server has the request once its gauge says so.
    loop {
        let metrics = server.get("/metrics").await.text().await.unwrap();
        if metrics.contains("penstock_http_requests_in_flight 2") {
            break;
        }
        tokio::task::yield_now().await;
    }
    server.begin_stop();
    stream.write_all(second.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_to_come_again() {
    let config = Config {
        max_requests: 1,
        ..Config::default()
    };
    let server = Server::with(config).await;
    let half_an_upload = async || {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        let head = "POST /v1/tables/t/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n>a\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let mut stream = half_an_upload().await;
    let busy = loop {
        let response = server.get("/v1/tables").await;
        if response.status() != 200 {
            break response;
        }
        // The upload may have come while a question was answered, and been refused itself.
        if stream.try_read(&mut [0; 1]).is_ok() {
            stream = half_an_upload().await;
        }
    };
    assert_eq!(busy.headers()["retry-after"], "1");
    let found = problem(busy, 503, "unavailable").await;
    assert_eq!(found["retryable"], true);
    // Probes answer all the same.
    assert_eq!(server.get("/livez").await.status(), 200);
    drop(stream);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_numbers() {
    let server = Server::start().await;
    let request = server
        .request(Method::GET, "/")
        .header("x-request-id", "abc-123");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc-123");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let request = server
        .request(Method::GET, "/")
        .header("x-request-id", "bad number!");
    let response = request.send().await.unwrap();
    assert_ne!(response.headers()["x-request-id"], "bad number!");

    for page in [
        "/docs/",
        "/docs/swagger-ui.css",
        "/docs/swagger-initializer.js",
        "/openapi.json",
    ] {
        let response = server.get(page).await;
        assert_eq!(response.status(), 200, "{page}");
        assert!(
            !response.text().await.unwrap().contains("https://cdn"),
            "{page}"
        );
    }
    assert_eq!(server.get("/docs").await.url().path(), "/docs/");
    server.get("/nowhere").await;
    let metrics = server.get("/metrics").await.text().await.unwrap();
    for line in [
        "penstock_http_requests_total{method=\"GET\",route=\"/\",status=\"200\"} 2",
        "penstock_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "penstock_http_sent_bytes_total",
        "penstock_http_request_latency_seconds_bucket{le=\"0.001\",route=\"/\"}",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    server.stop().await;
}
