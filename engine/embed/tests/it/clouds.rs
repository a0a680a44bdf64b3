//! Models of clouds of points, through the registry, on files of the corpus.

use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Float32Type;
use penstock_embed::{Registry, RegistryOptions};

use crate::common::{Mesh, corpus, meshes};
use crate::mesh::obj;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/reference/golden")
}

fn registry() -> Registry {
    Registry::new(RegistryOptions {
        root: Some(golden()),
        ..RegistryOptions::default()
    })
}

/// The vectors of a batch, one number after another; none for a null.
fn vectors(name: &str, batch: &RecordBatch) -> Vec<Option<Vec<f32>>> {
    let encoder = registry().get(name).unwrap();
    let array = encoder.encode(batch).unwrap();
    assert_eq!(array.data_type(), encoder.spec().field().data_type());
    let flat = |values: &dyn arrow::array::Array| {
        let vector = values.as_primitive::<Float32Type>().values().to_vec();
        assert!(vector.iter().all(|x| x.is_finite()));
        vector
    };
    (0..array.len())
        .map(|row| {
            array
                .is_valid(row)
                .then(|| match array.as_list_opt::<i32>() {
                    Some(lists) => flat(lists.value(row).as_fixed_size_list().values().as_ref()),
                    None => flat(array.as_fixed_size_list().value(row).as_ref()),
                })
        })
        .collect()
}

#[test]
fn forms_of_a_checkpoint() {
    let line: Mesh = (vec![[0.0; 3], [1.0, 0.0, 0.0], [5.0, 2.0, 0.0]], Vec::new());
    let nothing: Mesh = (Vec::new(), Vec::new());
    let batch = meshes(&[line.clone(), nothing, line]);
    for (name, len) in [
        ("dgcnn", 80),
        ("dgcnn:mean", 40),
        ("dgcnn:max", 40),
        ("dgcnn:none", 3 * 40),
        ("point-mae:cls", 24),
        ("pointnet2:none", 3 * 40),
    ] {
        let vectors = vectors(name, &batch);
        assert_eq!(vectors[0].as_ref().map(Vec::len), Some(len), "{name}");
        assert_eq!(vectors[1], None, "{name}");
        assert_eq!(vectors[0], vectors[2], "{name}");
    }
    let error = registry().get("dgcnn:cls").err().unwrap();
    assert!(
        error.to_string().contains("whole, max, mean, none"),
        "{error}"
    );
    let found = registry().available();
    let found = found.iter().find(|found| found.name == "dgcnn").unwrap();
    assert_eq!((found.dim, found.kind), (80, penstock_types::Kind::Mesh));
    assert_eq!(found.about, "DGCNN, 4 levels, 6 neighbours, 70 points");
}

#[test]
fn corpus_meshes() {
    for name in [
        "models/cow",
        "models/suzanne",
        "models/teapot",
        "models/ogre",
        "models/stanford-bunny",
        "models/fandisk",
        "models/homer",
        "models/cheburashka",
        "models/spot",
        "models/rocker-arm",
        "models/beetle",
        "ok/polygonfaces",
        "ok/cubevt",
        "ok/cube_compressed",
        "ok/two_objects",
        "bad/emptyIO/obj_points",
        "bad/empty",
    ] {
        let Some(path) = corpus(&format!("mesh/{name}.obj")) else {
            continue;
        };
        let mesh = obj(&std::fs::read_to_string(path).unwrap());
        let has_faces = !mesh.1.is_empty();
        let extent = mesh.0.iter().any(|p| *p != mesh.0[0]);
        let batch = meshes(std::slice::from_ref(&mesh));
        for model in ["pointnet2", "pointnet2-msg", "dgcnn", "point-mae"] {
            if model == "pointnet2-msg" && !has_faces {
                continue;
            }
            let whole = vectors(model, &batch).remove(0);
            assert_eq!(whole.is_some(), extent, "{model} of {name}");
            let items = vectors(&format!("{model}:none"), &batch).remove(0);
            let width = registry()
                .get(&format!("{model}:none"))
                .unwrap()
                .spec()
                .dim
                .get();
            let items = items.map_or(0, |items| items.len() / width);
            assert_eq!(
                items,
                if extent { mesh.0.len() } else { 0 },
                "{model} of {name}"
            );
        }
    }
}
