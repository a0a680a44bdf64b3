//! All maps of a motif's points onto vertices that keep labels and distances.
//!
//! Backtracking: points are placed one after another, rare ones and those near to one that is
//! placed first; the candidates of a point are the vertices with its labels, or those in a ball
//! around the point that is placed, whichever are fewer. Every distance to a placed point is
//! checked at once, so the maps that are left agree in all of them. What is a mirror image of the
//! motif agrees too; the deviation after the best proper rotation tells it.

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_geometry::{Transform, superpose};

use super::Motif;
use crate::error::{GraphError, Result};
use crate::make::faces::AREA;
use crate::named::Named;
use crate::space::{Grid, squared};

/// What counts as an occurrence. Lengths are in the unit of the positions: angstrom for residues,
/// the mesh's own for faces.
#[derive(Debug, Clone, Copy)]
pub struct FindOptions<'a> {
    /// How far each distance of two points may be from the motif's: 1 angstrom.
    pub tolerance: f64,
    /// How far apart the points may be after superposition, root mean square: 1 angstrom.
    pub max_rmsd: f64,
    /// How far an area may be from the motif's, as a fraction of the motif's; without effect on
    /// points without an area.
    pub area_tolerance: f64,
    /// Occurrences that are kept, `4 * points + 128` bytes each. The search ends where there is
    /// another.
    pub limit: usize,
    /// Stop when this is set.
    pub cancelled: Option<&'a AtomicBool>,
}

impl Default for FindOptions<'_> {
    fn default() -> Self {
        Self {
            tolerance: 1.0,
            max_rmsd: 1.0,
            area_tolerance: 0.1,
            limit: 1000,
            cancelled: None,
        }
    }
}

/// Where a motif occurs.
#[derive(Debug, Clone, PartialEq)]
pub struct Occurrence {
    /// The target's vertex for each point.
    pub vertices: Vec<u32>,
    /// Root mean square of the distances that superposition leaves.
    pub rmsd: f64,
    /// Moves the motif onto the target.
    pub superposition: Transform,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// By ascending deviation.
    pub occurrences: Vec<Occurrence>,
    /// Whether there are no others: neither the limit nor a cancellation ended the search.
    pub complete: bool,
}

/// All injective maps of a motif's points to a graph's vertices where labels and areas fit, where
/// every distance of two vertices is within the tolerance of the motif's, and where the deviation
/// after superposition by a proper rotation is small enough. Distances are computed in `f64`.
/// Vertices without a position take no part.
///
/// Takes `36 * vertices` bytes for the target, `4 * vertices` for each of the motif's points twice
/// over, and what [`FindOptions::limit`] says.
///
/// # Errors
/// Tolerances that are negative or not numbers; points too far out to be squared.
pub fn find(motif: &Motif, target: &Named, options: &FindOptions<'_>) -> Result<Found> {
    for (option, value) in [
        ("tolerance", options.tolerance),
        ("max_rmsd", options.max_rmsd),
        ("area_tolerance", options.area_tolerance),
    ] {
        // NaN is refused too.
        if value.is_nan() || value < 0.0 {
            return Err(GraphError::Option {
                option,
                wanted: "a number, not negative",
            });
        }
    }
    let mut found = Found {
        occurrences: Vec::new(),
        complete: true,
    };
    let (lists, masks) = candidates(motif, target, options);
    if lists.iter().any(Vec::is_empty) {
        return Ok(found);
    }
    let levels = order(motif, &lists, options.tolerance);
    let place = |p: &Option<[f32; 3]>| p.map_or([f64::NAN; 3], |p| p.map(f64::from));
    let mut search = Search {
        motif: motif.points.iter().map(|p| p.position).collect(),
        target,
        options,
        places: target.positions.iter().map(place).collect(),
        grid: grid(target, &levels, &lists),
        masks,
        buffers: vec![Vec::new(); levels.len()],
        chosen: Vec::with_capacity(levels.len()),
        steps: 0,
        found: &mut found,
    };
    search.descend(&levels, &lists)?;
    let occurrences = &mut found.occurrences;
    occurrences.sort_by(|a, b| {
        let rmsd = a.rmsd.total_cmp(&b.rmsd);
        rmsd.then_with(|| a.vertices.cmp(&b.vertices))
    });
    Ok(found)
}

