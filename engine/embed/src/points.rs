//! From a mesh to the cloud of points that a model reads.
//!
//! Which points are taken depends on the shape alone: not on the order of vertices and faces, nor,
//! but for rounding that is snapped away, on where the mesh lies and how large it is.
//!
//! 1. The middle of the bounding box becomes the origin and half its longest side 1. Coordinates
//!    are snapped to multiples of 2^-24, so that what follows works with the same numbers wherever
//!    a mesh was.
//! 2. With faces: they are put in an order of their own, along Morton's curve (Morton 1966) through
//!    their middles, and as many points as the model reads are taken in equal steps of area along
//!    it. Neighbours on the curve are neighbours on the surface, so the steps spread the points
//!    evenly. Where in its triangle a point lies comes from the R2 sequence (Roberts 2018), through
//!    the map of Osada, Funkhouser, Chazelle and Dobkin 2002 (doi:10.1145/571647.571648) that keeps
//!    areas. Its normal is the face's.
//! 3. Without faces, or where they have no area: the vertices, in the order of their coordinates.
//!    From more than the model reads, farthest points are chosen (Eldar et al. 1997,
//!    doi:10.1109/83.623193), the first the one farthest from the mean; fewer come several times.
//! 4. The points are shuffled by a fixed permutation. A ball query takes the first points that it
//!    finds, and the models were trained on points without order.
//! 5. The mean of the points becomes the origin and the largest distance from it 1, as the models'
//!    training did (`pc_normalize` of the PointNet++ code; the HDF5 files that DGCNN was trained
//!    on; `pc_norm` of Point-MAE). Coordinates are snapped to multiples of 2^-20.
//!
//! No points, or all of them in one place: nothing to encode.

mod farthest;
mod near;
mod order;
mod surface;

use crate::MeshFault;
use crate::mesh::surface::{Vec3, dot, scale, sub};

pub(crate) use farthest::farthest;
pub(crate) use near::{Smallest, ball, nearest, spread};
use surface::Faces;

/// Steps of a snapped coordinate in the frame of the bounding box.
const FINE: f64 = (1 << 24) as f64;

/// Steps of a coordinate that a model reads.
const STEP: f64 = (1 << 20) as f64;

/// Coordinates, each axis by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Points {
    /// x, y and z, of equal length.
    pub(crate) axes: [Vec<f32>; 3],
}

impl Points {
    pub(crate) fn new(points: impl IntoIterator<Item = [f32; 3]>) -> Self {
        let mut axes: [Vec<f32>; 3] = Default::default();
        for point in points {
            for (axis, x) in axes.iter_mut().zip(point) {
                axis.push(x);
            }
        }
        Self { axes }
    }

    pub(crate) fn len(&self) -> usize {
        self.axes[0].len()
    }

    pub(crate) fn get(&self, at: usize) -> [f32; 3] {
        [self.axes[0][at], self.axes[1][at], self.axes[2][at]]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = [f32; 3]> + '_ {
        (0..self.len()).map(|at| self.get(at))
    }

    /// The points of these indices.
    pub(crate) fn pick(&self, indices: &[u32]) -> Self {
        Self::new(indices.iter().map(|at| self.get(*at as usize)))
    }
}

/// What a model reads of a mesh.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    /// Within the unit sphere around their mean.
    pub(crate) points: Points,
    /// Unit normals, where the model reads them.
    pub(crate) normals: Option<Vec<[f32; 3]>>,
    frame: Frame,
}

/// From the mesh's coordinates to the cloud's.
#[derive(Debug, Clone, Copy)]
struct Frame {
    box_centre: Vec3,
    box_half: f64,
    mean: Vec3,
    radius: f64,
}

impl Frame {
    /// The bounding box's frame: `None` where there is no extent.
    fn of_box(points: impl Iterator<Item = Vec3>) -> Option<Self> {
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for point in points {
            for axis in 0..3 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        // Halves first: the largest numbers would overflow.
        let box_centre: Vec3 = std::array::from_fn(|k| 0.5 * low[k] + 0.5 * high[k]);
        let half = (0..3).map(|k| 0.5 * high[k] - 0.5 * low[k]);
        let box_half = half.fold(0.0, f64::max);
        let coarse = box_centre.iter().fold(0.0_f64, |m, x| m.max(x.abs())) * 1e-13;
        (box_half.is_finite() && box_half > coarse && box_half.is_normal()).then_some(Self {
            box_centre,
            box_half,
            mean: [0.0; 3],
            radius: 1.0,
        })
    }

    /// In the frame of the box, snapped.
    fn snap(&self, point: Vec3) -> [i32; 3] {
        std::array::from_fn(|k| {
            ((point[k] - self.box_centre[k]) / self.box_half * FINE).round() as i32
        })
    }

    fn place(&self, point: Vec3) -> [f32; 3] {
        let inside = sub(point, self.box_centre).map(|x| x / self.box_half);
        sub(inside, self.mean).map(|x| (x / self.radius) as f32)
    }
}

/// What a model takes of a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sampling {
    /// How many points.
    pub(crate) points: usize,
    /// Whether with normals.
    pub(crate) normals: bool,
}

