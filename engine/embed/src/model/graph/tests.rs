//! Parity with torch_geometric on the golden files of `bench/reference`, and what holds of records.

mod labelled;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BooleanBuilder, FixedSizeListBuilder, Float32Builder, Float64Builder,
    Int32Builder, ListBuilder, StringArray,
};
use candle_core::DType;
use penstock_types::columns;
use proptest::prelude::*;

use super::*;

const GOLDEN: [&str; 10] = [
    "gin",
    "gin-odd",
    "gin-cat",
    "sage",
    "sage-max",
    "sage-graph",
    "gat",
    "gat-mean",
    "gat-v2",
    "gat-v2-shared",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../bench/reference/golden")
        .join(name)
}

fn open(name: &str) -> GraphEncoder {
    GraphEncoder::load(&Checkpoint::open(&folder(name)).unwrap()).unwrap()
}

fn model(name: &str) -> GraphModel {
    GraphModel::load_on(&Checkpoint::open(&folder(name)).unwrap(), &Device::Cpu).unwrap()
}

fn golden(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(folder(name).join("golden.safetensors"), &Device::Cpu).unwrap()
}

fn numbers(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn same(given: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(given.dims(), expected.dims(), "{what}");
    let pairs = numbers(given).into_iter().zip(numbers(expected));
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-4, "{what}: differs by {worst}");
}

#[test]
fn every_layer_equals_the_reference() {
    for name in GOLDEN {
        let (encoder, golden) = (open(name), golden(name));
        for case in 0..3 {
            let features = &golden[&format!("{case}.features")];
            let ends = golden[&format!("{case}.edges")]
                .to_dtype(DType::U32)
                .unwrap();
            let ends: Vec<Vec<u32>> = ends.to_vec2().unwrap();
            let edges: Vec<(u32, u32)> = ends[0]
                .iter()
                .copied()
                .zip(ends[1].iter().copied())
                .collect();
            let graph = Graph::from_edges(features.dims()[0], &edges).unwrap();
            let mut layers = 0;
            let out = encoder
                .forward(&graph, numbers(features), |layer, states| {
                    let expected = &golden[&format!("{case}.hidden.{layer}")];
                    same(
                        states,
                        expected,
                        &format!("{name}, case {case}, layer {layer}"),
                    );
                    layers += 1;
                })
                .unwrap();
            assert!(golden.contains_key(&format!("{case}.hidden.{}", layers - 1)));
            assert!(!golden.contains_key(&format!("{case}.hidden.{layers}")));
            same(
                &out,
                &golden[&format!("{case}.out")],
                &format!("{name}, case {case}"),
            );
            let vertices = encoder.vertices(&graph, numbers(features)).unwrap();
            assert_eq!(vertices, numbers(&out));
            assert_eq!(vertices.len(), graph.vertices() * encoder.width());
        }
    }
}

#[test]
fn features_of_another_width_are_refused() {
    let encoder = open("gin-odd");
    let graph = Graph::from_edges(4, &[(0, 1)]).unwrap();
    let error = encoder.vertices(&graph, vec![0.0; 21]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "21 numbers as features of 4 vertices, and the model reads 5 for each"
    );
    let none = Graph::from_edges(0, &[]).unwrap();
    assert!(encoder.vertices(&none, Vec::new()).unwrap().is_empty());
}

