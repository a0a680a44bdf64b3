//! Helix, strand and coil from the trace of C-alpha atoms.
//!
//! The method is P-SEA (Labesse, Colloc'h, Pothier & Mornon 1997, doi:10.1093/bioinformatics/13.3.291),
//! whose bounds these are. About residue i it looks at the distances d2 (i-1, i+1), d3 (i-1, i+2)
//! and d4 (i-1, i+3), the angle tau (i-1, i, i+1) and the dihedral alpha (i-1, i, i+1, i+2):
//!
//! | | d2, angstrom | d3 | d4 | tau, degrees | alpha |
//! | --- | --- | --- | --- | --- | --- |
//! | helix | | 5.3 ± 0.5 | 6.4 ± 0.6 | 89 ± 12 | 50 ± 20 |
//! | strand | 6.7 ± 0.6 | 9.9 ± 0.9 | 12.4 ± 1.1 | 124 ± 14 | -170 ± 45 |
//!
//! A residue may be of a state when all of its distances or both of its angles are within bounds.
//! Five such residues in a row are a helix; five are a strand, and three or four are one when they
//! have five C-alpha atoms of the chain 4.2 to 5.2 angstrom away. A helix takes in one more residue
//! at each end that fits by d3 or by tau, a strand one that fits by d3.
//!
//! A row of a table is one chain, so a short strand whose only neighbours are in other chains is
//! coil.

use std::ops::Range;

use super::MASKED;
use super::states::{COIL, HELIX, STRAND};

/// Neighbouring C-alpha atoms are 3.8 angstrom apart (2.9 about a cis bond); farther than this
/// the chain is broken.
const BREAK_ANGSTROM: f64 = 4.5;

/// Residues in a row that make a helix, and a strand without neighbours.
const LONG: usize = 5;
/// Residues in a row that make a strand with neighbours.
const SHORT: usize = 3;
/// Neighbours that such a strand needs.
const CONTACTS: usize = 5;
/// How far away they are.
const CONTACT_ANGSTROM: (f64, f64) = (4.2, 5.2);

type Point = [f64; 3];

/// The states of a chain: a label of [`states`](super::states) for each residue, [`MASKED`] where
/// `present` is false. `xyz` is `[residues, 3]` in angstrom.
///
/// # Panics
/// `xyz` and `present` are not of one chain.
#[must_use]
pub fn assign(xyz: &[f32], present: &[bool]) -> Vec<u8> {
    assert_eq!(
        xyz.len(),
        3 * present.len(),
        "three numbers for each residue"
    );
    let points: Vec<Option<Point>> = xyz
        .chunks_exact(3)
        .zip(present)
        .map(|(at, present)| present.then(|| [at[0], at[1], at[2]].map(f64::from)))
        .collect();
    let atoms: Vec<Point> = points.iter().flatten().copied().collect();
    let mut labels: Vec<u8> = present
        .iter()
        .map(|present| if *present { COIL } else { MASKED })
        .collect();
    let mut from = 0;
    while from < points.len() {
        let mut segment = Vec::new();
        while let Some(Some(next)) = points.get(from + segment.len()) {
            if segment
                .last()
                .is_some_and(|last| distance(last, next) > BREAK_ANGSTROM)
            {
                break;
            }
            segment.push(*next);
        }
        let end = from + segment.len();
        Segment { points: &segment }.assign(&atoms, &mut labels[from..end]);
        from = end.max(from + 1);
    }
    labels
}

/// Residues without a gap.
struct Segment<'a> {
    points: &'a [Point],
}

