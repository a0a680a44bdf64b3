//! Vectors of what is sent.

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Float32Type;
use arrow::ipc::reader::StreamReader;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PROTEINS, Server, problem};

async fn vectors(server: &Server, body: &Value) -> Value {
    let response = server.post("/v1/embed", body).await;
    assert_eq!(response.status(), 200, "{body}");
    response.json().await.unwrap()
}

fn row(answer: &Value, at: usize) -> Vec<f32> {
    serde_json::from_value(answer["vectors"][at]["vector"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_and_files_give_the_stored_vectors() {
    let server = Server::with_proteins().await;
    let rows = server
        .post(
            "/v1/sql",
            &json!({"sql": "SELECT sequence, protein_kmer_v1 FROM proteins ORDER BY id"}),
        )
        .await;
    let rows: Value = rows.json().await.unwrap();
    let named = json!({"id": "one", "sequence": rows[1]["sequence"]});
    let sequences = json!([rows[0]["sequence"], named, ""]);
    let wanted = json!({"encoder": "protein-kmer-v1", "sequences": sequences});
    let answer = vectors(&server, &wanted).await;
    assert_eq!(
        (&answer["encoder"], &answer["dim"], &answer["pooling"]),
        (&"protein-kmer-v1".into(), &256.into(), &"whole".into())
    );
    let ids: Vec<&Value> = answer["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["id"])
        .collect();
    assert_eq!(ids, ["1", "one", "3"]);
    for at in 0..2 {
        assert_eq!(answer["vectors"][at]["vector"], rows[at]["protein_kmer_v1"]);
    }
    assert!(answer["vectors"][2]["vector"].is_null());

    let form = reqwest::multipart::Form::new()
        .text("request", r#"{"encoder": "protein-kmer-v1"}"#)
        .part(
            "file",
            reqwest::multipart::Part::text(PROTEINS).file_name("proteins.fasta"),
        );
    let request = server.request(Method::POST, "/v1/embed").multipart(form);
    let by_file: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(by_file["vectors"][0]["id"], "alpha");
    assert_eq!(by_file["vectors"][0]["vector"], rows[0]["protein_kmer_v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trained_model_in_every_form() {
    let server = Server::start().await;
    let wanted = |encoder: &str| json!({"encoder": encoder, "sequences": ["MKTAYIAK", "gg"]});
    let mean = vectors(&server, &wanted("esm2")).await;
    assert_eq!(
        (&mean["dim"], &mean["pooling"]),
        (&48.into(), &"mean".into())
    );
    let each = vectors(&server, &wanted("esm2:none")).await;
    for (at, residues) in [(0, 8), (1, 2)] {
        let rows: Vec<Vec<f32>> =
            serde_json::from_value(each["vectors"][at]["vector"].clone()).unwrap();
        assert_eq!(rows.len(), residues);
        for (j, x) in row(&mean, at).into_iter().enumerate() {
            let sum: f32 = rows.iter().map(|row| row[j]).sum();
            assert!((sum / residues as f32 - x).abs() < 1e-5);
        }
    }

    let request = server
        .request(Method::POST, "/v1/embed")
        .header("accept", "application/vnd.apache.arrow.stream");
    let response = request.json(&wanted("esm2")).send().await.unwrap();
    let bytes = response.bytes().await.unwrap();
    let batches: Vec<_> = StreamReader::try_new(&bytes[..], None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(batches.len(), 1);
    let column = batches[0].column_by_name("vector").unwrap();
    let schema = batches[0].schema();
    let metadata = schema.field_with_name("vector").unwrap().metadata();
    assert_eq!(metadata["penstock:encoder"], "esm2");
    assert_eq!(metadata["penstock:weights"].len(), 64);
    let first = column.as_fixed_size_list().value(0);
    assert_eq!(
        first.as_primitive::<Float32Type>().values(),
        &row(&mean, 0)[..]
    );
    assert_eq!(column.len(), 2);

    let encoders = server.json("/v1/encoders").await;
    let listed = encoders["encoders"].as_array().unwrap();
    let find = |name: &str| listed.iter().find(|e| e["name"] == name).unwrap();
    assert_eq!(
        find("esm2")["weights"],
        metadata["penstock:weights"].as_str()
    );
    assert_eq!(find("nucleotide-v2")["licence"], "cc-by-nc-sa-4.0");
    assert!(find("nucleotide-v2")["weights"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn contact_maps() {
    let server = Server::start().await;
    let body = json!({"encoder": "esm2", "sequences": ["MKTAYIAKQR"], "contacts": true});
    let answer = vectors(&server, &body).await;
    let map: Vec<Vec<f32>> =
        serde_json::from_value(answer["contacts"][0]["contacts"].clone()).unwrap();
    assert_eq!((map.len(), map[9].len()), (10, 10));
    let body = json!({"encoder": "esm2", "sequences": ["M".repeat(1023)], "contacts": true});
    let response = server.post("/v1/embed", &body).await;
    problem(response, 413, "limit-exceeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_searched_with_a_trained_model() {
    let server = Server::with_proteins().await;
    for (encoder, column) in [("esm2", "esm2"), ("esm2:none:f16", "esm2_none_f16")] {
        let path = "/v1/tables/proteins/encode";
        let outcome = server.work(path, &json!({"encoder": encoder})).await;
        assert_eq!(
            (&outcome["rows_encoded"], &outcome["column"]),
            (&3.into(), &column.into())
        );
    }
    let text = "GLSDGEWQLVLNVWGKVEADIPGHGQEVLIRLFKGHPETLEKFDKFKHLKSED";
    let query = json!({"text": text, "column": "esm2", "k": 1});
    let found = server.post("/v1/tables/proteins/search", &query).await;
    let found: Value = found.json().await.unwrap();
    assert_eq!(found["hits"][0]["id"], "beta");
    assert!(found["hits"][0]["distance"].as_f64().unwrap().abs() < 1e-6);
    let query =
        json!({"sql": "SELECT array_length(esm2_none_f16) AS n FROM proteins WHERE id = 'beta'"});
    let rows: Value = server.post("/v1/sql", &query).await.json().await.unwrap();
    assert_eq!(rows[0]["n"], text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_embedded_is_refused() {
    let server = Server::start().await;
    let golden = super::checkpoints().join("esm2");
    for (body, status, code) in [
        (
            json!({"encoder": "nobody", "sequences": ["MK"]}),
            404,
            "not-found",
        ),
        // A server loads what lies in its own folder, and nothing else.
        (
            json!({"encoder": "../golden/esm2", "sequences": ["MK"]}),
            404,
            "not-found",
        ),
        (
            json!({"encoder": golden, "sequences": ["MK"]}),
            404,
            "not-found",
        ),
        (
            json!({"encoder": "esm2:median", "sequences": ["MK"]}),
            400,
            "invalid-argument",
        ),
        (
            json!({"encoder": "mesh-shape-v1", "sequences": ["MK"]}),
            400,
            "invalid-argument",
        ),
        (
            json!({"encoder": "esm2", "sequences": [1]}),
            422,
            "invalid-argument",
        ),
    ] {
        let response = server.post("/v1/embed", &body).await;
        problem(response, status, code).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vertices_of_graphs_are_encoded_by_default() {
    let server = Server::with_proteins().await;
    let text = "t 3 2\nv 0 1 1\nv 1 3 2\nv 2 1 1\ne 0 1\ne 1 2\n";
    server.ingest("graphs", "path.graph", text).await;
    let outcome = server.work("/v1/tables/graphs/encode", &json!({})).await;
    assert_eq!(outcome["encoder"], "graph-sage-v1");
    assert_eq!(
        (&outcome["rows_encoded"], &outcome["rows_empty"]),
        (&3.into(), &1.into())
    );
    let query = json!({"id": "path/0", "k": 2});
    let found = server.post("/v1/tables/graphs/search", &query).await;
    let found: Value = found.json().await.unwrap();
    // Both ends of the path are alike.
    let mut ids = [0, 1].map(|at| found["hits"][at]["id"].as_str().unwrap());
    ids.sort_unstable();
    assert_eq!(ids, ["path/0", "path/2"]);
    assert!(found["hits"][1]["distance"].as_f64().unwrap().abs() < 1e-6);
    // The default of proteins is there since the load.
    let outcome = server.work("/v1/tables/proteins/encode", &json!({})).await;
    assert_eq!(
        (&outcome["encoder"], &outcome["rows_encoded"]),
        (&"protein-kmer-v1".into(), &0.into())
    );
}
