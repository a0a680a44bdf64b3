//! Points sorted into cells, so that those near a place are found without looking at all.

/// Points in cells of equal width. Takes 4 bytes per cell and 28 per point; there are at most
/// twice as many cells as points, and 64.
pub(crate) struct Grid {
    low: [f64; 3],
    width: f64,
    counts: [usize; 3],
    /// Where each cell begins in `points`: `[cells + 1]`.
    starts: Vec<u32>,
    /// By cell, in a cell by number.
    points: Vec<(u32, [f64; 3])>,
}

impl Grid {
    /// Sorts the points, each with a number, into cells at least `width` wide. What is not finite
    /// lies nowhere.
    pub(crate) fn new(points: impl Iterator<Item = (u32, [f32; 3])>, width: f64) -> Self {
        let points: Vec<_> = points
            .filter(|(_, p)| p.iter().all(|x| x.is_finite()))
            .map(|(number, p)| (number, p.map(f64::from)))
            .collect();
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for (_, p) in &points {
            for axis in 0..3 {
                low[axis] = low[axis].min(p[axis]);
                high[axis] = high[axis].max(p[axis]);
            }
        }
        let most = (2 * points.len()).max(64) as f64;
        let mut width = width.max(f64::from(f32::MIN_POSITIVE));
        let mut cells = [1.0; 3];
        if !points.is_empty() {
            loop {
                cells = std::array::from_fn(|i| ((high[i] - low[i]) / width).floor() + 1.0);
                if cells[0] * cells[1] * cells[2] <= most {
                    break;
                }
                width *= 1.25;
            }
        }
        let mut grid = Self {
            low,
            width,
            counts: cells.map(|c| c as usize),
            starts: Vec::new(),
            points: Vec::new(),
        };
        let mut starts = vec![0_u32; grid.counts.iter().product::<usize>() + 1];
        for (_, p) in &points {
            starts[grid.index(grid.cell(*p)) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut sorted = vec![(0, [0.0; 3]); points.len()];
        for point in points {
            let at = &mut next[grid.index(grid.cell(point.1))];
            sorted[*at as usize] = point;
            *at += 1;
        }
        grid.starts = starts;
        grid.points = sorted;
        grid
    }

    /// Monotone in every coordinate, so that no point is missed at the border of a cell.
    fn cell(&self, p: [f64; 3]) -> [usize; 3] {
        std::array::from_fn(|i| {
            let cell = ((p[i] - self.low[i]) / self.width).floor();
            (cell.max(0.0) as usize).min(self.counts[i] - 1)
        })
    }

    fn index(&self, cell: [usize; 3]) -> usize {
        (cell[0] * self.counts[1] + cell[1]) * self.counts[2] + cell[2]
    }

    /// Calls a function with every point that may be within `radius` of a place: none that is,
    /// is left out, and others are among them.
    pub(crate) fn around(
        &self,
        place: [f64; 3],
        radius: f64,
        mut visit: impl FnMut(u32, [f64; 3]),
    ) {
        if self.points.is_empty() {
            return;
        }
        // A computed distance may be within where the true one is a rounding beyond.
        let radius = radius * (1.0 + 1e-9);
        let from = self.cell(place.map(|x| x - radius));
        let to = self.cell(place.map(|x| x + radius));
        for x in from[0]..=to[0] {
            for y in from[1]..=to[1] {
                // Cells along z lie one after another.
                let first = self.starts[self.index([x, y, from[2]])] as usize;
                let last = self.starts[self.index([x, y, to[2]]) + 1] as usize;
                for (number, p) in &self.points[first..last] {
                    visit(*number, *p);
                }
            }
        }
    }

    /// About how many points [`around`](Self::around) looks at.
    pub(crate) fn expected(&self, radius: f64) -> f64 {
        let part: f64 = self
            .counts
            .iter()
            .map(|&count| ((2.0 * radius / self.width + 1.0) / count as f64).min(1.0))
            .product();
        part * self.points.len() as f64
    }
}

/// The squared distance of two points.
#[inline]
pub(crate) fn squared(a: [f64; 3], b: [f64; 3]) -> f64 {
    let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Lattice points lie on borders of cells.
        #[test]
        fn none_is_left_out(
            points in prop::collection::vec(prop::array::uniform3(-9..9_i8), 0..200),
            width in 1..12_u8,
            radius in 0..15_u8,
        ) {
            let points: Vec<_> = points.iter().map(|p| p.map(|x| f32::from(x) / 2.0)).collect();
            let grid = Grid::new((0..).zip(points.iter().copied()), f64::from(width) / 4.0);
            let radius = f64::from(radius) / 2.0;
            for place in &points {
                let place = place.map(f64::from);
                let mut seen = Vec::new();
                grid.around(place, radius, |n, p| {
                    if squared(place, p).sqrt() <= radius {
                        seen.push(n);
                    }
                });
                seen.sort_unstable();
                let plain: Vec<u32> = (0..)
                    .zip(&points)
                    .filter(|(_, p)| squared(place, p.map(f64::from)).sqrt() <= radius)
                    .map(|(n, _)| n)
                    .collect();
                prop_assert_eq!(seen, plain);
            }
        }
    }

    #[test]
    fn far_points_and_none() {
        let far = [
            [0.0_f32; 3],
            [f32::MAX, 0.0, -f32::MAX],
            [f32::NAN, 0.0, 0.0],
        ];
        let grid = Grid::new((0..).zip(far), 1e-30);
        let mut seen = Vec::new();
        grid.around([0.0; 3], 1.0, |n, _| seen.push(n));
        assert!(seen.contains(&0) && !seen.contains(&2));
        Grid::new(std::iter::empty(), 0.0).around([0.0; 3], 1.0, |_, _| unreachable!());
    }
}
