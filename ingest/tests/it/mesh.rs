//! The mesh corpus, against the counts of trimesh, meshio and vtk.
//!
//! `tests/reference/mesh_counts.py` made the golden figures, and says where definitions differ.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use penstock_ingest::{ReadError, ReadOptions, Source};
use penstock_types::{ErrorCode, Kind, columns};
use serde_json::Value;

const GOLDEN: &str = include_str!("../reference/mesh_counts.json");

fn corpus() -> Option<PathBuf> {
    super::corpus("mesh")
}

fn read(path: &Path) -> Result<super::Read, ReadError> {
    super::read(Source::path(path), &ReadOptions::default())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch
        .column_by_name(name)
        .expect("a column of the contract")
}

fn number(batch: &RecordBatch, name: &str) -> i64 {
    column(batch, name).as_primitive::<Int64Type>().value(0)
}

fn real(batch: &RecordBatch, name: &str) -> f64 {
    column(batch, name).as_primitive::<Float64Type>().value(0)
}

fn list_length(batch: &RecordBatch, name: &str) -> usize {
    column(batch, name).as_list::<i32>().value(0).len()
}

fn defects(batch: &RecordBatch) -> Vec<String> {
    let defects = column(batch, columns::DEFECTS).as_list::<i32>().value(0);
    let defects = defects.as_string::<i32>();
    defects.iter().flatten().map(str::to_owned).collect()
}

/// Relative tolerance. trimesh rounds the text of a PLY file to the `float` that the header says;
/// here the text is kept as it is.
fn tolerance(name: &str) -> f64 {
    if name.ends_with(".ply") { 1e-6 } else { 1e-9 }
}

fn assert_close(found: f64, wanted: f64, tolerance: f64, scale: f64, what: &str) {
    assert!(
        (found - wanted).abs() <= tolerance * scale.max(wanted.abs()),
        "{what}: {found}, not {wanted}"
    );
}

#[test]
fn counts_are_those_of_trimesh_meshio_and_vtk() {
    let Some(corpus) = corpus() else { return };
    let golden: serde_json::Map<String, Value> = serde_json::from_str(GOLDEN).unwrap();
    assert!(golden.len() > 40);
    for (name, wanted) in &golden {
        let super::Read { batches, report } = read(&corpus.join(name)).unwrap();
        // The archive holds a second member, which macOS adds and which is no mesh.
        assert_eq!(batches.len(), 1, "{name}: {report:?}");
        let batch = &batches[0];
        assert_eq!(batch.schema(), columns::schema(Kind::Mesh));
        assert_eq!(batch.num_rows(), 1);
        for (ours, theirs) in [
            (columns::VERTEX_COUNT, "vertices"),
            (columns::FACE_COUNT, "triangles"),
            (columns::COMPONENTS, "components"),
            (columns::EULER, "euler"),
        ] {
            assert_eq!(
                Some(number(batch, ours)),
                wanted[theirs].as_i64(),
                "{name}: {theirs}"
            );
        }
        if let Some(polygons) = wanted["polygons"].as_u64() {
            assert_eq!(
                list_length(batch, columns::POLYGON_SIZES) as u64,
                polygons,
                "{name}"
            );
        }
        if wanted["volume_cells"].as_u64() > Some(0) {
            let cells = list_length(batch, columns::CELL_TYPES) as u64;
            assert_eq!(Some(cells), wanted["volume_cells"].as_u64(), "{name}");
        }
        let watertight = column(batch, columns::WATERTIGHT).as_boolean().value(0);
        assert_eq!(Some(watertight), wanted["watertight"].as_bool(), "{name}");
        let tolerance = tolerance(name);
        let area = wanted["area"].as_f64().unwrap();
        assert_close(real(batch, columns::AREA), area, tolerance, 0.0, name);
        assert_eq!(
            column(batch, columns::VOLUME).is_null(0),
            !watertight,
            "{name}"
        );
        if let Some(volume) = wanted["volume"].as_f64() {
            let found = real(batch, columns::VOLUME);
            assert_close(
                found,
                volume,
                1e-9,
                area.powf(1.5) * 1e-3,
                &format!("{name} volume"),
            );
        }
        for (side, column_name) in [columns::BOUNDS_MIN, columns::BOUNDS_MAX]
            .iter()
            .enumerate()
        {
            let found = column(batch, column_name).as_fixed_size_list().value(0);
            for axis in 0..3 {
                let found = found.as_primitive::<Float64Type>().value(axis);
                let wanted = wanted["bounds"][side][axis].as_f64().unwrap();
                assert_close(
                    found,
                    wanted,
                    tolerance,
                    0.0,
                    &format!("{name} {column_name}"),
                );
            }
        }
    }
}

