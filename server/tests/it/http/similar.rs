//! Places in graphs that resemble a pattern.

use penstock_client::Client;
use penstock_openapi::SimilarRequest;
use serde_json::{Value, json};

use super::{Server, problem};

/// A ring of six with a chord and a tail; then the same without the chord.
const RING: &str = "t 7 8\nv 0 1 3\nv 1 2 2\nv 2 3 2\nv 3 4 3\nv 4 5 2\nv 5 6 3\nv 6 7 1\n\
                    e 0 1\ne 1 2\ne 2 3\ne 3 4\ne 4 5\ne 0 5\ne 0 3\ne 5 6\n";
const OPEN: &str = "t 7 7\nv 0 1 2\nv 1 2 2\nv 2 3 2\nv 3 4 2\nv 4 5 2\nv 5 6 3\nv 6 7 1\n\
                    e 0 1\ne 1 2\ne 2 3\ne 3 4\ne 4 5\ne 0 5\ne 5 6\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_lacks_an_edge_comes_second() {
    let server = Server::start().await;
    server.ingest("rings", "ring.graph", RING).await;
    let path = "/v1/tables/rings/match-similar";
    let vertices = [0, 1, 2, 3, 4, 5, 6];
    let part = json!({"graph": "ring", "vertices": vertices, "min_score": 0.9});
    let missing = server.post(path, &part).await;
    let said = problem(missing, 400, "invalid-argument").await;
    assert!(
        said["detail"].as_str().unwrap().contains("graph-sage-v1"),
        "{said}"
    );

    server.ingest("rings", "open.graph", OPEN).await;
    server.work("/v1/tables/rings/encode", &json!({})).await;
    let found = server.post(path, &part).await;
    assert_eq!(found.status(), 200);
    let found: Value = found.json().await.unwrap();
    assert_eq!(found["plan"]["tier"], "exact");
    assert_eq!(found["stopped"], Value::Null);
    let matches = found["matches"].as_array().unwrap();
    assert_eq!(matches.len(), 2, "{found}");
    assert_eq!(
        (&matches[0]["graph"], &matches[0]["score"]),
        (&"ring".into(), &1.0.into())
    );
    assert_eq!(matches[1]["graph"], "open");
    let score = matches[1]["score"].as_f64().unwrap();
    assert!((score - 14.0 / 15.0).abs() < 1e-12, "{score}");
    for found in matches {
        assert_eq!(found["vertices"], json!([0, 1, 2, 3, 4, 5, 6]));
        assert_eq!(found["vertices_matched"], 7);
    }

    // The client asks the same.
    let client = Client::new(&server.url).unwrap();
    let request = SimilarRequest {
        graph: Some("open".to_owned()),
        vertices: Some(vec![0, 1, 2, 3]),
        limit: 1,
        ..SimilarRequest::default()
    };
    let answer = client.find_similar("rings", &request).await.unwrap();
    assert_eq!((answer.matches.len(), answer.matches[0].score), (1, 1.0));
    assert_eq!(answer.pattern_edges, 3);

    for (body, status) in [
        (json!({}), 400),
        (json!({"graph": "ring"}), 400),
        (
            json!({"graph": "ring", "vertices": [0], "residues": "A:1"}),
            400,
        ),
        (
            json!({"pattern": {"vertices": [{"label": "1"}]}, "exact": true, "tier": "hot"}),
            400,
        ),
        (
            json!({"pattern": {"vertices": [{"label": "1"}]}, "deadline_secs": -1}),
            400,
        ),
        (json!({"pattern": {"vertices": [{"labels": "1"}]}}), 400),
    ] {
        let response = server.post(path, &body).await;
        problem(response, status, "invalid-argument").await;
    }
    let absent = server
        .post(path, &json!({"graph": "none", "vertices": [0]}))
        .await;
    problem(absent, 404, "not-found").await;
}
