//! Proteins with coordinates: residues, and edges between those that are close.

use serde::Deserialize;

use super::{Featured, Graph, GraphFault};

/// The type of an edge between C-alpha atoms closer than the cutoff.
pub(crate) const CONTACT: u8 = 0;
/// The type of an edge along the chain; such a pair is no contact beside.
pub(crate) const BOND: u8 = 1;

/// The twenty amino acids in the order of their letters; any other letter counts as X, the last.
const LETTERS: &[u8; 20] = b"ACDEFGHIKLMNPQRSTVWY";

/// What is known of a residue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    /// One of 21: the amino acids in the order of their letters, then X.
    Residue,
    /// 1 where the file gives the C-alpha atom, else 0.
    Present,
    /// ln(1 + neighbours).
    Degree,
}

impl Feature {
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Residue => LETTERS.len() + 1,
            Self::Present | Self::Degree => 1,
        }
    }
}

/// A protein chain.
pub(crate) struct Chain<'a> {
    pub(crate) sequence: &'a [u8],
    /// C-alpha atoms in angstrom, one for each residue; none where there is no structure.
    pub(crate) atoms: &'a [Option<[f32; 3]>],
}

/// The contact graph of a chain: undirected, edges typed [`CONTACT`] or [`BOND`]. Residues without
/// an atom have their neighbours in the chain only.
pub(crate) fn build(
    chain: &Chain<'_>,
    cutoff_angstrom: f32,
    features: &[Feature],
) -> Result<Featured, GraphFault> {
    let len = chain.sequence.len();
    let mut pairs: Vec<(u32, u32)> = (1..len as u32).map(|i| (i - 1, i)).collect();
    let bonds = pairs.len();
    close(chain.atoms, cutoff_angstrom, &mut pairs);
    let mut types = vec![CONTACT; pairs.len()];
    types[..bonds].fill(BOND);
    let graph = Graph::undirected(len, &pairs, Some(&types))?;
    let mut values = Vec::with_capacity(len * features.iter().map(|f| f.width()).sum::<usize>());
    for (at, letter) in chain.sequence.iter().enumerate() {
        for feature in features {
            match feature {
                Feature::Residue => {
                    let upper = letter.to_ascii_uppercase();
                    let class = LETTERS.iter().position(|l| *l == upper);
                    let first = values.len();
                    values.resize(first + feature.width(), 0.0);
                    values[first + class.unwrap_or(LETTERS.len())] = 1.0;
                }
                Feature::Present => {
                    let present = chain.atoms.get(at).is_some_and(Option::is_some);
                    values.push(f32::from(u8::from(present)));
                }
                Feature::Degree => {
                    let degree = graph.neighbours(at as u32).len();
                    values.push((degree as f32).ln_1p());
                }
            }
        }
    }
    Ok(Featured {
        graph,
        features: values,
        items: None,
    })
}

/// Adds the pairs, not next to each other in the chain, whose atoms are closer than the cutoff.
///
/// Atoms are sorted into cubes as wide as the cutoff, so that each is compared with those of 27
/// cubes alone.
fn close(atoms: &[Option<[f32; 3]>], cutoff: f32, pairs: &mut Vec<(u32, u32)>) {
    let width = f64::from(cutoff);
    let cube = |atom: [f32; 3]| atom.map(|x| (f64::from(x) / width).floor() as i64);
    let mut sorted: Vec<([i64; 3], u32, [f32; 3])> = atoms
        .iter()
        .enumerate()
        .filter_map(|(at, atom)| atom.map(|atom| (cube(atom), at as u32, atom)))
        .collect();
    sorted.sort_unstable_by_key(|(cube, at, _)| (*cube, *at));
    for (cube, at, atom) in &sorted {
        for dx in -1..=1 {
            for dy in -1..=1 {
                // Cubes along z lie one after another.
                let column = |dz| {
                    [
                        cube[0].saturating_add(dx),
                        cube[1].saturating_add(dy),
                        cube[2].saturating_add(dz),
                    ]
                };
                let first = sorted.partition_point(|(c, _, _)| *c < column(-1));
                for (_, other, place) in sorted[first..]
                    .iter()
                    .take_while(|(c, _, _)| *c <= column(1))
                {
                    if *other > *at + 1 && distance_squared(*atom, *place) < width * width {
                        pairs.push((*at, *other));
                    }
                }
            }
        }
    }
}

pub(crate) fn distance_squared(a: [f32; 3], b: [f32; 3]) -> f64 {
    (0..3)
        .map(|k| (f64::from(a[k]) - f64::from(b[k])).powi(2))
        .sum()
}
