//! Meshes: faces with edges across their sides, or vertices with edges along them.
//!
//! Vertices with equal coordinates are one vertex, as file formats such as STL give each face its
//! own. An edge of more than [`MOST_FACES`] faces joins none of them.

use std::f64::consts::{PI, TAU};

use serde::Deserialize;

use super::{Featured, Graph, GraphFault};
use crate::mesh::surface::{Vec3, cross, dot, norm, scale, sub, weld};

/// An edge of more faces than this is a defect, and all pairs of its faces would be too many.
const MOST_FACES: usize = 8;

/// Bounds of the logarithm of a relative area; a face that is a line has the lower.
const LOG_AREA: f64 = 8.0;

/// What is known of a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaceFeature {
    /// Unit normal, in the mesh's frame; zero for a face without area.
    Normal,
    /// ln(area / mean area of the mesh's faces), within -8 and 8.
    Area,
    /// One of 5: area under a quarter of the mean, under half, up to twice, up to four times, more.
    AreaClass,
    /// The signed angles to the faces across its sides in radians, positive where the surface is
    /// convex, ascending; 0 where a side has not two faces.
    Dihedral,
    /// ln(1 + neighbours).
    Degree,
}

impl FaceFeature {
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Normal | Self::Dihedral => 3,
            Self::AreaClass => 5,
            Self::Area | Self::Degree => 1,
        }
    }
}

/// What is known of a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VertexFeature {
    /// Unit mean of the normals of its faces by area, in the mesh's frame; zero where there is none.
    Normal,
    /// What its faces' angles lack to a full turn, at a border to half a turn, in radians.
    Curvature,
    /// ln(a third of its faces' area / the mean of that), within -8 and 8.
    Area,
    /// ln(1 + neighbours).
    Degree,
}

impl VertexFeature {
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Normal => 3,
            Self::Curvature | Self::Area | Self::Degree => 1,
        }
    }
}

/// One side of a face.
#[derive(Clone, Copy)]
struct Side {
    /// The smaller vertex in the high half, the larger in the low half.
    key: u64,
    face: u32,
    /// Whether the face runs from the smaller vertex to the larger.
    up: bool,
}

/// A mesh whose faces share vertices.
pub(crate) struct Mesh {
    points: Vec<Vec3>,
    faces: Vec<[u32; 3]>,
    normals: Vec<Vec3>,
    areas: Vec<f64>,
    /// Sorted by edge.
    sides: Vec<Side>,
    /// Where the first vertex of the same coordinates is.
    same: Vec<u32>,
}

impl Mesh {
    /// Joins vertices of equal coordinates. The indices of faces were checked.
    pub(crate) fn new(points: Vec<Vec3>, mut faces: Vec<[u32; 3]>) -> Self {
        let same = weld(&points, &mut faces);
        let mut sides = Vec::with_capacity(3 * faces.len());
        let (mut normals, mut areas) = (Vec::new(), Vec::new());
        for (face, corners) in faces.iter().enumerate() {
            for k in 0..3 {
                let (a, b) = (corners[k], corners[(k + 1) % 3]);
                if a != b {
                    sides.push(Side {
                        key: (u64::from(a.min(b)) << 32) | u64::from(a.max(b)),
                        face: face as u32,
                        up: a < b,
                    });
                }
            }
            let [a, b, c] = corners.map(|v| points[v as usize]);
            let twice = cross(sub(b, a), sub(c, a));
            let length = norm(twice);
            areas.push(0.5 * length);
            normals.push(match length > 0.0 {
                true => scale(twice, 1.0 / length),
                false => [0.0; 3],
            });
        }
        sides.sort_unstable_by_key(|side| (side.key, side.face, side.up));
        Self {
            points,
            faces,
            normals,
            areas,
            sides,
            same,
        }
    }

    fn edges(&self) -> impl Iterator<Item = &[Side]> {
        self.sides.chunk_by(|a, b| a.key == b.key)
    }

    /// The angle between a face and the one across a side, as the first sees it.
    fn bend(&self, from: Side, to: Side) -> f64 {
        let (a, b) = ((from.key >> 32) as usize, from.key as u32 as usize);
        let along = sub(self.points[b], self.points[a]);
        let length = norm(along);
        if length == 0.0 {
            return 0.0;
        }
        let along = scale(along, if from.up { 1.0 } else { -1.0 } / length);
        let first = self.normals[from.face as usize];
        // A face that runs along the side the same way has its back to this one.
        let agree = if from.up == to.up { -1.0 } else { 1.0 };
        let second = scale(self.normals[to.face as usize], agree);
        dot(cross(first, second), along).atan2(dot(first, second))
    }

