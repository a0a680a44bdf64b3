//! Parity with the reference, on the golden files of `bench/reference`, and what a vector must not
//! depend on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListBuilder, Float64Builder, Int32Builder, LargeListBuilder,
};
use proptest::prelude::*;

use super::*;

/// Largest difference of a number that counts as the same.
const SAME: f32 = 1e-4;

const GOLDEN: [&str; 7] = [
    "pointnet2",
    "pointnet2-normals",
    "pointnet2-msg",
    "dgcnn",
    "dgcnn-plain",
    "point-mae",
    "point-mae-encoder",
];

type Mesh = (Vec<Vec3>, Vec<[u32; 3]>);

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../bench/reference/golden")
        .join(name)
}

fn open(name: &str) -> CloudModel {
    CloudModel::load_on(&Checkpoint::open(&folder(name)).unwrap(), &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn same(given: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(given.len(), expected.len(), "{what}");
    let worst = given
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: differs by {worst}");
}

#[derive(Default)]
struct Stages(HashMap<String, Vec<f32>>);

impl Watch for Stages {
    fn stage(&mut self, name: &str, values: &Tensor) {
        self.0.insert(name.to_owned(), flat(values));
    }
}

/// A cloud of a golden file.
fn cloud(points: &Tensor) -> Cloud {
    let rows: Vec<Vec<f32>> = points.to_vec2().unwrap();
    let normals = rows[0].len() == 6;
    let normals = normals.then(|| rows.iter().map(|r| [r[3], r[4], r[5]]).collect());
    Cloud::given(
        Points::new(rows.iter().map(|r| [r[0], r[1], r[2]])),
        normals,
    )
}

#[test]
fn stages_equal_the_reference() {
    for name in GOLDEN {
        let model = open(name);
        let file = folder(name).join("golden.safetensors");
        let golden = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        let mut seen = 0;
        for case in 0.. {
            let Some(points) = golden.get(&format!("{case}.points")) else {
                assert_eq!(case, 3, "{name}");
                break;
            };
            let cloud = cloud(points);
            let mut stages = Stages::default();
            let encoded = model.layers.forward(&cloud, &mut stages).unwrap();
            let whole = model.pooled(&cloud, &[], &encoded, Pooling::Whole).unwrap();
            stages.0.insert("whole".to_owned(), whole);
            for (stage, values) in &stages.0 {
                let what = format!("{name} {case}.{stage}");
                same(values, &flat(&golden[&what[name.len() + 1..]]), SAME, &what);
                seen += 1;
            }
        }
        // Everything that the reference wrote was compared.
        assert_eq!(seen + 3, golden.len(), "{name}");
    }
}

fn batch(meshes: &[Mesh]) -> RecordBatch {
    let mut vertices = LargeListBuilder::new(FixedSizeListBuilder::new(Float64Builder::new(), 3));
    let mut faces = LargeListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 3));
    for (points, triangles) in meshes {
        for point in points {
            vertices.values().values().append_slice(point);
            vertices.values().append(true);
        }
        vertices.append(true);
        for face in triangles {
            faces
                .values()
                .values()
                .append_slice(&face.map(|v| v as i32));
            faces.values().append(true);
        }
        faces.append(true);
    }
    let (vertices, faces): (ArrayRef, ArrayRef) =
        (Arc::new(vertices.finish()), Arc::new(faces.finish()));
    RecordBatch::try_from_iter([("vertices", vertices), ("faces", faces)]).unwrap()
}

fn embed(model: &CloudModel, meshes: &[Mesh], pooling: Pooling) -> Vec<Vec<f32>> {
    model.embed("test", &batch(meshes), pooling).unwrap()
}

/// A torus of `2 n^2` triangles, bent so that it has no symmetry.
fn torus(n: usize) -> Mesh {
    let mut mesh = (Vec::new(), Vec::new());
    let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
    for i in 0..n {
        for j in 0..n {
            let (u, v) = (angle(i), angle(j));
            let r = 1.0 + 0.4 * v.cos();
            let (x, y, z) = (r * u.cos(), r * u.sin(), 0.4 * v.sin());
            mesh.0.push([x, y + 0.3 * x * x, z + 0.2 * x * y]);
            let at = |i: usize, j: usize| ((i % n) * n + j % n) as u32;
            mesh.1.push([at(i, j), at(i + 1, j), at(i, j + 1)]);
            mesh.1.push([at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)]);
        }
    }
    mesh
}

/// Eight corners, twelve faces: very many distances tie.
fn cube() -> Mesh {
    let corner = |i: u32| [i & 1, i >> 1 & 1, i >> 2 & 1].map(f64::from);
    let quads = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let halves = quads
        .iter()
        .flat_map(|[a, b, c, d]| [[*a, *b, *c], [*a, *c, *d]]);
    ((0..8).map(corner).collect(), halves.collect())
}