/// A checkpoint's folder with the weights of another and a changed configuration.
fn changed(name: &str, of: &str, change: impl Fn(&mut serde_json::Value)) -> PathBuf {
    let at = std::env::temp_dir().join(format!("penstock-graph-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&at).unwrap();
    std::fs::copy(
        folder(of).join("model.safetensors"),
        at.join("model.safetensors"),
    )
    .unwrap();
    let config = std::fs::read(folder(of).join("config.json")).unwrap();
    let mut config = serde_json::from_slice(&config).unwrap();
    change(&mut config);
    std::fs::write(at.join("config.json"), config.to_string()).unwrap();
    at
}

fn refusal(name: &str, of: &str, change: impl Fn(&mut serde_json::Value)) -> String {
    let at = changed(name, of, change);
    let checkpoint = Checkpoint::open(&at).unwrap();
    let error = crate::model::load(&checkpoint, &Device::Cpu, crate::Precision::F32)
        .err()
        .unwrap();
    std::fs::remove_dir_all(&at).unwrap();
    let EmbedError::Checkpoint { fault, .. } = error else {
        panic!("{error}");
    };
    match *fault {
        CheckpointFault::Json { source, .. } => source.to_string(),
        fault => fault.to_string(),
    }
}

#[test]
fn contradictions_are_named() {
    let said = refusal("width", "gin", |c| {
        c["graph"]["features"] = vec!["residue"].into()
    });
    assert!(
        said.contains("in_channels is 22, and the features of graph have 21 numbers"),
        "{said}"
    );
    let said = refusal("graph", "gin", |c| {
        c.as_object_mut().unwrap().remove("graph");
    });
    assert!(said.contains("graph.from is missing"), "{said}");
    let said = refusal("k", "gat", |c| c["graph"]["k"] = 12.into());
    assert!(
        said.contains("graph.k is 12, expected an odd number from 3 to 31"),
        "{said}"
    );
    let said = refusal("cutoff", "gin", |c| {
        c["graph"]["cutoff_angstrom"] = 0.into()
    });
    assert!(said.contains("graph.cutoff_angstrom is 0"), "{said}");
    let said = refusal("heads", "gin", |c| c["heads"] = 2.into());
    assert!(said.contains("heads is given for a gin"), "{said}");
    let said = refusal("divide", "gat", |c| c["heads"] = 3.into());
    assert!(said.contains("heads is 3, expected a divisor"), "{said}");
    let said = refusal("edge", "gat", |c| c["edge_dim"] = 3.into());
    assert!(said.contains("unknown field `edge_dim`"), "{said}");
    let said = refusal("act", "gin", |c| c["act"] = "softsign".into());
    assert!(said.contains("act is softsign"), "{said}");
    let said = refusal("norm", "gin", |c| c["norm"] = "LayerNorm".into());
    assert!(
        said.contains("norm_kwargs.mode is graph, expected node"),
        "{said}"
    );
    let said = refusal("tensors", "gin", |c| {
        c["num_layers"] = 4.into();
        c["norm"] = serde_json::Value::Null;
    });
    for part in [
        "missing `convs.3.eps`",
        "not part of the model `convs.0.nn.norms.0.module.bias`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let said = refusal("shape", "gin", |c| c["hidden_channels"] = 8.into());
    assert!(
        said.contains("convs.0.nn.lins.0.bias: [16], expected [8]"),
        "{said}"
    );
}

/// C-alpha atoms, of which some may be missing.
type Atoms = Vec<Option<[f32; 3]>>;

/// Vertices and faces.
type Shape = (Vec<[f64; 3]>, Vec<[i32; 3]>);

/// A protein's columns; an atom may be missing, and so may all.
fn proteins(rows: &[(&str, Option<Atoms>)]) -> RecordBatch {
    let mut places = ListBuilder::new(FixedSizeListBuilder::new(Float32Builder::new(), 3));
    let mut present = ListBuilder::new(BooleanBuilder::new());
    for (_, atoms) in rows {
        for atom in atoms.iter().flatten() {
            places
                .values()
                .values()
                .append_slice(&atom.unwrap_or_default());
            places.values().append(true);
            present.values().append_value(atom.is_some());
        }
        places.append(atoms.is_some());
        present.append(atoms.is_some());
    }
    let sequences: StringArray = rows.iter().map(|(sequence, _)| Some(*sequence)).collect();
    RecordBatch::try_from_iter([
        (columns::SEQUENCE, Arc::new(sequences) as ArrayRef),
        (columns::CA_XYZ, Arc::new(places.finish())),
        (columns::CA_PRESENT, Arc::new(present.finish())),
    ])
    .unwrap()
}

fn helix(len: usize) -> Atoms {
    (0..len)
        .map(|i| {
            let turn = 100.0_f32.to_radians() * i as f32;
            (i % 7 != 3).then_some([2.3 * turn.cos(), 2.3 * turn.sin(), 1.5 * i as f32])
        })
        .collect()
}

fn meshes(rows: &[Shape]) -> RecordBatch {
    let mut points = ListBuilder::new(FixedSizeListBuilder::new(Float64Builder::new(), 3));
    let mut faces = ListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 3));
    for (p, f) in rows {
        for point in p {
            points.values().values().append_slice(point);
            points.values().append(true);
        }
        for face in f {
            faces.values().values().append_slice(face);
            faces.values().append(true);
        }
        points.append(true);
        faces.append(true);
    }
    RecordBatch::try_from_iter([
        (columns::VERTICES, Arc::new(points.finish()) as ArrayRef),
        (columns::FACES, Arc::new(faces.finish())),
    ])
    .unwrap()
}

/// A bent strip of `n` squares.
fn strip(n: i32) -> Shape {
    let points = (0..=n)
        .flat_map(|i| {
            let x = f64::from(i);
            [[x, 0.0, (x * 0.9).sin()], [x, 1.0 + 0.1 * x, x.cos()]]
        })
        .collect();
    let faces = (0..n)
        .flat_map(|i| {
            let at = 2 * i;
            [[at, at + 2, at + 1], [at + 1, at + 2, at + 3]]
        })
        .collect();
    (points, faces)
}

fn texts(rows: &[&str]) -> RecordBatch {
    let sequences: StringArray = rows.iter().map(|row| Some(*row)).collect();
    RecordBatch::try_from_iter([(columns::SEQUENCE, Arc::new(sequences) as ArrayRef)]).unwrap()
}

/// Each model with a batch of its records.
fn batches() -> Vec<(GraphModel, RecordBatch)> {
    let sequence = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVK";
    let proteins = proteins(&[
        (sequence, Some(helix(60))),
        (&sequence[..9], None),
        ("", Some(Vec::new())),
        (&sequence[..1], Some(vec![Some([1.0; 3])])),
        ("XAB", Some(vec![None; 3])),
        (&sequence[3..40], Some(helix(37))),
    ]);
    let strips = || meshes(&[strip(9), (Vec::new(), Vec::new()), strip(1), strip(300)]);
    let long: String = (0..4000_u32)
        .map(|i| char::from(b"ACGT"[(i.wrapping_mul(2_654_435_761) >> 13) as usize % 4]))
        .collect();
    let bases = texts(&[&long, "", "ACGTACGTAC", "ACGTTGCATTGACGTTGCATTCACGTTGCATTG"]);
    vec![
        (model("gin"), proteins),
        (model("sage"), strips()),
        (model("sage-max"), strips()),
        (model("gat"), bases),
    ]
}

#[test]
fn a_batch_equals_its_records() {
    for (model, batch) in batches() {
        for pooling in model.poolings() {
            let all = model.embed("test", &batch, *pooling).unwrap();
            for (row, vector) in all.iter().enumerate() {
                let one = model.embed("test", &batch.slice(row, 1), *pooling).unwrap();
                assert_eq!(&one[0], vector, "{}, {pooling:?}", model.about());
                assert!(vector.iter().all(|x| x.is_finite()));
                assert_eq!(vector.len() % model.width(*pooling), 0);
            }
        }
    }
}

#[test]
fn poolings_are_of_the_vertices() {
    for (model, batch) in batches() {
        let each = model.embed("test", &batch, Pooling::None).unwrap();
        let mean = model.embed("test", &batch, Pooling::Mean).unwrap();
        let max = model.embed("test", &batch, Pooling::Max).unwrap();
        let width = model.width(Pooling::Mean);
        for ((each, mean), max) in each.iter().zip(mean).zip(max) {
            assert_eq!(each.is_empty(), mean.is_empty());
            let count = (each.len() / width) as f32;
            for (k, x) in mean.iter().enumerate() {
                let column = || each.iter().skip(k).step_by(width);
                assert!((column().sum::<f32>() / count - x).abs() < 1e-4);
                assert_eq!(column().copied().fold(f32::NEG_INFINITY, f32::max), max[k]);
            }
        }
    }
}

#[test]
fn each_residue_face_or_point_has_a_vector() {
    let lengths: Vec<Vec<usize>> = batches()
        .iter()
        .map(|(model, batch)| {
            let each = model.embed("test", batch, Pooling::None).unwrap();
            let width = model.width(Pooling::None);
            each.iter().map(|vectors| vectors.len() / width).collect()
        })
        .collect();
    assert_eq!(lengths[0], [60, 0, 0, 1, 0, 37]);
    assert_eq!(lengths[1], [18, 0, 2, 600]);
    assert_eq!(lengths[2], [20, 0, 4, 602]);
    assert!(lengths[3][0] >= 1 && lengths[3][1..3] == [0, 0] && lengths[3][3] > 1);
}

#[test]
fn a_chain_without_atoms_may_have_its_sequence() {
    let at = changed("sequence", "gin", |c| {
        c["graph"]["without_coordinates"] = "sequence".into();
    });
    let checkpoint = Checkpoint::open(&at).unwrap();
    let other = GraphModel::load_on(&checkpoint, &Device::Cpu).unwrap();
    std::fs::remove_dir_all(&at).unwrap();
    let batch = proteins(&[("MKV", None), ("MKV", Some(vec![None; 3])), ("", None)]);
    let vectors = other.embed("test", &batch, Pooling::Mean).unwrap();
    assert_eq!(vectors[0], vectors[1]);
    assert_eq!((vectors[0].len(), vectors[2].len()), (16, 0));
    assert_ne!(other.digest(), model("gin").digest());
}

#[test]
fn records_that_contradict_themselves_are_refused() {
    let batch = proteins(&[("MKV", Some(vec![None; 2]))]);
    let error = model("gin")
        .embed("test", &batch, Pooling::Mean)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 0 of the batch has 3 residues, 2 C-alpha positions and 2 marks of their presence"
    );
    let batch = meshes(&[strip(2), (vec![[0.0; 3]], vec![[0, 0, 1]])]);
    let error = model("sage")
        .embed("test", &batch, Pooling::Mean)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("row 1 of the batch: face 0 names vertex 1"),
        "{error}"
    );
    let error = model("gin")
        .embed("test", &texts(&["MKV"]), Pooling::Mean)
        .unwrap_err();
    assert!(error.to_string().contains("ca_present"), "{error}");
}

