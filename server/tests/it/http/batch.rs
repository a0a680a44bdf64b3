//! Many vectors in one request, over HTTP and over Flight.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, FixedSizeListArray, Int32Array, RecordBatch};
use arrow::datatypes::{Float32Type, Int64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::{FlightClient, FlightDescriptor};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use penstock::{CancellationToken, Engine, EngineOptions};
use penstock_client::Client;
use penstock_openapi::{SearchBatchRequest, SearchRequest};
use reqwest::Method;
use serde_json::{Value, json};

use super::search::many_proteins;
use super::{Server, problem};

const PATH: &str = "/v1/tables/proteins/search-batch";
const ARROW: &str = "application/vnd.apache.arrow.stream";

/// The stored vectors of some rows.
async fn stored(server: &Server, ids: &[&str]) -> Vec<Vec<f32>> {
    let mut vectors = Vec::new();
    for id in ids {
        let sql = format!("SELECT protein_kmer_v1 AS v FROM proteins WHERE id = '{id}'");
        let rows = server.post("/v1/sql", &json!({ "sql": sql })).await;
        let rows: Value = rows.json().await.unwrap();
        vectors.push(serde_json::from_value(rows[0]["v"].clone()).unwrap());
    }
    vectors
}

fn batch_of(vectors: &[Vec<f32>]) -> RecordBatch {
    let dim = vectors[0].len() as i32;
    let rows = vectors
        .iter()
        .map(|vector| Some(vector.iter().copied().map(Some)));
    let column = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, dim);
    RecordBatch::try_from_iter([("vector", Arc::new(column) as ArrayRef)]).unwrap()
}

