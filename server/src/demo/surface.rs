//! A surface of polygons, and the four file formats that the sample is written in.

use std::fmt::Write as _;

/// A point, in the unit of the chord or of the radius.
pub(super) type Point = [f64; 3];

/// Polygons over shared vertices, wound so that normals point outwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Surface {
    pub(super) vertices: Vec<Point>,
    /// Named patches, each with its polygons.
    pub(super) patches: Vec<(&'static str, Vec<Vec<usize>>)>,
}

impl Surface {
    pub(super) fn polygons(&self) -> impl Iterator<Item = &[usize]> {
        self.patches
            .iter()
            .flat_map(|(_, polygons)| polygons)
            .map(Vec::as_slice)
    }

    /// The triangles of all polygons, as fans.
    pub(super) fn triangles(&self) -> impl Iterator<Item = [usize; 3]> {
        self.polygons()
            .flat_map(|p| (2..p.len()).map(move |i| [p[0], p[i - 1], p[i]]))
    }

    /// The same surface, each vertex moved.
    #[must_use]
    pub(super) fn map(mut self, change: impl Fn(Point) -> Point) -> Self {
        for vertex in &mut self.vertices {
            *vertex = change(*vertex);
        }
        self
    }

    pub(super) fn to_obj(&self, title: &str) -> Vec<u8> {
        let mut text = format!("# {title}\n");
        for [x, y, z] in &self.vertices {
            let _ = writeln!(text, "v {x:.9} {y:.9} {z:.9}");
        }
        for (name, polygons) in &self.patches {
            let _ = writeln!(text, "g {name}");
            for polygon in polygons {
                text.push('f');
                for index in polygon {
                    let _ = write!(text, " {}", index + 1);
                }
                text.push('\n');
            }
        }
        text.into_bytes()
    }

    pub(super) fn to_off(&self) -> Vec<u8> {
        let mut text = format!(
            "OFF\n{} {} 0\n",
            self.vertices.len(),
            self.polygons().count()
        );
        self.vertices_and_polygons(&mut text);
        text.into_bytes()
    }

    pub(super) fn to_ply(&self, title: &str) -> Vec<u8> {
        let mut text = format!(
            "ply\nformat ascii 1.0\ncomment {title}\nelement vertex {}\nproperty double x\n\
             property double y\nproperty double z\nelement face {}\n\
             property list uchar int vertex_indices\nend_header\n",
            self.vertices.len(),
            self.polygons().count(),
        );
        self.vertices_and_polygons(&mut text);
        text.into_bytes()
    }

    fn vertices_and_polygons(&self, text: &mut String) {
        for [x, y, z] in &self.vertices {
            let _ = writeln!(text, "{x:.9} {y:.9} {z:.9}");
        }
        for polygon in self.polygons() {
            let _ = write!(text, "{}", polygon.len());
            for index in polygon {
                let _ = write!(text, " {index}");
            }
            text.push('\n');
        }
    }

    /// Binary STL. Its vertices are single precision and repeated in each triangle.
    pub(super) fn to_stl(&self, title: &str) -> Vec<u8> {
        let triangles: Vec<_> = self.triangles().collect();
        let mut bytes = title.as_bytes().to_vec();
        bytes.resize(80, b' ');
        bytes.extend(
            u32::try_from(triangles.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        for triangle in triangles {
            let corners = triangle.map(|index| self.vertices[index]);
            for point in std::iter::once(unit_normal(corners)).chain(corners) {
                for coordinate in point {
                    bytes.extend((coordinate as f32).to_le_bytes());
                }
            }
            bytes.extend([0; 2]);
        }
        bytes
    }
}

pub(super) fn cross(a: Point, b: Point) -> Point {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(super) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn unit_normal([a, b, c]: [Point; 3]) -> Point {
    let normal = cross(minus(b, a), minus(c, a));
    let length = dot(normal, normal).sqrt();
    if length > 0.0 {
        normal.map(|x| x / length)
    } else {
        normal
    }
}

#[cfg(test)]
pub(super) mod check {
    use std::collections::HashMap;

    use super::{Surface, cross, dot};

    /// Every edge is shared by two polygons, in opposite directions.
    pub(in super::super) fn is_watertight(surface: &Surface) -> bool {
        let mut edges: HashMap<(usize, usize), i32> = HashMap::new();
        for polygon in surface.polygons() {
            for (i, &a) in polygon.iter().enumerate() {
                let b = polygon[(i + 1) % polygon.len()];
                *edges.entry((a, b)).or_default() += 1;
            }
        }
        edges
            .iter()
            .all(|(&(a, b), &n)| a != b && n == 1 && edges.get(&(b, a)) == Some(&1))
    }

    /// Signed volume enclosed; positive when normals point outwards.
    pub(in super::super) fn volume(surface: &Surface) -> f64 {
        let v = |i: usize| surface.vertices[i];
        surface
            .triangles()
            .map(|[a, b, c]| dot(v(a), cross(v(b), v(c))))
            .sum::<f64>()
            / 6.0
    }
}