/// The mesh with vertices and faces in another order and faces turned, moved and scaled.
fn renumbered((vertices, faces): &Mesh, seed: u64, by: f64, to: Vec3) -> Mesh {
    let mut state = seed;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut order: Vec<usize> = (0..vertices.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random(i + 1));
    }
    let mut place = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old] = new as u32;
    }
    let moved = |i: &usize| std::array::from_fn(|k| vertices[*i][k] * by + to[k]);
    let mut faces: Vec<[u32; 3]> = faces
        .iter()
        .map(|face| {
            let mut face = face.map(|v| place[v as usize]);
            face.rotate_left(random(3));
            face
        })
        .collect();
    for i in (1..faces.len()).rev() {
        faces.swap(i, random(i + 1));
    }
    (order.iter().map(moved).collect(), faces)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The order of vertices and faces changes no bit; moving and scaling, none but by chance.
    #[test]
    fn orders_and_frames(
        seed in any::<u64>(),
        by in 0.01..100.0_f64,
        to in prop::array::uniform3(-10.0..10.0_f64),
        n in 3..9_usize,
    ) {
        for name in GOLDEN {
            let model = open(name);
            for mesh in [torus(n), cube(), (torus(n + 6).0, Vec::new()), (torus(3).0, Vec::new())] {
                if mesh.1.is_empty() && model.sampling.normals {
                    continue;
                }
                let same_place = renumbered(&mesh, seed, 1.0, [0.0; 3]);
                let elsewhere = renumbered(&mesh, seed, by, to);
                let all = embed(&model, &[mesh, same_place, elsewhere], Pooling::Whole);
                prop_assert_eq!(&all[0], &all[1], "{}", name);
                let pairs = all[0].iter().zip(&all[2]);
                let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                prop_assert!(worst <= 1e-5, "{}: {}", name, worst);
            }
        }
    }
}

#[test]
fn a_batch_equals_its_records() {
    let meshes = [torus(9), cube(), torus(5)];
    for name in GOLDEN {
        let model = open(name);
        for pooling in model.poolings() {
            let all = embed(&model, &meshes, *pooling);
            for (mesh, vector) in meshes.iter().zip(&all) {
                let items = if *pooling == Pooling::None {
                    mesh.0.len()
                } else {
                    1
                };
                assert_eq!(
                    vector.len(),
                    items * model.width(*pooling),
                    "{name} {pooling}"
                );
                assert!(vector.iter().all(|x| x.is_finite()));
                let alone = embed(&model, std::slice::from_ref(mesh), *pooling);
                assert_eq!(alone[0], *vector, "{name} {pooling}");
            }
            assert_ne!(all[0], all[1]);
        }
    }
}

#[test]
fn a_vertex_where_an_item_is_has_its_vector() {
    // Fewer vertices than points: each is a point, and for this model an item.
    let model = open("dgcnn");
    let vertices = torus(5).0;
    let mesh = (vertices.clone(), Vec::new());
    let cloud = Cloud::new(&vertices, &[], model.sampling).unwrap().unwrap();
    let encoded = model.layers.forward(&cloud, &mut Blind).unwrap();
    let items = flat(&encoded.items);
    let vectors = &embed(&model, &[mesh], Pooling::None)[0];
    for (place, vector) in cloud
        .place(&vertices)
        .iter()
        .zip(vectors.chunks(model.width))
    {
        let near = |p: &[f32; 3]| p.iter().zip(place).all(|(a, b)| (a - b).abs() < 1e-5);
        let at = cloud.points.iter().position(|p| near(&p)).unwrap();
        same(
            vector,
            &items[at * model.width..][..model.width],
            1e-3,
            "vertex",
        );
    }
}

#[test]
fn what_has_no_extent_is_null() {
    let dot = vec![[1.0, 2.0, 3.0]; 3];
    let flat = vec![[0.0; 3], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]];
    for name in GOLDEN {
        let model = open(name);
        let one = |mesh: &Mesh| embed(&model, std::slice::from_ref(mesh), Pooling::Whole).remove(0);
        let line = (flat.clone(), vec![[0, 1, 2]]);
        let point = (dot.clone(), vec![[0, 1, 2]]);
        assert!(one(&point).is_empty(), "{name}");
        if model.sampling.normals {
            assert!(one(&line).is_empty(), "{name}");
            let error = model
                .embed(
                    "test",
                    &batch(&[(flat.clone(), Vec::new())]),
                    Pooling::Whole,
                )
                .unwrap_err();
            let reason = MeshFault::NoNormals;
            assert!(matches!(error, EmbedError::InvalidMesh { reason: r, .. } if r == reason));
        } else {
            assert_eq!(one(&line), one(&(flat.clone(), Vec::new())), "{name}");
            assert!(!one(&line).is_empty(), "{name}");
            assert!(one(&(dot.clone(), Vec::new())).is_empty(), "{name}");
        }
        assert!(one(&(Vec::new(), Vec::new())).is_empty(), "{name}");
    }
}

