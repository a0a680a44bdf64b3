//! The parts of the vector and how they are computed.

use super::edges::{self, CURVATURE, CURVATURE_RANGE, DIHEDRAL, THIN};
use super::harmonics::{self, COUNT, DEGREES, Harmonics};
use super::histogram::Soft;
use super::surface::{Surface, Vec3, cross, dot, norm, scale, sub};
use crate::vectors::DIM;

const DISTANCES: usize = 32;
const SOLID: usize = 16;
/// Largest distance that the distance histograms tell apart, in R.
const FAR: f64 = 2.5;
const SHELLS: usize = 8;
/// Distance between shells, in R; the first is at 0.
const SHELL: f64 = 0.35;
/// Degrees of the shells' power.
const SHELL_DEGREES: usize = 8;
const QS: usize = 28;
/// Step of q, in 1 / R.
const Q: f64 = 0.25;
const TILT_SHELLS: usize = 4;
const TILTS: usize = 8;
/// Distance between the shells of the tilt histograms, in R; the first is at this distance.
const TILT_SHELL: f64 = 0.45;
/// Radius, in R, under which a direction from the centroid fades out.
const CORE: f64 = 0.05;
/// Faces are cut until their edges are no longer than this, in R.
const CUT: f64 = 0.123_456_789;
/// Cuts are coarser where there would be more pieces than this.
const MOST_PIECES: f64 = 1.0e6;

/// The constants above, for the digest.
pub(crate) const CONSTANTS: [f64; 9] = [
    FAR,
    SHELL,
    Q,
    TILT_SHELL,
    CORE,
    CUT,
    MOST_PIECES,
    CURVATURE_RANGE,
    THIN,
];

/// A part of the vector; see the module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Distance from the centroid.
    Distance,
    /// Enclosed volume by distance from the centroid.
    Solid,
    /// Distances between pairs of points.
    Pairs,
    /// Angles at the centroid between pairs of points.
    Angles,
    /// Harmonic power of concentric shells.
    Shells,
    /// Normals against radii.
    Tilt,
    /// Angles between pairs of normals.
    Normals,
    /// Dihedral angles.
    Dihedral,
    /// Gaussian curvature.
    Gaussian,
    /// Mean curvature.
    Mean,
    /// Ratios of the whole.
    Ratios,
}

impl Part {
    /// Every part, in the order of the vector.
    pub const ALL: [Self; 11] = [
        Self::Distance,
        Self::Solid,
        Self::Pairs,
        Self::Angles,
        Self::Shells,
        Self::Tilt,
        Self::Normals,
        Self::Dihedral,
        Self::Gaussian,
        Self::Mean,
        Self::Ratios,
    ];

    /// Dimensions of the part.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a part is never empty")]
    pub const fn len(self) -> usize {
        match self {
            Self::Distance => DISTANCES,
            Self::Solid => SOLID,
            Self::Pairs => QS,
            Self::Angles | Self::Normals => DEGREES,
            Self::Shells => SHELLS * SHELL_DEGREES,
            Self::Tilt => TILT_SHELLS * TILTS,
            Self::Dihedral => DIHEDRAL,
            Self::Gaussian | Self::Mean => CURVATURE,
            Self::Ratios => 8,
        }
    }

    /// What the part is multiplied by before the whole is scaled to norm 1. A histogram has norm
    /// 1 before that, the others about as much.
    #[must_use]
    pub const fn weight(self) -> f64 {
        match self {
            Self::Distance | Self::Tilt | Self::Ratios => 0.8,
            Self::Solid | Self::Normals | Self::Angles => 1.0,
            Self::Pairs => 0.25,
            Self::Shells => 2.0,
            Self::Dihedral => 0.6,
            Self::Gaussian => 0.4,
            Self::Mean => 0.5,
        }
    }

    /// Where the part begins.
    #[must_use]
    pub fn start(self) -> usize {
        Self::ALL
            .iter()
            .take_while(|part| **part != self)
            .map(|part| part.len())
            .sum()
    }
}