fn stream_of(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn ids_of(batch: &RecordBatch) -> Vec<(i64, String)> {
    let queries = batch.column_by_name("query").unwrap();
    let queries = queries.as_primitive::<Int64Type>().values();
    let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
    let pairs = queries.iter().zip(ids);
    pairs.map(|(q, id)| (*q, id.unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_finds_what_its_searches_find() {
    let server = Server::start().await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(120))
        .await;
    let vectors = stored(&server, &["p3", "p77", "p10"]).await;
    let client = Client::new(&server.url).unwrap();
    let request = SearchBatchRequest {
        vectors: vectors.clone(),
        k: 4,
        filter: Some("id <> 'p77'".into()),
        columns: Some(vec!["id".into(), "length".into()]),
        explain: true,
        ..SearchBatchRequest::default()
    };
    let answer = client.search_batch("proteins", &request).await.unwrap();
    assert_eq!((answer.tier.as_str(), answer.exact), ("exact", true));
    assert_eq!((answer.candidates, answer.recall), (3 * 119, Some(1.0)));
    assert_eq!(answer.plan.unwrap().rows, 120);
    assert_eq!(answer.results.len(), 3);
    let mut expected = Vec::new();
    for (query, (vector, found)) in vectors.iter().zip(&answer.results).enumerate() {
        let one = SearchRequest {
            vector: Some(vector.clone()),
            k: 4,
            filter: request.filter.clone(),
            columns: request.columns.clone(),
            ..SearchRequest::default()
        };
        let one = client.search("proteins", &one).await.unwrap();
        assert_eq!(&one.hits, found);
        expected.extend(found.iter().map(|hit| (query as i64, hit.id.clone())));
    }
    assert_eq!(answer.results[0][0].id, "p3");
    assert_eq!(answer.results[0][0].columns["length"], 60);

    // Arrow in and out, with the options in the query.
    let path = format!("{PATH}?k=4&columns=id&where=id%20%3C%3E%20'p77'");
    let body = stream_of(&batch_of(&vectors));
    let send = |accept: &'static str| {
        let request = server.request(Method::POST, &path);
        let request = request
            .header("content-type", ARROW)
            .header("accept", accept);
        request.body(body.clone()).send()
    };
    let response = send(ARROW).await.unwrap();
    assert_eq!(response.headers()["content-type"], ARROW);
    let bytes = response.bytes().await.unwrap();
    let batches: Vec<_> = StreamReader::try_new(Cursor::new(bytes), None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(batches.len(), 1);
    let schema = batches[0].schema();
    let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["query", "id", "distance"]);
    assert_eq!(ids_of(&batches[0]), expected);
    let json: Value = send("application/json")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(json["results"].as_array().unwrap().len(), 3);
    assert_eq!(json["results"][1][0]["id"], expected[4].1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_make_no_sense() {
    let server = Server::with_proteins().await;
    for (body, says) in [
        (json!({"vectors": []}), "no vector"),
        (json!({"vectors": [[1.0, 2.0]]}), "256"),
        (json!({"vectors": [[1.0], [1.0, 2.0]]}), "vector 1 has 2"),
        (json!({"vectors": [vec![0.0; 256]]}), "0"),
        (json!({"vectors": [vec![1.0; 256]], "k": 0}), "0"),
    ] {
        let found = problem(server.post(PATH, &body).await, 400, "invalid-argument").await;
        assert!(found["detail"].as_str().unwrap().contains(says), "{found}");
    }
    let body = json!({"vectors": [[1.0]], "radius": 1.0});
    problem(server.post(PATH, &body).await, 422, "invalid-argument").await;
    let misplaced = format!("{PATH}?k=3");
    let body = json!({"vectors": [[1.0]]});
    problem(
        server.post(&misplaced, &body).await,
        400,
        "invalid-argument",
    )
    .await;

    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let numbers = RecordBatch::try_from_iter([("vector", numbers)]).unwrap();
    let mut broken = stream_of(&batch_of(&[vec![1.0; 256]]));
    let middle = broken.len() / 2;
    broken.truncate(middle);
    for (body, says) in [
        (stream_of(&numbers), "Int32"),
        (broken, ""),
        (b"nothing of the kind".to_vec(), ""),
    ] {
        let request = server.request(Method::POST, PATH);
        let request = request.header("content-type", ARROW).body(body);
        let found = problem(request.send().await.unwrap(), 400, "invalid-argument").await;
        assert!(found["detail"].as_str().unwrap().contains(says), "{found}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flight_answers_batch_by_batch() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(folder.path(), penstock_server::http::Config::default()).await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(50))
        .await;
    let vectors = stored(&server, &["p3", "p7", "p10"]).await;

    let root = folder.path().to_str().unwrap();
    let engine = Engine::open(root, EngineOptions::default()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let flight = penstock_server::flight::serve(listener, engine, shutdown.clone());
    let flight = tokio::spawn(flight);
    let channel = tonic::transport::Endpoint::new(address).unwrap();
    let mut client = FlightClient::new(channel.connect().await.unwrap());
    let exchange = |command: Value, batches: Vec<RecordBatch>| {
        let descriptor = FlightDescriptor::new_cmd(command.to_string());
        FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(descriptor))
            .build(stream::iter(batches.into_iter().map(Ok)))
            .map(Result::unwrap)
    };
    let command = json!({"search": {"table": "proteins", "k": 2, "columns": ["id"]}});
    let batches = vec![batch_of(&vectors[..2]), batch_of(&vectors[2..])];
    let answer = client
        .do_exchange(exchange(command, batches).map(Ok))
        .await
        .unwrap();
    let answer: Vec<RecordBatch> = answer.try_collect().await.unwrap();
    assert_eq!(answer.len(), 2);
    let found: Vec<_> = answer.iter().flat_map(ids_of).collect();
    let queries: Vec<i64> = found.iter().map(|(query, _)| *query).collect();
    assert_eq!(queries, [0, 0, 1, 1, 2, 2]);
    let first: Vec<&str> = found.iter().step_by(2).map(|(_, id)| id.as_str()).collect();
    assert_eq!(first, ["p3", "p7", "p10"]);

    for (command, says) in [
        (json!({"search": {"table": "nothing"}}), "nothing"),
        (json!({"search": {"k": 3}}), "table"),
        (json!({"search": {"table": "proteins", "kk": 3}}), "kk"),
        (
            json!({"search": {"table": "proteins", "vectors": [[1.0]]}}),
            "batches",
        ),
        (json!({"find": {"table": "proteins"}}), "search"),
    ] {
        let sent = exchange(command, vec![batch_of(&vectors)]).map(Ok);
        let answer = match client.do_exchange(sent).await {
            Ok(answer) => answer.try_collect::<Vec<_>>().await,
            Err(error) => Err(error),
        };
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    shutdown.cancel();
    drop(client);
    flight.await.unwrap().unwrap();
    server.stop().await;
}
