//! From a file to a snapshot.

use arrow::ipc::reader::StreamReader;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PROTEINS, Server};

#[tokio::test(flavor = "multi_thread")]
async fn ingest_search_sql() {
    let server = Server::with_proteins().await;

    let again = server.ingest("proteins", "proteins.fasta", PROTEINS).await;
    assert_eq!(
        (&again["rows_added"], &again["rows_unchanged"]),
        (&json!(0), &json!(3))
    );

    let tables = server.json("/v1/tables").await;
    assert_eq!(tables["tables"][0]["name"], "proteins");
    assert_eq!(tables["tables"][0]["rows"], 3);
    assert_eq!(tables["tables"][0]["features"], json!(["protein_kmer_v1"]));
    let table = server.json("/v1/tables/proteins").await;
    assert_eq!(table["features"][0]["encoder"], "protein-kmer-v1");

    let path = "/v1/tables/proteins/search";
    let by_id = server.post(path, &json!({"id": "beta", "k": 2})).await;
    assert_eq!(by_id.status(), 200);
    let by_id: Value = by_id.json().await.unwrap();
    assert_eq!(by_id["hits"][0]["id"], "beta");
    assert!(by_id["hits"][0]["distance"].as_f64().unwrap().abs() < 1e-6);
    assert_eq!(by_id["hits"].as_array().unwrap().len(), 2);
    assert_eq!(by_id["hits"][0]["description"], "second protein");

    let text = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDG";
    let by_text = server.post(path, &json!({"text": text, "k": 1})).await;
    let by_text: Value = by_text.json().await.unwrap();
    assert_eq!(by_text["hits"][0]["id"], "gamma");

    // By a file, as a form.
    let boundary = "----x";
    let form = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{{\"k\": 1}}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.fasta\"\r\n\r\n\
         >q\n{text}\n\r\n--{boundary}--\r\n"
    );
    let by_file = server
        .request(Method::POST, path)
        .header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        )
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(by_file.status(), 200);
    let by_file: Value = by_file.json().await.unwrap();
    assert_eq!(by_file["hits"].as_array().unwrap().len(), 1);
    assert_eq!(by_file["hits"][0]["id"], "gamma");

    let sql = json!({"sql": "SELECT id, length FROM proteins ORDER BY id"});
    let rows = server.post("/v1/sql", &sql).await;
    assert_eq!(rows.headers()["content-type"], "application/json");
    let rows: Value = rows.json().await.unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(rows[0], json!({"id": "alpha", "length": 53}));

    let ask = |accept: &str| {
        server
            .request(Method::POST, "/v1/sql")
            .header("accept", accept)
            .json(&sql)
            .send()
    };
    let lines = ask("application/x-ndjson")
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(lines.lines().count(), 3);
    let arrow = ask("application/vnd.apache.arrow.stream")
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let batches = StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(
        batches
            .map(|batch| batch.unwrap().num_rows())
            .sum::<usize>(),
        3
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_has_its_form_too() {
    let server = Server::with_proteins().await;
    let sql = json!({"sql": "SELECT id FROM proteins WHERE length > 1000000"});
    let rows: Value = server.post("/v1/sql", &sql).await.json().await.unwrap();
    assert_eq!(rows, json!([]));
    let arrow = server
        .request(Method::POST, "/v1/sql")
        .header("accept", "application/vnd.apache.arrow.stream")
        .json(&sql)
        .send()
        .await
        .unwrap();
    let arrow = arrow.bytes().await.unwrap();
    let reader = StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(reader.schema().fields().len(), 1);
    assert_eq!(reader.count(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_one_version() {
    let server = Server::start().await;
    let boundary = "b";
    let form = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.fasta\"\r\n\r\n\
         >a\nMKTAYIAKQRQISFVK\n\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.fasta\"\r\n\r\n\
         >b\nGLSDGEWQLVLNVWGK\n\r\n--{boundary}--\r\n"
    );
    let response = server
        .request(Method::POST, "/v1/tables/two/ingest?encoder=none")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        )
        .header("prefer", "wait=60")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let result: Value = response.json().await.unwrap();
    assert_eq!(result["rows_added"], 2);
    let sql = json!({"sql": "SELECT id, source FROM two ORDER BY id"});
    let rows: Value = server.post("/v1/sql", &sql).await.json().await.unwrap();
    assert_eq!(rows[0], json!({"id": "a", "source": "a.fasta"}));
    let table = server.json("/v1/tables/two").await;
    assert_eq!(table["features"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_tags_and_deletion() {
    let server = Server::with_proteins().await;
    let before = server.json("/v1/tables/proteins").await["version"]
        .as_u64()
        .unwrap();
    let tag = server
        .request(Method::PUT, "/v1/tables/proteins/tags/first")
        .json(&json!({"version": before.to_string()}))
        .send()
        .await
        .unwrap();
    assert_eq!(tag.status(), 200);

    let delete = || {
        server
            .request(Method::POST, "/v1/tables/proteins/delete")
            .header("idempotency-key", "delete-1")
            .json(&json!({"where": "id = 'beta'"}))
            .send()
    };
    let first: Value = delete().await.unwrap().json().await.unwrap();
    let second: Value = delete().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&first["rows_deleted"], &first["replayed"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(
        (&second["rows_deleted"], &second["replayed"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(first["version"], second["version"]);

    let now = server.json("/v1/tables/proteins").await;
    assert_eq!(now["stats"]["rows"], 2);
    let then = server.json("/v1/tables/proteins?version=first").await;
    assert_eq!(then["version"], before);
    assert_eq!(
        server.json("/v1/tables/proteins/tags").await["tags"]["first"],
        before
    );
    let versions = server.json("/v1/tables/proteins/versions").await;
    let tagged = versions["versions"].as_array().unwrap();
    assert!(
        tagged
            .iter()
            .any(|version| version["tags"] == json!(["first"]))
    );

    let gone = server
        .request(Method::DELETE, "/v1/tables/proteins")
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(server.json("/v1/tables").await["tables"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep() {
    let server = Server::with_proteins().await;
    let encoded = server
        .work(
            "/v1/tables/proteins/encode",
            &json!({"encoder": "protein-kmer-v1"}),
        )
        .await;
    assert_eq!(encoded["column"], "protein_kmer_v1");
    let index = json!({"column": "protein_kmer_v1", "type": "ivf_flat"});
    let index = server.work("/v1/tables/proteins/index", &index).await;
    assert_eq!(
        (&index["rows"], &index["index_type"]),
        (&json!(3), &json!("ivf_flat"))
    );
    let verified = server.work("/v1/verify", &json!({})).await;
    assert_eq!(verified["ok"], true, "{verified}");
    assert!(verified["tables"][0]["files"].as_u64().unwrap() > 0);
    let compacted = server.work("/v1/tables/proteins/compact", &json!({})).await;
    assert_eq!(compacted["tables"][0]["table"], "proteins");
    let freed = server.work("/v1/gc", &json!({"older_than_secs": 0})).await;
    assert_eq!(freed["tables"][0]["table"], "proteins");
    let encoders = server.json("/v1/encoders").await;
    assert!(encoders["encoders"].as_array().unwrap().len() >= 3);
    server.stop().await;
}