/// Tables that depend on constants alone.
#[derive(Debug)]
pub(crate) struct Tables {
    harmonics: Harmonics,
    /// Spherical Bessel functions: `[q][shell][degree]`.
    bessel: Vec<[[f64; DEGREES + 1]; SHELLS]>,
}

/// Everything that is summed over pieces of the surface.
struct Sums {
    mass: f64,
    distance: Soft<DISTANCES>,
    solid: Soft<SOLID>,
    shells: Box<[[f64; COUNT]; SHELLS]>,
    tilt: [Soft<TILTS>; TILT_SHELLS],
    moments: [[f64; 3]; 3],
    volume: f64,
}

/// The root of a share, with its sign: differences of small bins count for more (Hellinger).
fn root(x: f64) -> f64 {
    x.abs().sqrt().copysign(x)
}

impl Tables {
    pub(crate) fn new() -> Self {
        let bessel = (1..=QS)
            .map(|q| std::array::from_fn(|s| spherical_bessel(q as f64 * Q * s as f64 * SHELL)))
            .collect();
        Self {
            harmonics: Harmonics::new(),
            bessel,
        }
    }

    /// The vector before it is scaled to norm 1.
    pub(crate) fn describe(&self, surface: &Surface) -> [f64; DIM] {
        let mut vector = [0.0; DIM];
        let mut put = |part: Part, values: &[f64]| {
            let start = part.start();
            for (slot, value) in vector[start..start + part.len()].iter_mut().zip(values) {
                *slot = value * part.weight();
            }
        };
        let normals: Vec<Vec3> = surface
            .faces
            .iter()
            .zip(&surface.areas)
            .map(|(face, area)| {
                let [a, b, c] = face.map(|v| surface.points[v as usize]);
                scale(cross(sub(b, a), sub(c, a)), 0.5 / area)
            })
            .collect();
        let sums = self.integrate(surface, &normals);
        let roots = |mass: &[f64], total: f64| -> Vec<f64> {
            mass.iter().map(|m| root(m / total)).collect()
        };
        put(Part::Distance, &roots(sums.distance.mass(), sums.mass));
        put(Part::Pairs, &self.pairs(&sums));
        let mut all = [0.0; COUNT];
        for shell in sums.shells.iter() {
            for (all, value) in all.iter_mut().zip(shell) {
                *all += value;
            }
        }
        let moments = |a: &[f64; COUNT]| -> [f64; DEGREES] {
            std::array::from_fn(|l| {
                let power = harmonics::power(a, a, l + 1) / (2 * l + 3) as f64;
                power.sqrt() / sums.mass
            })
        };
        put(Part::Angles, &moments(&all));
        let shells: Vec<f64> = sums
            .shells
            .iter()
            .flat_map(|shell| moments(shell).into_iter().take(SHELL_DEGREES))
            .collect();
        put(Part::Shells, &shells);
        let mut ratios = [0.0; 8];
        let [a, b, c] = eigenvalues(sums.moments);
        let trace = a + b + c;
        for (slot, value) in ratios.iter_mut().zip([a, b, c]) {
            *slot = (value.max(0.0) / trace).sqrt();
        }
        if !surface.faces.is_empty() {
            put(Part::Solid, &roots(sums.solid.mass(), sums.mass));
            let tilt: Vec<f64> = sums
                .tilt
                .iter()
                .flat_map(|shell| roots(shell.mass(), sums.mass))
                .collect();
            put(Part::Tilt, &tilt);
            put(
                Part::Normals,
                &moments(&self.gaussian_image(surface, &normals)),
            );
            let edges = edges::integrate(surface, &normals);
            for (part, mass) in [
                (Part::Dihedral, edges.dihedral.mass().as_slice()),
                (Part::Gaussian, edges.gaussian.mass()),
                (Part::Mean, edges.mean.mass()),
            ] {
                let total: f64 = mass.iter().sum();
                if total > 0.0 {
                    put(part, &roots(mass, total));
                }
            }
            let sphere = 36.0 * std::f64::consts::PI * sums.volume * sums.volume;
            ratios[3] = sphere.cbrt() / surface.area;
            ratios[4] = surface.area / (surface.area + 4.0 * std::f64::consts::PI);
            ratios[5..].copy_from_slice(&edges.shares);
        }
        put(Part::Ratios, &ratios);
        vector
    }

