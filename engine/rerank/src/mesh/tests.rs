use penstock_geometry::Transform;

use super::*;

static GO: AtomicBool = AtomicBool::new(false);

/// A box with one corner pulled out, so that no turn maps it onto itself.
fn solid(size: [f32; 3]) -> (Vec<[f32; 3]>, Vec<[u32; 3]>) {
    let mut positions: Vec<[f32; 3]> = (0..8_u8)
        .map(|i| [i & 1, i >> 1 & 1, i >> 2].map(f32::from))
        .map(|p| std::array::from_fn(|k| p[k] * size[k]))
        .collect();
    positions[7] = size.map(|x| x * 1.7);
    let faces = [
        [0, 1, 3, 2],
        [4, 6, 7, 5],
        [0, 4, 5, 1],
        [2, 3, 7, 6],
        [0, 2, 6, 4],
        [1, 5, 7, 3],
    ];
    let triangles = faces
        .iter()
        .flat_map(|[a, b, c, d]| [[*a, *b, *c], [*a, *c, *d]])
        .collect();
    (positions, triangles)
}

fn surface(of: &(Vec<[f32; 3]>, Vec<[u32; 3]>)) -> Surface<'_> {
    Surface {
        positions: &of.0,
        triangles: &of.1,
    }
}

fn moved(of: &(Vec<[f32; 3]>, Vec<[u32; 3]>), scale: f64) -> (Vec<[f32; 3]>, Vec<[u32; 3]>) {
    let by = Transform {
        rotation: [[0.0, -0.6, 0.8], [1.0, 0.0, 0.0], [0.0, 0.8, 0.6]],
        translation: [30.0, -20.0, 7.0],
    };
    let move_point = |p: &[f32; 3]| by.apply(p.map(|x| f64::from(x) * scale)).map(|x| x as f32);
    (of.0.iter().map(move_point).collect(), of.1.clone())
}

#[test]
fn the_same_and_a_moved_copy() {
    let a = solid([4.0, 2.0, 1.0]);
    let b = moved(&a, 3.0);
    let with = |alignment, unit_sphere| {
        let options = MeshOptions {
            alignment,
            unit_sphere,
            ..MeshOptions::default()
        };
        mesh_distance(surface(&a), surface(&b), &options, &GO).unwrap()
    };
    let same = mesh_distance(surface(&a), surface(&a), &MeshOptions::default(), &GO).unwrap();
    assert_eq!((same.chamfer, same.hausdorff), (0.0, 0.0));
    assert!(with(MeshAlignment::None, false).chamfer > 10.0);
    assert!(with(MeshAlignment::None, true).chamfer > 0.1);
    // The same triangles and seed give the same points, so that nothing is left.
    assert!(with(MeshAlignment::Axes, true).chamfer < 1e-5);
    assert!(with(MeshAlignment::ClosestPoints, true).chamfer < 1e-5);
}

/// Another choice of points is another sample of the same surface.
#[test]
fn closest_points_improve_on_axes() {
    let a = solid([4.0, 2.0, 1.0]);
    let b = moved(&a, 1.0);
    let points = points(surface(&a), &MeshOptions::default()).unwrap();
    let seed = MeshOptions {
        seed: 9,
        ..MeshOptions::default()
    };
    let others = super::points(surface(&b), &seed).unwrap();
    let with = |alignment| {
        let options = MeshOptions {
            alignment,
            ..MeshOptions::default()
        };
        compared(&points, &others, 0, &options, &GO)
            .unwrap()
            .chamfer
    };
    let (axes, closest) = (
        with(MeshAlignment::Axes),
        with(MeshAlignment::ClosestPoints),
    );
    assert!(closest <= axes && closest < 0.05, "{closest} {axes}");
}

#[test]
fn points_by_area() {
    // Triangles of area 2 and 6, and one of none.
    let positions = [
        [0.0, 0.0, 0.0],
        [2.0, 0.0, 0.0],
        [0.0, 2.0, 0.0],
        [0.0, -6.0, 0.0],
    ];
    let triangles = [[0, 0, 1], [0, 1, 2], [0, 1, 3]];
    let surface = Surface {
        positions: &positions,
        triangles: &triangles,
    };
    let points = sample_surface(surface, 800, 1).unwrap();
    assert_eq!(points.iter().filter(|p| p[1] > 0.0).count(), 200);
    assert!(
        points
            .iter()
            .all(|p| p[2] == 0.0 && (0.0..=2.0).contains(&p[0]))
    );
    assert_eq!(points, sample_surface(surface, 800, 1).unwrap());
    assert_ne!(points, sample_surface(surface, 800, 2).unwrap());
    // The mean of a triangle is its centre.
    let mean = points
        .iter()
        .filter(|p| p[1] < 0.0)
        .map(|p| p[1])
        .sum::<f64>()
        / 600.0;
    assert!((mean + 2.0).abs() < 0.2, "{mean}");
}

#[test]
fn order_and_refusals() {
    let (a, b) = (solid([4.0, 2.0, 1.0]), solid([4.0, 2.0, 1.1]));
    let c = solid([1.0, 1.0, 1.0]);
    let options = MeshOptions::default();
    let targets = [surface(&c), surface(&b), surface(&a)];
    let ranked = rerank_meshes(surface(&a), &targets, &options, &GO).unwrap();
    let order: Vec<_> = ranked.iter().map(|score| score.target).collect();
    assert_eq!(order, [2, 1, 0]);
    let there = mesh_distance(surface(&c), surface(&a), &options, &GO).unwrap();
    assert!((there.chamfer - ranked[2].chamfer).abs() < 1e-12);
    let bad = |positions: &[[f32; 3]], triangles: &[[u32; 3]]| {
        sample_surface(
            Surface {
                positions,
                triangles,
            },
            5,
            0,
        )
    };
    assert_eq!(bad(&[], &[]), Err(RerankError::NoArea));
    assert_eq!(
        bad(&[[0.0; 3]], &[[0, 0, 1]]),
        Err(RerankError::Vertex {
            triangle: 0,
            vertex: 1
        })
    );
    assert_eq!(
        bad(&[[f32::NAN; 3]], &[[0, 0, 0]]),
        Err(RerankError::NotFinite { vertex: 0 })
    );
    assert_eq!(
        sample_surface(surface(&a), 0, 0),
        Err(RerankError::NoPoints)
    );
    let stop = AtomicBool::new(true);
    assert_eq!(
        mesh_distance(surface(&a), surface(&b), &options, &stop),
        Err(RerankError::Cancelled)
    );
}
