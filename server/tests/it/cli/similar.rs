//! `penstock match --similar`.

use serde_json::Value;

use super::Place;

/// Labels of the planted part: vertices 1,000 to 1,007.
const LABELS: [u32; 8] = [3, 5, 2, 7, 1, 4, 6, 0];
const EDGES: [(usize, usize); 12] = [
    (0, 1),
    (1, 2),
    (2, 3),
    (0, 3),
    (1, 3),
    (2, 4),
    (4, 5),
    (5, 6),
    (4, 6),
    (6, 7),
    (5, 7),
    (3, 6),
];
const FIRST: usize = 1_000;

/// A graph of `vertices` with 8 labels and about two edges each; with the planted part, or without.
fn host(vertices: usize, seed: u64, planted: bool) -> String {
    let mut state = seed;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut labels: Vec<usize> = (0..vertices).map(|_| random(8)).collect();
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for a in 0..vertices {
        for _ in 0..2 {
            let b = random(vertices);
            let inside = |v: usize| planted && (FIRST..FIRST + 8).contains(&v);
            if a != b && !(inside(a) && inside(b)) {
                edges.push((a.min(b), a.max(b)));
            }
        }
    }
    if planted {
        for (at, label) in LABELS.into_iter().enumerate() {
            labels[FIRST + at] = label as usize;
        }
        edges.extend(EDGES.map(|(a, b)| (FIRST + a, FIRST + b)));
    }
    edges.sort_unstable();
    edges.dedup();
    let mut degrees = vec![0; vertices];
    for (a, b) in &edges {
        degrees[*a] += 1;
        degrees[*b] += 1;
    }
    let mut text = format!("t {vertices} {}\n", edges.len());
    for (v, label) in labels.iter().enumerate() {
        text += &format!("v {v} {label} {}\n", degrees[v]);
    }
    for (a, b) in edges {
        text += &format!("e {a} {b}\n");
    }
    text
}

fn pattern(labels: &[u32], edges: &[(usize, usize)]) -> String {
    let vertices: Vec<Value> = labels
        .iter()
        .map(|label| serde_json::json!({"label": label}))
        .collect();
    let edges: Vec<Value> = edges
        .iter()
        .map(|(from, to)| serde_json::json!({"from": from, "to": to}))
        .collect();
    serde_json::json!({"vertices": vertices, "edges": edges}).to_string()
}

/// The planted place, with the given vertices unmapped.
fn place_but(without: &[usize]) -> Value {
    let vertex = |at: usize| (!without.contains(&at)).then_some(FIRST + at);
    (0..8).map(vertex).collect()
}

fn stored() -> Place {
    let place = Place::new();
    place.file("big.graph", host(4_000, 7, true));
    place.file("other.graph", host(1_500, 8, false));
    place.json(&["ingest", "graphs", "big.graph", "other.graph"]);
    place.file("exact.json", pattern(&LABELS, &EDGES));
    let mut more = EDGES.to_vec();
    more.push((0, 5));
    place.file("more.json", pattern(&LABELS, &more));
    let mut other = LABELS;
    other[3] = 0;
    place.file("other.json", pattern(&other, &EDGES));
    place
}