/// The vertices that each point may fall on by label, area and position alone, and for each
/// vertex the points, as bits.
fn candidates(
    motif: &Motif,
    target: &Named,
    options: &FindOptions<'_>,
) -> (Vec<Vec<u32>>, Vec<u64>) {
    let graph = &target.graph;
    let areas = graph.vertex_columns().get(AREA);
    let names = graph.vertex_names();
    // For each label the points that may fall on it, as bits; for points of any label, all.
    let mut by_label = vec![0_u64; names.map_or(0, |names| names.len())];
    let mut any = 0_u64;
    for (at, point) in motif.points.iter().enumerate() {
        match &point.labels {
            None => any |= 1 << at,
            Some(labels) => {
                let numbers = labels.iter().filter_map(|name| names?.number(name));
                numbers.for_each(|number| by_label[number as usize] |= 1 << at);
            }
        }
    }
    let mut lists = vec![Vec::new(); motif.points.len()];
    let mut masks = vec![0_u64; target.positions.len()];
    for (vertex, (mask, place)) in masks.iter_mut().zip(&target.positions).enumerate() {
        if place.is_none_or(|p| !p.iter().all(|x| x.is_finite())) {
            continue;
        }
        let label = graph.labels()[vertex] as usize;
        let mut left = any | by_label.get(label).copied().unwrap_or(0);
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            let fits = motif.points[at].area.is_none_or(|wanted| {
                let wanted = f64::from(wanted);
                let area = areas.map_or(f64::NAN, |areas| f64::from(areas[vertex]));
                (area - wanted).abs() <= options.area_tolerance * wanted.abs()
            });
            if fits {
                *mask |= 1 << at;
                lists[at].push(vertex as u32);
            }
        }
    }
    (lists, masks)
}

/// One step of the search: which point is placed, and what it must agree with.
struct Level {
    point: usize,
    /// For each point placed before: the distance wanted.
    distances: Vec<Wanted>,
    /// The level of the nearest of them, and how far from it a candidate may be.
    anchor: Option<(usize, f64)>,
}

struct Wanted {
    distance: f64,
    tolerance: f64,
    /// Bounds of the squared distance, a rounding wider: most are refused without a root.
    low: f64,
    high: f64,
}

impl Wanted {
    fn new(distance: f64, tolerance: f64) -> Self {
        let low = (distance - tolerance).max(0.0);
        let high = distance + tolerance;
        Self {
            distance,
            tolerance,
            low: low * low * (1.0 - 1e-9),
            high: high * high * (1.0 + 1e-9),
        }
    }

    #[inline]
    fn holds(&self, squared: f64) -> bool {
        self.low <= squared
            && squared <= self.high
            && (squared.sqrt() - self.distance).abs() <= self.tolerance
    }
}