#[test]
fn the_registry_gives_their_encoders() {
    use crate::{Registry, RegistryOptions};
    let registry = Registry::new(RegistryOptions {
        root: Some(folder("")),
        paths: false,
        ..RegistryOptions::default()
    });
    let batch = proteins(&[("MKV", Some(helix(3))), ("MKV", None)]);
    let encoder = registry.get("gin:max").unwrap();
    assert_eq!(encoder.kind(), Kind::Protein);
    assert_eq!(
        encoder.columns(),
        [columns::SEQUENCE, columns::CA_XYZ, columns::CA_PRESENT]
    );
    assert_eq!(
        encoder.describe(),
        "GIN over contacts of residues, 3 layers"
    );
    let vectors = encoder.encode(&batch).unwrap();
    assert!(vectors.is_valid(0) && vectors.is_null(1));
    assert!(registry.get("gin:cls").is_err());
    let found = registry.available();
    for (name, dim, kind) in [
        ("gin", 16, Kind::Protein),
        ("sage", 12, Kind::Mesh),
        ("sage-max", 19, Kind::Mesh),
        ("gat", 16, Kind::Dna),
    ] {
        let found = found.iter().find(|found| found.name == name).unwrap();
        assert_eq!((found.dim, found.kind), (dim, kind));
    }
    // Without `graph` it is for graphs of one's own.
    assert!(!found.iter().any(|found| found.name == "gin-odd"));
}