#[test]
fn a_planted_part_is_first_also_where_it_differs() {
    let place = stored();
    let similar =
        |file: &str| ["match", "graphs", "--similar", "--pattern", file].map(str::to_owned);
    let run = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        place.json(&arguments)
    };
    let refused = place.fails(
        2,
        &["match", "graphs", "--similar", "--pattern", "exact.json"],
    );
    assert!(refused.contains("penstock encode graphs"), "{refused}");
    place.json(&["encode", "graphs"]);

    // (the pattern, what the planted place scores, vertices and edges that it has)
    for (file, score, vertices, edges) in [
        ("exact.json", 1.0, 8, 12),
        ("more.json", 20.0 / 21.0, 8, 12),
        ("other.json", 19.0 / 20.0, 7, 12),
    ] {
        let found = run(&similar(file));
        assert_eq!(found["ranked"], "approximately");
        assert_eq!(found["column"], "graph_sage_v1");
        assert_eq!(found["anchors"].as_array().unwrap().len(), 4);
        assert_eq!(found["candidates"], 800);
        let best = &found["matches"][0];
        assert_eq!(best["graph"], "big", "{file}: {best}");
        assert_eq!(best["vertices"], place_but(&[]), "{file}: {best}");
        assert!(
            (best["score"].as_f64().unwrap() - score).abs() < 1e-12,
            "{file}: {best}"
        );
        assert_eq!(best["vertices_matched"], vertices);
        assert_eq!(best["edges_matched"], edges);
        let scores: Vec<f64> = found["matches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["score"].as_f64().unwrap())
            .collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        assert!(scores.len() <= 20 && scores.iter().all(|score| *score >= 0.5));
    }

    // The exact search finds the one, and neither of the others.
    for (file, count) in [("exact.json", 1), ("more.json", 0), ("other.json", 0)] {
        let found = place.json(&["match", "graphs", "--pattern", file]);
        assert_eq!(found["count"], count, "{file}");
    }

    // A vertex with a wrong label counts as much as is asked.
    let mut arguments = similar("other.json").to_vec();
    arguments.extend(["--mismatch", "0.5", "--limit", "1"].map(str::to_owned));
    let found = run(&arguments);
    assert_eq!(found["matches"].as_array().unwrap().len(), 1);
    assert_eq!(found["matches"][0]["score"], 19.5 / 20.0);

    // Nothing of the other graph is as good.
    let mut arguments = similar("exact.json").to_vec();
    arguments.extend(["--graph", "other", "--min-score", "0.9"].map(str::to_owned));
    let found = run(&arguments);
    assert_eq!(found["matches"], Value::Array(Vec::new()));
    assert_eq!(
        (&found["candidates"], &found["grown"]),
        (&800.into(), &0.into())
    );
    assert_eq!(found["graphs_searched"], 1);

    // Only rows of a predicate are where places grow from.
    let mut arguments = similar("exact.json").to_vec();
    let rows = [
        "--where",
        "label = '3' AND vertex BETWEEN 900 AND 1100",
        "--anchors",
        "8",
    ];
    arguments.extend(rows.map(str::to_owned));
    let found = run(&arguments);
    assert_eq!(found["matches"][0]["vertices"], place_but(&[]));
    // Fewer rows meet it than are asked for.
    assert!(found["candidates"].as_u64().unwrap() < 8 * 200, "{found}");
}

#[test]
fn a_part_of_a_stored_graph_is_a_pattern_too() {
    let place = stored();
    place.json(&["encode", "graphs"]);
    let vertices: Vec<String> = (0..8).map(|at| (FIRST + at).to_string()).collect();
    let vertices = vertices.join(",");
    let arguments = [
        "match",
        "graphs",
        "--similar",
        "--of",
        "big",
        "--vertices",
        &vertices,
    ];
    let found = place.json(&arguments);
    assert_eq!(found["matches"][0]["score"], 1.0);
    assert_eq!(found["matches"][0]["vertices"], place_but(&[]));
    assert_eq!(
        (&found["pattern_vertices"], &found["pattern_edges"]),
        (&8.into(), &12.into())
    );

    let text = place.text(&arguments);
    assert!(text.contains("ranked approximately"), "{text}");
    assert!(text.contains("score  matched vertices    edges"), "{text}");
    assert!(text.contains("1.000             8 / 8  12 / 12"), "{text}");

    // As a pattern it fits the graphs, so the labels are the rows' names; what is not there is said.
    let wrong = place.fails(
        2,
        &[
            "match",
            "graphs",
            "--similar",
            "--of",
            "big",
            "--vertices",
            "4000",
        ],
    );
    assert!(wrong.contains("4000"), "{wrong}");
    let wrong = place.fails(
        3,
        &[
            "match",
            "graphs",
            "--similar",
            "--of",
            "none",
            "--vertices",
            "1",
        ],
    );
    assert!(wrong.contains("none"), "{wrong}");
    let wrong = place.fails(2, &["match", "graphs", "--similar", "--of", "big"]);
    assert!(wrong.contains("--vertices"), "{wrong}");
    for (option, value, says) in [
        ("--beam", "0", "beam"),
        ("--anchors", "0", "anchors"),
        ("--min-score", "1.5", "min_score"),
        ("--mismatch", "1", "mismatch"),
        ("--neighbours", "0", "1"),
    ] {
        let wrong = place.fails(2, &[&arguments[..], &[option, value]].concat());
        assert!(wrong.contains(says), "{option}: {wrong}");
    }
    // A pattern of wildcards without edges is like everything.
    place.file("any.json", r#"{"vertices": [{}, {}]}"#);
    let wrong = place.fails(
        2,
        &["match", "graphs", "--similar", "--pattern", "any.json"],
    );
    assert!(wrong.contains("no vector"), "{wrong}");
    let wrong = place.fails(
        2,
        &["match", "graphs", "--pattern", "exact.json", "--beam", "3"],
    );
    assert!(wrong.contains("--similar"), "{wrong}");
}
