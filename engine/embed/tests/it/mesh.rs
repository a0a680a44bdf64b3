//! `mesh-shape-v1`.

use std::time::Instant;

use penstock_embed::{EmbedError, MeshFault};
use penstock_types::ErrorCode;
use proptest::prelude::*;

use crate::common::{Mesh, assert_golden, corpus, cosine_distance, encode, meshes, try_encode};

const NAME: &str = "mesh-shape-v1";

fn one(mesh: &Mesh) -> Option<Vec<f32>> {
    encode(NAME, &meshes(std::slice::from_ref(mesh))).remove(0)
}

fn cube() -> Mesh {
    let vertices = (0..8)
        .map(|i| [i & 1, (i >> 1) & 1, (i >> 2) & 1].map(f64::from))
        .collect();
    let quads = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let faces = quads
        .iter()
        .flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]])
        .collect();
    (vertices, faces)
}

/// A torus of n x n quads, bent by the given function: a surface with many tied faces.
fn torus(n: usize, bend: impl Fn([f64; 3]) -> [f64; 3]) -> Mesh {
    let mut mesh = (Vec::new(), Vec::new());
    let turn = |i: usize| i as f64 / n as f64 * std::f64::consts::TAU;
    for i in 0..n {
        for j in 0..n {
            let ring = 1.0 + 0.4 * turn(j).cos();
            let p = [
                ring * turn(i).cos(),
                ring * turn(i).sin(),
                0.4 * turn(j).sin(),
            ];
            mesh.0.push(bend(p));
            let at = |i: usize, j: usize| ((i % n) * n + j % n) as i32;
            let (a, b, c, d) = (at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1));
            mesh.1.extend([[a, b, c], [a, c, d]]);
        }
    }
    mesh
}

/// Turns (by a quaternion), scales and moves, then renumbers vertices and faces by a seed.
fn moved(mesh: &Mesh, q: [f64; 4], scale: f64, by: [f64; 3], seed: u64) -> Mesh {
    let norm = q.iter().map(|x| x * x).sum::<f64>().sqrt();
    let [w, x, y, z] = q.map(|v| v / norm);
    let rows = [
        [
            1.0 - 2.0 * (y * y + z * z),
            2.0 * (x * y - w * z),
            2.0 * (x * z + w * y),
        ],
        [
            2.0 * (x * y + w * z),
            1.0 - 2.0 * (x * x + z * z),
            2.0 * (y * z - w * x),
        ],
        [
            2.0 * (x * z - w * y),
            2.0 * (y * z + w * x),
            1.0 - 2.0 * (x * x + y * y),
        ],
    ];
    let mut state = seed | 1;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let mut order: Vec<usize> = (0..mesh.0.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, below(i + 1));
    }
    let mut vertices = vec![[0.0; 3]; mesh.0.len()];
    for (p, to) in mesh.0.iter().zip(&order) {
        vertices[*to] = std::array::from_fn(|k| {
            scale * (rows[k][0] * p[0] + rows[k][1] * p[1] + rows[k][2] * p[2]) + by[k]
        });
    }
    let mut faces: Vec<[i32; 3]> = mesh
        .1
        .iter()
        .map(|face| {
            let mut face = face.map(|v| order[v as usize] as i32);
            face.rotate_left(below(3));
            face
        })
        .collect();
    for i in (1..faces.len()).rev() {
        faces.swap(i, below(i + 1));
    }
    (vertices, faces)
}

fn poses() -> impl Strategy<Value = ([f64; 4], f64, [f64; 3], u64)> {
    (
        prop::array::uniform4(-1.0..1.0_f64).prop_filter("a rotation", |q| {
            q.iter().map(|x| x * x).sum::<f64>() > 0.01
        }),
        (-3.0..3.0_f64).prop_map(|e| 10_f64.powf(e)),
        prop::array::uniform3(-10.0..10.0_f64),
        any::<u64>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any soup of triangles: degenerate, folded, in too many faces.
    #[test]
    fn poses_of_soups(
        vertices in prop::collection::vec(prop::array::uniform3(-1.0..1.0_f64), 4..40),
        faces in prop::collection::vec(prop::array::uniform3(0_usize..1000), 0..120),
        (q, scale, by, seed) in poses(),
    ) {
        let n = vertices.len();
        let faces = faces.iter().map(|f| f.map(|v| (v % n) as i32)).collect();
        let mesh = (vertices, faces);
        let (a, b) = (one(&mesh).unwrap(), one(&moved(&mesh, q, scale, by, seed)).unwrap());
        let distance = cosine_distance(&a, &b);
        prop_assert!(distance < 1e-5, "{distance}");
    }

    /// Symmetric and smooth shapes, where very many faces tie.
    #[test]
    fn poses_of_shapes((q, scale, by, seed) in poses(), k in 0.0..1.5_f64) {
        let shapes = [
            cube(),
            torus(12, |p| p),
            torus(20, |p| [p[0], p[1] * (1.0 + k), p[2] + k * p[0] * p[0]]),
        ];
        for mesh in shapes {
            let (a, b) = (one(&mesh).unwrap(), one(&moved(&mesh, q, scale, by, seed)).unwrap());
            let distance = cosine_distance(&a, &b);
            prop_assert!(distance < 1e-5, "{distance}");
        }
    }

    /// Points alone.
    #[test]
    fn poses_of_clouds(
        vertices in prop::collection::vec(prop::array::uniform3(-1.0..1.0_f64), 2..60),
        (q, scale, by, seed) in poses(),
    ) {
        let mesh = (vertices, Vec::new());
        let (a, b) = (one(&mesh).unwrap(), one(&moved(&mesh, q, scale, by, seed)).unwrap());
        prop_assert!(cosine_distance(&a, &b) < 1e-5);
    }
}

#[test]
fn golden() {
    assert_golden(
        &one(&cube()).unwrap(),
        [
            12.365557, 19.924044, 1.950646, 5.154294, 2.638548, 33.426499, 5.928021, 36.607556,
        ],
    );
    assert_golden(
        &one(&torus(16, |p| p)).unwrap(),
        [
            14.875424, 24.914749, 6.698293, 11.908796, 11.700312, 15.089934, 15.14205, 41.307618,
        ],
    );
}

#[test]
fn what_has_no_shape_is_null() {
    let dot = vec![[1.0, 2.0, 3.0]; 3];
    for mesh in [
        (Vec::new(), Vec::new()),
        (dot.clone(), Vec::new()),
        (dot, vec![[0, 1, 2]]),
    ] {
        assert_eq!(one(&mesh), None);
    }
    // A line has points but no area.
    let line = vec![[0.0; 3], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]];
    let cloud = one(&(line.clone(), Vec::new()));
    assert!(cloud.is_some());
    assert_eq!(one(&(line, vec![[0, 1, 2]])), cloud);
}

