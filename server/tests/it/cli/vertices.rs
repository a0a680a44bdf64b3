//! `penstock encode` and `penstock search` over the vertices of graphs.

use super::Place;

/// Two squares with a tail; the second has its vertices in another order. Then a path.
const TVE: [(&str, &str); 3] = [
    (
        "one.graph",
        "t 6 6\nv 0 1 2\nv 1 2 2\nv 2 3 3\nv 3 4 2\nv 4 5 2\nv 5 6 1\ne 0 1\ne 1 2\ne 2 3\ne 0 3\ne 2 4\ne 4 5\n",
    ),
    (
        "two.graph",
        "t 6 6\nv 0 6 1\nv 1 5 2\nv 2 3 3\nv 3 4 2\nv 4 1 2\nv 5 2 2\ne 0 1\ne 1 2\ne 2 3\ne 3 4\ne 4 5\ne 2 5\n",
    ),
    (
        "path.graph",
        "t 3 2\nv 0 1 1\nv 1 3 2\nv 2 1 1\ne 0 1\ne 1 2\n",
    ),
];

#[test]
fn a_vertex_is_found_by_its_neighbourhood() {
    let place = Place::new();
    for (name, text) in TVE {
        place.file(name, text);
    }
    let listed = place.json(&["encoders"]);
    let sage = listed["encoders"].as_array().unwrap();
    let sage = sage
        .iter()
        .find(|one| one["name"] == "graph-sage-v1")
        .unwrap();
    assert_eq!((&sage["kind"], &sage["dim"]), (&"graph".into(), &96.into()));
    assert_eq!(sage["is_default"], true);

    let files = TVE.map(|(name, _)| name);
    let loaded = place.json(&[&["ingest", "graphs"], &files[..]].concat());
    assert_eq!(loaded["rows_added"], 3);
    let encoded = place.json(&["encode", "graphs"]);
    assert_eq!(encoded["encoder"], "graph-sage-v1");
    assert_eq!(
        (&encoded["rows_encoded"], &encoded["rows_empty"]),
        (&15.into(), &3.into())
    );
    let again = place.json(&["encode", "graphs", "--encoder", "graph-sage-v1"]);
    assert_eq!(
        (&again["version"], &again["rows_encoded"]),
        (&encoded["version"], &0.into())
    );

    // The corner where the tail begins has number 2 in both, all others other numbers.
    for (id, image) in [("one/0", "two/4"), ("one/2", "two/2"), ("one/4", "two/1")] {
        let found = place.json(&["search", "graphs", "--id", id, "-k", "3"]);
        let rows = found["hits"].as_array().unwrap();
        let near: Vec<&str> = rows
            .iter()
            .filter(|row| row["distance"].as_f64().unwrap().abs() < 1e-6)
            .map(|row| row["id"].as_str().unwrap())
            .collect();
        assert!(
            near.contains(&id) && near.contains(&image),
            "{id}: {near:?}"
        );
        assert_eq!(near.len(), 2, "{id}: {near:?}");
    }
    let graph = place.run(&["search", "graphs", "--id", "one"]);
    assert_eq!(graph.status.code(), Some(2));
    assert!(super::stderr(&graph).contains("has no vector"));

    place.json(&["warm", "graphs", "graph_sage_v1"]);
    let sql = "SELECT count(*) AS n FROM graphs WHERE graph_sage_v1 IS NULL AND parent IS NOT NULL";
    assert_eq!(place.json(&["sql", sql])[0]["n"], 0);

    let refused = place.run(&["ingest", "more", "path.graph", "--encoder", "graph-sage-v1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(super::stderr(&refused).contains("penstock encode"));
}
