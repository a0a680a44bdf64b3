use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use penstock_geometry::{Transform, superpose};
use penstock_pattern::{Columns, GraphBuilder, Host, Labels, MatchOptions};
use proptest::prelude::*;

use super::*;
use crate::make::contacts::{BOND, CONTACT, NUMBER, contacts_of};

const NAMES: [&str; 5] = ["ALA", "CYS", "ASP", "HIS", "SER"];

/// SplitMix64 as a stream.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn place(&mut self, size: f64) -> [f32; 3] {
        std::array::from_fn(|_| ((self.unit() - 0.5) * size) as f32)
    }

    /// A rotation by a quaternion, and a shift.
    fn motion(&mut self) -> Transform {
        let q: [f64; 4] = std::array::from_fn(|_| self.unit() - 0.5);
        let n = q.iter().map(|x| x * x).sum::<f64>().sqrt();
        let [w, x, y, z] = q.map(|x| x / n);
        Transform {
            rotation: [
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
            ],
            translation: std::array::from_fn(|_| 20.0 * (self.unit() - 0.5)),
        }
    }
}

/// A graph of points with labels, areas and contacts closer than 8.
fn target(points: &[Option<[f32; 3]>], labels: &[usize], areas: Option<Vec<f32>>) -> Named {
    let mut builder = GraphBuilder {
        labels: labels.iter().map(|l| *l as u32).collect(),
        vertex_names: Some(Labels::from_iter(NAMES)),
        edge_names: Some(Labels::from_iter([CONTACT, BOND])),
        ..GraphBuilder::default()
    };
    let mut distances = Vec::new();
    contacts_of(points, 8.0, |a, b, squared| {
        builder.edge(a, b);
        builder.edge_labels.push(0);
        distances.push(squared.sqrt() as f32);
        true
    });
    builder.edge_columns.insert(DISTANCE, distances);
    if let Some(areas) = areas {
        builder.vertex_columns.insert(AREA, areas);
    }
    let name = |(at, l): (usize, &usize)| format!("A:{}{}", NAMES[*l], at + 1);
    Named {
        id: "made up".to_owned(),
        description: None,
        graph: builder.build().unwrap(),
        names: labels.iter().enumerate().map(name).collect(),
        positions: points.to_vec(),
    }
}

