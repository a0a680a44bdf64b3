//! Late interaction, over HTTP and by the library.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, FixedSizeListArray, RecordBatch};
use arrow::datatypes::Float32Type;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::{FlightClient, FlightDescriptor};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use penstock::index::{Candidates, late};
use penstock::store::VersionRef;
use penstock::{CancellationToken, Engine, EngineOptions};
use penstock_client::Client;
use penstock_openapi::{Hit, LateRequest};
use reqwest::Method;
use serde_json::{Value, json};

use super::search::many_proteins;
use super::{Server, problem};

const PATH: &str = "/v1/tables/proteins/search-late";
const ARROW: &str = "application/vnd.apache.arrow.stream";
const ITEMS: &str = "esm2_none_f16";

/// A server over this folder with 40 proteins and their vectors, per residue and pooled.
async fn encoded(folder: &std::path::Path) -> Server {
    let server = Server::over(folder, penstock_server::http::Config::default()).await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(40))
        .await;
    for encoder in ["esm2:none:f16", "esm2"] {
        let path = "/v1/tables/proteins/encode";
        server.work(path, &json!({ "encoder": encoder })).await;
    }
    server
}

async fn cell(server: &Server, what: &str, id: &str) -> Value {
    let sql = format!("SELECT {what} AS v FROM proteins WHERE id = '{id}'");
    let rows = server.post("/v1/sql", &json!({ "sql": sql })).await;
    let rows: Value = rows.json().await.unwrap();
    rows[0]["v"].clone()
}

/// The vectors of a row.
async fn stored(server: &Server, id: &str) -> Vec<Vec<f32>> {
    serde_json::from_value(cell(server, ITEMS, id).await).unwrap()
}

fn by_id(id: &str) -> LateRequest {
    LateRequest {
        id: Some(id.to_owned()),
        k: 6,
        columns: Some(vec!["id".into(), "length".into()]),
        ..LateRequest::default()
    }
}

fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.id.as_str()).collect()
}

fn batch_of(vectors: &[Vec<f32>]) -> RecordBatch {
    let rows = vectors.iter().map(|v| Some(v.iter().copied().map(Some)));
    let dim = vectors[0].len() as i32;
    let column = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, dim);
    RecordBatch::try_from_iter([("vector", Arc::new(column) as ArrayRef)]).unwrap()
}

fn body_of(vectors: &[Vec<f32>]) -> Vec<u8> {
    let batch = batch_of(vectors);
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_ask_answers_as_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let server = encoded(folder.path()).await;
    let client = Client::new(&server.url).unwrap();
    let vectors = stored(&server, "p7").await;
    assert_eq!(vectors.len(), 60);

    // The library, on the same store.
    let root = folder.path().to_str().unwrap();
    let engine = Engine::open(root, EngineOptions::default()).await.unwrap();
    let name = "proteins".parse().unwrap();
    let table = engine.table(&name, &VersionRef::Latest).await.unwrap();
    let mut direct = penstock::index::LateRequest::new(ITEMS, vectors.concat(), 6);
    let library = |batch: &RecordBatch| -> Vec<(String, f64)> {
        let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
        let distances = batch.column_by_name("distance").unwrap();
        let distances = distances.as_primitive::<Float32Type>().values();
        let pairs = ids.iter().zip(distances);
        pairs
            .map(|(id, d)| (id.unwrap().to_owned(), f64::from(*d)))
            .collect()
    };
    let found = late(&table, &direct).await.unwrap();
    let expected = library(&found.batch);
    assert_eq!((expected.len(), expected[0].0.as_str()), (6, "p7"));

    let answer = client.search_late("proteins", &by_id("p7")).await.unwrap();
    let served: Vec<(String, f64)> = answer
        .hits
        .iter()
        .map(|hit| (hit.id.clone(), hit.distance.unwrap()))
        .collect();
    // JSON writes a Float32 in as few digits as tell it apart.
    let same = |served: &[(String, f64)], expected: &[(String, f64)]| {
        assert_eq!(served.len(), expected.len());
        for ((id, distance), (true_id, true_distance)) in served.iter().zip(expected) {
            assert_eq!((id, *distance as f32), (true_id, *true_distance as f32));
        }
    };
    same(&served, &expected);
    assert_eq!((answer.column.as_str(), answer.vectors), (ITEMS, 60));
    assert_eq!((answer.exact, answer.candidates), (true, 40));
    assert_eq!(answer.hits[0].columns["length"], 60);

    let sequence = cell(&server, "sequence", "p7").await;
    let by_text = LateRequest {
        text: Some(sequence.as_str().unwrap().to_owned()),
        id: None,
        ..by_id("p7")
    };
    let by_vectors = LateRequest {
        vectors: Some(vectors.clone()),
        encoder: Some("esm2:none:f16".into()),
        id: None,
        ..by_id("p7")
    };
    for request in [&by_text, &by_vectors] {
        let other = client.search_late("proteins", request).await.unwrap();
        assert_eq!(other.hits, answer.hits);
    }

    // Arrow in and out.
    let path = format!("{PATH}?k=6&columns=id,length&column={ITEMS}");
    let request = server.request(Method::POST, &path);
    let request = request.header("content-type", ARROW);
    let request = request.header("accept", ARROW).body(body_of(&vectors));
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], ARROW);
    let bytes = response.bytes().await.unwrap();
    let mut batches = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let batch = batches.next().unwrap().unwrap();
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["id", "length", "distance"]);
    assert_eq!(library(&batch), expected);

    // Candidates by the column of means, which need not be named.
    direct.candidates = Some(Candidates {
        column: "esm2".into(),
        n: 9,
    });
    let expected = library(&late(&table, &direct).await.unwrap().batch);
    for column in [None, Some("esm2".to_owned())] {
        let some = LateRequest {
            candidates: Some(9),
            candidates_column: column,
            explain: true,
            ..by_id("p7")
        };
        let some = client.search_late("proteins", &some).await.unwrap();
        assert_eq!((some.exact, some.candidates), (false, 9));
        assert_eq!(some.plan.unwrap().rows, 40);
        let served = some.hits.iter();
        let served = served.map(|hit| (hit.id.clone(), hit.distance.unwrap()));
        same(&served.collect::<Vec<_>>(), &expected);
    }

    // Over Flight each batch is a query.
    let others = stored(&server, "p9").await;
    let answers = over_flight(engine, &[&vectors, &others]).await;
    assert_eq!(answers.len(), 2);
    let whole = penstock::index::LateRequest::new(ITEMS, vectors.concat(), 6);
    let whole = late(&table, &whole);
    assert_eq!(library(&answers[0]), library(&whole.await.unwrap().batch));
    assert_eq!(library(&answers[1])[0].0, "p9");

    // A predicate, an older version.
    let part = LateRequest {
        filter: Some("id <> 'p7'".into()),
        ..by_id("p7")
    };
    let part = client.search_late("proteins", &part).await.unwrap();
    assert_eq!(ids(&part.hits)[..5], ids(&answer.hits)[1..]);
    let old = json!({"id": "p7", "version": "1"});
    let old = problem(server.post(PATH, &old).await, 400, "invalid-argument").await;
    assert!(old["detail"].as_str().unwrap().contains(":none"), "{old}");
    server.stop().await;
}

