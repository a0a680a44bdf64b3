//! What the tests of all models of meshes share.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    FixedSizeListBuilder, Float64Builder, Int32Builder, ListBuilder, RecordBatch, StringArray,
};
use candle_core::{DType, Device, Tensor};
use penstock_types::{Pooling, columns};
use proptest::prelude::*;

use super::COLUMNS;
use crate::EmbedError;
use crate::checkpoint::Checkpoint;
use crate::mesh::vertex::Mesh;
use crate::model::{self, Model};

/// Largest difference of a hidden state that counts as the same.
pub(in crate::model) const SAME: f32 = 1e-4;

pub(in crate::model) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../bench/reference/golden")
        .join(name)
}

pub(in crate::model) fn checkpoint(name: &str) -> Checkpoint {
    Checkpoint::open(&folder(name)).unwrap()
}

pub(in crate::model) fn open(name: &str) -> Box<dyn Model> {
    model::load(&checkpoint(name), &Device::Cpu, crate::Precision::F32).unwrap()
}

/// A checkpoint whose configuration was changed.
pub(in crate::model) fn changed(
    name: &str,
    place: &Path,
    change: impl Fn(&mut serde_json::Value),
) -> Result<Box<dyn Model>, EmbedError> {
    let text = std::fs::read(folder(name).join("config.json")).unwrap();
    let mut config = serde_json::from_slice(&text).unwrap();
    change(&mut config);
    std::fs::write(place.join("config.json"), config.to_string()).unwrap();
    let weights = "model.safetensors";
    std::fs::copy(folder(name).join(weights), place.join(weights)).unwrap();
    model::load(
        &Checkpoint::open(place)?,
        &Device::Cpu,
        crate::Precision::F32,
    )
}

/// A folder that goes when the value does.
pub(in crate::model) struct Scratch(pub(in crate::model) PathBuf);

