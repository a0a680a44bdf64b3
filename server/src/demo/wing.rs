//! Wings with NACA four-digit sections.
//!
//! The section is the one of Jacobs, Ward and Pinkerton, "The characteristics of 78 related airfoil
//! sections from tests in the variable-density wind tunnel", NACA Report 460 (1933), with the last
//! coefficient of the thickness changed from -0.1015 to -0.1036, the usual way to close the
//! trailing edge.

use super::surface::{Point, Surface};

/// A four-digit section: all three are fractions of the chord.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// Largest camber: the first digit / 100.
    pub(super) camber: f64,
    /// Where the camber is largest: the second digit / 10.
    pub(super) camber_at: f64,
    /// Thickness: the last two digits / 100.
    pub(super) thickness: f64,
}

impl Section {
    pub(super) const NACA_2412: Self = Self {
        camber: 0.02,
        camber_at: 0.4,
        thickness: 0.12,
    };
    pub(super) const NACA_0012: Self = Self {
        camber: 0.0,
        camber_at: 0.0,
        thickness: 0.12,
    };

    /// Half the thickness at `x` of the chord.
    fn half_thickness(self, x: f64) -> f64 {
        5.0 * self.thickness
            * (0.2969 * x.sqrt() - 0.1260 * x - 0.3516 * x.powi(2) + 0.2843 * x.powi(3)
                - 0.1036 * x.powi(4))
    }

    /// Height and slope of the mean line at `x` of the chord.
    fn mean_line(self, x: f64) -> (f64, f64) {
        let (m, p) = (self.camber, self.camber_at);
        if m == 0.0 {
            (0.0, 0.0)
        } else if x < p {
            let k = m / p.powi(2);
            (k * (2.0 * p * x - x * x), 2.0 * k * (p - x))
        } else {
            let k = m / (1.0 - p).powi(2);
            (k * (1.0 - 2.0 * p + 2.0 * p * x - x * x), 2.0 * k * (p - x))
        }
    }

    /// The closed contour from the trailing edge over the upper side to the leading edge and back
    /// below, `2 * stations` points; stations are spaced by the cosine.
    fn contour(self, stations: usize) -> Vec<[f64; 2]> {
        let at = |i: usize, side: f64| {
            let x = 0.5 * (1.0 + (std::f64::consts::PI * i as f64 / stations as f64).cos());
            let (height, slope) = self.mean_line(x);
            let half = if i == 0 {
                0.0
            } else {
                self.half_thickness(x) * side
            };
            let angle = slope.atan();
            [x - half * angle.sin(), height + half * angle.cos()]
        };
        (0..=stations)
            .map(|i| at(i, 1.0))
            .chain((1..stations).rev().map(|i| at(i, -1.0)))
            .collect()
    }
}

/// A wing of chord 1 from `y = 0` to `y = span`, with patches `upper`, `lower`, `root` and `tip`.
/// x runs with the flow, z up.
pub(super) fn wing(section: Section, span: f64, stations: usize, ribs: usize) -> Surface {
    let contour = section.contour(stations);
    let around = contour.len();
    let vertices = (0..=ribs)
        .flat_map(|rib| {
            let y = span * rib as f64 / ribs as f64;
            contour.iter().map(move |&[x, z]| -> Point { [x, y, z] })
        })
        .collect();

    let side = |range: std::ops::Range<usize>| -> Vec<Vec<usize>> {
        (0..ribs)
            .flat_map(|rib| {
                range.clone().map(move |i| {
                    let next = (i + 1) % around;
                    let (here, there) = (rib * around, (rib + 1) * around);
                    vec![here + i, there + i, there + next, here + next]
                })
            })
            .collect()
    };
    // A cap pairs the upper point of each station with the lower one: quadrilaterals, and a
    // triangle at either edge.
    let cap = |first: usize, is_tip: bool| -> Vec<Vec<usize>> {
        (0..stations)
            .map(|i| {
                let lower = |station: usize| (around - station) % around;
                let mut polygon = vec![i, lower(i), lower(i + 1), i + 1];
                polygon.dedup();
                if !is_tip {
                    polygon.reverse();
                }
                polygon.into_iter().map(|index| first + index).collect()
            })
            .collect()
    };
    Surface {
        vertices,
        patches: vec![
            ("upper", side(0..stations)),
            ("lower", side(stations..around)),
            ("root", cap(0, false)),
            ("tip", cap(ribs * around, true)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::surface::check::{is_watertight, volume};
    use super::*;

    #[test]
    fn the_trailing_edge_is_closed_and_the_thickness_is_right() {
        let section = Section::NACA_2412;
        assert!(section.half_thickness(1.0).abs() < 1e-15);
        let thickest = (0..=1000).map(|i| section.half_thickness(f64::from(i) / 1000.0));
        assert!((thickest.fold(0.0, f64::max) - 0.06).abs() < 1e-4);
        assert!((section.mean_line(0.4).0 - 0.02).abs() < 1e-15);
    }

    #[test]
    fn wings_are_closed_and_face_outwards() {
        // The area of a four-digit section with a closed trailing edge, by integration of the
        // polynomial: 10 t (0.2969 * 2/3 - 0.1260 / 2 - 0.3516 / 3 + 0.2843 / 4 - 0.1036 / 5).
        let area = 10.0
            * 0.12
            * (0.2969 * 2.0 / 3.0 - 0.1260 / 2.0 - 0.3516 / 3.0 + 0.2843 / 4.0 - 0.1036 / 5.0);
        for section in [Section::NACA_2412, Section::NACA_0012] {
            let wing = wing(section, 3.0, 60, 12);
            assert!(is_watertight(&wing));
            assert!(
                (volume(&wing) / (3.0 * area) - 1.0).abs() < 0.005,
                "{}",
                volume(&wing)
            );
        }
    }
}
