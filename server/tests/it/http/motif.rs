//! Motifs, words, and the indexes that help them.

use penstock_client::Client;
use penstock_openapi::MotifRequest;
use serde_json::{Value, json};

use super::{Server, problem};

const PATH: &str = "/v1/tables/t/motif";

async fn motif(server: &Server, body: Value) -> Value {
    let response = server.post(PATH, &body).await;
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn occurrences_with_their_context() {
    let server = Server::start().await;
    let proteins = ">one\nMAGPPGTGKSTLAKALA\n>two\nMKKLLA\n>three\nGAAAAGKTGAAAAGKS\n";
    server.ingest("t", "t.fasta", proteins).await;
    let pattern = "[AG]-x(4)-G-K-[ST]";
    let found = motif(&server, json!({"pattern": pattern, "context": 3})).await;
    let hit = |id: &str, start: u64, text: &str, before: &str, after: &str| {
        json!({"id": id, "start": start, "end": start + 8, "strand": "+", "text": text,
            "before": before, "after": after})
    };
    let expected = json!([
        hit("one", 2, "GPPGTGKS", "MA", "TLA"),
        hit("three", 0, "GAAAAGKT", "", "GAA"),
        hit("three", 8, "GAAAAGKS", "GKT", ""),
    ]);
    assert_eq!(found["hits"], expected);
    assert_eq!(
        (&found["complete"], &found["used_index"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&found["candidates"], &found["scanned"]),
        (&3.into(), &39.into())
    );
    assert_eq!(found["unindexed_rows"], 3);

    let outcome = server
        .work(
            "/v1/tables/t/index",
            &json!({"column": "sequence", "type": "substrings"}),
        )
        .await;
    assert_eq!(
        (&outcome["index_type"], &outcome["rows"]),
        (&"substrings".into(), &3.into())
    );
    assert!(outcome.get("metric").is_none(), "{outcome}");
    let again = motif(&server, json!({"pattern": pattern, "context": 3})).await;
    assert_eq!(
        (&again["hits"], &again["unindexed_rows"]),
        (&expected, &0.into())
    );

    let asked = json!({"pattern": pattern, "where": "id = 'three'", "limit": 1});
    let part = motif(&server, asked).await;
    assert_eq!(
        (&part["complete"], &part["hits"][0]["id"]),
        (&false.into(), &"three".into())
    );
    let client = Client::new(&server.url).unwrap();
    let request = MotifRequest {
        pattern: "<M-K".into(),
        column: None,
        both_strands: true,
        filter: None,
        limit: None,
        context: None,
        windows: false,
        version: Some("1".into()),
    };
    let answer = client.motif("t", &request).await.unwrap();
    assert_eq!((answer.hits.len(), answer.version), (1, 1));
    assert_eq!(answer.hits[0].after, "KLLA");
    for (body, status, code, says) in [
        (json!({"pattern": "[AG"}), 400, "invalid-argument", "]"),
        (
            json!({"pattern": "A", "limit": 0}),
            400,
            "invalid-argument",
            "limit",
        ),
        (
            json!({"pattern": "A", "context": 9999}),
            400,
            "invalid-argument",
            "context",
        ),
        (
            json!({"pattern": "A", "column": "nothing"}),
            404,
            "not-found",
            "nothing",
        ),
        (
            json!({"pattern": "A", "version": "99"}),
            404,
            "not-found",
            "99",
        ),
    ] {
        let found = problem(server.post(PATH, &body).await, status, code).await;
        assert!(found["detail"].as_str().unwrap().contains(says), "{found}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_strand_reads_backwards() {
    let server = Server::start().await;
    server
        .ingest("t", "t.fasta", ">a\nAAAGGGTTTCCCAAACCCTG\n")
        .await;
    let one = motif(&server, json!({"pattern": "AAACCC", "context": 2})).await;
    assert_eq!(one["hits"].as_array().unwrap().len(), 1);
    let both = motif(
        &server,
        json!({"pattern": "AAACCC", "context": 2, "both_strands": true}),
    )
    .await;
    let other = json!({"id": "a", "start": 3, "end": 9, "strand": "-", "text": "AAACCC",
        "before": "GG", "after": "TT"});
    assert_eq!(both["hits"], json!([other, one["hits"][0]]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_vectors_together() {
    let server = Server::start().await;
    let proteins = ">a serine kinase\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ\n\
        >b a phosphatase\nGLSDGEWQLVLNVWGKVEADIPGHGQEVLIRLF\n\
        >c tyrosine kinase of yeast\nMQIFVKTLTGKTITLEVEPSDTIENVKAKIQDK\n";
    server.ingest("t", "t.fasta", proteins).await;
    let body = json!({"column": "description", "type": "words", "metric": "l2"});
    let response = server.post("/v1/tables/t/index", &body);
    let job: Value = response.await.json().await.unwrap();
    let wait = server.request(
        reqwest::Method::GET,
        &format!("/v1/jobs/{}", job["id"].as_str().unwrap()),
    );
    let job: Value = wait
        .header("prefer", "wait=60")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(job["state"], "failed");
    assert!(
        job["error"]["detail"]
            .as_str()
            .unwrap()
            .contains("no metric"),
        "{job}"
    );

    let body = json!({"column": "description", "type": "words"});
    assert_eq!(
        server.work("/v1/tables/t/index", &body).await["index_type"],
        "words"
    );
    let body = json!({"id": "b", "words": "yeast kinases", "k": 3});
    let answer = server.post("/v1/tables/t/search", &body).await;
    let answer: Value = answer.json().await.unwrap();
    let hits = answer["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 3, "{answer}");
    for hit in hits {
        let (by_vector, by_words) = (&hit["vector_rank"], &hit["text_rank"]);
        match hit["id"].as_str().unwrap() {
            "b" => assert_eq!((by_vector, by_words), (&1.into(), &Value::Null)),
            "c" => assert_eq!(by_words, 1),
            _ => assert_eq!(by_words, 2),
        }
        let share = |rank: &Value| rank.as_f64().map_or(0.0, |rank| 1.0 / (60.0 + rank));
        let score = share(by_vector) + share(by_words);
        assert!(
            (hit["score"].as_f64().unwrap() - score).abs() < 1e-12,
            "{hit}"
        );
    }
    assert_eq!(hits[0]["id"], "c");
    server.stop().await;
}
