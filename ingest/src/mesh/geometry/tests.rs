use super::*;

/// The unit cube as quadrilaterals, outward.
const CUBE: [[i32; 4]; 6] = [
    [0, 3, 2, 1],
    [4, 5, 6, 7],
    [0, 1, 5, 4],
    [1, 2, 6, 5],
    [2, 3, 7, 6],
    [3, 0, 4, 7],
];

fn cube(offset: f64) -> Mesh {
    let mut mesh = Mesh::default();
    for z in [0.0, 1.0] {
        for [x, y] in [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]] {
            mesh.vertices.push([x + offset, y, z]);
        }
    }
    for quad in &CUBE {
        mesh.add_polygon(quad);
    }
    mesh
}

fn has(geometry: &Geometry, words: &str) -> bool {
    geometry.defects.iter().any(|d| d.contains(words))
}

#[test]
fn a_cube() {
    let geometry = measure(&cube(0.0)).unwrap();
    assert_eq!(geometry.bounds, Some([[0.0; 3], [1.0; 3]]));
    assert_eq!((geometry.area, geometry.volume), (6.0, Some(1.0)));
    assert!(geometry.watertight);
    assert_eq!((geometry.components, geometry.euler), (1, 2));
    assert!(geometry.defects.is_empty(), "{:?}", geometry.defects);
}

#[test]
fn two_cubes() {
    let mut mesh = cube(0.0);
    let other = cube(5.0);
    mesh.vertices.extend(&other.vertices);
    mesh.faces
        .extend(other.faces.iter().map(|face| face.map(|v| v + 8)));
    mesh.polygon_sizes.extend(&other.polygon_sizes);
    let geometry = measure(&mesh).unwrap();
    assert_eq!((geometry.components, geometry.euler), (2, 4));
    assert!((geometry.volume.unwrap() - 2.0).abs() < 1e-12);
}

#[test]
fn inside_out() {
    let mut mesh = cube(0.0);
    for face in &mut mesh.faces {
        face.swap(1, 2);
    }
    let geometry = measure(&mesh).unwrap();
    assert_eq!(geometry.volume, Some(-1.0));
    assert!(has(&geometry, "inside out"));
}

#[test]
fn open_twisted_crowded() {
    let mut open = cube(0.0);
    open.faces.pop();
    open.faces.pop();
    open.polygon_sizes.pop();
    let geometry = measure(&open).unwrap();
    assert!(!geometry.watertight && geometry.volume.is_none());
    assert!(has(&geometry, "4 open edges"), "{:?}", geometry.defects);

    let mut twisted = cube(0.0);
    twisted.faces[0].swap(0, 1);
    assert!(has(
        &measure(&twisted).unwrap(),
        "3 edges whose two faces wind"
    ));

    let mut crowded = cube(0.0);
    crowded.add_triangle(crowded.faces[0]);
    let geometry = measure(&crowded).unwrap();
    assert!(has(&geometry, "1 duplicate face"), "{:?}", geometry.defects);
    assert!(has(&geometry, "3 non-manifold edges"));
}

#[test]
fn degenerate_and_unreferenced() {
    let mut mesh = cube(0.0);
    mesh.vertices.push([9.0; 3]);
    mesh.vertices.push([0.5, 0.0, 0.0]);
    mesh.add_triangle([0, 1, 1]);
    mesh.add_triangle([0, 1, 9]);
    let geometry = measure(&mesh).unwrap();
    assert!(has(&geometry, "1 degenerate face names a vertex twice"));
    assert!(has(&geometry, "1 degenerate face has no area"));
    assert!(has(&geometry, "1 unreferenced vertex"));
}

#[test]
fn a_collapsed_triangle_leaves_a_cube_watertight() {
    let mut mesh = cube(0.0);
    mesh.add_triangle([0, 0, 1]);
    let geometry = measure(&mesh).unwrap();
    assert!(geometry.watertight);
    assert_eq!(geometry.euler, 2);
}

#[test]
fn points_only() {
    let mesh = Mesh {
        vertices: vec![[1.0, 2.0, 3.0]],
        ..Mesh::default()
    };
    let geometry = measure(&mesh).unwrap();
    assert_eq!(geometry.bounds, Some([[1.0, 2.0, 3.0]; 2]));
    assert_eq!((geometry.area, geometry.components), (0.0, 0));
    assert!(!geometry.watertight);
    assert!(has(&geometry, "no faces"));
}

#[test]
fn an_arrowhead_is_not_convex() {
    let mut mesh = Mesh {
        vertices: vec![
            [1.0, 0.2, 0.0],
            [0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0],
            [2.0, 1.0, 0.0],
        ],
        ..Mesh::default()
    };
    // From the left tip the fan leaves the polygon; from the notch it does not.
    mesh.add_polygon(&[1, 2, 3, 0]);
    assert!(has(&measure(&mesh).unwrap(), "1 polygon is not convex"));
    mesh.faces.clear();
    mesh.polygon_sizes.clear();
    mesh.add_polygon(&[0, 1, 2, 3]);
    assert!(!has(&measure(&mesh).unwrap(), "not convex"));
}

#[test]
fn overflow_is_seen() {
    let mut mesh = Mesh {
        vertices: vec![[0.0; 3], [1e300, 0.0, 0.0], [0.0, 1e300, 0.0]],
        ..Mesh::default()
    };
    mesh.add_triangle([0, 1, 2]);
    assert!(measure(&mesh).is_none());
}
