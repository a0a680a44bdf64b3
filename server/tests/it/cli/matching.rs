//! `penstock match`.

use super::Place;

const TRIANGLE: &str = r#"{"vertices": [{}, {}, {"label": "B"}],
    "edges": [{"from": 0, "to": 1}, {"from": 1, "to": 2}, {"from": 0, "to": 2}]}"#;

fn graphml(labels: &[&str], edges: &[(usize, usize)]) -> String {
    let mut text = r#"<graphml><key id="l" for="node" attr.name="label" attr.type="string"/><graph edgedefault="undirected">"#.to_owned();
    for (i, label) in labels.iter().enumerate() {
        text += &format!(r#"<node id="n{i}"><data key="l">{label}</data></node>"#);
    }
    for (a, b) in edges {
        text += &format!(r#"<edge source="n{a}" target="n{b}"/>"#);
    }
    text + "</graph></graphml>"
}

#[test]
fn a_pattern_is_found_in_every_graph_that_has_it() {
    let place = Place::new();
    let labels = ["A", "A", "B", "A"];
    let square = [(0, 1), (1, 2), (2, 3), (0, 3)];
    let with_diagonal = [(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)];
    place.file("square.graphml", graphml(&labels, &square));
    place.file("kite.graphml", graphml(&labels, &with_diagonal));
    place.file("triangle.json", TRIANGLE);
    let loaded = place.json(&["ingest", "shapes", "square.graphml", "kite.graphml"]);
    assert_eq!(loaded["rows_added"], 2);

    let found = place.json(&["match", "shapes", "--pattern", "triangle.json"]);
    // Two triangles at B, each both ways round.
    assert_eq!(
        (&found["count"], &found["complete"]),
        (&4.into(), &true.into())
    );
    assert_eq!(
        (&found["graphs"], &found["graphs_searched"]),
        (&2.into(), &2.into())
    );
    for found in found["matches"].as_array().unwrap() {
        assert_eq!(found["graph"], "kite");
        assert_eq!(found["vertices"][2], 2);
    }
    let found = place.json(&[
        "match",
        "shapes",
        "--pattern",
        "triangle.json",
        "--graph",
        "square",
    ]);
    assert_eq!(found["count"], 0);
    let found = place.json(&[
        "match",
        "shapes",
        "--pattern",
        "triangle.json",
        "--limit",
        "1",
    ]);
    assert_eq!(
        (&found["count"], &found["stopped"]),
        (&1.into(), &"limit".into())
    );

    // A graph that lost an edge replaces the one that was there; older versions keep it.
    place.file("kite.graphml", graphml(&labels[..3], &[(0, 1), (1, 2)]));
    place.json(&["ingest", "shapes", "kite.graphml"]);
    let rows = place.json(&[
        "sql",
        "SELECT count(*) AS n FROM shapes WHERE parent = 'kite'",
    ]);
    assert_eq!(rows[0]["n"], 3);
    let found = place.json(&["match", "shapes", "--pattern", "triangle.json"]);
    assert_eq!(found["count"], 0);
    let found = place.json(&["match", "shapes", "--pattern", "triangle.json", "--at", "1"]);
    assert_eq!(found["count"], 4);
    let sql = format!(
        "SELECT graph, count(*) AS n FROM match_pattern('shapes@1', '{TRIANGLE}') GROUP BY graph"
    );
    let rows = place.json(&["sql", &sql]);
    assert_eq!(
        (&rows[0]["graph"], &rows[0]["n"]),
        (&"kite".into(), &4.into())
    );
}

#[test]
fn what_is_wrong_with_a_pattern_is_said() {
    let place = Place::new();
    place.file("one.graphml", graphml(&["A", "B"], &[(0, 1)]));
    place.json(&["ingest", "one", "one.graphml"]);
    for (pattern, says) in [
        (r#"{"vertices": []}"#, "vert"),
        (
            r#"{"vertices": [{}], "edges": [{"from": 0, "to": 3}]}"#,
            "3",
        ),
        (r#"{"vertices": [{"labels": "A"}]}"#, "labels"),
        ("{", "line"),
        ("t 2 1\nv 0 1 1\n", "vert"),
    ] {
        place.file("bad.json", pattern);
        let output = place.run(&["match", "one", "--pattern", "bad.json"]);
        let said = super::stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{pattern}: {said}");
        assert!(said.contains(says), "{pattern}: {said}");
    }
    place.file("p.fa", ">p\nMKV\n");
    place.json(&["ingest", "proteins", "p.fa"]);
    place.file("good.json", TRIANGLE);
    let output = place.run(&["match", "proteins", "--pattern", "good.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(super::stderr(&output).contains("holds protein records"));
}

/// The matches of a path of three vertices, and of two edges into one.
fn path_and_sink(place: &Place, table: &str) -> [serde_json::Value; 2] {
    ["path.json", "sink.json"].map(|pattern| {
        let found = place.json(&["match", table, "--pattern", pattern]);
        assert_eq!(found["complete"], true);
        found["matches"].clone()
    })
}

#[test]
fn edges_of_a_list_have_a_direction_where_that_is_said() {
    let place = Place::new();
    place.file("arcs.edges", "# three in a row\n1 2\n2 3\n");
    let pattern = |edges: &str| {
        format!(r#"{{"directed": true, "vertices": [{{}}, {{}}, {{}}], "edges": [{edges}]}}"#)
    };
    place.file(
        "path.json",
        pattern(r#"{"from": 0, "to": 1}, {"from": 1, "to": 2}"#),
    );
    place.file(
        "sink.json",
        pattern(r#"{"from": 0, "to": 1}, {"from": 2, "to": 1}"#),
    );

    // Without a word the list is undirected, and no directed pattern is looked for in it.
    place.json(&["ingest", "arcs", "arcs.edges"]);
    let said = place.fails(2, &["match", "arcs", "--pattern", "path.json"]);
    assert!(said.contains("undirected"), "{said}");

    // The same list with directed edges is another graph: it replaces the first, whole.
    let loaded = place.json(&["ingest", "arcs", "arcs.edges", "--directed"]);
    assert_eq!(
        (&loaded["rows_added"], &loaded["rows_updated"]),
        (&0.into(), &1.into())
    );
    let [path, sink] = path_and_sink(&place, "arcs");
    assert_eq!(path.as_array().unwrap().len(), 1);
    assert_eq!(path[0]["vertices"], serde_json::json!([0, 1, 2]));
    assert_eq!(sink, serde_json::json!([]));
    let again = place.json(&["ingest", "arcs", "arcs.edges", "--directed"]);
    assert_eq!(
        (&again["rows_unchanged"], &again["version"]),
        (&1.into(), &loaded["version"])
    );
    let rows = place.json(&[
        "sql",
        "SELECT count(*) AS rows, count(directed) AS graphs FROM arcs",
    ]);
    assert_eq!(
        (&rows[0]["rows"], &rows[0]["graphs"]),
        (&4.into(), &1.into())
    );

    // The other way round, back to undirected.
    let back = place.json(&["ingest", "arcs", "arcs.edges"]);
    assert_eq!(back["rows_updated"], 1);
    let said = place.fails(2, &["match", "arcs", "--pattern", "path.json"]);
    assert!(said.contains("undirected"), "{said}");

    // Two kinds of edges in one table are not searched as if they were one.
    place.file("others.edges", "1 2\n3 2\n");
    place.json(&["ingest", "arcs", "others.edges", "--directed"]);
    let said = place.fails(4, &["match", "arcs", "--pattern", "path.json"]);
    assert!(said.contains("directed and undirected"), "{said}");
    let found = place.json(&[
        "match",
        "arcs",
        "--pattern",
        "sink.json",
        "--graph",
        "others",
    ]);
    assert_eq!(found["count"], 2);
}

#[test]
fn what_cannot_be_directed_is_refused() {
    let place = Place::new();
    place.file("a.graph", "t 2 1\nv 0 1 1\nv 1 1 1\ne 0 1\n");
    place.file("a.metis", "2 1\n2\n1\n");
    place.file("a.fasta", ">p\nMKV\n");
    let undirected = graphml(&["A", "B"], &[(0, 1)]);
    place.file("a.graphml", &undirected);
    for (file, says) in [
        ("a.graph", "t/v/e is undirected by definition"),
        ("a.metis", "METIS is undirected by definition"),
        ("a.fasta", "FASTA is no format of graphs"),
        (
            "a.graphml",
            "the GraphML says that its edges have no direction",
        ),
    ] {
        let said = place.fails(2, &["ingest", "a", file, "--directed"]);
        assert!(said.contains(file) && said.contains(says), "{said}");
    }
    assert_eq!(place.json(&["tables"])["tables"], serde_json::json!([]));
    // GraphML that does not say is as the command says.
    place.file(
        "a.graphml",
        undirected.replace(r#" edgedefault="undirected""#, ""),
    );
    place.json(&["ingest", "a", "a.graphml", "--directed"]);
    let rows = place.json(&["sql", "SELECT directed FROM a WHERE directed IS NOT NULL"]);
    assert_eq!(rows[0]["directed"], true);
}
