//! What a mesh measures, and what is wrong with it.
//!
//! Definitions, which the reference figures of the tests share:
//!
//! - The bounding box is that of all vertices, used or not.
//! - A *collapsed* triangle names a vertex twice. It has no area and no three edges, so it counts
//!   neither for edges nor for V, E, F and components; the defects name it.
//! - Watertight: there is a triangle, and every edge belongs to exactly two triangles, which run
//!   along it in opposite directions.
//! - Volume: the sum of the signed tetrahedra from the centre of the box to the triangles;
//!   positive where the triangles turn counter-clockwise seen from outside.

use super::model::Mesh;

/// A cross product this small against the longest edge squared is no area.
const FLAT: f64 = 1e-12;

/// The derived columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Geometry {
    pub(super) bounds: Option<[[f64; 3]; 2]>,
    pub(super) area: f64,
    pub(super) volume: Option<f64>,
    pub(super) watertight: bool,
    pub(super) components: i64,
    pub(super) euler: i64,
    pub(super) defects: Vec<String>,
}

/// Measures a mesh. `None`: the coordinates are so large that area or volume overflow.
pub(super) fn measure(mesh: &Mesh) -> Option<Geometry> {
    let bounds = bounds(&mesh.vertices);
    let (flat, area) = areas(mesh);
    let topology = Topology::of(mesh);
    let watertight = topology.is_watertight();
    let volume = watertight.then(|| volume(mesh, bounds));
    if !area.is_finite() || volume.is_some_and(|v| !v.is_finite()) {
        return None;
    }
    let mut defects = Vec::new();
    if mesh.faces.is_empty() {
        defects.push("no faces".to_owned());
    }
    let mut defect = |count: usize, one: &str, many: &str| match count {
        0 => {}
        1 => defects.push(format!("1 {one}")),
        n => defects.push(format!("{n} {many}")),
    };
    defect(
        topology.collapsed,
        "degenerate face names a vertex twice",
        "degenerate faces name a vertex twice",
    );
    defect(
        flat.saturating_sub(topology.collapsed),
        "degenerate face has no area",
        "degenerate faces have no area",
    );
    defect(duplicates(mesh), "duplicate face", "duplicate faces");
    defect(topology.open, "open edge", "open edges");
    defect(
        topology.crowded,
        "non-manifold edge (more than two faces)",
        "non-manifold edges (more than two faces)",
    );
    defect(
        topology.twisted,
        "edge whose two faces wind inconsistently",
        "edges whose two faces wind inconsistently",
    );
    defect(
        bent_polygons(mesh),
        "polygon is not convex: its triangles overlap",
        "polygons are not convex: their triangles overlap",
    );
    defect(
        unreferenced(mesh),
        "unreferenced vertex",
        "unreferenced vertices",
    );
    if volume.is_some_and(|v| v < 0.0) {
        defects.push("inside out: the volume is negative".to_owned());
    }
    Some(Geometry {
        bounds,
        area,
        volume,
        watertight,
        components: topology.components,
        euler: topology.euler,
        defects,
    })
}

fn bounds(vertices: &[[f64; 3]]) -> Option<[[f64; 3]; 2]> {
    let first = *vertices.first()?;
    let mut low = first;
    let mut high = first;
    for xyz in vertices {
        for axis in 0..3 {
            low[axis] = low[axis].min(xyz[axis]);
            high[axis] = high[axis].max(xyz[axis]);
        }
    }
    Some([low, high])
}

