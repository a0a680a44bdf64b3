//! The best way of pairing two chains in order.
//!
//! Needleman and Wunsch's recurrence (J. Mol. Biol. 48, 443, 1970,
//! doi:10.1016/0022-2836(70)90057-4) with a cost for opening a gap and none for its length; gaps at
//! the ends are free, as in TM-align.

/// Memory of a pairing: 9 bytes per pair of residues.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// What pairing two residues is worth, `[first, second]`.
    pub worth: Vec<f64>,
    from: Vec<u8>,
    row: Vec<f64>,
}

const PAIR: u8 = 0;
const SKIP_FIRST: u8 = 1;
const SKIP_SECOND: u8 = 2;

impl Path {
    /// Pairs of positions that bring the most, ascending in both; each gap costs `gap`.
    pub(super) fn best(&mut self, first: usize, second: usize, gap: f64) -> Vec<(usize, usize)> {
        let width = second + 1;
        self.from.clear();
        self.from.resize((first + 1) * width, SKIP_SECOND);
        self.row.clear();
        self.row.resize(width, 0.0);
        for i in 1..=first {
            let mut corner = self.row[0];
            self.from[i * width] = SKIP_FIRST;
            for j in 1..=second {
                // Leaving a pair for a gap costs; going on in a gap, or along an end, does not.
                let cost = |cell: u8, end: bool| if cell == PAIR && !end { gap } else { 0.0 };
                let pair = corner + self.worth[(i - 1) * second + j - 1];
                let above = self.from[(i - 1) * width + j];
                let left = self.from[i * width + j - 1];
                let skip_first = self.row[j] - cost(above, j == second);
                let skip_second = self.row[j - 1] - cost(left, i == first);
                corner = self.row[j];
                let (value, way) = if pair >= skip_first && pair >= skip_second {
                    (pair, PAIR)
                } else if skip_first >= skip_second {
                    (skip_first, SKIP_FIRST)
                } else {
                    (skip_second, SKIP_SECOND)
                };
                self.row[j] = value;
                self.from[i * width + j] = way;
            }
        }
        let (mut i, mut j) = (first, second);
        let mut pairs = Vec::with_capacity(first.min(second));
        while i > 0 && j > 0 {
            match self.from[i * width + j] {
                PAIR => {
                    (i, j) = (i - 1, j - 1);
                    pairs.push((i, j));
                }
                SKIP_FIRST => i -= 1,
                _ => j -= 1,
            }
        }
        pairs.reverse();
        pairs
    }
}