    /// Faces as vertices, joined across their sides.
    pub(crate) fn of_faces(&self, features: &[FaceFeature]) -> Result<Featured, GraphFault> {
        let count = self.faces.len();
        let mut pairs = Vec::with_capacity(self.sides.len() / 2);
        let mut bends = vec![[0.0; 3]; count];
        let mut bent = vec![0; count];
        for edge in self.edges() {
            if edge.len() > MOST_FACES {
                continue;
            }
            for (i, first) in edge.iter().enumerate() {
                for second in &edge[i + 1..] {
                    if first.face != second.face {
                        pairs.push((first.face, second.face));
                    }
                }
            }
            if let [first, second] = *edge {
                for (from, to) in [(first, second), (second, first)] {
                    let at = from.face as usize;
                    bends[at][bent[at]] = self.bend(from, to);
                    bent[at] += 1;
                }
            }
        }
        // Two faces with two sides in common are neighbours once.
        pairs.sort_unstable();
        pairs.dedup();
        let graph = Graph::undirected(count, &pairs, None)?;
        let mean = self.areas.iter().sum::<f64>() / count.max(1) as f64;
        let mut values =
            Vec::with_capacity(count * features.iter().map(|f| f.width()).sum::<usize>());
        for (at, bends) in bends.iter_mut().enumerate() {
            bends.sort_unstable_by(f64::total_cmp);
            let relative = self.areas[at] / mean;
            for feature in features {
                match feature {
                    FaceFeature::Normal => values.extend(self.normals[at].map(|x| x as f32)),
                    FaceFeature::Area => values.push(log_area(relative)),
                    FaceFeature::AreaClass => {
                        let bounds = [0.25, 0.5, 2.0, 4.0];
                        let class = bounds.iter().filter(|bound| relative >= **bound).count();
                        values.extend((0..5).map(|c| f32::from(u8::from(c == class))));
                    }
                    FaceFeature::Dihedral => values.extend(bends.map(|x| x as f32)),
                    FaceFeature::Degree => values.push(degree(&graph, at)),
                }
            }
        }
        Ok(Featured {
            graph,
            features: values,
            items: None,
        })
    }

    /// Vertices, joined along the sides of faces. The items are the mesh's vertices as they were
    /// given; those of equal coordinates are one vertex of the graph.
    pub(crate) fn of_vertices(&self, features: &[VertexFeature]) -> Result<Featured, GraphFault> {
        let mut number = vec![0_u32; self.points.len()];
        let mut count = 0;
        let mut items = Vec::with_capacity(self.points.len());
        for (at, first) in self.same.iter().enumerate() {
            if *first as usize == at {
                number[at] = count;
                count += 1;
            }
            items.push(number[*first as usize]);
        }
        let count = count as usize;
        let vertex = |v: u32| items[v as usize];
        let mut pairs = Vec::new();
        let mut border = vec![false; count];
        for edge in self.edges() {
            let (a, b) = (
                vertex((edge[0].key >> 32) as u32),
                vertex(edge[0].key as u32),
            );
            pairs.push((a, b));
            if edge.len() != 2 {
                border[a as usize] = true;
                border[b as usize] = true;
            }
        }
        let graph = Graph::undirected(count, &pairs, None)?;
        let mut normals = vec![[0.0; 3]; count];
        let mut areas = vec![0.0; count];
        let mut turns = vec![0.0; count];
        for (face, corners) in self.faces.iter().enumerate() {
            let places = corners.map(|v| self.points[v as usize]);
            for k in 0..3 {
                let at = vertex(corners[k]) as usize;
                let u = sub(places[(k + 1) % 3], places[k]);
                let v = sub(places[(k + 2) % 3], places[k]);
                turns[at] += norm(cross(u, v)).atan2(dot(u, v));
                areas[at] += self.areas[face] / 3.0;
                for (sum, x) in normals[at].iter_mut().zip(self.normals[face]) {
                    *sum += self.areas[face] * x;
                }
            }
        }
        let mean = areas.iter().sum::<f64>() / count.max(1) as f64;
        let mut values =
            Vec::with_capacity(count * features.iter().map(|f| f.width()).sum::<usize>());
        for at in 0..count {
            for feature in features {
                match feature {
                    VertexFeature::Normal => {
                        let length = norm(normals[at]);
                        let by = if length > 0.0 { 1.0 / length } else { 0.0 };
                        values.extend(scale(normals[at], by).map(|x| x as f32));
                    }
                    VertexFeature::Curvature => {
                        let whole = if border[at] { PI } else { TAU };
                        let lacks = if areas[at] > 0.0 {
                            whole - turns[at]
                        } else {
                            0.0
                        };
                        values.push(lacks as f32);
                    }
                    VertexFeature::Area => values.push(log_area(areas[at] / mean)),
                    VertexFeature::Degree => values.push(degree(&graph, at)),
                }
            }
        }
        Ok(Featured {
            graph,
            features: values,
            items: Some(items),
        })
    }
}

/// Zero and what is no number (a mesh without any area) become the lower bound.
fn log_area(relative: f64) -> f32 {
    relative.max(0.0).ln().clamp(-LOG_AREA, LOG_AREA) as f32
}

fn degree(graph: &Graph, at: usize) -> f32 {
    (graph.neighbours(at as u32).len() as f32).ln_1p()
}
