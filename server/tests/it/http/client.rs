//! The Rust client against the real service.

use penstock_client::{Client, Error};
use penstock_openapi::{
    CreateSnapshot, GcRequest, IngestParams, JobKind, JobParams, JobState, SearchRequest,
};
use penstock_types::ErrorCode;

use super::{PROTEINS, Server};

async fn finished(client: &Client, id: &str) -> penstock_openapi::Job {
    loop {
        let job = client.job(id).await.unwrap();
        if job.state.is_final() {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation() {
    let server = Server::start().await;
    let client = Client::new(&server.url).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.fasta");
    std::fs::write(&file, PROTEINS).unwrap();

    let files = vec![("p \"1\".fasta".to_owned(), file.clone())];
    let job = client
        .ingest("p", &IngestParams::default(), files)
        .await
        .unwrap();
    assert_eq!(job.kind, JobKind::Ingest);
    let job = finished(&client, &job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{job:?}");
    assert_eq!(
        client.jobs(&JobParams::default()).await.unwrap().jobs.len(),
        1
    );

    assert_eq!(client.tables().await.unwrap().tables[0].rows, 3);
    let table = client.describe("p", "latest").await.unwrap();
    let tag = client
        .tag("p", "first", &table.version.to_string())
        .await
        .unwrap();
    assert_eq!(tag.version, table.version);
    assert_eq!(client.tags("p").await.unwrap().tags["first"], table.version);
    assert!(!client.versions("p").await.unwrap().versions.is_empty());
    assert!(client.encoders().await.unwrap().encoders.len() >= 3);

    let request = SearchRequest {
        id: Some("beta".into()),
        k: 1,
        ..SearchRequest::default()
    };
    let answer = client.search("p", &request).await.unwrap();
    assert_eq!(answer.hits[0].id, "beta");
    let options = SearchRequest {
        k: 1,
        ..SearchRequest::default()
    };
    let answer = client.search_file("p", &options, &file).await.unwrap();
    assert_eq!(answer.hits[0].id, "alpha");

    let request = CreateSnapshot {
        name: "s".into(),
        table: "p".into(),
        version: None,
        columns: None,
        filter: Some("id <> 'gamma'".into()),
    };
    let job = client.create_snapshot(&request).await.unwrap();
    let job = finished(&client, &job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{job:?}");
    let snapshot = client.snapshot("s").await.unwrap();
    assert_eq!(snapshot.rows, 2);
    assert_eq!(
        client.snapshots().await.unwrap().snapshots[0].digest,
        snapshot.digest
    );

    assert_eq!(
        client
            .delete_rows("p", "id = 'alpha'")
            .await
            .unwrap()
            .rows_deleted,
        1
    );
    let job = client
        .gc(None::<&str>, &GcRequest::default())
        .await
        .unwrap();
    assert_eq!(finished(&client, &job.id).await.state, JobState::Succeeded);
    let cancelled = client.cancel_job(&job.id).await.unwrap();
    assert_eq!(cancelled.state, JobState::Succeeded);

    let error = client.describe("nothing", "latest").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.problem().unwrap().request_id.is_some());
    client.drop_table("p").await.unwrap();
    let files = vec![("x".to_owned(), folder.path().join("nowhere"))];
    let error = client
        .ingest("p", &IngestParams::default(), files)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    server.stop().await;

    let error = client.tables().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
}