impl Segment<'_> {
    fn assign(&self, atoms: &[Point], labels: &mut [u8]) {
        let n = self.points.len();
        for run in runs(n, |i| self.strand(i)) {
            if run.len() >= LONG
                || run.len() >= SHORT && self.contacts(run.clone(), atoms) >= CONTACTS
            {
                mark(labels, self.extended(run, |i| self.strand_d3(i)), STRAND);
            }
        }
        for run in runs(n, |i| self.helix(i)) {
            if run.len() >= LONG {
                let fits = |i| self.helix_d3(i) || self.tau(i, 89.0, 12.0);
                mark(labels, self.extended(run, fits), HELIX);
            }
        }
    }

    /// A run with the residue before and the one after, where they fit.
    fn extended(&self, run: Range<usize>, fits: impl Fn(usize) -> bool) -> Range<usize> {
        let start = run.start - usize::from(run.start > 0 && fits(run.start - 1));
        let more = run.end < self.points.len() && fits(run.end);
        start..run.end + usize::from(more)
    }

    fn helix(&self, i: usize) -> bool {
        self.helix_d3(i) && self.span(i, 4, 6.4, 0.6)
            || self.tau(i, 89.0, 12.0) && self.alpha(i, 50.0, 20.0)
    }

    fn helix_d3(&self, i: usize) -> bool {
        self.span(i, 3, 5.3, 0.5)
    }

    fn strand(&self, i: usize) -> bool {
        self.span(i, 2, 6.7, 0.6) && self.strand_d3(i) && self.span(i, 4, 12.4, 1.1)
            || self.tau(i, 124.0, 14.0) && self.alpha(i, -170.0, 45.0)
    }

    fn strand_d3(&self, i: usize) -> bool {
        self.span(i, 3, 9.9, 0.9)
    }

    /// The residues from the one before i on; none where the segment has not so many.
    fn around<const N: usize>(&self, i: usize) -> Option<&[Point; N]> {
        let from = i.checked_sub(1)?;
        self.points.get(from..from + N)?.try_into().ok()
    }

    /// Whether the residue before i and the one `apart` behind that are so far from each other.
    fn span(&self, i: usize, apart: usize, middle: f64, within: f64) -> bool {
        let Some(from) = i.checked_sub(1) else {
            return false;
        };
        match (self.points.get(from), self.points.get(from + apart)) {
            (Some(a), Some(b)) => (distance(a, b) - middle).abs() <= within,
            _ => false,
        }
    }

    fn tau(&self, i: usize, middle: f64, within: f64) -> bool {
        self.around(i).is_some_and(|[a, b, c]| {
            let (u, v) = (minus(a, b), minus(c, b));
            let cosine = dot(&u, &v) / (dot(&u, &u) * dot(&v, &v)).sqrt();
            (cosine.acos().to_degrees() - middle).abs() <= within
        })
    }

    fn alpha(&self, i: usize, middle: f64, within: f64) -> bool {
        self.around(i).is_some_and(|[a, b, c, d]| {
            let (u, v, w) = (minus(b, a), minus(c, b), minus(d, c));
            let (left, right) = (cross(&u, &v), cross(&v, &w));
            let y = dot(&cross(&left, &right), &v) / dot(&v, &v).sqrt();
            let angle = y.atan2(dot(&left, &right)).to_degrees();
            let away = (angle - middle).rem_euclid(360.0);
            away.min(360.0 - away) <= within
        })
    }

    fn contacts(&self, run: Range<usize>, atoms: &[Point]) -> usize {
        let near = |a: &Point| {
            let (low, high) = CONTACT_ANGSTROM;
            let within = |b: &&Point| (low..=high).contains(&distance(a, b));
            atoms.iter().filter(within).count()
        };
        self.points[run].iter().map(near).sum()
    }
}

/// The runs of residues for which it holds.
fn runs(n: usize, holds: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for i in (0..n).filter(|i| holds(*i)) {
        match found.last_mut() {
            Some(run) if run.end == i => run.end = i + 1,
            _ => found.push(i..i + 1),
        }
    }
    found
}

fn mark(labels: &mut [u8], run: Range<usize>, state: u8) {
    labels[run].fill(state);
}

fn minus(a: &Point, b: &Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: &Point, b: &Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: &Point, b: &Point) -> Point {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn distance(a: &Point, b: &Point) -> f64 {
    let away = minus(a, b);
    dot(&away, &away).sqrt()
}
