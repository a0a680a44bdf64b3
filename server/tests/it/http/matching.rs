//! Patterns in graphs, over HTTP and over Flight.

use std::collections::HashMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use arrow_flight::{FlightClient, FlightDescriptor, Ticket};
use futures::TryStreamExt as _;
use penstock::{CancellationToken, Engine, EngineOptions, MatchAnswer};
use serde_json::{Value, json};

use super::Server;

/// A wheel in t/v/e: a hub of label 1 and a rim of label 0.
fn wheel(rim: usize) -> String {
    let mut text = format!("t {} {}\nv 0 1 {rim}\n", rim + 1, 2 * rim);
    for v in 1..=rim {
        text += &format!("v {v} 0 3\n");
    }
    for v in 1..=rim {
        text += &format!("e 0 {v}\n");
        text += &format!("e {v} {}\n", v % rim + 1);
    }
    text
}

fn triangle() -> Value {
    json!({
        "vertices": [{"label": "1"}, {}, {}],
        "edges": [{"from": 0, "to": 1}, {"from": 1, "to": 2}, {"from": 0, "to": 2}],
    })
}

/// The matches of some batches: number, graph, vertices.
fn matches(batches: &[RecordBatch]) -> Vec<(i64, String, Vec<i32>)> {
    let mut all = Vec::new();
    for batch in batches {
        let numbers = batch.column(0).as_primitive::<Int64Type>().values();
        let graphs = batch.column(1).as_string::<i32>();
        let vertices = batch.column(2).as_list::<i32>();
        for row in 0..batch.num_rows() {
            let list = vertices.value(row);
            let list = list.as_primitive::<Int32Type>().values().to_vec();
            all.push((numbers[row], graphs.value(row).to_owned(), list));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn flight_streams_what_rest_answers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(folder.path(), penstock_server::http::Config::default()).await;
    server.ingest("wheels", "large.tve", &wheel(9_000)).await;
    server.ingest("wheels", "small.tve", &wheel(5)).await;

    let root = folder.path().to_str().unwrap();
    let engine = Engine::open(root, EngineOptions::default()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let flight = penstock_server::flight::serve(listener, engine, shutdown.clone());
    let flight = tokio::spawn(flight);
    let channel = tonic::transport::Endpoint::new(address).unwrap();
    let mut client = FlightClient::new(channel.connect().await.unwrap());

    // Every rim edge makes a triangle with the hub, both ways round.
    let request = json!({"pattern": triangle(), "keep": 100_000});
    let rest = server.post("/v1/tables/wheels/match", &request).await;
    let rest: Value = rest.json().await.unwrap();
    assert_eq!(
        (&rest["count"], &rest["complete"]),
        (&18_010.into(), &true.into())
    );
    let expected: Vec<(i64, String, Vec<i32>)> = rest["matches"]
        .as_array()
        .unwrap()
        .iter()
        .zip(0..)
        .map(|(found, number)| {
            let graph = found["graph"].as_str().unwrap().to_owned();
            let vertices = serde_json::from_value(found["vertices"].clone()).unwrap();
            (number, graph, vertices)
        })
        .collect();

    let mut command = request.clone();
    command["table"] = "wheels".into();
    let command = json!({ "match": command });
    let descriptor = FlightDescriptor::new_cmd(command.to_string());
    let info = client.get_flight_info(descriptor).await.unwrap();
    assert_eq!((info.endpoint.len(), info.ordered), (1, true));
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let pinned: Value = serde_json::from_slice(&ticket.ticket).unwrap();
    assert_eq!(pinned["match"]["version"], rest["version"].to_string());
    let promised = info.try_decode_schema().unwrap();
    assert_eq!(&promised, MatchAnswer::schema().as_ref());

    let straight = Ticket::new(command.to_string());
    for ticket in [ticket, straight] {
        let mut stream = client.do_get(ticket).await.unwrap();
        let batches: Vec<RecordBatch> = (&mut stream).try_collect().await.unwrap();
        assert!(batches.len() > 1, "{}", batches.len());
        assert_eq!(matches(&batches), expected);
        let schema = stream.schema().unwrap();
        assert_eq!(schema.fields(), promised.fields());
        let said = said(schema.metadata());
        for name in ["version", "count", "complete", "graphs", "candidates"] {
            assert_eq!(said[name], rest[name], "{name}");
        }
    }

    // None that are named, and a limit: the schema says what there is all the same.
    for (more, count, complete, rows) in [
        (json!({"keep": 0}), 18_010, true, 0),
        (json!({"limit": 3}), 3, false, 3),
        (json!({"graphs": ["small"]}), 10, true, 10),
        (json!({"version": "1"}), 18_000, true, 1_000),
    ] {
        let mut wanted = json!({"table": "wheels", "pattern": triangle()});
        for (name, value) in more.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        let ticket = Ticket::new(json!({ "match": wanted }).to_string());
        let mut stream = client.do_get(ticket).await.unwrap();
        let batches: Vec<RecordBatch> = (&mut stream).try_collect().await.unwrap();
        assert_eq!(matches(&batches).len(), rows, "{more}");
        let said = said(stream.schema().unwrap().metadata());
        assert_eq!(
            (&said["count"], &said["complete"]),
            (&count.into(), &complete.into()),
            "{more}"
        );
        assert_eq!(said.get("stopped").is_some(), !complete);
    }

    for (wanted, says) in [
        (json!({"pattern": triangle()}), "table"),
        (
            json!({"table": "nothing", "pattern": triangle()}),
            "nothing",
        ),
        (json!({"table": "wheels"}), "pattern"),
        (
            json!({"table": "wheels", "pattern": {"vertices": 3}}),
            "vertices",
        ),
        (
            json!({"table": "wheels", "pattern": triangle(), "keeps": 3}),
            "keeps",
        ),
        (
            json!({"table": "wheels", "pattern": triangle(), "version": "9"}),
            "9",
        ),
        (
            json!({"table": "wheels", "pattern": triangle(), "deadline_secs": -1}),
            "deadline",
        ),
        (
            json!({"table": "wheels", "pattern": triangle(), "keep": 2_000_000}),
            "1000000",
        ),
    ] {
        let command = json!({ "match": wanted }).to_string();
        let error = match client.do_get(Ticket::new(command)).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(says), "{error}");
    }
    let two = json!({"match": {}, "snapshot": "s"}).to_string();
    let error = client.do_get(Ticket::new(two)).await.unwrap_err();
    assert!(error.to_string().contains("snapshot"), "{error}");
    shutdown.cancel();
    drop(client);
    flight.await.unwrap().unwrap();
    server.stop().await;
}

/// What a schema says was found.
fn said(metadata: &HashMap<String, String>) -> Value {
    let own = metadata.iter().filter_map(|(key, value)| {
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.as_str().into());
        Some((key.strip_prefix("penstock:")?.to_owned(), value))
    });
    Value::Object(own.collect())
}
