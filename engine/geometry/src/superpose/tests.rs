use proptest::prelude::*;

use super::*;

fn turn(axis: [f64; 3], angle: f64, translation: [f64; 3]) -> Transform {
    let norm = axis.iter().map(|x| x * x).sum::<f64>().sqrt();
    let [x, y, z] = axis.map(|a| a / norm * (angle / 2.0).sin());
    Transform {
        rotation: rotation([(angle / 2.0).cos(), x, y, z]),
        translation,
    }
}

fn determinant(r: &[[f64; 3]; 3]) -> f64 {
    r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1])
        - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0])
        + r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0])
}

fn point() -> impl Strategy<Value = [f64; 3]> {
    prop::array::uniform3(-50.0..50.0_f64)
}

fn motion() -> impl Strategy<Value = Transform> {
    let axis = prop::array::uniform3(-1.0..1.0_f64);
    let axis = axis.prop_filter("a direction", |a| a.iter().any(|x| x.abs() > 0.05));
    (axis, -3.2..3.2_f64, point()).prop_map(|(axis, angle, to)| turn(axis, angle, to))
}

proptest! {
    #[test]
    fn a_moved_copy_comes_back(points in prop::collection::vec(point(), 1..40), by in motion()) {
        let moved = by.apply_all(&points);
        let found = superpose(&points, &moved).unwrap();
        prop_assert!(found.rmsd < 1e-10, "{}", found.rmsd);
        prop_assert!((determinant(&found.transform.rotation) - 1.0).abs() < 1e-12);
        let back = found.transform.then(&found.transform.inverse()).apply_all(&points);
        prop_assert!(rmsd(&back, &points).unwrap() < 1e-10);
    }

    /// No motion nearby is better than the one found.
    #[test]
    fn nothing_is_closer(
        a in prop::collection::vec(point(), 3..20),
        noise in prop::collection::vec(point(), 20),
        by in motion(),
        nudge in motion(),
    ) {
        let b: Vec<_> = by.apply_all(&a).iter().zip(&noise)
            .map(|(p, n)| [p[0] + n[0] / 10.0, p[1] + n[1] / 10.0, p[2] + n[2] / 10.0])
            .collect();
        let found = superpose(&a, &b).unwrap();
        let other = found.transform.then(&nudge).apply_all(&a);
        prop_assert!(found.rmsd <= rmsd(&other, &b).unwrap() + 1e-9);
        let there = superpose(&b, &a).unwrap();
        prop_assert!((there.rmsd - found.rmsd).abs() < 1e-9);
    }

    #[test]
    fn points_without_weight_do_not_count(
        points in prop::collection::vec(point(), 4..20), by in motion(), odd in point(),
    ) {
        let mut moved = by.apply_all(&points);
        moved[0] = odd;
        let mut weights = vec![3.0; points.len()];
        weights[0] = 0.0;
        let found = superpose_weighted(&points, &moved, &weights).unwrap();
        prop_assert!(found.rmsd < 1e-10);
    }
}

#[test]
fn a_mirror_image_is_not_reached() {
    let a = [
        [1.0, 0.0, 0.0],
        [0.0, 2.0, 0.0],
        [0.0, 0.0, 3.0],
        [0.0, 0.0, 0.0],
    ];
    let b = a.map(|[x, y, z]| [-x, y, z]);
    let found = superpose(&a, &b).unwrap();
    assert!(found.rmsd > 0.1);
    assert!((determinant(&found.transform.rotation) - 1.0).abs() < 1e-12);
}

#[test]
fn known_distance() {
    // Two pairs at distance 2 and 4 about the same centre: each end is off by 1.
    let a = [[-1.0_f32, 0.0, 0.0], [1.0, 0.0, 0.0]];
    let b = [[0.0_f64, 2.0, 5.0], [0.0, -2.0, 5.0]];
    assert!((superpose(&a, &b).unwrap().rmsd - 1.0).abs() < 1e-12);
    assert_eq!(rmsd(&a, &a), Ok(0.0));
}

#[test]
fn one_point_and_points_in_one_place() {
    let found = superpose(&[[1.0, 2.0, 3.0]], &[[4.0, 5.0, 6.0]]).unwrap();
    assert_eq!(found.transform.translation, [3.0; 3]);
    let found = superpose(&[[1.0; 3]; 5], &[[2.0; 3]; 5]).unwrap();
    assert_eq!(found.rmsd, 0.0);
}

#[test]
fn what_is_refused() {
    let none: [[f64; 3]; 0] = [];
    let one = [[0.0; 3]];
    assert_eq!(superpose(&none, &none), Err(GeometryError::Empty));
    assert_eq!(
        superpose(&one, &none),
        Err(GeometryError::Unpaired {
            moving: 1,
            fixed: 0
        })
    );
    assert_eq!(
        superpose(&[[0.0, f64::NAN, 0.0]], &one),
        Err(GeometryError::NotFinite { index: 0 })
    );
    assert_eq!(
        superpose_weighted(&one, &one, &[0.0]),
        Err(GeometryError::NoWeight)
    );
    assert_eq!(
        superpose_weighted(&one, &one, &[-1.0]),
        Err(GeometryError::Weight {
            index: 0,
            weight: -1.0
        })
    );
    assert_eq!(
        superpose_weighted(&one, &one, &[]),
        Err(GeometryError::Weights {
            weights: 0,
            points: 1
        })
    );
    let far = [[1e200, 0.0, 0.0], [-1e200, 0.0, 0.0]];
    assert_eq!(superpose(&far, &far), Err(GeometryError::TooLarge));
}