impl Scratch {
    pub(in crate::model) fn new(name: &str) -> Self {
        let place = format!("penstock-mesh-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(place);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The golden file of a model.
pub(in crate::model) struct Golden(HashMap<String, Tensor>);

impl Golden {
    pub(in crate::model) fn read(name: &str) -> Self {
        let file = folder(name).join("golden.safetensors");
        Self(candle_core::safetensors::load(file, &Device::Cpu).unwrap())
    }

    pub(in crate::model) fn numbers(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.0.get(name)?.flatten_all().unwrap();
        Some(tensor.to_dtype(DType::F32).unwrap().to_vec1().unwrap())
    }

    pub(in crate::model) fn edges(&self, case: usize) -> Option<Vec<u32>> {
        let tensor = self.0.get(&format!("{case}.edges"))?;
        let edges = tensor.flatten_all().unwrap().to_dtype(DType::U32).unwrap();
        Some(edges.to_vec1().unwrap())
    }

    pub(in crate::model) fn meshes(&self) -> Vec<Mesh> {
        let mut meshes = Vec::new();
        for case in 0.. {
            let Some(vertices) = self.0.get(&format!("{case}.vertices")) else {
                break;
            };
            let faces = &self.0[&format!("{case}.faces")];
            let points = vertices.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let faces = if faces.elem_count() == 0 {
                Vec::new()
            } else {
                let faces = faces.flatten_all().unwrap().to_dtype(DType::U32).unwrap();
                faces.to_vec1::<u32>().unwrap()
            };
            meshes.push(Mesh {
                points: points.chunks(3).map(|p| [p[0], p[1], p[2]]).collect(),
                faces: faces.chunks(3).map(|f| [f[0], f[1], f[2]]).collect(),
            });
        }
        meshes
    }
}

pub(in crate::model) fn batch(meshes: &[Mesh]) -> RecordBatch {
    let mut points = ListBuilder::new(FixedSizeListBuilder::new(Float64Builder::new(), 3));
    let mut faces = ListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 3));
    for mesh in meshes {
        for p in &mesh.points {
            points.values().values().append_slice(p);
            points.values().append(true);
        }
        for f in &mesh.faces {
            faces.values().values().append_slice(&f.map(|v| v as i32));
            faces.values().append(true);
        }
        points.append(true);
        faces.append(true);
    }
    let ids: Vec<String> = (0..meshes.len()).map(|i| format!("mesh-{i}")).collect();
    RecordBatch::try_from_iter([
        (columns::ID, Arc::new(StringArray::from(ids)) as _),
        (columns::VERTICES, Arc::new(points.finish()) as _),
        (columns::FACES, Arc::new(faces.finish()) as _),
    ])
    .unwrap()
}

pub(in crate::model) fn embed(
    model: &dyn Model,
    meshes: &[Mesh],
    pooling: Pooling,
) -> Vec<Vec<f32>> {
    model.embed("test", &batch(meshes), pooling).unwrap()
}

pub(in crate::model) fn same(given: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(given.len(), expected.len(), "{what}");
    let differences = given.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let worst = differences.fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: differs by {worst}");
    assert!(given.iter().all(|x| x.is_finite()), "{what}");
}

/// A closed surface whose vertices are all different: a torus with dents.
pub(in crate::model) fn torus(around: u32, across: u32) -> Mesh {
    let tau = std::f64::consts::TAU;
    let mut mesh = Mesh {
        points: Vec::new(),
        faces: Vec::new(),
    };
    for i in 0..around {
        for j in 0..across {
            let a = tau * f64::from(i) / f64::from(around);
            let b = tau * f64::from(j) / f64::from(across);
            let r = 0.4 + 0.1 * (3.0 * a).sin() + 0.03 * (5.0 * b).cos();
            let ring = 1.0 + r * b.cos();
            mesh.points
                .push([ring * a.cos(), ring * a.sin(), r * b.sin()]);
            let at = |i: u32, j: u32| i % around * across + j % across;
            let [p, q, s, t] = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
            mesh.faces.extend([[p, q, s], [p, s, t]]);
        }
    }
    mesh
}

/// The mesh with its vertices and faces in another order, and for each vertex where it went.
pub(in crate::model) fn renumbered(mesh: &Mesh, seed: u64) -> (Mesh, Vec<usize>) {
    use rand::{SeedableRng as _, seq::SliceRandom as _};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut to: Vec<usize> = (0..mesh.points.len()).collect();
    to.shuffle(&mut rng);
    let mut points = mesh.points.clone();
    for (point, to) in mesh.points.iter().zip(&to) {
        points[*to] = *point;
    }
    let mut faces: Vec<[u32; 3]> = mesh
        .faces
        .iter()
        .map(|face| face.map(|v| to[v as usize] as u32))
        .collect();
    faces.shuffle(&mut rng);
    (Mesh { points, faces }, to)
}

/// What holds for every model: a batch equals its records, whatever the threads; poolings are of
/// the vertices; renumbering changes rounding only.
pub(in crate::model) fn conforms(name: &str) {
    let model = open(name);
    let mut meshes = Golden::read(name).meshes();
    meshes.push(torus(40, 23));
    let width = model.width(Pooling::Mean);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    for pooling in [Pooling::None, Pooling::Mean, Pooling::Max] {
        let together = embed(&*model, &meshes, pooling);
        for (mesh, vector) in meshes.iter().zip(&together) {
            let alone = one.install(|| embed(&*model, std::slice::from_ref(mesh), pooling));
            assert_eq!(&alone[0], vector, "{name}");
        }
        if pooling == Pooling::None {
            continue;
        }
        let rows = embed(&*model, &meshes, Pooling::None);
        for (vector, rows) in together.iter().zip(rows) {
            let expected: Vec<f32> = (0..vector.len())
                .map(|j| {
                    let column = rows.chunks(width).map(|row| row[j]);
                    match pooling {
                        Pooling::Max => column.fold(f32::NEG_INFINITY, f32::max),
                        _ => column.sum::<f32>() / (rows.len() / width) as f32,
                    }
                })
                .collect();
            same(vector, &expected, 1e-5, name);
        }
    }
    for (case, mesh) in meshes.iter().enumerate() {
        let (other, to) = renumbered(mesh, 5 + case as u64);
        let before = &embed(&*model, std::slice::from_ref(mesh), Pooling::None)[0];
        let after = &embed(&*model, &[other], Pooling::None)[0];
        assert_eq!(before.len(), after.len());
        for (row, to) in before.chunks(width).zip(&to) {
            let moved = &after[to * width..(to + 1) * width];
            same(moved, row, 1e-5, &format!("{name}, case {case}"));
        }
    }
}

/// Moves a mesh.
pub(in crate::model) fn moved(mesh: &Mesh, by: [f64; 3], scale: f64) -> Mesh {
    let mut moved = mesh.clone();
    for p in &mut moved.points {
        for (x, by) in p.iter_mut().zip(by) {
            *x = *x * scale + by;
        }
    }
    moved
}

#[test]
fn inputs_that_a_mesh_lacks_are_named() {
    let place = Scratch::new("inputs");
    let error = |change: &dyn Fn(&mut serde_json::Value)| {
        let error = changed("transolver", &place.0, change).err().unwrap();
        let fault = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error} {}", fault.unwrap_or_default())
    };
    let text = error(&|config| config["inputs"][1] = "pressure".into());
    assert!(
        text.contains("pressure") && text.contains("gaussian_curvature"),
        "{text}"
    );
    let text = error(&|config| config["std"][2] = 0.into());
    assert!(text.contains("std") && text.contains("positive"), "{text}");
    let text = error(&|config| config["mean"] = serde_json::json!([1.0]));
    assert!(
        text.contains("mean") && text.contains("each input"),
        "{text}"
    );
    let text = error(&|config| config["frame"] = "world".into());
    assert!(text.contains("config.json"), "{text}");
    let text = error(&|config| config["act"] = "tanh".into());
    assert!(text.contains("tanh"), "{text}");
    let text = error(&|config| config["n_head"] = 5.into());
    assert!(text.contains("n_head"), "{text}");
    let text = error(&|config| config["n_layers"] = 2.into());
    assert!(text.contains("not part of the model `blocks.2."), "{text}");
    let text = error(&|config| config["n_layers"] = 4.into());
    assert!(text.contains("missing `blocks.3."), "{text}");
    let text = error(&|config| config["slice_num"] = 9.into());
    assert!(
        text.contains("in_project_slice.weight: [8, 8], expected [9, 8]"),
        "{text}"
    );
}

