//! Jobs: states, keys, cancelling, restarts.

use penstock_server::http::Config;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{PROTEINS, Server, problem};

async fn upload(server: &Server, key: &str, text: String) -> Response {
    server
        .request(Method::POST, "/v1/tables/t/ingest?name=t.fasta")
        .header("idempotency-key", key)
        .body(text)
        .send()
        .await
        .unwrap()
}

/// Sequences that take a while to load: cancelling and killing must find them at work.
fn many(count: usize) -> String {
    let residues: Vec<u8> = (0..600)
        .map(|i: usize| b"ACDEFGHIKLMNPQRSTVWY"[(i * i + i / 7) % 20])
        .collect();
    let sequence = String::from_utf8(residues).unwrap();
    (0..count)
        .map(|i| format!(">s{i}\n{}{}\n", &sequence[i % 400..], &sequence[..i % 400]))
        .collect()
}

async fn finished(server: &Server, id: &str) -> Value {
    let request = server.request(Method::GET, &format!("/v1/jobs/{id}"));
    request
        .header("prefer", "wait=60")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_from_its_beginning_to_its_end() {
    let server = Server::start().await;
    let response = upload(&server, "k1", PROTEINS.to_owned()).await;
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let job: Value = response.json().await.unwrap();
    let id = job["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/jobs/{id}"));
    assert_eq!(
        (&job["kind"], &job["table"]),
        (&json!("ingest"), &json!("t"))
    );

    let done = finished(&server, id).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(done["result"]["rows_added"], 3);
    assert_eq!(done["progress"]["rows"], 3);
    assert!(done["finished"].is_string());

    // The same key is the same job, and nothing is loaded again.
    let again: Value = upload(&server, "k1", PROTEINS.to_owned())
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(again["id"], id);
    assert_eq!(
        server.json("/v1/jobs").await["jobs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        server.json("/v1/jobs?state=failed").await["jobs"],
        json!([])
    );
    // The same key for other work is refused.
    let other = server
        .request(Method::POST, "/v1/tables/other/ingest")
        .header("idempotency-key", "k1")
        .body(PROTEINS)
        .send()
        .await
        .unwrap();
    problem(other, 409, "already-exists").await;
    let metrics = server.get("/metrics").await.text().await.unwrap();
    assert!(
        metrics.contains("penstock_jobs{state=\"succeeded\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("penstock_rows_ingested_total 3"),
        "{metrics}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_a_job_and_leaves_nothing() {
    let server = Server::start().await;
    let job: Value = upload(&server, "k", many(40_000))
        .await
        .json()
        .await
        .unwrap();
    let id = job["id"].as_str().unwrap();
    let request = server.request(Method::DELETE, &format!("/v1/jobs/{id}"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // The answer waits two seconds at most for the job, which a busy machine may use up.
    let cancelled = finished(&server, id).await;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    assert_eq!(cancelled["error"]["type"], "urn:penstock:problem:cancelled");
    problem(server.get("/v1/tables/t").await, 404, "not-found").await;
    // Nothing was done under the key: it may be used again.
    let again: Value = upload(&server, "k", PROTEINS.to_owned())
        .await
        .json()
        .await
        .unwrap();
    assert_ne!(again["id"], id);
    assert_eq!(
        finished(&server, again["id"].as_str().unwrap()).await["state"],
        "succeeded"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_an_orderly_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(folder.path(), Config::default()).await;
    let job: Value = upload(&server, "k", many(20_000))
        .await
        .json()
        .await
        .unwrap();
    let id = job["id"].as_str().unwrap().to_owned();
    server.stop().await;
    let server = Server::over(folder.path(), Config::default()).await;
    let done = finished(&server, &id).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(server.json("/v1/tables/t").await["stats"]["rows"], 20_000);
    server.stop().await;
    // A finished job is remembered by the next server, and its upload is gone.
    let server = Server::over(folder.path(), Config::default()).await;
    assert_eq!(finished(&server, &id).await["state"], "succeeded");
    let left: Vec<_> = walk(&folder.path().join("_penstock/spool"));
    assert!(left.iter().all(|path| path.ends_with("lock")), "{left:?}");
    server.stop().await;
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path))
        } else {
            files.push(path)
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_just_before_a_crash_is_not_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(folder.path(), Config::default()).await;
    let job: Value = upload(&server, "k", PROTEINS.to_owned())
        .await
        .json()
        .await
        .unwrap();
    let id = job["id"].as_str().unwrap().to_owned();
    let done = finished(&server, &id).await;
    let version = done["result"]["version"].clone();
    server.stop().await;

    // As if the process had died between the commit and the note that the job is done.
    let record = folder.path().join(format!("_penstock/jobs/{id}.json"));
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    stored["state"] = json!("running");
    stored["result"] = Value::Null;
    stored["finished"] = Value::Null;
    let owner = stored["owner"].as_str().unwrap().to_owned();
    std::fs::write(&record, serde_json::to_vec(&stored).unwrap()).unwrap();
    let spool = folder.path().join("_penstock/spool").join(owner).join(&id);
    std::fs::create_dir_all(&spool).unwrap();
    std::fs::write(spool.join("0"), PROTEINS).unwrap();

    let server = Server::over(folder.path(), Config::default()).await;
    let done = finished(&server, &id).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(done["result"]["replayed"], true, "{done}");
    assert_eq!(done["result"]["version"], version);
    assert_eq!(done["result"]["rows_added"], 3);
    assert_eq!(server.json("/v1/tables/t").await["version"], version);
    server.stop().await;
}

/// The program itself, so that it can be killed.
struct Program {
    child: std::process::Child,
    url: String,
}

impl Program {
    fn start(store: &std::path::Path) -> Self {
        use std::io::BufRead as _;
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_penstock"))
            .args(["--json", "--store", store.to_str().unwrap(), "serve"])
            .args(["--listen", "127.0.0.1:0", "--flight", "127.0.0.1:0"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self {
            child,
            url: ready["http"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: the program is told nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let client = reqwest::Client::new();
    let program = Program::start(folder.path());
    let url = format!("{}/v1/tables/t/ingest?name=t.fasta", program.url);
    let response = client.post(url).body(many(20_000)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let job: Value = response.json().await.unwrap();
    drop(program);

    let program = Program::start(folder.path());
    let url = format!("{}/v1/jobs/{}", program.url, job["id"].as_str().unwrap());
    let done = client
        .get(url)
        .header("prefer", "wait=60")
        .send()
        .await
        .unwrap();
    let done: Value = done.json().await.unwrap();
    assert_eq!(done["state"], "succeeded", "{done}");
    let table = client
        .get(format!("{}/v1/tables/t", program.url))
        .send()
        .await
        .unwrap();
    let table: Value = table.json().await.unwrap();
    assert_eq!(table["stats"]["rows"], 20_000, "{table}");
}