/// The answers of one exchange with a Flight server over this engine.
async fn over_flight(engine: Engine, queries: &[&Vec<Vec<f32>>]) -> Vec<RecordBatch> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let flight = penstock_server::flight::serve(listener, engine, shutdown.clone());
    let flight = tokio::spawn(flight);
    let channel = tonic::transport::Endpoint::new(address).unwrap();
    let mut client = FlightClient::new(channel.connect().await.unwrap());
    let mut exchange = async |command: Value| {
        let descriptor = FlightDescriptor::new_cmd(command.to_string());
        let batches: Vec<_> = queries.iter().map(|query| Ok(batch_of(query))).collect();
        let sent = FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(descriptor))
            .build(stream::iter(batches));
        let sent = sent.map(|data| Ok(data.unwrap()));
        match client.do_exchange(sent).await {
            Ok(answer) => answer.try_collect::<Vec<RecordBatch>>().await,
            Err(error) => Err(error),
        }
    };
    for (command, says) in [
        (json!({"k": 3}), "table"),
        (json!({"table": "proteins", "id": "p1"}), "batch"),
        (json!({"table": "proteins", "encoder": "other"}), "other"),
    ] {
        let error = exchange(json!({ "search_late": command }))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let command = json!({"table": "proteins", "k": 6, "columns": ["id"]});
    let answers = exchange(json!({ "search_late": command })).await.unwrap();
    shutdown.cancel();
    drop(client);
    flight.await.unwrap().unwrap();
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let server = encoded(folder.path()).await;
    let one = vec![1.0; 48];
    for (body, status, code, says) in [
        (json!({}), 400, "invalid-argument", "exactly one"),
        (
            json!({"id": "p1", "text": "MK"}),
            400,
            "invalid-argument",
            "exactly one",
        ),
        (json!({"vectors": []}), 400, "invalid-argument", "no vector"),
        (
            json!({"vectors": [[1.0, 2.0]]}),
            400,
            "invalid-argument",
            "48",
        ),
        (
            json!({"vectors": [one, vec![0.0; 48]]}),
            400,
            "invalid-argument",
            "1",
        ),
        (
            json!({"vectors": [one], "encoder": "esm2"}),
            422,
            "encoder-mismatch",
            "esm2:none:f16",
        ),
        (
            json!({"vectors": [one], "encoder": "esm2:none:f16", "weights": "00"}),
            422,
            "encoder-mismatch",
            "00",
        ),
        (
            json!({"vectors": [one], "weights": "00"}),
            400,
            "invalid-argument",
            "encoder",
        ),
        (
            json!({"id": "p1", "encoder": "esm2:none:f16"}),
            400,
            "invalid-argument",
            "vectors",
        ),
        (
            json!({"id": "p1", "candidates": 3}),
            400,
            "invalid-argument",
            "candidates",
        ),
        (
            json!({"id": "p1", "candidates_column": "esm2"}),
            400,
            "invalid-argument",
            "candidates",
        ),
        (
            json!({"id": "p1", "candidates": 20, "candidates_column": "protein_kmer_v1"}),
            422,
            "encoder-mismatch",
            "protein-kmer-v1",
        ),
        (
            json!({"id": "p1", "column": "esm2"}),
            404,
            "not-found",
            ITEMS,
        ),
        (json!({"id": "nobody"}), 404, "not-found", "nobody"),
        (json!({"id": "p1", "k": 0}), 400, "invalid-argument", "0"),
        (
            json!({"id": "p1", "where": "nothing = 3"}),
            400,
            "invalid-argument",
            "nothing",
        ),
        (json!({"text": ""}), 400, "invalid-argument", "esm2"),
    ] {
        let found = problem(server.post(PATH, &body).await, status, code).await;
        assert!(found["detail"].as_str().unwrap().contains(says), "{found}");
    }
    let misplaced = format!("{PATH}?k=3");
    let body = json!({"id": "p1"});
    let found = server.post(&misplaced, &body).await;
    problem(found, 400, "invalid-argument").await;
    server.stop().await;
}
