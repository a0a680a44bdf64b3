//! Round trips, and faults with their places.

use penstock_pattern::format::edge_list::Third;
use penstock_pattern::format::{ReadOptions, edge_list, graphml, json, metis, tve};
use penstock_pattern::{
    Allowed, Graph, GraphBuilder, Host, Labels, Loops, MatchOptions, Near, Parallel, Pattern,
    PatternEdge, PatternVertex,
};

/// Two graphs of a union with everything.
fn rich(directed: bool) -> Graph {
    let mut builder = GraphBuilder {
        directed,
        labels: vec![0, 1, 2, 0, 1],
        edges: vec![(1, 0), (1, 2), (4, 3)],
        edge_labels: vec![1, 0, 1],
        starts: vec![0, 3],
        vertex_names: Some(["HIS", "<&\">", "SER"].iter().collect()),
        edge_names: Some(["contact", "sequence"].iter().collect()),
        ..GraphBuilder::default()
    };
    builder
        .vertex_columns
        .insert("area", vec![1.5, -2.25, f32::MIN_POSITIVE, 1e30, 0.1]);
    builder
        .edge_columns
        .insert("distance", vec![3.8, 1.0 / 3.0, 7.9]);
    builder.build().unwrap()
}

fn edges(graph: &Graph) -> Vec<(u32, u32, u32, Vec<f32>)> {
    let values = |row: u32| {
        graph
            .edge_columns()
            .iter()
            .map(|(_, v)| v[row as usize])
            .collect()
    };
    let edges = graph.iter_edges();
    edges
        .map(|e| (e.from, e.to, e.label, values(e.row)))
        .collect()
}

#[test]
fn graphml_keeps_everything_of_a_graph() {
    for directed in [false, true] {
        let graph = rich(directed);
        let mut text = Vec::new();
        graphml::write_graph(&graph, &mut text).unwrap();
        let again = graphml::read_graph(text.as_slice(), &ReadOptions::default()).unwrap();
        let name = |g: &Graph, v: usize| -> String {
            g.vertex_names()
                .unwrap()
                .name(g.labels()[v])
                .unwrap()
                .to_owned()
        };
        assert_eq!(again.is_directed(), directed);
        assert_eq!(again.starts(), graph.starts());
        for v in 0..5 {
            assert_eq!(name(&again, v), name(&graph, v));
        }
        assert_eq!(again.vertex_columns(), graph.vertex_columns());
        let named = |g: &Graph| -> Vec<(u32, u32, String, Vec<f32>)> {
            let names = g.edge_names().unwrap();
            let edges = edges(g).into_iter();
            edges
                .map(|(a, b, l, v)| (a, b, names.name(l).unwrap().to_owned(), v))
                .collect()
        };
        assert_eq!(named(&again), named(&graph));
    }
}

#[test]
fn tve_keeps_labels_and_graphs() {
    for directed in [false, true] {
        let graph = rich(directed);
        let mut text = Vec::new();
        tve::write_graph(&graph, &mut text).unwrap();
        let options = ReadOptions {
            directed,
            ..ReadOptions::default()
        };
        let again = tve::read_graph(text.as_slice(), &options).unwrap();
        assert_eq!(again.labels(), graph.labels());
        assert_eq!(again.starts(), graph.starts());
        let plain =
            |g: &Graph| -> Vec<_> { edges(g).into_iter().map(|e| (e.0, e.1, e.2)).collect() };
        assert_eq!(plain(&again), plain(&graph));
    }
}

#[test]
fn edge_lists_are_read_with_gaps_comments_and_weights() {
    let text = "# SNAP\n% Konect\n7\t3\t0.5\n\n3,100,2\r\n";
    let list = edge_list::read(text.as_bytes(), Third::Weight, &ReadOptions::default()).unwrap();
    assert_eq!(list.ids, [3, 7, 100]);
    assert_eq!(
        edges(&list.graph),
        [(0, 1, 0, vec![0.5]), (0, 2, 0, vec![2.0])]
    );
    let mut written = Vec::new();
    edge_list::write(&list.graph, &mut written).unwrap();
    let again =
        edge_list::read(written.as_slice(), Third::Weight, &ReadOptions::default()).unwrap();
    assert_eq!(edges(&again.graph), edges(&list.graph));
    let both = ReadOptions {
        loops: Loops::Drop,
        parallel: Parallel::Collapse,
        directed: false,
    };
    let text = "0 1 4\n1 0 5\n1 1 6\n1 2 7\n";
    let list = edge_list::read(text.as_bytes(), Third::Label, &both).unwrap();
    assert_eq!(edges(&list.graph), [(0, 1, 4, vec![]), (1, 2, 7, vec![])]);
}

#[test]
fn metis_files_survive_a_round_trip() {
    let text = "% the manual's kind\n4 4 011 1\n2 2 7 3 8\n5 1 7 3 9\n\
                % in between\n6 1 8 2 9 4 1\n1 3 1\n";
    let graph = metis::read(text.as_bytes()).unwrap();
    assert_eq!((graph.vertices(), graph.edges()), (4, 4));
    assert_eq!(
        graph.vertex_columns().get("weight").unwrap(),
        [2.0, 5.0, 6.0, 1.0]
    );
    let edge = graph.edge(2, 1).unwrap();
    assert_eq!(
        graph.edge_columns().get("weight").unwrap()[edge.row as usize],
        9.0
    );
    let mut written = Vec::new();
    metis::write(&graph, &mut written).unwrap();
    let again = metis::read(written.as_slice()).unwrap();
    assert_eq!(edges(&again), edges(&graph));
    assert_eq!(again.vertex_columns(), graph.vertex_columns());
    // A vertex without neighbours has an empty line.
    assert_eq!(
        metis::read("3 1\n2\n1\n\n".as_bytes()).unwrap().vertices(),
        3
    );
}

