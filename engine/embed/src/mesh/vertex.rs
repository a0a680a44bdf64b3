//! What a triangulated surface says about each of its vertices, as models of meshes read it.
//!
//! Vertices are taken as they are given: nothing is welded, and one that no face uses has normal
//! 0, area 0 and curvature 0.

use super::surface::{Vec3, cross, dot, norm, scale, sub};

/// A mesh as its columns give it, in the frame in which a model reads it.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    pub(crate) points: Vec<Vec3>,
    pub(crate) faces: Vec<[u32; 3]>,
}

impl Mesh {
    /// Moves the mean of the vertices to the origin and makes the largest distance from it 1;
    /// vertices that are all in one place stay there, at the origin.
    pub(crate) fn centre_and_scale(&mut self) {
        let count = self.points.len() as f64;
        let mut centre = [0.0; 3];
        for p in &self.points {
            for (c, x) in centre.iter_mut().zip(p) {
                *c += x / count;
            }
        }
        let mut reach = 0.0_f64;
        for p in &mut self.points {
            *p = sub(*p, centre);
            reach = reach.max(norm(*p));
        }
        if reach > 0.0 {
            for p in &mut self.points {
                *p = p.map(|x| x / reach);
            }
        }
    }

    /// The sides of all faces, smaller vertex first, sorted; a side from a vertex to itself is
    /// none.
    pub(crate) fn sides(&self) -> Vec<[u32; 2]> {
        let mut sides: Vec<[u32; 2]> = self
            .faces
            .iter()
            .flat_map(|&[a, b, c]| [[a, b], [b, c], [c, a]])
            .filter(|[a, b]| a != b)
            .map(|[a, b]| [a.min(b), a.max(b)])
            .collect();
        sides.sort_unstable();
        sides
    }

    /// Unit normals: the mean of the normals of the faces around, by their areas (Gouraud 1971,
    /// doi:10.1109/T-C.1971.223313, weights them all the same).
    pub(crate) fn normals(&self) -> Vec<Vec3> {
        let mut normals = vec![[0.0; 3]; self.points.len()];
        for face in &self.faces {
            let [a, b, c] = face.map(|v| self.points[v as usize]);
            let twice = cross(sub(b, a), sub(c, a));
            for v in face {
                for (n, x) in normals[*v as usize].iter_mut().zip(twice) {
                    *n += x;
                }
            }
        }
        for n in &mut normals {
            let length = norm(*n);
            *n = if length > 0.0 {
                scale(*n, 1.0 / length)
            } else {
                [0.0; 3]
            };
        }
        normals
    }

    /// A third of the area of the faces around each vertex.
    pub(crate) fn areas(&self) -> Vec<f64> {
        let mut areas = vec![0.0; self.points.len()];
        for face in &self.faces {
            let [a, b, c] = face.map(|v| self.points[v as usize]);
            let share = norm(cross(sub(b, a), sub(c, a))) / 6.0;
            for v in face {
                areas[*v as usize] += share;
            }
        }
        areas
    }

    /// 1 for a vertex of an edge that only one face has, else 0.
    pub(crate) fn boundary(&self) -> Vec<f64> {
        let mut boundary = vec![0.0; self.points.len()];
        for edge in self.sides().chunk_by(|a, b| a == b) {
            if let [[a, b]] = edge {
                boundary[*a as usize] = 1.0;
                boundary[*b as usize] = 1.0;
            }
        }
        boundary
    }

    /// Gaussian curvature: the angle that is missing to a full turn, over [`Self::areas`] (Meyer,
    /// Desbrun, Schröder and Barr 2003, doi:10.1007/978-3-662-05105-4_2). 0 at a boundary.
    pub(crate) fn gaussian_curvature(&self) -> Vec<f64> {
        let mut turn = vec![0.0; self.points.len()];
        for face in &self.faces {
            let corner = face.map(|v| self.points[v as usize]);
            for k in 0..3 {
                let u = sub(corner[(k + 1) % 3], corner[k]);
                let v = sub(corner[(k + 2) % 3], corner[k]);
                turn[face[k] as usize] += norm(cross(u, v)).atan2(dot(u, v));
            }
        }
        let around = self.areas().into_iter().zip(self.boundary());
        turn.into_iter()
            .zip(around)
            .map(|(turn, (area, boundary))| {
                if area > 0.0 && boundary == 0.0 {
                    (std::f64::consts::TAU - turn) / area
                } else {
                    0.0
                }
            })
            .collect()
    }
}
