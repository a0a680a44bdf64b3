//! Indexes in memory.

use penstock_client::Client;
use penstock_openapi::{MeasureRequest, WarmRequest};
use reqwest::Method;
use serde_json::{Value, json};

use super::search::many_proteins;
use super::{Server, problem};

const SEARCH: &str = "/v1/tables/proteins/search";
const WARM: &str = "/v1/tables/proteins/warm";

async fn found(server: &Server, body: &Value) -> Value {
    server.post(SEARCH, body).await.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_comes_into_memory_and_goes() {
    let server = Server::start().await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(400))
        .await;
    let asked = json!({"id": "p9", "k": 5, "explain": true});
    let exact = found(&server, &asked).await;
    assert_eq!(exact["tier"], "exact");

    let column = json!({"column": "protein_kmer_v1"});
    let outcome = server.work(WARM, &column).await;
    assert_eq!(outcome["how"], "built", "{outcome}");
    assert_eq!(
        (&outcome["rows"], &outcome["segments"]),
        (&400.into(), &1.into())
    );
    let hot = found(&server, &asked).await;
    assert_eq!(hot["tier"], "hot", "{hot}");
    let pairs = exact["hits"].as_array().unwrap().iter();
    for (exact, hot) in pairs.zip(hot["hits"].as_array().unwrap()) {
        assert_eq!(exact["id"], hot["id"]);
        // In memory distances are of single precision, over vectors of length 1.
        let apart = exact["distance"].as_f64().unwrap() - hot["distance"].as_f64().unwrap();
        assert!(apart.abs() < 1e-5, "{exact} {hot}");
    }
    assert_eq!(hot["hits"].as_array().unwrap().len(), 5);
    assert_eq!(hot["plan"]["rows"], 400);

    let list = server.json("/v1/indexes").await;
    assert_eq!(list["budget_bytes"], 4_u64 << 30);
    let index = &list["indexes"][0];
    assert_eq!(
        (&index["tier"], &index["index_type"]),
        (&"hot".into(), &"hnsw_sq".into())
    );
    assert_eq!(
        (&index["rows"], &index["bytes"]),
        (&400.into(), &outcome["bytes"])
    );
    assert_eq!(index["min_recall"], 0.95);
    let points = index["measured"]["points"].as_array().unwrap();
    let taken: Vec<&Value> = points.iter().filter(|p| p["chosen"] == true).collect();
    assert_eq!(taken.len(), 1, "{index}");
    assert!(taken[0]["recall"].as_f64().unwrap() > 0.9, "{index}");

    // New rows are found before they are part of the index.
    let one = ">new\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPIL\n";
    server.ingest("proteins", "one.fasta", one).await;
    let new = found(&server, &json!({"id": "new", "k": 1})).await;
    assert_eq!(
        (&new["tier"], &new["hits"][0]["id"]),
        (&"hot".into(), &"new".into())
    );
    assert_eq!(new["unindexed_rows"], 1);

    let metrics = server.get("/metrics").await.text().await.unwrap();
    let labels = "table=\"proteins\",column=\"protein_kmer_v1\",tier=\"hot\"";
    for line in [
        format!("penstock_index_rows{{{labels},metric=\"cosine\"}} 400"),
        format!(
            "penstock_index_memory_bytes{{{labels},metric=\"cosine\"}} {}",
            outcome["bytes"]
        ),
        format!("penstock_index_recall{{{labels}}} "),
        "penstock_searches_total{tier=\"hot\"} 2".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }

    let path = format!("{WARM}?column=protein_kmer_v1");
    let cooled = server.request(Method::DELETE, &path).send().await.unwrap();
    let cooled: Value = cooled.json().await.unwrap();
    assert_eq!(cooled, json!({"table": "proteins", "indexes": 1}));
    assert_eq!(found(&server, &asked).await["tier"], "exact");
    let metrics = server.get("/metrics").await.text().await.unwrap();
    assert!(!metrics.contains("penstock_index_rows{"), "{metrics}");
    // It comes back from where it was saved.
    assert_eq!(server.work(WARM, &column).await["how"], "loaded");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recall_that_is_wanted_is_kept() {
    let server = Server::with_proteins().await;
    let client = Client::new(&server.url).unwrap();
    let measure = |measure, min_recall| MeasureRequest {
        column: "protein_kmer_v1".into(),
        min_recall,
        measure,
    };
    let path = "/v1/tables/proteins/measure";
    let send = |body: MeasureRequest| {
        let request = server
            .request(Method::POST, path)
            .header("prefer", "wait=60");
        request.json(&body).send()
    };
    // There is nothing to measure yet.
    problem(send(measure(true, None)).await.unwrap(), 404, "not-found").await;
    let wrong = send(measure(false, Some(1.5))).await.unwrap();
    problem(wrong, 400, "invalid-argument").await;
    assert_eq!(send(measure(false, Some(0.8))).await.unwrap().status(), 200);
    let request = WarmRequest {
        column: "protein_kmer_v1".into(),
        metric: None,
    };
    let job = client.warm("proteins", &request).await.unwrap();
    let wait = server
        .request(Method::GET, &format!("/v1/jobs/{}", job.id))
        .header("prefer", "wait=60");
    let job: Value = wait.send().await.unwrap().json().await.unwrap();
    assert_eq!(job["state"], "succeeded", "{job}");
    let response = send(measure(true, None)).await.unwrap();
    assert_eq!(response.status(), 200);
    let list = client.indexes().await.unwrap();
    assert_eq!(list.indexes.len(), 1);
    assert!((list.indexes[0].min_recall - 0.8).abs() < 1e-12);
    let measured = list.indexes[0].measured.as_ref().unwrap();
    assert_eq!((measured.queries, measured.k), (3, 10));
    assert_eq!(client.cool("proteins", None).await.unwrap().indexes, 1);
    assert_eq!(client.cool("proteins", None).await.unwrap().indexes, 0);
    problem(
        server
            .request(Method::POST, "/v1/tables/nothing/warm")
            .json(&json!({"column": "c"}))
            .send()
            .await
            .unwrap(),
        404,
        "not-found",
    )
    .await;
    server.stop().await;
}
