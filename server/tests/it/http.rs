//! The REST interface: the real service on a free port over a store in a temporary folder.

mod arrays;
mod batch;
mod client;
mod document;
mod embed;
mod errors;
mod heads;
mod jobs;
mod late;
mod matching;
mod motif;
mod path;
mod rerank;
mod search;
mod server;
mod similar;
mod warm;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use penstock::encoding::{Registry, RegistryOptions};
use penstock::{CancellationToken, Engine, EngineOptions};
use penstock_server::http::{Config, State, serve};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;

pub(crate) const PROTEINS: &str = "\
>alpha first protein
MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEK
>beta second protein
GLSDGEWQLVLNVWGKVEADIPGHGQEVLIRLFKGHPETLEKFDKFKHLKSED
>gamma third protein
MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDG
";

/// Small models with random weights, made by the scripts beside them.
pub(crate) fn checkpoints() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/reference/golden")
}

/// A running service.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
    folder: Option<tempfile::TempDir>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::over(folder.path(), config).await;
        server.folder = Some(folder);
        server
    }

    /// A service over a store that outlives it.
    pub(crate) async fn over(store: &Path, config: Config) -> Self {
        let encoders = RegistryOptions {
            root: Some(checkpoints()),
            ..RegistryOptions::default()
        };
        let options = EngineOptions {
            encoders: Arc::new(Registry::new(encoders)),
            ..EngineOptions::default()
        };
        let engine = Engine::open(store.to_str().unwrap(), options)
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(
            listener,
            State::new(engine, config),
            shutdown.clone(),
        ));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let server = Self {
            url,
            client,
            shutdown,
            task,
            folder: None,
        };
        // Requests that come before the jobs are read wait for their connection to be accepted.
        assert_eq!(server.get("/readyz").await.status(), 200);
        server
    }

    /// With a table `proteins` of three rows.
    pub(crate) async fn with_proteins() -> Self {
        let server = Self::start().await;
        let result = server.ingest("proteins", "proteins.fasta", PROTEINS).await;
        assert_eq!(result["rows_added"], 3, "{result}");
        server
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Posts, waits for the job, and answers its result.
    pub(crate) async fn work(&self, path: &str, body: &Value) -> Value {
        let request = self.request(Method::POST, path).header("prefer", "wait=60");
        let response = request.json(body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub(crate) async fn ingest(&self, table: &str, name: &str, text: &str) -> Value {
        let path = format!("/v1/tables/{table}/ingest?name={name}");
        let request = self
            .request(Method::POST, &path)
            .header("prefer", "wait=60");
        let response = request.body(text.to_owned()).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Stops as a signal does, and waits for the end.
    pub(crate) async fn stop(self) {
        self.begin_stop();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }
}

/// Asserts that an answer is a problem of this status and code; answers it.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    let found = response.status();
    let kind = response.headers().get("content-type").cloned();
    assert_eq!(response.headers().get_all("content-type").iter().count(), 1);
    let id = response.headers().get("x-request-id").cloned();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.unwrap(), "application/problem+json");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        problem["type"],
        format!("urn:penstock:problem:{code}"),
        "{text}"
    );
    assert_eq!(problem["status"], status);
    assert_eq!(
        problem["request_id"].as_str().unwrap(),
        id.unwrap().to_str().unwrap()
    );
    assert!(problem["retryable"].is_boolean());
    problem
}
