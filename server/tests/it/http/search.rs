//! Searches of the real service.

use serde_json::{Value, json};

use super::{Server, problem};

/// Residues drawn from a seed: 300 proteins that the encoder tells apart.
pub(crate) fn many_proteins(count: usize) -> String {
    let mut state = 7_u64;
    let mut text = String::new();
    for i in 0..count {
        let residues: String = (0..60)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b"ACDEFGHIKLMNPQRSTVWY"[(state >> 33) as usize % 20] as char
            })
            .collect();
        text += &format!(">p{i} family{}\n{residues}\n", i % 7);
    }
    text
}

async fn search(server: &Server, body: Value) -> Value {
    let response = server.post("/v1/tables/proteins/search", &body).await;
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_of_old_are_still_valid() {
    let server = Server::with_proteins().await;
    let body = json!({"id": "beta", "k": 2, "column": "protein_kmer_v1", "metric": "cosine",
        "where": "length > 10", "exact": false, "version": "latest", "columns": ["length"]});
    let answer = search(&server, body).await;
    let head = json!({"table": "proteins", "column": "protein_kmer_v1", "metric": "cosine",
        "k": 2, "exact": true, "unindexed_rows": 3});
    for (key, value) in head.as_object().unwrap() {
        assert_eq!(&answer[key], value, "{key}: {answer}");
    }
    assert!(answer["version"].is_u64());
    let first = json!({"id": "beta", "distance": 0.0, "length": 53});
    assert_eq!(answer["hits"][0], first);
    assert!(answer.get("plan").is_none(), "{answer}");

    // An answer without what came later is read all the same.
    let mut old = answer;
    for key in ["tier", "candidates", "recall", "truncated"] {
        assert!(
            old.as_object_mut().unwrap().remove(key).is_some(),
            "no {key}"
        );
    }
    let read: penstock_openapi::SearchAnswer = serde_json::from_value(old).unwrap();
    assert_eq!(read.hits.len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_says_which_way_it_took() {
    let server = Server::start().await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(300))
        .await;
    let asked = json!({"id": "p7", "k": 5, "explain": true, "where": "length < 100"});
    let answer = search(&server, asked.clone()).await;
    assert_eq!(answer["tier"], "exact");
    assert_eq!(
        (&answer["candidates"], &answer["recall"]),
        (&300.into(), &1.0.into())
    );
    let plan = &answer["plan"];
    assert_eq!(
        (&plan["tier"], &plan["rows"]),
        (&"exact".into(), &300.into())
    );
    assert_eq!(plan["matching"], 300, "{plan}");
    assert!(plan["reason"].as_str().unwrap().contains("no index"));

    let path = "/v1/tables/proteins/index";
    server
        .work(
            path,
            &json!({"column": "protein_kmer_v1", "type": "ivf_flat"}),
        )
        .await;
    let asked = json!({"id": "p7", "k": 5, "explain": true, "nprobes": 1, "refine": 2});
    let answer = search(&server, asked).await;
    assert_eq!(answer["tier"], "cold");
    let plan = &answer["plan"];
    assert_eq!(plan["index"], "ivf_flat");
    assert_eq!((&plan["nprobes"], &plan["refine"]), (&1.into(), &2.into()));
    let exact = search(&server, json!({"id": "p7", "k": 5, "tier": "exact"})).await;
    assert_eq!(
        (&exact["exact"], &exact["tier"]),
        (&true.into(), &"exact".into())
    );

    // A radius between the third and the fourth row.
    let distance = |rank: usize| exact["hits"][rank]["distance"].as_f64().unwrap();
    let radius = f64::midpoint(distance(2), distance(3));
    let asked = json!({"id": "p7", "k": 5, "tier": "exact", "radius": radius});
    let within = search(&server, asked).await;
    assert_eq!(within["hits"].as_array().unwrap().len(), 3);
    assert_eq!(within["truncated"], false);
    let asked = json!({"id": "p7", "k": 2, "tier": "exact", "radius": radius});
    assert_eq!(search(&server, asked).await["truncated"], true);

    let metrics = server.get("/metrics").await.text().await.unwrap();
    assert!(
        metrics.contains("penstock_searches_total{tier=\"cold\"} 1"),
        "{metrics}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_that_make_no_sense() {
    let server = Server::with_proteins().await;
    let path = "/v1/tables/proteins/search";
    for (more, status, code, says) in [
        (json!({"tier": "warm"}), 400, "invalid-argument", "hot"),
        (json!({"tier": "hot"}), 404, "not-found", "memory"),
        (json!({"tier": "cold"}), 404, "not-found", "index"),
        (
            json!({"tier": "hot", "exact": true}),
            400,
            "invalid-argument",
            "exclude",
        ),
        (
            json!({"min_recall": 1.5}),
            400,
            "invalid-argument",
            "0 to 1",
        ),
        (json!({"ef": 0}), 400, "invalid-argument", "ef"),
        (json!({"nprobes": 0}), 400, "invalid-argument", "nprobes"),
        (json!({"tear": "hot"}), 422, "invalid-argument", "tear"),
    ] {
        let mut body = json!({"id": "beta"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let found = problem(server.post(path, &body).await, status, code).await;
        let detail = found["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{more}: {detail}");
    }
    server.stop().await;
}
