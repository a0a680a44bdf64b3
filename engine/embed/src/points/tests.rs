use proptest::prelude::*;

use super::*;
use crate::kernel::square_distances;

fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    let [x, y, z] = std::array::from_fn(|k| (a[k] - b[k]) * (a[k] - b[k]));
    x + y + z
}

fn clouds() -> impl Strategy<Value = Points> {
    // Small whole numbers tie often; lengths around a vector's width.
    let point = prop::array::uniform3((-6..6_i8).prop_map(|x| f32::from(x) / 4.0));
    prop::collection::vec(point, 1..70).prop_map(Points::new)
}

proptest! {
    #[test]
    fn farthest_is_greedy(points in clouds(), count in 1..80_usize) {
        let chosen = farthest(&points, count);
        prop_assert_eq!(chosen.len(), count);
        for step in 1..count {
            let from_chosen = |at: usize| {
                let others = chosen[..step].iter().map(|c| points.get(*c as usize));
                others.map(|c| distance(points.get(at), c)).fold(f32::INFINITY, f32::min)
            };
            let all: Vec<f32> = (0..points.len()).map(from_chosen).collect();
            let largest = all.iter().copied().fold(0.0, f32::max);
            let first = all.iter().position(|d| *d == largest);
            prop_assert_eq!(Some(chosen[step] as usize), first);
        }
    }

    #[test]
    fn groups_are_those_of_a_full_search(
        points in clouds(),
        k in 1..9_usize,
        radius in prop::sample::select(vec![0.1, 0.5, 1.0, 1.5]),
    ) {
        let centres = points.pick(&farthest(&points, 5));
        let balls = ball(&centres, &points, radius, k);
        let near = nearest(&centres, &points, k);
        for (group, centre) in centres.iter().enumerate() {
            let mut all: Vec<(f32, u32)> =
                points.iter().map(|p| distance(p, centre)).zip(0..).collect();
            let within = all.iter().filter(|(d, _)| f64::from(*d) <= radius * radius);
            let within: Vec<u32> = within.map(|(_, at)| *at).take(k).collect();
            prop_assert_eq!(balls.get(group), &within);
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let nearest: Vec<u32> = all.iter().take(k).map(|(_, at)| *at).collect();
            prop_assert_eq!(near.get(group), &nearest);
        }
    }

    #[test]
    fn smallest_of_many(values in prop::collection::vec(0..50_u8, 0..300), k in 0..40_usize) {
        let values: Vec<f32> = values.into_iter().map(f32::from).collect();
        let best: Vec<u32> = Smallest::default().of(&values, k).collect();
        let mut all: Vec<(f32, u32)> = values.into_iter().zip(0..).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all: Vec<u32> = all.into_iter().map(|(_, at)| at).take(k).collect();
        prop_assert_eq!(best, all);
    }
}

#[test]
fn numbers_that_are_none_come_last() {
    let mut values = vec![f32::NAN; 40];
    values[7] = -0.0;
    values[8] = 0.0;
    values[30] = -1.0;
    values[31] = f32::INFINITY;
    let best: Vec<u32> = Smallest::default().of(&values, 5).collect();
    assert_eq!(best, [30, 7, 8, 31, 0]);
    assert_eq!(Smallest::default().of(&[f32::NAN; 3], 2).count(), 2);
    assert_eq!(Smallest::default().of(&[f32::NAN; 1000], 20).count(), 20);
    assert_eq!(Smallest::default().of(&[], 2).count(), 0);
}

#[test]
fn vectors_are_spread_by_inverse_squared_distance() {
    let points = Points::new([[0.0; 3], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [9.0, 9.0, 9.0]]);
    let vectors = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 99.0, 99.0];
    let places = [[0.5, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 0.0]];
    let spread = spread(&places, &points, &vectors, 2);
    // Squared distances 1/4, 1/4, 17/4; then 1, 2, 1; then 0.
    let [a, b, c] = [4.0_f32, 4.0, 4.0 / 17.0];
    let first = (a + 2.0 * b + 3.0 * c) / (a + b + c);
    let second = (1.0 + 2.0 * 0.5 + 3.0) / 2.5;
    for (given, expected) in spread.chunks(2).zip([first, second, 3.0]) {
        assert!((given[0] - expected).abs() < 1e-5, "{given:?} {expected}");
        assert!((given[1] - 10.0 * expected).abs() < 1e-4);
    }
}

#[test]
fn a_centre_alone_has_the_nearest_point() {
    let points = Points::new([[0.0; 3], [1.0, 0.0, 0.0]]);
    let groups = ball(&Points::new([[5.0, 0.0, 0.0]]), &points, 0.5, 4);
    assert_eq!(groups.get(0), [1]);
}

#[test]
fn distances_of_long_lists() {
    // Beyond a block, and not a whole number of vectors.
    let points = Points::new((0..1237).map(|i| [i as f32 * 0.25, 1.0, -2.0]));
    let axes = points.axes.each_ref().map(Vec::as_slice);
    let mut all = vec![0.0; points.len()];
    square_distances(axes, [3.0, 1.0, 0.0], &mut all);
    for (at, d) in all.iter().enumerate() {
        assert_eq!(*d, distance(points.get(at), [3.0, 1.0, 0.0]));
    }
    assert_eq!(farthest(&points, 3), [0, 1236, 618]);
}

