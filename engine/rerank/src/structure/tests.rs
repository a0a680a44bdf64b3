use penstock_geometry::Transform;
use proptest::prelude::*;

use super::*;

static GO: AtomicBool = AtomicBool::new(false);

/// A chain of helices and strands with turns, so that it has a shape: 3.8 angstrom from residue to
/// residue, turned by angles that `seed` chooses.
fn chain(residues: usize, seed: u64) -> Vec<[f64; 3]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut frame = Transform::IDENTITY;
    let mut points = Vec::new();
    let (mut left, mut bend, mut twist) = (0, 0.0, 0.0);
    for _ in 0..residues {
        points.push(frame.translation);
        if left == 0 {
            left = 5 + (random() * 10.0) as usize;
            (bend, twist) = match (random() * 3.0) as usize {
                0 => (1.55, 0.87),
                1 => (0.98, -2.97),
                _ => (random() * 1.2 + 0.4, random() * 6.0 - 3.0),
            };
        }
        left -= 1;
        let (s, c) = f64::sin_cos(bend);
        let (t, u) = f64::sin_cos(twist);
        let turn = Transform {
            rotation: [[c, -s, 0.0], [s * u, c * u, -t], [s * t, c * t, u]],
            translation: [3.8, 0.0, 0.0],
        };
        frame = turn.then(&frame);
    }
    points
}

fn moved(points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    let by = Transform {
        rotation: [[0.0, -0.6, 0.8], [1.0, 0.0, 0.0], [0.0, 0.8, 0.6]],
        translation: [100.0, -20.0, 7.0],
    };
    by.apply_all(points)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_moved_copy_is_the_same(residues in 5..90_usize, seed in any::<u64>()) {
        let a = chain(residues, seed);
        let found = align_structures(&a, &moved(&a), &StructureOptions::default(), &GO).unwrap();
        prop_assert!(found.tm_query > 0.9999 && found.tm_query <= 1.0 + 1e-12);
        prop_assert!((found.tm_target - found.tm_query).abs() < 1e-9 && found.rmsd < 1e-6);
        let diagonal: Vec<_> = (0..residues).map(|i| (i, i)).collect();
        prop_assert_eq!(&found.pairs, &diagonal);
        let given = tm_score(&a, &moved(&a), &diagonal).unwrap();
        prop_assert!(given.tm_query > 0.9999);
    }

    /// Where both chains stand does not count.
    #[test]
    fn motion_changes_nothing(seed in any::<u64>(), other in any::<u64>()) {
        let (a, b) = (chain(60, seed), chain(50, other));
        let here = align_structures(&a, &b, &StructureOptions::default(), &GO).unwrap();
        let there = align_structures(&moved(&a), &b, &StructureOptions::default(), &GO).unwrap();
        prop_assert!((here.tm_query - there.tm_query).abs() < 0.01);
        prop_assert!(here.tm_query > 0.0 && here.tm_query <= 1.0);
        prop_assert!(here.pairs.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1));
    }

    #[test]
    fn a_part_is_found_in_the_whole(seed in any::<u64>(), from in 0..40_usize) {
        let whole = chain(100, seed);
        let part = moved(&whole[from..from + 45]);
        let found = align_structures(&part, &whole, &StructureOptions::default(), &GO).unwrap();
        prop_assert!(found.tm_query > 0.99, "{}", found.tm_query);
        prop_assert!((found.tm_target - 0.45).abs() < 0.02, "{}", found.tm_target);
    }
}

#[test]
fn scale_of_distances() {
    assert_eq!(d0(15), 0.5);
    assert_eq!(d0(21), 0.5);
    assert!((d0(100) - (1.24 * 85.0_f64.cbrt() - 1.8)).abs() < 1e-12);
}

/// Two pairs that fit and one that cannot: the score is of the two.
#[test]
fn one_pair_far_off() {
    let a: Vec<[f64; 3]> = chain(40, 3);
    let mut b = a.clone();
    b[39] = [500.0, 0.0, 0.0];
    let pairs: Vec<_> = (0..40).map(|i| (i, i)).collect();
    let found = tm_score(&a, &b, &pairs).unwrap();
    assert!(
        (found.tm_query - 39.0 / 40.0).abs() < 1e-3,
        "{}",
        found.tm_query
    );
    assert!(found.rmsd > 10.0);
}

#[test]
fn order_and_refusals() {
    let a = chain(50, 1);
    let targets = [chain(50, 2), moved(&a), chain(30, 4)];
    let options = StructureOptions::default();
    let ranked = rerank_structures(&a, &targets, &options, &GO).unwrap();
    assert_eq!(ranked[0].target, 1);
    assert_eq!(ranked.len(), 3);
    let none: [[f64; 3]; 0] = [];
    let empty = Err(RerankError::Geometry(GeometryError::Empty));
    assert_eq!(align_structures(&a, &none, &options, &GO), empty);
    assert_eq!(tm_score(&a, &a, &[]), empty);
    assert_eq!(
        tm_score(&a, &a, &[(0, 50)]),
        Err(RerankError::Pair {
            query: 0,
            target: 50
        })
    );
    let small = StructureOptions {
        most_pairs: 10,
        ..options.clone()
    };
    assert_eq!(
        align_structures(&a, &a, &small, &GO),
        Err(RerankError::TooLong {
            cells: 2500,
            limit: 10
        })
    );
    let stop = AtomicBool::new(true);
    assert_eq!(
        align_structures(&a, &a, &options, &stop),
        Err(RerankError::Cancelled)
    );
    assert!(
        align_structures(&a[..1], &a[..2], &options, &GO)
            .unwrap()
            .tm_query
            <= 1.0
    );
}