    fn integrate(&self, surface: &Surface, normals: &[Vec3]) -> Sums {
        let mut sums = Sums {
            mass: 0.0,
            distance: Soft::new(0.0, FAR),
            solid: Soft::new(0.0, FAR),
            shells: Box::new([[0.0; COUNT]; SHELLS]),
            tilt: std::array::from_fn(|_| Soft::new(-1.0, 1.0)),
            moments: [[0.0; 3]; 3],
            volume: 0.0,
        };
        if surface.faces.is_empty() {
            for &p in &surface.points {
                self.add(&mut sums, p, 1.0, None);
            }
            return sums;
        }
        let longest = |face: &[u32; 3]| {
            let [a, b, c] = face.map(|v| surface.points[v as usize]);
            norm(sub(a, b)).max(norm(sub(b, c))).max(norm(sub(c, a)))
        };
        let pieces: f64 = surface
            .faces
            .iter()
            .map(|face| (longest(face) / CUT).powi(2))
            .sum();
        let cut = CUT * (pieces / MOST_PIECES).max(1.0).sqrt();
        for ((face, &area), &normal) in surface.faces.iter().zip(&surface.areas).zip(normals) {
            let [a, b, c] = face.map(|v| surface.points[v as usize]);
            let n = (longest(face) / cut).ceil().max(1.0) as usize;
            let weight = area / (n * n) as f64;
            let step = 1.0 / n as f64;
            let (ab, ac) = (scale(sub(b, a), step), scale(sub(c, a), step));
            let mut at = |i: usize, j: usize, third: f64| {
                let (u, v) = (i as f64 + third, j as f64 + third);
                let p = std::array::from_fn(|k| a[k] + u * ab[k] + v * ac[k]);
                self.add(&mut sums, p, weight, Some(normal));
            };
            // The n^2 equal pieces of the triangle, those that stand and those on their head.
            for i in 0..n {
                for j in 0..n - i {
                    at(i, j, 1.0 / 3.0);
                    if i + j + 1 < n {
                        at(i, j, 2.0 / 3.0);
                    }
                }
            }
        }
        sums
    }

    #[inline]
    fn add(&self, sums: &mut Sums, p: Vec3, weight: f64, normal: Option<Vec3>) {
        let r2 = dot(p, p);
        let r = r2.sqrt();
        sums.mass += weight;
        sums.distance.add(r, weight);
        for i in 0..3 {
            for j in 0..3 {
                sums.moments[i][j] += weight * p[i] * p[j];
            }
        }
        let direction = scale(p, 1.0 / (r2 + CORE * CORE).sqrt());
        let mut values = [0.0; COUNT];
        self.harmonics.eval(direction, &mut values);
        let at = (r / SHELL).min((SHELLS - 1) as f64);
        let shell = (at as usize).min(SHELLS - 2);
        let share = at - shell as f64;
        let (low, high) = (weight * (1.0 - share), weight * share);
        for (slot, value) in sums.shells[shell].iter_mut().zip(&values) {
            *slot += low * value;
        }
        for (slot, value) in sums.shells[shell + 1].iter_mut().zip(&values) {
            *slot += high * value;
        }
        if let Some(normal) = normal {
            let out = dot(p, normal);
            sums.solid.add(r, weight * out / 3.0);
            sums.volume += weight * out / 3.0;
            let tilt = dot(direction, normal);
            let at = (r / TILT_SHELL - 1.0).clamp(0.0, (TILT_SHELLS - 1) as f64);
            let shell = (at as usize).min(TILT_SHELLS - 2);
            let share = at - shell as f64;
            sums.tilt[shell].add(tilt, weight * (1.0 - share));
            sums.tilt[shell + 1].add(tilt, weight * share);
        }
    }

