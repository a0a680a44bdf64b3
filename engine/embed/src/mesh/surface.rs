//! A mesh as the descriptor sees it: welded, centred, scaled.

use std::collections::HashMap;

use crate::MeshFault;
use crate::input::Triples;

pub(crate) type Vec3 = [f64; 3];

#[inline]
pub(crate) fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline]
pub(crate) fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline]
pub(crate) fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

#[inline]
pub(crate) fn norm(a: Vec3) -> f64 {
    dot(a, a).sqrt()
}

#[inline]
pub(crate) fn scale(a: Vec3, by: f64) -> Vec3 {
    [a[0] * by, a[1] * by, a[2] * by]
}

/// A surface whose area-weighted centroid is the origin and whose root-mean-square distance from
/// it is 1; or, without any area, a cloud of points with each point weighing the same.
#[derive(Debug)]
pub(crate) struct Surface {
    pub(crate) points: Vec<Vec3>,
    /// Faces with an area; empty for a cloud of points.
    pub(crate) faces: Vec<[u32; 3]>,
    /// Area of each face.
    pub(crate) areas: Vec<f64>,
    /// Total area.
    pub(crate) area: f64,
}

/// The points of a row in double precision.
pub(crate) fn points(triples: &Triples<'_>) -> Result<Vec<Vec3>, MeshFault> {
    let points: Vec<Vec3> = match triples {
        Triples::F64(v) => v.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect(),
        Triples::F32(v) => v
            .chunks_exact(3)
            .map(|p| [f64::from(p[0]), f64::from(p[1]), f64::from(p[2])])
            .collect(),
        Triples::I32(_) => Vec::new(),
    };
    match points.iter().position(|p| !p.iter().all(|x| x.is_finite())) {
        Some(vertex) => Err(MeshFault::NotFinite { vertex }),
        None => Ok(points),
    }
}

/// The faces of a row, checked against the number of vertices.
pub(crate) fn faces(triples: &Triples<'_>, vertices: usize) -> Result<Vec<[u32; 3]>, MeshFault> {
    let Triples::I32(values) = triples else {
        return Ok(Vec::new());
    };
    if let Some(at) = values
        .iter()
        .position(|&v| usize::try_from(v).map_or(true, |v| v >= vertices))
    {
        return Err(MeshFault::VertexIndex {
            face: at / 3,
            vertex: values[at],
            vertices,
        });
    }
    Ok(values
        .chunks_exact(3)
        .map(|f| [f[0] as u32, f[1] as u32, f[2] as u32])
        .collect())
}

/// Joins vertices of equal coordinates: formats such as STL give each face its own. Equality is
/// of the numbers as they are, so turning a mesh changes nothing about who is joined. Gives the
/// first vertex with the coordinates of each.
pub(crate) fn weld(points: &[Vec3], faces: &mut [[u32; 3]]) -> Vec<u32> {
    let mut first: HashMap<[u64; 3], u32, Mixed> =
        HashMap::with_capacity_and_hasher(points.len(), Mixed);
    // `+ 0.0` makes one of the two zeros.
    let to: Vec<u32> = points
        .iter()
        .enumerate()
        .map(|(i, p)| {
            *first
                .entry(p.map(|x| (x + 0.0).to_bits()))
                .or_insert(i as u32)
        })
        .collect();
    for corner in faces.iter_mut().flatten() {
        *corner = to[*corner as usize];
    }
    to
}

/// A quick hash of coordinates; the order of the map is never looked at.
#[derive(Clone, Copy)]
struct Mixed;

#[derive(Default)]
struct Mixing(u64);

impl std::hash::BuildHasher for Mixed {
    type Hasher = Mixing;
    fn build_hasher(&self) -> Mixing {
        Mixing(0)
    }
}

impl std::hash::Hasher for Mixing {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 31);
    }
}

impl Surface {
    /// `None` where there is no extent: no points, or all in one place.
    pub(crate) fn new(mut points: Vec<Vec3>, mut faces: Vec<[u32; 3]>) -> Option<Self> {
        if points.is_empty() {
            return None;
        }
        weld(&points, &mut faces);
        // First a rough frame, so that areas neither overflow nor vanish: the mean of the points
        // in use and their largest distance from it.
        let used: Vec<Vec3> = if faces.is_empty() {
            points.clone()
        } else {
            faces
                .iter()
                .flatten()
                .map(|&v| points[v as usize])
                .collect()
        };
        let count = used.len() as f64;
        let middle = used.iter().fold([0.0; 3], |m, p| {
            [
                m[0] + p[0] / count,
                m[1] + p[1] / count,
                m[2] + p[2] / count,
            ]
        });
        let reach = used
            .iter()
            .map(|&p| norm(sub(p, middle)))
            .fold(0.0, f64::max);
        let coarse = middle.iter().fold(0.0_f64, |m, x| m.max(x.abs())) * 1e-13;
        if !(reach.is_finite() && reach > coarse) {
            return None;
        }
        for p in &mut points {
            *p = scale(sub(*p, middle), 1.0 / reach);
        }
        let mut areas: Vec<f64> = Vec::with_capacity(faces.len());
        faces.retain(|face| {
            let [a, b, c] = face.map(|v| points[v as usize]);
            let area = 0.5 * norm(cross(sub(b, a), sub(c, a)));
            // Rounding alone gives such areas to a face that is a line.
            let keep = area > 1e-15;
            if keep {
                areas.push(area);
            }
            keep
        });
        let area: f64 = areas.iter().sum();
        let mut surface = Self {
            points,
            faces,
            areas,
            area,
        };
        if area <= 1e-12 {
            surface.faces.clear();
            surface.areas.clear();
            surface.area = 0.0;
        }
        surface.normalise()
    }

    fn normalise(mut self) -> Option<Self> {
        let mut centre = [0.0; 3];
        let mut total = 0.0;
        self.each_mass(|p, w| {
            total += w;
            for k in 0..3 {
                centre[k] += w * p[k];
            }
        });
        let centre = scale(centre, 1.0 / total);
        for p in &mut self.points {
            *p = sub(*p, centre);
        }
        let mut spread = 0.0;
        // The mean of |x|^2 over a triangle is exactly that of its edges' midpoints.
        if self.faces.is_empty() {
            self.each_mass(|p, w| spread += w * dot(p, p));
        } else {
            for (face, area) in self.faces.iter().zip(&self.areas) {
                let [a, b, c] = face.map(|v| self.points[v as usize]);
                for (p, q) in [(a, b), (b, c), (c, a)] {
                    let m = [p[0] + q[0], p[1] + q[1], p[2] + q[2]];
                    spread += area / 12.0 * dot(m, m);
                }
            }
        }
        let radius = (spread / total).sqrt();
        if !(radius.is_finite() && radius > 1e-12) {
            return None;
        }
        for p in &mut self.points {
            *p = scale(*p, 1.0 / radius);
        }
        for area in &mut self.areas {
            *area /= radius * radius;
        }
        self.area /= radius * radius;
        Some(self)
    }

    fn each_mass(&self, mut see: impl FnMut(Vec3, f64)) {
        if self.faces.is_empty() {
            for &p in &self.points {
                see(p, 1.0);
            }
        } else {
            for (face, &area) in self.faces.iter().zip(&self.areas) {
                let [a, b, c] = face.map(|v| self.points[v as usize]);
                let sum = |k: usize| (a[k] + b[k] + c[k]) / 3.0;
                see([sum(0), sum(1), sum(2)], area);
            }
        }
    }
}
