//! What follows the search for candidates.

use serde_json::{Value, json};

use super::search::many_proteins;
use super::{Server, problem};

async fn search(server: &Server, table: &str, body: Value) -> Value {
    let path = format!("/v1/tables/{table}/search");
    let response = server.post(&path, &body).await;
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

fn of(answer: &Value, column: &str) -> Vec<Value> {
    let hits = answer["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit[column].clone()).collect()
}

fn numbers(answer: &Value, column: &str) -> Vec<f64> {
    let values = of(answer, column);
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_are_aligned() {
    let server = Server::start().await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(300))
        .await;
    let asked = json!({"id": "p9", "k": 5, "rerank": {"by": "alignment", "candidates": 50},
        "columns": ["length"]});
    let answer = search(&server, "proteins", asked).await;
    assert_eq!(answer["considered"], 50);
    assert_eq!(of(&answer, "id")[0], "p9");
    let expected = numbers(&answer, "evalue");
    assert_eq!(expected.len(), 5);
    assert!(expected.is_sorted() && expected[0] < 1e-20, "{expected:?}");
    let keys: Vec<&String> = answer["hits"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "alignment_bits",
            "alignment_score",
            "distance",
            "evalue",
            "id",
            "length"
        ]
    );

    // The sequence itself, in another case, is the same query.
    let sql = "SELECT lower(sequence) AS s, protein_kmer_v1 AS v FROM proteins WHERE id = 'p9'";
    let rows = server.post("/v1/sql", &json!({ "sql": sql })).await;
    let rows: Value = rows.json().await.unwrap();
    let rerank = json!({"by": "alignment", "candidates": 50});
    let by_text = json!({"text": rows[0]["s"], "k": 5, "rerank": rerank});
    let by_text = search(&server, "proteins", by_text).await;
    assert_eq!(numbers(&by_text, "evalue"), expected);

    for (more, status, says) in [
        (
            json!({"id": "p9", "rerank": {"by": "chamfer"}}),
            400,
            "meshes",
        ),
        (json!({"id": "p9", "rerank": {"by": "tm"}}), 400, "C-alpha"),
        (
            json!({"id": "p9", "rerank": {"by": "magic"}}),
            400,
            "alignment, tm",
        ),
        (
            json!({"id": "nobody", "rerank": {"by": "alignment"}}),
            404,
            "nobody",
        ),
        (
            json!({"vector": rows[0]["v"], "rerank": {"by": "alignment"}}),
            400,
            "or by text",
        ),
        (
            json!({"id": "p9", "k": 9, "rerank": {"by": "alignment", "candidates": 8}}),
            400,
            "from 9",
        ),
        (json!({"id": "p9", "group_by": "nothing"}), 404, "nothing"),
        (json!({"id": "p9", "group_size": 2}), 400, "group_by"),
        (
            json!({"id": "p9", "group_by": "kind", "group_size": 0}),
            400,
            "from 1",
        ),
        (json!({"id": "p9", "diversity": 1.5}), 400, "from 0 to 1"),
        (json!({"id": "p9", "words": "kinase"}), 400, "text index"),
    ] {
        let response = server.post("/v1/tables/proteins/search", &more).await;
        let code = if status == 404 {
            "not-found"
        } else {
            "invalid-argument"
        };
        let found = problem(response, status, code).await;
        assert!(
            found["detail"].as_str().unwrap().contains(says),
            "{more}: {found}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_diversity() {
    let server = Server::start().await;
    server
        .ingest("proteins", "p.fasta", &many_proteins(300))
        .await;
    let plain = search(&server, "proteins", json!({"id": "p9", "k": 20})).await;
    let asked = json!({"id": "p9", "k": 20, "group_by": "description", "group_size": 2});
    let grouped = search(&server, "proteins", asked).await;
    // Seven families of two.
    assert_eq!(of(&grouped, "id").len(), 14);
    let mut families: Vec<String> = of(&grouped, "description")
        .iter()
        .map(|family| family.as_str().unwrap().to_owned())
        .collect();
    families.sort();
    for pair in families.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    assert!(numbers(&grouped, "distance").is_sorted());
    // What groups is not shown unless it was asked for.
    let asked = json!({"id": "p9", "k": 3, "group_by": "description", "columns": ["length"]});
    let grouped = search(&server, "proteins", asked).await;
    assert!(grouped["hits"][0].get("description").is_none(), "{grouped}");

    let diverse = |lambda: f64| json!({"id": "p9", "k": 20, "diversity": lambda});
    let nearest = search(&server, "proteins", diverse(1.0)).await;
    assert_eq!(of(&nearest, "id"), of(&plain, "id"));
    assert_eq!(nearest["considered"], 100);
    let spread = search(&server, "proteins", diverse(0.0)).await;
    assert_eq!(of(&spread, "id")[0], "p9");
    let sum = |answer: &Value| numbers(answer, "distance").iter().sum::<f64>();
    assert!(sum(&spread) > sum(&plain));
    // All stages at once.
    let all = json!({"id": "p9", "k": 4, "rerank": {"by": "alignment"}, "diversity": 0.5,
        "group_by": "description"});
    let all = search(&server, "proteins", all).await;
    assert_eq!(
        (of(&all, "id").len(), &of(&all, "id")[0]),
        (4, &"p9".into())
    );
    server.stop().await;
}

/// A chain of C-alpha atoms at these places.
fn chain(places: impl Iterator<Item = [f64; 3]>) -> String {
    let mut text = String::new();
    for (i, [x, y, z]) in places.enumerate() {
        let n = i + 1;
        text += &format!(
            "ATOM  {n:>5}  CA  ALA A{n:>4}    {x:>8.3}{y:>8.3}{z:>8.3}  1.00  0.00           C\n"
        );
    }
    text + "END\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn structures_are_superposed() {
    let server = Server::start().await;
    let helix = |scale: f64| {
        chain((0..40).map(move |i| {
            let angle = f64::from(i) * 100.0_f64.to_radians();
            [
                2.3 * scale * angle.cos(),
                2.3 * scale * angle.sin(),
                1.5 * f64::from(i),
            ]
        }))
    };
    let strand = chain((0..40).map(|i| [3.3 * f64::from(i), f64::from(i % 2), 0.0]));
    for (name, text) in [
        ("a.pdb", helix(1.0)),
        ("b.pdb", helix(1.05)),
        ("c.pdb", strand),
    ] {
        server.ingest("folds", name, &text).await;
    }
    // A sequence without a structure is ranked last.
    let one = ">plain\nMKLLEEAAAAKKLLEEWWFFAAAAKKLLEEAAAAKKLLEE\n";
    server.ingest("folds", "d.fasta", one).await;
    let ids: Value = server
        .post(
            "/v1/sql",
            &json!({"sql": "SELECT id FROM folds WHERE structure IS NOT NULL ORDER BY source, id"}),
        )
        .await
        .json()
        .await
        .unwrap();
    let asked = json!({"id": ids[0]["id"], "rerank": {"by": "tm"}});
    let answer = search(&server, "folds", asked).await;
    let scores = of(&answer, "tm_score");
    assert_eq!(scores.len(), 4, "{answer}");
    let score = |at: usize| scores[at].as_f64().unwrap();
    assert!((score(0) - 1.0).abs() < 1e-3, "{answer}");
    assert!(
        score(1) > 0.9 && score(1) < score(0) && score(2) < 0.5,
        "{answer}"
    );
    assert_eq!(
        (&of(&answer, "id")[3], &scores[3]),
        (&"plain".into(), &Value::Null)
    );
    assert_eq!(of(&answer, "aligned")[0], 40);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn surfaces_are_compared() {
    let server = Server::start().await;
    let tetrahedron = |x: f64, y: f64, z: f64| {
        format!(
            "OFF\n4 4 0\n0 0 0\n{x} 0 0\n0 {y} 0\n0 0 {z}\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"
        )
    };
    for (name, text) in [
        ("a.off", tetrahedron(1.0, 1.0, 1.0)),
        ("b.off", tetrahedron(5.0, 5.0, 6.0)),
        ("c.off", tetrahedron(1.0, 1.0, 20.0)),
    ] {
        server.ingest("meshes", name, &text).await;
    }
    let ids: Value = server
        .post(
            "/v1/sql",
            &json!({"sql": "SELECT id FROM meshes ORDER BY area"}),
        )
        .await
        .json()
        .await
        .unwrap();
    let asked = json!({"id": ids[0]["id"], "rerank": {"by": "chamfer"}});
    let answer = search(&server, "meshes", asked).await;
    let chamfer = numbers(&answer, "chamfer");
    assert!(chamfer.is_sorted() && chamfer.len() == 3, "{answer}");
    // Itself, then nearly the same shape in another size, then another shape by far.
    assert!(chamfer[0] < 1e-6, "{answer}");
    assert!(chamfer[2] > 3.0 * chamfer[1], "{answer}");
    assert_eq!(of(&answer, "id"), ["a.off", "b.off", "c.off"]);
    let body = json!({"id": ids[0]["id"], "rerank": {"by": "tm"}});
    let response = server.post("/v1/tables/meshes/search", &body).await;
    let found = problem(response, 400, "invalid-argument").await;
    let says = "table `meshes` holds mesh; ranking again by tm is for proteins with coordinates";
    assert_eq!(found["detail"], says);
    server.stop().await;
}