    /// Mean of sin(qd) / qd over all pairs, from the shells' coefficients: the sine transform of
    /// the pair-distance distribution, cut off at degree [`DEGREES`].
    fn pairs(&self, sums: &Sums) -> [f64; QS] {
        std::array::from_fn(|q| {
            let mut total = 0.0;
            for l in 0..=DEGREES {
                for k in l * l..(l + 1) * (l + 1) {
                    let amplitude: f64 = (0..SHELLS)
                        .map(|s| self.bessel[q][s][l] * sums.shells[s][k])
                        .sum();
                    total += amplitude * amplitude;
                }
            }
            total.sqrt() / sums.mass
        })
    }

    fn gaussian_image(&self, surface: &Surface, normals: &[Vec3]) -> [f64; COUNT] {
        let mut image = [0.0; COUNT];
        let mut values = [0.0; COUNT];
        for (normal, area) in normals.iter().zip(&surface.areas) {
            self.harmonics.eval(*normal, &mut values);
            for (slot, value) in image.iter_mut().zip(&values) {
                *slot += area * value;
            }
        }
        image
    }
}

/// Spherical Bessel functions of degree 0 to [`DEGREES`], by downward recurrence (Miller).
fn spherical_bessel(x: f64) -> [f64; DEGREES + 1] {
    let mut out = [0.0; DEGREES + 1];
    if x < 1e-9 {
        out[0] = 1.0;
        return out;
    }
    let from = DEGREES + 20 + x as usize;
    let (mut above, mut here) = (0.0, 1e-200);
    for l in (0..from).rev() {
        let below = (2 * l + 3) as f64 / x * here - above;
        above = here;
        here = below;
        if l <= DEGREES {
            out[l] = here;
        }
        if here.abs() > 1e200 {
            above *= 1e-200;
            here *= 1e-200;
            for value in &mut out {
                *value *= 1e-200;
            }
        }
    }
    // The sum of (2l + 1) j_l^2 is 1; its terms past the last degree are here too, through the
    // two known values j_0 and j_1, of which the larger is taken.
    let j0 = x.sin() / x;
    let j1 = x.sin() / (x * x) - x.cos() / x;
    let ratio = if j0.abs() >= j1.abs() {
        j0 / out[0]
    } else {
        j1 / out[1]
    };
    out.map(|value| value * ratio)
}

/// Eigenvalues of a symmetric matrix, largest first, by Jacobi's rotations.
fn eigenvalues(mut m: [[f64; 3]; 3]) -> [f64; 3] {
    for _ in 0..30 {
        let off = m[0][1].abs() + m[0][2].abs() + m[1][2].abs();
        if off < 1e-300 {
            break;
        }
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if m[p][q] == 0.0 {
                continue;
            }
            let theta = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
            let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let c = 1.0 / (t * t + 1.0).sqrt();
            let s = t * c;
            for row in &mut m {
                let (x, y) = (row[p], row[q]);
                row[p] = c * x - s * y;
                row[q] = s * x + c * y;
            }
            let (x, y) = (m[p], m[q]);
            for k in 0..3 {
                m[p][k] = c * x[k] - s * y[k];
                m[q][k] = s * x[k] + c * y[k];
            }
        }
    }
    let mut values = [m[0][0], m[1][1], m[2][2]];
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_vector() {
        assert_eq!(Part::ALL.iter().map(|p| p.len()).sum::<usize>(), DIM);
        assert_eq!(Part::Ratios.start() + Part::Ratios.len(), DIM);
    }

    #[test]
    fn bessel() {
        // Abramowitz and Stegun, table 10.1: j_2(1), j_10(5).
        assert!((spherical_bessel(1.0)[2] - 0.062_035_052).abs() < 1e-9);
        assert!((spherical_bessel(5.0)[10] - 4.073_442e-4).abs() < 1e-9);
        assert_eq!(spherical_bessel(0.0)[0], 1.0);
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        let values = eigenvalues([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]]);
        for (value, expected) in values.iter().zip([5.0, 3.0, 1.0]) {
            assert!((value - expected).abs() < 1e-12);
        }
    }
}