#[test]
fn every_file_of_the_good_folders_has_a_figure() {
    let Some(corpus) = corpus() else { return };
    let golden: serde_json::Map<String, Value> = serde_json::from_str(GOLDEN).unwrap();
    for folder in ["ok", "vtk", "models", "cfd"] {
        for entry in std::fs::read_dir(corpus.join(folder)).unwrap() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(golden.contains_key(&name), "{name}");
        }
    }
}

#[test]
fn the_motorbike_has_its_patches() {
    let Some(corpus) = corpus() else { return };
    let super::Read { batches, .. } = read(&corpus.join("cfd/motorBike.obj.gz")).unwrap();
    let batch = &batches[0];
    assert_eq!(number(batch, columns::VERTEX_COUNT), 132_871);
    assert_eq!(number(batch, columns::FACE_COUNT), 331_653);
    assert_eq!(list_length(batch, columns::GROUP_NAMES), 67);
    let groups = column(batch, columns::FACE_GROUP).as_list::<i32>().value(0);
    let mut used = [false; 67];
    for group in groups.as_primitive::<Int32Type>().values() {
        used[usize::try_from(*group).expect("every face has a group")] = true;
    }
    assert_eq!(used, [true; 67]);
    assert_eq!(
        column(batch, columns::ID).as_string::<i32>().value(0),
        "motorBike.obj"
    );
}

#[test]
fn solids_and_objects_are_groups() {
    let Some(corpus) = corpus() else { return };
    for (name, groups) in [
        (
            "ok/two_objects_mixed_case_names.stl",
            &["CubeExportedFromCAD", "TranslatedCubeExportedFromCAD"][..],
        ),
        ("ok/two_objects.obj", &["cube", "tetra"]),
    ] {
        let super::Read { batches, .. } = read(&corpus.join(name)).unwrap();
        let found = column(&batches[0], columns::GROUP_NAMES)
            .as_list::<i32>()
            .value(0);
        let found: Vec<&str> = found.as_string::<i32>().iter().flatten().collect();
        assert_eq!(found, groups, "{name}");
    }
}

/// What each bad file must come to: words of the error, or of the warning.
const BAD: [(&str, bool, &str); 15] = [
    // A clean closed surface, of which the file leaves the normals out.
    ("busted.STL", true, "normals of 3878 facets are zero"),
    ("empty.obj", false, "`v` lines"),
    ("empty.ply", false, "one vertex"),
    ("empty.stl", false, "facets"),
    ("emptyIO/obj_empty.obj", false, "`v` lines"),
    ("emptyIO/obj_points.obj", true, "no faces"),
    ("emptyIO/ply_empty_header.ply", false, "element `vertex`"),
    ("emptyIO/stl_empty_ascii.stl", false, "facets"),
    ("emptyIO/stl_empty_bin.stl", false, "0 facets"),
    // Its material library does not exist; the mesh itself is whole.
    ("jacked.obj", true, "mtllib"),
    // The colour of a vertex is not a number; colours are not kept.
    ("nancolor.obj", true, "colours"),
    ("notenoughindices.obj", false, "line 9"),
    ("points_emptyascii.ply", true, "no faces"),
    ("soup.stl", true, "300 open edges"),
    ("wallhole.obj", true, "not convex"),
];

#[test]
fn bad_files_are_refused_or_their_defect_is_named() {
    let Some(corpus) = corpus() else { return };
    for (name, readable, words) in BAD {
        match read(&corpus.join("bad").join(name)) {
            Ok(super::Read { batches, report }) => {
                assert!(readable, "{name} was read");
                assert_eq!(batches.len(), 1, "{name}");
                let told: Vec<&str> = report.warnings.iter().map(|w| &w.message[..]).collect();
                let told = told.join("; ");
                assert!(told.contains(words), "{name}: {told}");
                for defect in defects(&batches[0]) {
                    assert!(told.contains(&defect), "{name}: {defect} not in {told}");
                }
            }
            Err(error) => {
                assert!(!readable, "{name}: {error}");
                assert_eq!(error.code(), ErrorCode::InvalidData, "{name}: {error}");
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
        }
    }
    let mut files = 0;
    for folder in ["bad", "bad/emptyIO"] {
        for entry in std::fs::read_dir(corpus.join(folder)).unwrap() {
            files += usize::from(entry.unwrap().path().is_file());
        }
    }
    assert_eq!(files, BAD.len(), "every bad file is in the list");
}