fn order(motif: &Motif, lists: &[Vec<u32>], tolerance: f64) -> Vec<Level> {
    let mut left: Vec<usize> = (0..lists.len()).collect();
    let mut placed: Vec<usize> = Vec::new();
    let mut levels = Vec::new();
    while !left.is_empty() {
        // Candidates in the thinnest shell around a point that is placed.
        let cost = |&point: &usize| {
            let shells = placed.iter().map(|other| {
                let distance = motif.distance(point, *other);
                (distance + tolerance).powi(3) - (distance - tolerance).max(0.0).powi(3)
            });
            shells.fold(f64::MAX.sqrt(), f64::min) * lists[point].len() as f64
        };
        let cheapest = (0..left.len()).min_by(|a, b| cost(&left[*a]).total_cmp(&cost(&left[*b])));
        let point = left.swap_remove(cheapest.unwrap_or(0));
        let distances = placed.iter().map(|other| motif.distance(point, *other));
        let distances: Vec<f64> = distances.collect();
        let nearest = (0..placed.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        levels.push(Level {
            point,
            anchor: nearest.map(|at| (at, distances[at] + tolerance)),
            distances: distances
                .into_iter()
                .map(|distance| Wanted::new(distance, tolerance))
                .collect(),
        });
        placed.push(point);
    }
    levels
}

/// Cells for the levels whose lists are long enough to be worth it.
fn grid(target: &Named, levels: &[Level], lists: &[Vec<u32>]) -> Option<Grid> {
    const SHORT: usize = 128;
    let long = levels.iter().filter(|l| lists[l.point].len() > SHORT);
    let radii = long.filter_map(|level| Some(level.anchor?.1));
    let width = radii.fold(f64::INFINITY, f64::min);
    let placed = (0..).zip(&target.positions);
    width
        .is_finite()
        .then(|| Grid::new(placed.filter_map(|(n, p)| Some((n, (*p)?))), width / 2.0))
}

struct Search<'a, 'o> {
    motif: Vec<[f32; 3]>,
    target: &'a Named,
    options: &'a FindOptions<'o>,
    places: Vec<[f64; 3]>,
    grid: Option<Grid>,
    masks: Vec<u64>,
    /// Candidates of each level.
    buffers: Vec<Vec<u32>>,
    /// The vertex of each level so far.
    chosen: Vec<u32>,
    steps: u64,
    found: &'a mut Found,
}

impl Search<'_, '_> {
    fn descend(&mut self, levels: &[Level], lists: &[Vec<u32>]) -> Result<()> {
        let depth = self.chosen.len();
        let Some(level) = levels.get(depth) else {
            return self.keep(levels);
        };
        let mut fit = std::mem::take(&mut self.buffers[depth]);
        fit.clear();
        self.fitting(level, &lists[level.point], &mut fit);
        for vertex in &fit {
            self.steps += 1;
            if self.steps.is_multiple_of(1024) && self.cancelled() {
                self.found.complete = false;
            }
            if !self.found.complete {
                break;
            }
            self.chosen.push(*vertex);
            self.descend(levels, lists)?;
            self.chosen.pop();
        }
        self.buffers[depth] = fit;
        Ok(())
    }

    fn cancelled(&self) -> bool {
        let flag = self.options.cancelled;
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// The vertices that a level may take.
    fn fitting(&self, level: &Level, list: &[u32], fit: &mut Vec<u32>) {
        let Some((anchor, radius)) = level.anchor else {
            fit.extend_from_slice(list);
            return;
        };
        let near = self.places[self.chosen[anchor] as usize];
        let mut look = |vertex: u32, place: [f64; 3]| {
            if level.distances[anchor].holds(squared(near, place)) && self.agrees(level, vertex) {
                fit.push(vertex);
            }
        };
        match &self.grid {
            Some(grid) if 2.0 * grid.expected(radius) < list.len() as f64 => {
                let bit = 1 << level.point;
                grid.around(near, radius, |vertex, place| {
                    if self.masks[vertex as usize] & bit != 0 {
                        look(vertex, place);
                    }
                });
            }
            _ => list
                .iter()
                .for_each(|&vertex| look(vertex, self.places[vertex as usize])),
        }
    }

    fn agrees(&self, level: &Level, vertex: u32) -> bool {
        let place = self.places[vertex as usize];
        let mut pairs = self.chosen.iter().zip(&level.distances);
        pairs.all(|(&other, wanted)| {
            other != vertex && wanted.holds(squared(self.places[other as usize], place))
        })
    }

    /// Superposes, and keeps what deviates little.
    fn keep(&mut self, levels: &[Level]) -> Result<()> {
        let mut vertices = vec![0; levels.len()];
        for (level, vertex) in levels.iter().zip(&self.chosen) {
            vertices[level.point] = *vertex;
        }
        let fixed: Vec<_> = vertices.iter().map(|v| self.places[*v as usize]).collect();
        let superposition =
            superpose(&self.motif, &fixed).map_err(|source| GraphError::Superposition {
                graph: self.target.id.clone(),
                source,
            })?;
        if superposition.rmsd > self.options.max_rmsd {
            return Ok(());
        }
        if self.found.occurrences.len() == self.options.limit {
            self.found.complete = false;
            return Ok(());
        }
        self.found.occurrences.push(Occurrence {
            vertices,
            rmsd: superposition.rmsd,
            superposition: superposition.transform,
        });
        Ok(())
    }
}