fn demanding() -> Pattern {
    let angle = Near {
        period: Some(360.0),
        ..Near::new("angle", 350.0, 15.0)
    };
    let vertices = vec![
        PatternVertex {
            labels: Allowed::one(0),
            near: vec![Near::new("area", 1.5, 0.25)],
        },
        PatternVertex::default(),
    ];
    let edges = vec![PatternEdge {
        from: 1,
        to: 0,
        labels: Allowed::one(0),
        near: vec![Near::new("distance", 3.8, 1.0), angle],
    }];
    let names = |name: &str| Some(Labels::from_iter([name]));
    Pattern::new(true, vertices, edges)
        .unwrap()
        .named(names("HIS"), names("contact"))
}

#[test]
fn patterns_survive_json_and_graphml() {
    let pattern = demanding();
    let mut text = Vec::new();
    json::write_pattern(&pattern, &mut text).unwrap();
    assert_eq!(json::read_pattern(text.as_slice()).unwrap(), pattern);
    let mut text = Vec::new();
    graphml::write_pattern(&pattern, &mut text).unwrap();
    let again = graphml::read_pattern(text.as_slice(), &ReadOptions::default()).unwrap();
    assert_eq!(again, pattern);
    let text = "t 2 1\nv 0 * 1\nv 1 5 1\ne 0 1 *\n";
    let pattern = tve::read_pattern(text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(pattern.vertices()[0].labels, Allowed::Any);
    let mut written = Vec::new();
    tve::write_pattern(&pattern, &mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), text);
}

#[test]
fn names_are_translated_to_the_graphs() {
    let host = Host::new(rich(false)).unwrap();
    for (label, count) in [("SER", 1), ("HIS", 2), ("GLY", 0)] {
        let value = serde_json::json!({"vertices": [{"label": label}]});
        let pattern = json::from_value(&value).unwrap();
        let found = host.count(&pattern, &MatchOptions::default()).unwrap();
        assert_eq!(found.count, count, "{label}");
    }
    let mixed = serde_json::json!({"vertices": [{"label": ["HIS", 3]}]});
    let error = json::from_value(&mixed).unwrap_err().to_string();
    assert!(error.starts_with("vertices[0]: a label is `3`"), "{error}");
}

#[test]
fn faults_are_told_with_their_place() {
    let options = ReadOptions::default();
    let tve = |text: &str| {
        tve::read_graph(text.as_bytes(), &options)
            .unwrap_err()
            .to_string()
    };
    let list = |text: &str| {
        let read = edge_list::read(text.as_bytes(), Third::Weight, &options);
        read.unwrap_err().to_string()
    };
    let metis = |text: &str| metis::read(text.as_bytes()).unwrap_err().to_string();
    let graphml = |text: &str| {
        let read = graphml::read_graph(text.as_bytes(), &options);
        read.unwrap_err().to_string()
    };
    let json = |text: &str| json::read_pattern(text.as_bytes()).unwrap_err().to_string();
    for (message, wanted) in [
        (tve("v 0 1\n"), "line 1: a `t` line is missing"),
        (
            tve("t 1 0\nv 1 0\n"),
            "line 2: vertex 1 stands where 0 should",
        ),
        (tve("t 2 1\nv 0 1\nv 1 x\n"), "line 3: the label is `x`"),
        (tve("t 2 1\nv 0 1\nv 1 *\n"), "line 3: the label is `*`"),
        (
            tve("t 2 1\nv 0 1\nv 1 1\ne 0 2\n"),
            "line 4: vertex 2 is not one of the 2 announced",
        ),
        (
            tve("t 2 2\nv 0 1\nv 1 1\ne 0 1\n"),
            "line 4: the heading announces 2 edges",
        ),
        (
            tve("t 2 1\nv 0 1 5\nv 1 1 1\ne 0 1\n"),
            "line 2: vertex 0 is said to have 5 edges",
        ),
        (
            tve("t 2 1\nv 0 1\nv 1 1\ne 0 0\n"),
            "edge 0 joins vertex 0 to itself",
        ),
        (list("0 1\n0\n"), "line 2: the end is missing"),
        (list("0 1 nan\n"), "line 1: the weight is `nan`"),
        (
            list("0 1 2\n1 2\n"),
            "line 2: edges have weights either all or none",
        ),
        (list("0 1\n1 0\n"), "vertices 0 and 1 are joined twice"),
        (
            metis("2 1\n2\n\n"),
            "line 3: edge 1 - 2 is not listed the same at both ends",
        ),
        (
            metis("2 1 001\n2 5\n1 6\n"),
            "line 3: edge 1 - 2 is not listed",
        ),
        (
            metis("2 2\n2\n1\n"),
            "line 3: the heading announces 2 edges, and there are 1",
        ),
        (metis("1 0 7\n\n"), "line 1: the format is `7`"),
        (
            graphml("<graphml><graph><node/></graph></graphml>"),
            "byte 16: id is missing",
        ),
        (
            graphml("<graphml><graph><edge source=\"a\" target=\"b\"/>"),
            "byte 16: node `a` is not known",
        ),
        (graphml("<graphml></graph>"), "byte 9: not well-formed XML"),
        (
            json("{\"vertices\": [{\"lable\": 1}]}"),
            "vertices[0]: member `lable` is not known",
        ),
        (json("{\"vertices\": []}"), "the pattern has no vertex"),
        (json("{"), "the pattern is not valid JSON"),
    ] {
        assert!(message.starts_with(wanted), "{message} instead of {wanted}");
    }
}
