//! Heads over the network: fitted as a job, listed, used.

use penstock_client::Client;
use penstock_openapi::{JobKind, PredictRequest};
use serde_json::{Value, json};

use super::{Server, problem};
use crate::structures::{states, structures};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_fitted_and_used() {
    let server = Server::start().await;
    let (text, chains) = structures();
    server.ingest("chains", "made.pdb", &text).await;
    let encoder = json!({"encoder": "esm2:none:f16"});
    server.work("/v1/tables/chains/encode", &encoder).await;
    assert_eq!(server.json("/v1/heads").await, json!({"heads": []}));
    let wanted = json!({
        "name": "ss3", "validation": 0.2, "test": 0.2, "options": {"learning_rate": 0.01},
    });
    let head = server.work("/v1/tables/chains/heads", &wanted).await;
    assert_eq!(head["options"]["batch"], 512);
    assert_eq!(head["lineage"]["labels"]["from"], "structure");
    let measure = |name: &str| head["test"][name].as_f64().unwrap();
    assert!(
        measure("q3") > measure("baseline_q3") + 0.2,
        "{}",
        head["test"]
    );
    assert_eq!(server.json("/v1/heads").await["heads"][0], head);
    let jobs = server.json("/v1/jobs").await;
    let kind = serde_json::to_value(JobKind::TrainHead).unwrap();
    assert_eq!(
        (&jobs["jobs"][0]["kind"], kind.as_str()),
        (&kind, Some("train_head"))
    );

    let sequences = json!([chains[0].1, {"id": "two", "sequence": chains[1].1}, ""]);
    let body = json!({"head": "ss3", "sequences": sequences});
    let answer: Value = server
        .post("/v1/predict", &body)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&answer["head"], &answer["classes"][1]),
        (&"ss3".into(), &"E".into())
    );
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(
        (predictions.len(), &predictions[1]["id"]),
        (3, &"two".into())
    );
    assert!(predictions[2]["states"].is_null());
    let said = predictions[0]["states"].as_str().unwrap();
    let right = said
        .chars()
        .zip(states().chars())
        .filter(|(a, b)| a == b)
        .count();
    assert!(right > 15, "{said}");

    let body = json!({"head": "ss3", "table": "chains", "version": "latest"});
    let stored: Value = server
        .post("/v1/predict", &body)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        stored["predictions"].as_array().unwrap().len(),
        chains.len()
    );
    assert_eq!(stored["predictions"][0]["states"], said);
    assert_eq!(
        stored["predictions"][0]["probabilities"],
        predictions[0]["probabilities"]
    );

    let client = Client::new(&server.url).unwrap();
    assert_eq!(client.heads().await.unwrap().heads[0].name, "ss3");
    let request = PredictRequest {
        head: "ss3".to_owned(),
        sequences: Vec::new(),
        table: Some("chains".to_owned()),
        version: None,
    };
    assert!(client.predict(&request).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let server = Server::with_proteins().await;
    for (path, body, status, code) in [
        (
            "/v1/predict",
            json!({"head": "ss3", "sequences": ["MK"]}),
            404,
            "not-found",
        ),
        (
            "/v1/predict",
            json!({"head": "ss3"}),
            400,
            "invalid-argument",
        ),
        (
            "/v1/predict",
            json!({"head": "ss3", "sequences": ["MK"], "table": "proteins"}),
            400,
            "invalid-argument",
        ),
        (
            "/v1/tables/nobody/heads",
            json!({"name": "ss3"}),
            404,
            "not-found",
        ),
        (
            "/v1/tables/proteins/heads",
            json!({"name": "_x"}),
            400,
            "invalid-argument",
        ),
        (
            "/v1/tables/proteins/heads",
            json!({"name": "x", "options": {"epochs": 0}}),
            400,
            "invalid-argument",
        ),
    ] {
        let response = server.post(path, &body).await;
        problem(response, status, code).await;
    }
    // A job fails where the table has no vectors of residues.
    let request = server
        .request(reqwest::Method::POST, "/v1/tables/proteins/heads")
        .header("prefer", "wait=60");
    let response = request.json(&json!({"name": "x"})).send().await.unwrap();
    problem(response, 400, "invalid-argument").await;
}