impl Cloud {
    /// The points that a model reads of a mesh, whose coordinates are finite and whose faces name
    /// vertices that exist. `None` where there is no extent, or no normal though the faces should
    /// give one.
    ///
    /// # Errors
    /// Normals are wanted of a mesh without faces.
    pub(crate) fn new(
        vertices: &[Vec3],
        faces: &[[u32; 3]],
        sampling: Sampling,
    ) -> Result<Option<Self>, MeshFault> {
        if vertices.is_empty() {
            return Ok(None);
        }
        if sampling.normals && faces.is_empty() {
            return Err(MeshFault::NoNormals);
        }
        let used = faces.iter().flatten().map(|v| vertices[*v as usize]);
        if let Some(frame) = Frame::of_box(used)
            && let Some(faces) = Faces::new(faces, |v| frame.snap(vertices[v as usize]))
        {
            return Ok(Self::of_surface(&faces, frame, sampling));
        }
        if sampling.normals {
            return Ok(None);
        }
        let Some(frame) = Frame::of_box(vertices.iter().copied()) else {
            return Ok(None);
        };
        Ok(Self::of_vertices(vertices, frame, sampling.points))
    }

    fn of_surface(faces: &Faces, frame: Frame, sampling: Sampling) -> Option<Self> {
        let (points, normals): (Vec<_>, Vec<_>) = faces.sample(sampling.points).into_iter().unzip();
        let order = order::shuffled(points.len());
        let normals = sampling.normals.then(|| pick(&normals, &order));
        Self::normalised(pick(&points, &order), sampling.points, normals, frame)
    }

    fn of_vertices(vertices: &[Vec3], frame: Frame, count: usize) -> Option<Self> {
        let mut snapped: Vec<[i32; 3]> = vertices.iter().map(|p| frame.snap(*p)).collect();
        snapped.sort_unstable();
        if snapped.len() > count {
            // A snapped coordinate has 25 bits with its sign, which single precision holds.
            let all = Points::new(snapped.iter().map(|p| p.map(|x| x as f32 / FINE as f32)));
            let mut chosen = farthest(&all, count);
            chosen.sort_unstable();
            snapped = chosen.iter().map(|at| snapped[*at as usize]).collect();
        }
        let points: Vec<Vec3> = snapped
            .iter()
            .map(|p| p.map(|x| f64::from(x) / FINE))
            .collect();
        let order = order::shuffled(points.len());
        Self::normalised(pick(&points, &order), count, None, frame)
    }

    /// Centres and scales the points, then repeats them until there are `count`.
    fn normalised(
        mut points: Vec<Vec3>,
        count: usize,
        normals: Option<Vec<[f32; 3]>>,
        mut frame: Frame,
    ) -> Option<Self> {
        let share = 1.0 / points.len() as f64;
        let mean = points.iter().fold([0.0; 3], |mean: Vec3, p| {
            std::array::from_fn(|k| mean[k] + p[k] * share)
        });
        for point in &mut points {
            *point = sub(*point, mean);
        }
        let radius = points.iter().map(|p| dot(*p, *p)).fold(0.0, f64::max);
        let radius = radius.sqrt();
        // All of the surface's points can be in one place only where it has no extent to speak of.
        if radius <= 0.0 {
            return None;
        }
        (frame.mean, frame.radius) = (mean, radius);
        let step = |p: &Vec3| scale(*p, STEP / radius).map(|x| (x.round() / STEP) as f32);
        let points: Vec<[f32; 3]> = points.iter().map(step).collect();
        Some(Self {
            points: Points::new(points.iter().copied().cycle().take(count)),
            normals,
            frame,
        })
    }

    /// Where vertices of the mesh lie among the points.
    pub(crate) fn place(&self, vertices: &[Vec3]) -> Vec<[f32; 3]> {
        vertices.iter().map(|p| self.frame.place(*p)).collect()
    }

    /// A cloud whose points a test gives.
    #[cfg(test)]
    pub(crate) fn given(points: Points, normals: Option<Vec<[f32; 3]>>) -> Self {
        let frame = Frame {
            box_centre: [0.0; 3],
            box_half: 1.0,
            mean: [0.0; 3],
            radius: 1.0,
        };
        Self {
            points,
            normals,
            frame,
        }
    }
}

fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
    order.iter().map(|at| values[*at as usize]).collect()
}

#[cfg(test)]
mod tests;