#[test]
fn what_needs_too_much_is_refused_with_the_number() {
    for name in ["transolver", "meshgraphnet"] {
        let place = Scratch::new(&format!("budget-{name}"));
        let model = changed(name, &place.0, |config| {
            config["memory_budget_bytes"] = 60_000.into();
        });
        let model = model.unwrap();
        let (small, large) = (torus(5, 4), torus(40, 30));
        let meshes = [small.clone(), small.clone(), small.clone()];
        let alone = open(name).embed("test", &batch(&[small]), Pooling::Mean);
        let vectors = embed(&*model, &meshes, Pooling::Mean);
        assert_eq!(vectors, vec![alone.unwrap().remove(0); 3]);
        let batch = batch(&[meshes[0].clone(), large]);
        let error = model.embed("test", &batch, Pooling::Mean).unwrap_err();
        let EmbedError::TooMuchMemory {
            row,
            id,
            bytes,
            budget,
        } = error
        else {
            unreachable!("{error}");
        };
        assert_eq!((row, id.as_deref(), budget), (1, Some("mesh-1"), 60_000));
        assert!(bytes > 60_000);
    }
}

#[test]
fn nothing_gives_nothing() {
    for name in ["transolver", "meshgraphnet"] {
        let none = Mesh {
            points: Vec::new(),
            faces: Vec::new(),
        };
        let vectors = embed(&*open(name), &[none], Pooling::Mean);
        assert_eq!(vectors, [Vec::<f32>::new()]);
    }
}

#[test]
fn the_registry_gives_forms_and_nulls() {
    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::Float16Type;
    let root = folder("").canonicalize().unwrap();
    let registry = crate::Registry::new(crate::RegistryOptions {
        root: Some(root),
        ..crate::RegistryOptions::default()
    });
    let available = registry.available();
    let of = |name: &str| available.iter().find(|a| a.name == name).unwrap();
    assert_eq!(of("transolver").dim, 32);
    assert_eq!(of("meshgraphnet-odd").dim, 19);
    assert_eq!(of("meshgraphnet").kind, penstock_types::Kind::Mesh);
    let mut points = torus(5, 4);
    points.faces.clear();
    let batch = batch(&[torus(5, 4), points, torus(5, 4)]);
    let vectors = registry.get("meshgraphnet").unwrap();
    assert_eq!(vectors.columns(), COLUMNS);
    let vectors = vectors.encode(&batch).unwrap();
    let vectors = vectors.as_fixed_size_list();
    assert_eq!((vectors.value_length(), vectors.null_count()), (32, 1));
    assert!(vectors.is_null(1));
    assert_eq!(&vectors.value(0), &vectors.value(2));
    let ragged = registry.get("transolver:none:f16").unwrap();
    let ragged = ragged.encode(&batch).unwrap();
    let rows = ragged.as_list::<i32>().value(1);
    assert_eq!(rows.len(), 20);
    let numbers = rows.as_fixed_size_list().values();
    assert_eq!(numbers.as_primitive::<Float16Type>().len(), 20 * 32);
    assert!(registry.get("transolver:cls").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn numbering_does_not_matter(
        around in 3_u32..12,
        across in 3_u32..9,
        dropped in 0_usize..40,
        seed in any::<u64>(),
    ) {
        let mut mesh = torus(around, across);
        // Holes, boundaries and vertices without faces.
        mesh.faces.truncate(mesh.faces.len().saturating_sub(dropped).max(1));
        let (other, to) = renumbered(&mesh, seed);
        for name in ["transolver-slices", "meshgraphnet", "meshgraphnet-odd"] {
            let model = open(name);
            let width = model.width(Pooling::None);
            let meshes = [mesh.clone(), other.clone()];
            let vectors = embed(&*model, &meshes, Pooling::None);
            for (row, to) in vectors[0].chunks(width).zip(&to) {
                same(&vectors[1][to * width..(to + 1) * width], row, 1e-5, name);
            }
        }
    }
}
