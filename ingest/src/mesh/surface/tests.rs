use super::*;
use crate::mesh::geometry::measure;

fn build(vertices: &[[f64; 3]], cells: &[(u8, &[i32])]) -> Result<Mesh, Fault> {
    let mut mesh = Mesh {
        vertices: vertices.to_vec(),
        ..Mesh::default()
    };
    let mut builder = Builder::new();
    for (cell_type, corners) in cells {
        builder.push(&mut mesh, *cell_type, corners, &[], || Position::Byte(0))?;
    }
    builder.finish(&mut mesh);
    Ok(mesh)
}

/// Points of a regular polygon at height 0, then at height 1.
fn prism(n: usize) -> Vec<[f64; 3]> {
    [0.0, 1.0]
        .into_iter()
        .flat_map(|z| {
            (0..n).map(move |i| {
                let (sin, cos) = (std::f64::consts::TAU * i as f64 / n as f64).sin_cos();
                [cos, sin, z]
            })
        })
        .collect()
}

#[test]
fn every_volume_cell_is_closed_and_outward() {
    let grid: Vec<[f64; 3]> = (0..8)
        .map(|i| [f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2)])
        .collect();
    let pyramid = [&prism(4)[..4], &[[0.0, 0.0, 1.0]]].concat();
    let tetra = [&prism(3)[..3], &[[0.0, 0.0, 1.0]]].concat();
    for (cell_type, vertices, faces) in [
        (10, tetra, 4),
        (11, grid, 6),
        (12, prism(4), 6),
        (13, prism(3), 5),
        (14, pyramid, 5),
        (15, prism(5), 7),
        (16, prism(6), 8),
    ] {
        let mut order: Vec<i32> = (0..vertices.len() as i32).collect();
        for turn in 0..2 {
            let mesh = build(&vertices, &[(cell_type, &order)]).unwrap();
            assert_eq!(mesh.polygon_sizes.len(), faces, "type {cell_type}");
            let geometry = measure(&mesh).unwrap();
            assert!(
                geometry.defects.is_empty(),
                "{cell_type}: {:?}",
                geometry.defects
            );
            assert!(
                geometry.volume.unwrap() > 0.0,
                "type {cell_type}, turn {turn}"
            );
            assert_eq!(geometry.euler, 2);
            let cells = mesh.cells.unwrap();
            assert_eq!(cells.offsets, [0, order.len() as i64]);
            // Upside down the second time, for the types whose halves may change places.
            let half = order.len() / 2;
            if matches!(cell_type, 10 | 14) {
                order.swap(1, 2);
                if cell_type == 14 {
                    order = vec![0, 3, 2, 1, 4];
                }
            } else {
                order.rotate_left(half);
            }
        }
    }
}

#[test]
fn two_tetrahedra_share_a_face() {
    let vertices = [
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 1.0],
    ];
    let mesh = build(&vertices, &[(10, &[0, 1, 2, 3]), (10, &[1, 2, 3, 4])]).unwrap();
    assert_eq!(mesh.faces.len(), 6);
    assert!(measure(&mesh).unwrap().watertight);
    // A triangle of the file that lies on the boundary is not repeated.
    let mesh = build(&vertices, &[(5, &[0, 2, 1]), (10, &[0, 1, 2, 3])]).unwrap();
    assert_eq!(mesh.faces.len(), 4);
    assert_eq!(mesh.faces[0], [0, 2, 1]);
    assert_eq!(mesh.cells.unwrap().types, [5, 10]);
}

#[test]
fn polygons_need_no_cells() {
    let mesh = build(&prism(4), &[(9, &[0, 1, 2, 3]), (6, &[0, 1, 4, 5])]).unwrap();
    assert!(mesh.cells.is_none());
    assert_eq!(mesh.polygon_sizes, [4, 3, 3]);
    assert_eq!(mesh.faces[2..], [[0, 1, 4], [4, 1, 5]]);
    let mesh = build(&prism(4), &[(8, &[0, 1, 3, 2]), (3, &[0, 4])]).unwrap();
    assert_eq!(mesh.faces, [[0, 1, 2], [0, 2, 3]]);
    assert_eq!(mesh.cells.unwrap().types, [8, 3]);
}

#[test]
fn a_polyhedron_brings_its_faces() {
    let mut mesh = Mesh {
        vertices: prism(4),
        ..Mesh::default()
    };
    let faces: Vec<Vec<i32>> = HEXAHEDRON
        .iter()
        .map(|face| face.iter().map(|c| *c as i32).collect())
        .collect();
    let mut builder = Builder::new();
    let corners: Vec<i32> = (0..8).collect();
    builder
        .push(&mut mesh, POLYHEDRON, &corners, &faces, || {
            Position::Byte(0)
        })
        .unwrap();
    builder.finish(&mut mesh);
    assert_eq!(mesh.polygon_sizes, [4; 6]);
    assert!(measure(&mesh).unwrap().volume.unwrap() > 0.0);
}

#[test]
fn bad_cells_are_refused() {
    let vertices = prism(4);
    for (cell_type, corners, words) in [
        (12u8, &[0, 1, 2][..], "8 points or more"),
        (7, &[0, 1], "3 points or more"),
        (42, &[0, 1, 2, 3], "4 faces or more"),
        (99, &[0], "type 99"),
    ] {
        let fault = build(&vertices, &[(cell_type, corners)]).unwrap_err();
        assert!(format!("{fault:?}").contains(words), "{fault:?}");
    }
}

#[test]
fn curved_cells_run_through_their_corners() {
    let mut vertices = prism(4);
    vertices.extend([[0.5; 3]; 12]);
    let order: Vec<i32> = (0..20).collect();
    let mesh = build(&vertices, &[(25, &order)]).unwrap();
    assert_eq!(mesh.polygon_sizes, [4; 6]);
    assert!(mesh.notes[0].contains("beyond their corners"));
}