fn length(a: [f32; 3], b: [f32; 3]) -> f64 {
    let d: [f64; 3] = std::array::from_fn(|i| f64::from(a[i]) - f64::from(b[i]));
    (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt()
}

/// All injective maps, one vertex after another, without any index.
fn plain(motif: &Motif, target: &Named, options: &FindOptions<'_>) -> Vec<Vec<u32>> {
    fn extend(
        motif: &Motif,
        target: &Named,
        options: &FindOptions<'_>,
        map: &mut Vec<u32>,
        all: &mut Vec<Vec<u32>>,
    ) {
        let points = motif.points();
        if map.len() == points.len() {
            let moving: Vec<_> = points.iter().map(|p| p.position).collect();
            let fixed = map.iter().map(|v| target.positions[*v as usize].unwrap());
            let fixed: Vec<_> = fixed.collect();
            if superpose(&moving, &fixed).unwrap().rmsd <= options.max_rmsd {
                all.push(map.clone());
            }
            return;
        }
        let point = &points[map.len()];
        for v in 0..target.positions.len() {
            let Some(place) = target.positions[v] else {
                continue;
            };
            let label = target.graph.labels()[v];
            let name = target.graph.vertex_names().unwrap().name(label).unwrap();
            let fits = point
                .labels
                .as_ref()
                .is_none_or(|l| l.iter().any(|l| l == name));
            let near = point.area.is_none_or(|wanted| {
                let area = f64::from(target.graph.vertex_columns().get(AREA).unwrap()[v]);
                let wanted = f64::from(wanted);
                (area - wanted).abs() <= options.area_tolerance * wanted
            });
            let agrees = map.iter().zip(points).all(|(w, other)| {
                let there = length(target.positions[*w as usize].unwrap(), place);
                let here = length(other.position, point.position);
                *w != v as u32 && (there - here).abs() <= options.tolerance
            });
            if fits && near && agrees {
                map.push(v as u32);
                extend(motif, target, options, map, all);
                map.pop();
            }
        }
    }
    let mut all = Vec::new();
    extend(motif, target, options, &mut Vec::new(), &mut all);
    all
}

fn maps(found: &Found) -> Vec<Vec<u32>> {
    let mut maps: Vec<_> = found
        .occurrences
        .iter()
        .map(|o| o.vertices.clone())
        .collect();
    maps.sort();
    maps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Lattice points, so that distances lie at the very bounds of tolerances and bins.
    #[test]
    fn as_all_injective_maps(
        vertices in prop::collection::vec(
            (prop::array::uniform3(-4..4_i8), 0..3_usize, 1..4_u8, prop::bool::weighted(0.9)),
            1..14,
        ),
        points in prop::collection::vec(
            (prop::array::uniform3(-4..4_i8), prop::collection::vec(0..4_usize, 0..3), 0..4_u8),
            1..5,
        ),
        tolerance in 0..4_u8,
        max_rmsd in 0..4_u8,
    ) {
        let place = |p: [i8; 3]| p.map(|x| f32::from(x) / 2.0);
        let positions: Vec<_> = vertices.iter().map(|v| v.3.then_some(place(v.0))).collect();
        let labels: Vec<_> = vertices.iter().map(|v| v.1).collect();
        let areas = vertices.iter().map(|v| f32::from(v.2)).collect();
        let target = target(&positions, &labels, Some(areas));
        let points = points.iter().map(|(p, labels, area)| MotifPoint {
            position: place(*p),
            labels: match labels.is_empty() {
                true => None,
                // The last name is known to no vertex.
                false => Some(labels.iter().map(|l| NAMES[*l].to_owned()).collect()),
            },
            area: (*area > 0).then_some(f32::from(*area)),
        });
        let motif = Motif::new(points.collect()).unwrap();
        let options = FindOptions {
            tolerance: f64::from(tolerance) / 2.0,
            max_rmsd: 0.01 + f64::from(max_rmsd) / 2.0,
            area_tolerance: 0.5,
            limit: usize::MAX,
            cancelled: None,
        };
        let found = find(&motif, &target, &options).unwrap();
        prop_assert!(found.complete);
        prop_assert_eq!(maps(&found), plain(&motif, &target, &options));
        for (bin, words) in [(1.0, 64), (0.5, 1), (0.3, 1000)] {
            let options = SignatureOptions { bin, reach: 6.0, words };
            let signature = Signature::of(&target, &options).unwrap();
            let may = signature.may_contain(&motif, f64::from(tolerance) / 2.0);
            prop_assert!(may || found.occurrences.is_empty());
        }
    }
}

/// Enough points of any label that cells are used.
#[test]
fn cells_as_the_plain_scan() {
    let mut random = Random(7);
    let positions: Vec<_> = (0..500).map(|_| Some(random.place(50.0))).collect();
    let labels: Vec<_> = (0..500).map(|_| random.below(5)).collect();
    let target = target(&positions, &labels, None);
    let mut some = 0;
    for n in 2..5 {
        let points = (0..n).map(|_| MotifPoint {
            position: random.place(6.0),
            labels: None,
            area: None,
        });
        let motif = Motif::new(points.collect()).unwrap();
        let options = FindOptions {
            tolerance: 0.6,
            limit: usize::MAX,
            ..FindOptions::default()
        };
        let found = find(&motif, &target, &options).unwrap();
        assert_eq!(maps(&found), plain(&motif, &target, &options));
        some += found.occurrences.len();
    }
    assert!(some > 300, "{some}");
}

/// A motif of five residues, turned and shaken, among others; and its mirror image, which has the
/// same distances.
#[test]
fn a_hidden_motif_is_found_and_its_mirror_image_is_not() {
    let mut random = Random(11);
    let kinds = [1, 2, 3, 4, 3];
    let places: Vec<[f32; 3]> = vec![
        [0.0, 0.0, 0.0],
        [6.0, 0.5, 0.0],
        [1.0, 7.0, 1.0],
        [2.0, 2.0, 8.0],
        [-5.0, 3.0, 4.0],
    ];
    let points = places.iter().zip(kinds).map(|(p, kind)| MotifPoint {
        position: *p,
        labels: Some(vec![NAMES[kind].to_owned()]),
        area: None,
    });
    let motif = Motif::new(points.collect()).unwrap();
    let mut dismissed = 0;
    for structure in 0..60 {
        let mut positions: Vec<_> = (0..120).map(|_| Some(random.place(40.0))).collect();
        let mut labels: Vec<_> = (0..120).map(|_| random.below(5)).collect();
        let motion = random.motion();
        let hidden: Vec<u32> = (0..5).map(|i| 20 * i + random.below(20) as u32).collect();
        for ((vertex, place), kind) in hidden.iter().zip(&places).zip(kinds) {
            let mirror = if structure % 3 == 1 { -1.0 } else { 1.0 };
            let place = motion.apply([mirror * place[0], place[1], place[2]]);
            let noise = random.place(0.4);
            positions[*vertex as usize] = Some(std::array::from_fn(|i| place[i] as f32 + noise[i]));
            labels[*vertex as usize] = kind;
        }
        if structure % 3 == 2 {
            // One residue is another.
            labels[hidden[2] as usize] = 0;
        }
        let target = target(&positions, &labels, None);
        let options = FindOptions::default();
        let found = find(&motif, &target, &options).unwrap();
        assert_eq!(maps(&found), plain(&motif, &target, &options));
        let there = found.occurrences.iter().find(|o| o.vertices == hidden);
        assert_eq!(there.is_some(), structure % 3 == 0, "{structure}");
        if let Some(there) = there {
            assert!(there.rmsd < 0.4);
            for (place, vertex) in places.iter().zip(&hidden) {
                let moved = there.superposition.apply(*place).map(|x| x as f32);
                assert!(length(moved, positions[*vertex as usize].unwrap()) < 0.8);
            }
        }
        let signature = Signature::of(&target, &SignatureOptions::default()).unwrap();
        let may = signature.may_contain(&motif, options.tolerance);
        assert!(may || found.occurrences.is_empty());
        dismissed += usize::from(!may);
        let stored = signature.words().to_vec();
        let again = Signature::from_words(stored, &SignatureOptions::default());
        assert_eq!(again, Some(signature));
    }
    assert!(dismissed > 0);
}

/// Where no pair is beyond the graph's cutoff, a search of the graph finds the same maps.
#[test]
fn a_pattern_finds_the_same_within_the_cutoff() {
    let mut random = Random(5);
    let mut some = 0;
    for _ in 0..50 {
        let positions: Vec<_> = (0..80).map(|_| Some(random.place(20.0))).collect();
        let labels: Vec<_> = (0..80).map(|_| random.below(5)).collect();
        let target = target(&positions, &labels, None);
        let near = |v: &u32| length(positions[*v as usize].unwrap(), positions[0].unwrap()) < 3.4;
        let mut vertices = vec![0];
        vertices.extend((1..80).filter(near).take(3));
        let motif = Motif::of_vertices(&target, &vertices, LabelMatch::Exact).unwrap();
        let pattern = motif.pattern(0.5).unwrap();
        assert_eq!(
            pattern.edges().len(),
            vertices.len() * (vertices.len() - 1) / 2
        );
        let host = Host::new(target.graph.clone()).unwrap();
        let mut matches = Vec::new();
        host.visit(&pattern, &MatchOptions::default(), &mut |found| {
            matches.push(found.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
        matches.sort();
        let options = FindOptions {
            tolerance: 0.5,
            max_rmsd: 100.0,
            ..FindOptions::default()
        };
        let found = find(&motif, &target, &options).unwrap();
        assert_eq!(maps(&found), matches);
        assert!(matches.contains(&vertices));
        some += usize::from(vertices.len() > 2);
    }
    assert!(some > 10, "{some}");
}

#[test]
fn limits_and_cancellation() {
    let positions = vec![Some([0.0; 3]); 60];
    let target = target(&positions, &[0; 60], None);
    let motif = Motif::of_vertices(&target, &[3, 5], LabelMatch::Exact).unwrap();
    let mut options = FindOptions {
        limit: 60 * 59,
        ..FindOptions::default()
    };
    let found = find(&motif, &target, &options).unwrap();
    assert_eq!((found.occurrences.len(), found.complete), (60 * 59, true));
    options.limit -= 1;
    let found = find(&motif, &target, &options).unwrap();
    assert_eq!(
        (found.occurrences.len(), found.complete),
        (60 * 59 - 1, false)
    );
    let flag = AtomicBool::new(true);
    options.cancelled = Some(&flag);
    let found = find(&motif, &target, &options).unwrap();
    assert!(!found.complete && found.occurrences.len() < 1100);
    for tolerance in [f64::NAN, -1.0] {
        let options = FindOptions {
            tolerance,
            ..FindOptions::default()
        };
        assert!(find(&motif, &target, &options).is_err());
    }
}

/// Residues with names and, or not, with numbers.
fn chain(names: &[&str], numbers: Option<&[i32]>) -> Named {
    let mut vertex_columns = Columns::default();
    if let Some(numbers) = numbers {
        vertex_columns.insert(NUMBER, numbers.iter().map(|n| *n as f32).collect());
    }
    let builder = GraphBuilder {
        labels: vec![0; names.len()],
        vertex_names: Some(Labels::from_iter(["GLY"])),
        vertex_columns,
        ..GraphBuilder::default()
    };
    Named {
        id: "chains".to_owned(),
        description: None,
        graph: builder.build().unwrap(),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        positions: (0..names.len())
            .map(|i| Some([i as f32, 0.0, 0.0]))
            .collect(),
    }
}

#[test]
fn selections() {
    let names = [
        "A:GLY-2", "A:GLY2", "A:GLY44", "A:GLY45", "A:GLY45B", "A:GLY45A", "A:ALA46", "B:GL345",
        "B:GL45",
    ];
    let numbers = [-2, 2, 44, 45, 45, 45, 46, 45, 5];
    let with = chain(&names, Some(&numbers));
    let without = chain(&names, None);
    for (text, expected) in [
        ("A:45", &[3][..]),
        ("A:45A", &[5]),
        (" A : 46 , 44 ;B:45", &[6, 2, 7]),
        ("A:44-45A", &[2, 3, 4, 5]),
        ("A:-2-2", &[0, 1]),
        ("A:-2--2,2", &[0, 1]),
        ("A:2;A:45B", &[1, 4]),
    ] {
        let vertices = Selection::parse(text).unwrap().vertices(&with);
        assert_eq!(vertices.unwrap(), expected, "{text}");
    }
    // Names alone: 345 is not 45, and `GL45` is read as GL 45.
    let vertices = |text| Selection::parse(text).unwrap().vertices(&without);
    assert_eq!(vertices("A:-2,2,45A").unwrap(), [0, 1, 5]);
    assert_eq!(vertices("B:345,45").unwrap(), [7, 8]);
    for (text, expected) in [
        ("", 0),
        ("A:", 2),
        ("A:4x5", 4),
        ("A:45,", 5),
        ("A:45-", 5),
        (":45", 0),
        ("A:45;;B:1", 5),
        ("A:45;B:99999999999", 7),
        ("A:45 46", 5),
        ("A:\u{e9}", 2),
    ] {
        match Selection::parse(text) {
            Err(GraphError::Selection { byte, .. }) => assert_eq!(byte, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for (text, expected) in [
        ("A:47", "graph `chains` has no residue `A:47`"),
        ("C:45", "graph `chains` has no residue `C:45`"),
        ("A:45C", "graph `chains` has no residue `A:45C`"),
        (
            "45",
            "byte 0 of the selection: a chain, as there are several, is wanted",
        ),
        ("A:1;45", "graph `chains` has no residue `A:1`"),
        (
            "A:2,46-44",
            "byte 4 of the selection: a range in the order of the chain is wanted",
        ),
    ] {
        let error = Selection::parse(text).unwrap().vertices(&with).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let one = chain(&["GLY1", "GLY2"], Some(&[1, 2]));
    assert_eq!(Selection::parse("2").unwrap().vertices(&one).unwrap(), [1]);
    let error = Motif::of_residues(&with, "A:45,44-46", LabelMatch::Any).unwrap_err();
    assert_eq!(
        error.to_string(),
        "vertex 3 of graph `chains` is selected twice"
    );
    assert_eq!(
        of_residues(&with, "A:44,46", &MotifOptions::default())
            .unwrap()
            .edges()[0]
            .near[0]
            .value,
        4.0
    );
}