fn sub(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// Twice the area, along the normal.
pub(super) fn normal([a, b, c]: [[f64; 3]; 3]) -> [f64; 3] {
    cross(sub(b, a), sub(c, a))
}

/// Six times the signed volume of the tetrahedron from `origin` to a triangle.
pub(super) fn six_volumes(origin: [f64; 3], corners: [[f64; 3]; 3]) -> f64 {
    let [a, b, c] = corners.map(|xyz| sub(xyz, origin));
    dot(a, cross(b, c))
}

fn corners(mesh: &Mesh, face: [i32; 3]) -> [[f64; 3]; 3] {
    face.map(|v| mesh.vertices[v as usize])
}

/// Count of triangles without area, and the sum of the areas.
fn areas(mesh: &Mesh) -> (usize, f64) {
    let mut flat = 0;
    let mut sum = 0.0;
    for face in &mesh.faces {
        let [a, b, c] = corners(mesh, *face);
        let twice = normal([a, b, c]);
        let twice = dot(twice, twice).sqrt();
        let longest = [sub(b, a), sub(c, b), sub(a, c)]
            .map(|edge| dot(edge, edge))
            .into_iter()
            .fold(0.0, f64::max);
        if twice <= FLAT * longest {
            flat += 1;
        }
        sum += twice;
    }
    (flat, sum / 2.0)
}

fn volume(mesh: &Mesh, bounds: Option<[[f64; 3]; 2]>) -> f64 {
    let Some([low, high]) = bounds else {
        return 0.0;
    };
    let centre = [0, 1, 2].map(|axis| low[axis] + (high[axis] - low[axis]) / 2.0);
    let sum: f64 = mesh
        .faces
        .iter()
        .map(|face| six_volumes(centre, corners(mesh, *face)))
        .sum();
    sum / 6.0
}

fn is_collapsed([a, b, c]: [i32; 3]) -> bool {
    a == b || b == c || c == a
}

/// Counts over edges and vertices, without the collapsed triangles.
struct Topology {
    faces: usize,
    collapsed: usize,
    /// Edges of one triangle.
    open: usize,
    /// Edges of more than two.
    crowded: usize,
    /// Edges of two triangles that run along it in the same direction.
    twisted: usize,
    components: i64,
    euler: i64,
}

impl Topology {
    fn of(mesh: &Mesh) -> Self {
        let mut parents: Vec<u32> = (0..mesh.vertices.len() as u32).collect();
        // An edge is one number, low vertex first, with its direction in the last bit: 31 + 31 + 1
        // bits, so that sorting brings equal edges together.
        let mut edges: Vec<u64> = Vec::with_capacity(mesh.faces.len() * 3);
        let mut used = vec![false; mesh.vertices.len()];
        for face in mesh.faces.iter().filter(|face| !is_collapsed(**face)) {
            let [a, b, c] = face.map(|v| v as u32);
            for (from, to) in [(a, b), (b, c), (c, a)] {
                let (low, high) = (from.min(to), from.max(to));
                edges.push(u64::from(low) << 32 | u64::from(high) << 1 | u64::from(from > to));
            }
            for vertex in [a, b, c] {
                used[vertex as usize] = true;
            }
            join(&mut parents, a, b);
            join(&mut parents, a, c);
        }
        let faces = edges.len() / 3;
        edges.sort_unstable();
        let (mut open, mut crowded, mut twisted, mut distinct) = (0, 0, 0, 0);
        for run in edges.chunk_by(|x, y| x >> 1 == y >> 1) {
            distinct += 1;
            match run {
                [_] => open += 1,
                [one, other] if one == other => twisted += 1,
                [_, _] => {}
                _ => crowded += 1,
            }
        }
        let vertices = used.iter().filter(|used| **used).count();
        let components = (0..parents.len())
            .filter(|v| used[*v] && parents[*v] as usize == *v)
            .count();
        Self {
            faces,
            collapsed: mesh.faces.len() - faces,
            open,
            crowded,
            twisted,
            components: components as i64,
            euler: vertices as i64 - distinct as i64 + faces as i64,
        }
    }

    fn is_watertight(&self) -> bool {
        self.faces > 0 && self.open == 0 && self.crowded == 0 && self.twisted == 0
    }
}

fn root(parents: &mut [u32], mut vertex: u32) -> u32 {
    while parents[vertex as usize] != vertex {
        let above = parents[parents[vertex as usize] as usize];
        parents[vertex as usize] = above;
        vertex = above;
    }
    vertex
}

fn join(parents: &mut [u32], one: u32, other: u32) {
    let (one, other) = (root(parents, one), root(parents, other));
    // The lower number becomes the root: the tree stays shallow enough with path halving.
    parents[one.max(other) as usize] = one.min(other);
}

/// Faces that name the same three vertices as another, in any order, beyond the first.
fn duplicates(mesh: &Mesh) -> usize {
    let mut keys: Vec<[i32; 3]> = mesh
        .faces
        .iter()
        .filter(|face| !is_collapsed(**face))
        .map(|face| {
            let mut key = *face;
            key.sort_unstable();
            key
        })
        .collect();
    keys.sort_unstable();
    keys.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// Polygons of which a triangle of the fan turns against the whole.
fn bent_polygons(mesh: &Mesh) -> usize {
    let mut first = 0;
    let mut bent = 0;
    for size in &mesh.polygon_sizes {
        let count = (*size as usize).saturating_sub(2);
        let fan = &mesh.faces[first..first + count];
        first += count;
        if count < 2 {
            continue;
        }
        let normals = fan.iter().map(|face| normal(corners(mesh, *face)));
        let whole = normals.clone().fold([0.0; 3], |sum, n| {
            [sum[0] + n[0], sum[1] + n[1], sum[2] + n[2]]
        });
        let size = dot(whole, whole);
        if normals.into_iter().any(|n| dot(n, whole) < -1e-9 * size) {
            bent += 1;
        }
    }
    bent
}

/// Vertices that neither a face nor a cell uses.
fn unreferenced(mesh: &Mesh) -> usize {
    let mut used = vec![false; mesh.vertices.len()];
    for vertex in mesh.faces.as_flattened() {
        used[*vertex as usize] = true;
    }
    if let Some(cells) = &mesh.cells {
        for vertex in &cells.connectivity {
            used[*vertex as usize] = true;
        }
    }
    used.iter().filter(|used| !**used).count()
}

#[cfg(test)]
mod tests;