#[test]
fn published_sizes_are_the_defaults() {
    for (keys, dim, tensors) in [
        (r#"{"model_type": "pointnet2"}"#, 1024, 54),
        (
            r#"{"model_type": "pointnet2", "multi_scale": true, "normals": true}"#,
            1024,
            126,
        ),
        (r#"{"model_type": "dgcnn"}"#, 2048, 25),
        (r#"{"model_type": "point-mae"}"#, 768, 156),
        (
            r#"{"model_type": "point-mae", "class_token": false}"#,
            768,
            154,
        ),
    ] {
        let folder = tempfile(keys);
        let checkpoint = Checkpoint::open(&folder).unwrap();
        assert_eq!(summary(&checkpoint).unwrap().dim, dim);
        let error = CloudModel::load_on(&checkpoint, &Device::Cpu)
            .err()
            .unwrap();
        let EmbedError::Checkpoint { fault, .. } = error else {
            panic!("{error}")
        };
        let CheckpointFault::Tensors(faults) = *fault else {
            panic!("{fault}")
        };
        assert_eq!(faults.missing.len(), tensors, "{keys}");
        assert_eq!(faults.extra, ["other"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn faults_of_a_configuration_are_named() {
    for (keys, expected) in [
        (
            r#"{"model_type": "dgcnn", "k": 2000}"#,
            "config.json: k is 2000, expected 1 to the number of points",
        ),
        (
            r#"{"model_type": "dgcnn", "widths": []}"#,
            "config.json: widths is [], expected one positive number or more",
        ),
        (
            r#"{"model_type": "dgcnn", "groups": 3}"#,
            "`config.json` is not what a checkpoint's should be",
        ),
        (
            r#"{"model_type": "point-mae", "num_heads": 7}"#,
            "config.json: num_heads is 7, expected a divisor of trans_dim",
        ),
        (
            r#"{"model_type": "point-mae", "encoder_dims": 7}"#,
            "config.json: encoder_dims is 7, expected trans_dim",
        ),
        (
            r#"{"model_type": "pointnet2", "points": 0}"#,
            "config.json: points is 0, expected 1 to 1048576",
        ),
        (
            r#"{"model_type": "pointnet2", "levels": [{"centres": 5, "scales": []}]}"#,
            "config.json: levels.scales is 0 of them, expected one, or with multi_scale one or more",
        ),
        (
            r#"{"model_type": "pointnet2", "levels": [{"centres": 5, "scales": [{"radius": 0, "samples": 1, "mlp": [1]}]}]}"#,
            "config.json: levels.scales.radius is 0, expected a positive number",
        ),
    ] {
        let folder = tempfile(keys);
        let error = summary(&Checkpoint::open(&folder).unwrap()).err().unwrap();
        assert_eq!(error.to_string(), expected, "{keys}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Wrappers put prefixes before names, and a normalisation has two names.
#[test]
fn names_as_files_have_them() {
    for (name, prefix, rename) in [
        ("dgcnn", "module.", Some((".1.", "conv", "bn"))),
        ("point-mae-encoder", "module.MAE_encoder.", None),
        ("point-mae", "module.", None),
        ("pointnet2-msg", "module.", None),
    ] {
        let from = folder(name);
        let tensors = candle_core::safetensors::load(from.join("model.safetensors"), &Device::Cpu);
        let tensors: HashMap<String, Tensor> = tensors
            .unwrap()
            .into_iter()
            .filter(|(name, _)| rename.is_none() || !name.starts_with("bn"))
            .map(|(name, tensor)| {
                let name = match rename {
                    Some((part, from, to)) if name.contains(part) => {
                        name.replace(from, to).replace(part, ".")
                    }
                    _ => name,
                };
                (format!("{prefix}{name}"), tensor)
            })
            .collect();
        let to = tempfile(&std::fs::read_to_string(from.join("config.json")).unwrap());
        candle_core::safetensors::save(&tensors, to.join("model.safetensors")).unwrap();
        let model = CloudModel::load_on(&Checkpoint::open(&to).unwrap(), &Device::Cpu).unwrap();
        assert_eq!(model.digest, open(name).digest);
        assert_eq!(
            embed(&model, &[cube()], Pooling::Whole),
            embed(&open(name), &[cube()], Pooling::Whole)
        );
        std::fs::remove_dir_all(to).unwrap();
    }
}

/// A checkpoint's folder with this configuration and one tensor that belongs to no model.
fn tempfile(config: &str) -> PathBuf {
    let name = format!(
        "penstock-clouds-{}-{}",
        std::process::id(),
        blake3::hash(config.as_bytes())
    );
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.json"), config).unwrap();
    let tensor = Tensor::new(&[1_f32], &Device::Cpu).unwrap();
    let tensors = HashMap::from([("other".to_owned(), tensor)]);
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    folder
}