#[test]
fn both_strands_have_one_vector() {
    let sequence = "ACGTTGCATTGACGTTGCATTCACGTTGCATTGGATTACAGATTACA";
    let other: String = sequence
        .chars()
        .rev()
        .map(|base| match base {
            'A' => 'T',
            'C' => 'G',
            'G' => 'C',
            _ => 'A',
        })
        .collect();
    let vectors = model("gat")
        .embed("test", &texts(&[sequence, &other]), Pooling::Mean)
        .unwrap();
    assert!(!vectors[0].is_empty());
    assert_eq!(vectors[0], vectors[1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn vertices_have_no_order(seed in any::<u64>()) {
        use rand::{SeedableRng as _, seq::SliceRandom as _};
        let (points, faces) = strip(12);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut place: Vec<i32> = (0..points.len() as i32).collect();
        place.shuffle(&mut rng);
        let mut moved = points.clone();
        for (point, to) in points.iter().zip(&place) {
            moved[*to as usize] = *point;
        }
        let mut shuffled: Vec<[i32; 3]> =
            faces.iter().map(|face| face.map(|v| place[v as usize])).collect();
        shuffled.shuffle(&mut rng);
        let batch = meshes(&[(points, faces), (moved, shuffled)]);
        for name in ["sage", "sage-max"] {
            let vectors = model(name).embed("test", &batch, Pooling::Mean).unwrap();
            for (x, y) in vectors[0].iter().zip(&vectors[1]) {
                prop_assert!((x - y).abs() < 1e-4, "{} {}", x, y);
            }
        }
    }
}