#[test]
fn corners_that_are_not_shared_are_welded() {
    let (vertices, faces) = cube();
    let soup: Vec<_> = faces
        .iter()
        .flatten()
        .map(|v| vertices[*v as usize])
        .collect();
    let faces = (0..12).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect();
    let distance = cosine_distance(&one(&(soup, faces)).unwrap(), &one(&cube()).unwrap());
    assert!(distance < 1e-12, "{distance}");
}

#[test]
fn shapes_differ_and_tessellations_little() {
    let [coarse, fine] = [40, 80].map(|n| one(&torus(n, |p| p)).unwrap());
    let cube = one(&cube()).unwrap();
    let (same, other) = (
        cosine_distance(&coarse, &fine),
        cosine_distance(&coarse, &cube),
    );
    println!("torus against a finer one {same:.4}, against a cube {other:.4}");
    assert!(same * 5.0 < other, "{same} {other}");
}

#[test]
fn faults_are_named() {
    let mut mesh = cube();
    mesh.1[5] = [0, 8, 1];
    let error = try_encode(NAME, &meshes(&[cube(), mesh])).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidData);
    assert_eq!(
        error.to_string(),
        "row 1 of the batch: face 5 names vertex 8, and the mesh has 8 vertices"
    );
    let mut mesh = cube();
    mesh.0[3][1] = f64::NAN;
    let error = try_encode(NAME, &meshes(&[mesh])).unwrap_err();
    let reason = MeshFault::NotFinite { vertex: 3 };
    assert!(matches!(error, EmbedError::InvalidMesh { reason: r, .. } if r == reason));
}

#[test]
fn slices_and_batches_do_not_matter() {
    let rows = [cube(), torus(9, |p| p), cube()];
    let batch = meshes(&rows);
    let all = encode(NAME, &batch);
    assert_eq!(all[0], all[2]);
    for (i, mesh) in rows.iter().enumerate() {
        assert_eq!(one(mesh), all[i]);
        assert_eq!(encode(NAME, &batch.slice(i, 1))[0], all[i]);
    }
}

/// Vertices and triangles of an OBJ file, enough for what the corpus holds.
pub(crate) fn obj(text: &str) -> Mesh {
    let mut mesh = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("v") => {
                let p: Vec<f64> = words.map(|w| w.parse().unwrap()).collect();
                mesh.0.push([p[0], p[1], p[2]]);
            }
            Some("f") => {
                let corners: Vec<i32> = words
                    .map(|w| w.split('/').next().unwrap().parse::<i32>().unwrap() - 1)
                    .collect();
                for k in 2..corners.len() {
                    mesh.1.push([corners[0], corners[k - 1], corners[k]]);
                }
            }
            _ => {}
        }
    }
    mesh
}

#[test]
fn corpus_poses() {
    for name in [
        "fandisk",
        "spot",
        "teapot",
        "beetle",
        "homer",
        "stanford-bunny",
    ] {
        let Some(path) = corpus(&format!("mesh/models/{name}.obj")) else {
            continue;
        };
        let mesh = obj(&std::fs::read_to_string(path).unwrap());
        let turned = moved(&mesh, [0.3, -0.8, 0.1, 0.5], 37.0, [5.0, -2.0, 0.1], 7);
        let clock = Instant::now();
        let vector = one(&mesh).unwrap();
        let seconds = clock.elapsed().as_secs_f64();
        let distance = cosine_distance(&vector, &one(&turned).unwrap());
        println!(
            "{name}: {} faces, {seconds:.3} s, {distance:e}",
            mesh.1.len()
        );
        assert!(distance < 1e-5, "{name} {distance}");
    }
}

#[test]
#[ignore = "a matter of speed: 320,000 faces"]
fn large() {
    let mesh = torus(400, |p| p);
    let batch = meshes(&[mesh]);
    let clock = Instant::now();
    encode(NAME, &batch);
    println!("320,000 faces in {:.3} s", clock.elapsed().as_secs_f64());
}