fn sphere(n: usize) -> (Vec<Vec3>, Vec<[u32; 3]>) {
    let mut mesh = (Vec::new(), Vec::new());
    for i in 0..=n {
        for j in 0..2 * n {
            let (u, v) = (i as f64, j as f64);
            let step = std::f64::consts::PI / n as f64;
            let (a, b) = (u * step, v * step);
            mesh.0.push([a.sin() * b.cos(), a.sin() * b.sin(), a.cos()]);
            let at = |i: usize, j: usize| (i * 2 * n + j % (2 * n)) as u32;
            if i < n {
                mesh.1.push([at(i, j), at(i + 1, j), at(i, j + 1)]);
                mesh.1.push([at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)]);
            }
        }
    }
    mesh
}

#[test]
fn a_surface_is_covered_evenly() {
    let sampling = Sampling {
        points: 1024,
        normals: true,
    };
    // Faces near the poles are small and many: points must not gather there.
    for n in [6, 40] {
        let (vertices, faces) = sphere(n);
        let cloud = Cloud::new(&vertices, &faces, sampling).unwrap().unwrap();
        assert_eq!(cloud.points.len(), 1024);
        // By Archimedes each band of equal height has the same share.
        let mut bands = [0_usize; 8];
        for point in cloud.points.iter() {
            bands[(((point[2] + 1.0) * 4.0) as usize).min(7)] += 1;
        }
        let even = if n == 40 { 118..=138 } else { 95..=165 };
        assert!(bands.iter().all(|band| even.contains(band)), "{bands:?}");
        for (point, normal) in cloud.points.iter().zip(cloud.normals.as_ref().unwrap()) {
            let along: f32 = point.iter().zip(normal).map(|(a, b)| a * b).sum();
            let length: f32 = normal.iter().map(|x| x * x).sum();
            assert!(along > 0.9 && (length - 1.0).abs() < 1e-5);
        }
        // Points keep farther from each other than where they fall at random: there the mean
        // distance to the nearest is half the root of the area for each (Clark and Evans 1954).
        let near = nearest(&cloud.points, &cloud.points, 2);
        let gap = |at: usize| {
            let other = cloud.points.get(near.get(at)[1] as usize);
            distance(cloud.points.get(at), other).sqrt()
        };
        let mean = (0..1024).map(gap).sum::<f32>() / 1024.0;
        let random = 0.5 * (4.0 * std::f32::consts::PI / 1024.0).sqrt();
        println!("{n}: {} of random", mean / random);
        assert!(mean > 1.1 * random, "{mean} {random}");
    }
}

#[test]
fn a_cloud_is_in_the_unit_sphere_around_its_mean() {
    let vertices = sphere(9).0;
    for points in [5, 100, 180, 200, 1000] {
        let sampling = Sampling {
            points,
            normals: false,
        };
        let cloud = Cloud::new(&vertices, &[], sampling).unwrap().unwrap();
        assert_eq!(cloud.points.len(), points);
        let radius = cloud
            .points
            .iter()
            .map(|p| distance(p, [0.0; 3]))
            .fold(0.0, f32::max);
        assert!((radius.sqrt() - 1.0).abs() < 1e-5, "{radius}");
        if points < vertices.len() {
            for axis in &cloud.points.axes {
                assert!((axis.iter().sum::<f32>() / points as f32).abs() < 1e-5);
            }
        }
        // Vertices lie where the points do that were taken from them.
        for place in cloud.points.iter() {
            let near = cloud
                .place(&vertices)
                .iter()
                .map(|p| distance(*p, place))
                .fold(9.0, f32::min);
            assert!(near < 1e-10, "{near}");
        }
    }
    // Fewer vertices than points: none is left out, and each comes as often but for one.
    let cloud = Cloud::new(
        &vertices[18..38],
        &[],
        Sampling {
            points: 50,
            normals: false,
        },
    );
    let mut keys: Vec<_> = cloud
        .unwrap()
        .unwrap()
        .points
        .iter()
        .map(|p| p.map(f32::to_bits))
        .collect();
    keys.sort_unstable();
    let counts: Vec<usize> = keys.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
    assert!(
        counts.iter().all(|count| (2..=5).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn numbers_of_any_size_are_placed() {
    let (vertices, faces) = sphere(5);
    let sampling = Sampling {
        points: 64,
        normals: false,
    };
    let usual = Cloud::new(&vertices, &faces, sampling).unwrap().unwrap();
    for by in [1e-300, 1e300, 1.7e308] {
        let vertices: Vec<Vec3> = vertices.iter().map(|p| p.map(|x| x * by)).collect();
        let cloud = Cloud::new(&vertices, &faces, sampling).unwrap().unwrap();
        for (a, b) in cloud.points.iter().zip(usual.points.iter()) {
            assert!(distance(a, b) < 1e-10);
        }
    }
}

#[test]
fn a_large_mesh_is_sampled() {
    let (vertices, faces) = sphere(255);
    for faces in [&faces[..], &[]] {
        let sampling = Sampling {
            points: 1024,
            normals: false,
        };
        let cloud = Cloud::new(&vertices, faces, sampling).unwrap().unwrap();
        assert_eq!(cloud.points.len(), 1024);
        for point in cloud.points.iter() {
            let [x, y, z] = point.map(f64::from);
            let radius = (x * x + y * y + z * z).sqrt();
            assert!((0.98..=1.001).contains(&radius), "{radius}");
        }
        let first = cloud.points.get(0);
        let far = cloud.points.iter().map(|p| distance(first, p));
        assert!(far.fold(0.0, f32::max) > 3.8);
    }
}
