//! Networks over graphs of tables.

use super::*;
use crate::{Registry, RegistryOptions};

const PAIRS: [(u32, u32); 6] = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (1, 4)];

const LABELS: [Option<&str>; 6] = [
    Some("A"),
    Some("C"),
    Some("other"),
    None,
    Some("A"),
    Some(""),
];

fn with_labels(config: &mut serde_json::Value) {
    let width = config["in_channels"].as_u64().unwrap();
    config["graph"] = serde_json::json!({
        "from": "graph",
        "labels": ["A", "C"],
        "features": ["label", {"label_hash": width - 3}, "degree"],
    });
}

#[test]
fn vertices_equal_a_call_of_the_network() {
    for name in ["gin", "sage", "gat"] {
        let at = changed("labelled", name, with_labels);
        let checkpoint = Checkpoint::open(&at).unwrap();
        let network = GraphEncoder::load(&checkpoint).unwrap();
        let registry = Registry::new(RegistryOptions {
            paths: true,
            ..RegistryOptions::default()
        });
        let encoder = registry.get(at.to_str().unwrap()).unwrap();
        std::fs::remove_dir_all(&at).unwrap();
        assert_eq!(encoder.kind(), Kind::Graph);
        assert!(encoder.describe().contains("over labelled graphs"));
        assert_eq!(encoder.spec().pooling, Pooling::Whole);
        let graph = Graph::undirected(6, &PAIRS, None).unwrap();
        let given = encoder.vertices(&graph, &LABELS).unwrap();
        assert_eq!(given.len(), 6 * encoder.spec().dim.get());

        let width = network.inputs();
        let (signs, root) = (width - 3, 1.0 / ((width - 3) as f32).sqrt());
        let mut features = vec![0.0_f32; 6 * width];
        for (row, (label, vertex)) in features.chunks_mut(width).zip(LABELS.iter().zip(0..)) {
            match label {
                Some("A") => row[0] = 1.0,
                Some("C") => row[1] = 1.0,
                _ => {}
            }
            if let Some(label) = label {
                let mut hasher = blake3::Hasher::new_derive_key("penstock graph recipe label");
                hasher.update(label.as_bytes());
                let mut bytes = [0; 16];
                hasher.finalize_xof().fill(&mut bytes);
                for at in 0..signs {
                    let up = bytes[at / 8] >> (at % 8) & 1 == 1;
                    row[2 + at] = if up { root } else { -root };
                }
            }
            row[width - 1] = (graph.neighbours(vertex).len() as f32).ln_1p();
        }
        assert_eq!(given, network.vertices(&graph, features).unwrap(), "{name}");

        let error = encoder.vertices(&graph, &LABELS[..5]).unwrap_err();
        assert_eq!(error.to_string(), "5 labels for 6 vertices");
        let error = encoder.encode(&texts(&["ACGT"])).unwrap_err();
        assert!(error.to_string().contains("whole graphs"), "{error}");
    }
    // One over records has no vectors of graphs.
    let graph = Graph::undirected(6, &PAIRS, None).unwrap();
    let error = model("gin").vertices("gin", &graph, &LABELS).unwrap_err();
    assert_eq!(error.to_string(), "gin reads records, not graphs");
}

#[test]
fn recipes_that_make_no_sense_are_refused() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 5] = [
        ("graph.labels", |c| c["graph"]["labels"][1] = "A".into()),
        ("graph.labels", |c| {
            c["graph"]["labels"] = serde_json::json!([])
        }),
        ("graph.labels", |c| {
            c["graph"]["features"] = serde_json::json!(["degree"])
        }),
        ("graph.features", |c| {
            c["graph"]["features"][1]["label_hash"] = 0.into();
        }),
        ("in_channels", |c| {
            c["graph"]["features"][1]["label_hash"] = 1.into();
        }),
    ];
    for (key, change) in cases {
        let at = changed("refused", "gin", |config| {
            with_labels(config);
            change(config);
        });
        let error = GraphEncoder::load(&Checkpoint::open(&at).unwrap()).unwrap_err();
        std::fs::remove_dir_all(&at).unwrap();
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
}
