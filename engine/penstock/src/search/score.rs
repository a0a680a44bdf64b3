//! Exact scores of candidates.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int32Type};
use arrow::record_batch::RecordBatch;
use penstock_rerank::{
    MeshOptions, SequenceOptions, StructureOptions, Surface, rerank_meshes, rerank_sequences,
    rerank_structures,
};
use penstock_types::{Kind, columns};

use super::read::{list, text, triples};
use crate::Error;

/// Pairs of letters of all alignments of one search: some ten seconds of one core.
const MAX_PAIRS: u64 = 1 << 37;

/// The score that candidates are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RerankBy {
    /// E-value of the local alignment of sequences, with the defaults of
    /// [`penstock_rerank::SequenceOptions`].
    Alignment,
    /// TM-score of the alignment of structures by shape.
    Tm,
    /// Chamfer distance of surfaces, scaled to one size and not turned.
    Chamfer,
}

impl RerankBy {
    /// Every score.
    pub const ALL: [Self; 3] = [Self::Alignment, Self::Tm, Self::Chamfer];

    /// The word used in requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alignment => "alignment",
            Self::Tm => "tm",
            Self::Chamfer => "chamfer",
        }
    }

    /// What it compares.
    pub(super) const fn wants(self) -> &'static str {
        match self {
            Self::Alignment => "a sequence",
            Self::Tm => "C-alpha coordinates",
            Self::Chamfer => "a surface",
        }
    }

    pub(super) const fn is_for(self, kind: Kind) -> bool {
        match self {
            Self::Alignment => matches!(kind, Kind::Protein | Kind::Dna),
            Self::Tm => matches!(kind, Kind::Protein),
            Self::Chamfer => matches!(kind, Kind::Mesh),
        }
    }

    /// The columns that it reads.
    pub(super) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Alignment => &[columns::SEQUENCE],
            Self::Tm => &[columns::CA_XYZ, columns::CA_PRESENT],
            Self::Chamfer => &[columns::VERTICES, columns::FACES, columns::AREA],
        }
    }
}

impl fmt::Display for RerankBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing to rank by; such are alignment, tm and chamfer")]
pub struct UnknownRerank(pub String);

impl FromStr for RerankBy {
    type Err = UnknownRerank;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|by| by.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownRerank(word.to_owned()))
    }
}

/// What a record is compared by.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Sequence(Vec<u8>),
    Chain(Vec<[f32; 3]>),
    Surface(Vec<[f32; 3]>, Vec<[u32; 3]>),
}

impl Shape {
    /// That of a row; `None` where it has none.
    pub(super) fn of(by: RerankBy, batch: &RecordBatch, row: usize) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        match by {
            RerankBy::Alignment => {
                let letters = text(column(columns::SEQUENCE)?, row)?;
                (!letters.is_empty()).then(|| Self::Sequence(letters.as_bytes().to_vec()))
            }
            RerankBy::Tm => {
                let mut atoms = triples::<Float32Type>(column(columns::CA_XYZ)?, row)?;
                if let Some(present) = column(columns::CA_PRESENT).and_then(|c| list(c, row))
                    && let Some(present) = present.as_boolean_opt()
                {
                    let mut present = present.iter();
                    atoms.retain(|_| present.next().flatten().unwrap_or(true));
                }
                (!atoms.is_empty()).then_some(Self::Chain(atoms))
            }
            RerankBy::Chamfer => {
                let area = column(columns::AREA)?.as_primitive_opt::<Float64Type>()?;
                if area.is_null(row) || area.value(row) <= 0.0 {
                    return None;
                }
                let vertices = triples::<Float64Type>(column(columns::VERTICES)?, row)?;
                let faces = triples::<Int32Type>(column(columns::FACES)?, row)?;
                // About the first vertex, so that no digits are lost far from the origin.
                let first = *vertices.first()?;
                let near = |p: &[f64; 3]| std::array::from_fn(|i| (p[i] - first[i]) as f32);
                let corner = |face: &[i32; 3]| face.map(i32::cast_unsigned);
                let faces: Vec<[u32; 3]> = faces.iter().map(corner).collect();
                (!faces.is_empty())
                    .then(|| Self::Surface(vertices.iter().map(near).collect(), faces))
            }
        }
    }
}

/// An order of candidates, best first, and the columns of their scores in that order. Candidates
/// without a score come last.
pub(super) struct Ranked {
    pub(super) order: Vec<usize>,
    pub(super) scores: Vec<(Field, ArrayRef)>,
}

/// Scores in the order that they were given in, by the position of the candidate.
struct Scores<T>(Vec<(usize, T)>);

impl<T> Scores<T> {
    /// Positions in `known` as positions among all candidates.
    fn new(known: &[usize], found: impl IntoIterator<Item = (usize, T)>) -> Self {
        Self(
            found
                .into_iter()
                .map(|(at, score)| (known[at], score))
                .collect(),
        )
    }

    fn ranked(
        self,
        count: usize,
        columns: impl FnOnce(&[T], usize) -> Vec<(Field, ArrayRef)>,
    ) -> Ranked {
        let (mut order, scores): (Vec<usize>, Vec<T>) = self.0.into_iter().unzip();
        let has: std::collections::HashSet<usize> = order.iter().copied().collect();
        order.extend((0..count).filter(|at| !has.contains(at)));
        let rest = count - scores.len();
        Ranked {
            order,
            scores: columns(&scores, rest),
        }
    }
}

fn numbers<T>(name: &str, scores: &[T], rest: usize, of: impl Fn(&T) -> f64) -> (Field, ArrayRef) {
    let values = scores.iter().map(|score| Some(of(score)));
    let values: Float64Array = values.chain(std::iter::repeat_n(None, rest)).collect();
    (Field::new(name, DataType::Float64, true), Arc::new(values))
}

fn counts<T>(name: &str, scores: &[T], rest: usize, of: impl Fn(&T) -> u32) -> (Field, ArrayRef) {
    let values = scores.iter().map(|score| Some(of(score)));
    let values: UInt32Array = values.chain(std::iter::repeat_n(None, rest)).collect();
    (Field::new(name, DataType::UInt32, true), Arc::new(values))
}

/// Ranks candidates against the query. `rows` is how many the table has, for E-values.
pub(super) fn rank(
    kind: Kind,
    query: &Shape,
    candidates: &[Option<Shape>],
    rows: u64,
    stop: &AtomicBool,
) -> Result<Ranked, Error> {
    let count = candidates.len();
    match query {
        Shape::Sequence(query) => {
            let (known, targets): (Vec<usize>, Vec<&[u8]>) = candidates
                .iter()
                .enumerate()
                .filter_map(|(at, shape)| match shape {
                    Some(Shape::Sequence(letters)) => Some((at, letters.as_slice())),
                    _ => None,
                })
                .unzip();
            let is_dna = kind == Kind::Dna;
            let letters: u64 = targets.iter().map(|letters| letters.len() as u64).sum();
            let strands = if is_dna { 2 } else { 1 };
            let pairs = letters.saturating_mul(strands * query.len() as u64);
            if pairs > MAX_PAIRS {
                return Err(Error::RerankWork {
                    pairs,
                    limit: MAX_PAIRS,
                });
            }
            let options = SequenceOptions {
                database_sequences: Some(rows),
                ..if is_dna {
                    SequenceOptions::dna()
                } else {
                    SequenceOptions::default()
                }
            };
            let found = rerank_sequences(query, &targets, &options, stop)?;
            let found = found.into_iter().map(|score| (score.target, score));
            Ok(Scores::new(&known, found).ranked(count, |scores, rest| {
                let mut columns = vec![
                    counts("alignment_score", scores, rest, |s| s.score),
                    numbers("alignment_bits", scores, rest, |s| s.bits),
                    numbers("evalue", scores, rest, |s| s.evalue),
                ];
                if is_dna {
                    let strand = |reverse| if reverse { "-" } else { "+" };
                    let strands = scores.iter().map(|score| Some(strand(score.reverse)));
                    let strands: StringArray =
                        strands.chain(std::iter::repeat_n(None, rest)).collect();
                    let field = Field::new("alignment_strand", DataType::Utf8, true);
                    columns.push((field, Arc::new(strands)));
                }
                columns
            }))
        }
        Shape::Chain(query) => {
            let options = StructureOptions::default();
            // A chain that is too long to be aligned has no score.
            let fits = |chain: &[[f32; 3]]| {
                (chain.len() as u64).saturating_mul(query.len() as u64) <= options.most_pairs
            };
            let (known, targets): (Vec<usize>, Vec<&[[f32; 3]]>) = candidates
                .iter()
                .enumerate()
                .filter_map(|(at, shape)| match shape {
                    Some(Shape::Chain(chain)) if fits(chain) => Some((at, chain.as_slice())),
                    _ => None,
                })
                .unzip();
            let found = rerank_structures(query, &targets, &options, stop)?;
            let found = found.into_iter().map(|score| (score.target, score));
            Ok(Scores::new(&known, found).ranked(count, |scores, rest| {
                vec![
                    numbers("tm_score", scores, rest, |s| s.tm_query),
                    numbers("tm_score_target", scores, rest, |s| s.tm_target),
                    numbers("rmsd", scores, rest, |s| s.rmsd),
                    // Fewer than the residues of a chain.
                    counts("aligned", scores, rest, |s| s.pairs.len() as u32),
                ]
            }))
        }
        Shape::Surface(positions, triangles) => {
            let (known, targets): (Vec<usize>, Vec<Surface<'_>>) = candidates
                .iter()
                .enumerate()
                .filter_map(|(at, shape)| match shape {
                    Some(Shape::Surface(positions, triangles)) => Some((
                        at,
                        Surface {
                            positions,
                            triangles,
                        },
                    )),
                    _ => None,
                })
                .unzip();
            let query = Surface {
                positions,
                triangles,
            };
            let found = rerank_meshes(query, &targets, &MeshOptions::default(), stop)?;
            let found = found.into_iter().map(|score| (score.target, score));
            Ok(Scores::new(&known, found).ranked(count, |scores, rest| {
                vec![
                    numbers("chamfer", scores, rest, |s| s.chamfer),
                    numbers("hausdorff", scores, rest, |s| s.hausdorff),
                ]
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(letters: &str) -> Option<Shape> {
        Some(Shape::Sequence(letters.as_bytes().to_vec()))
    }

    #[test]
    fn what_has_no_score_comes_last() {
        let query = sequence("MKTAYIAKQRQISFVKSHFSRQ").unwrap();
        let candidates = [
            None,
            sequence("GGGGGGGGGGGGGGGGGGG"),
            sequence("MKTAYIAKQRQISFVKSHFSRQ"),
        ];
        let stop = AtomicBool::new(false);
        let ranked = rank(Kind::Protein, &query, &candidates, 3, &stop).unwrap();
        assert_eq!(ranked.order, [2, 1, 0]);
        let (field, values) = &ranked.scores[0];
        assert_eq!(field.name(), "alignment_score");
        let values = values.as_primitive::<arrow::datatypes::UInt32Type>();
        assert!(values.value(0) > 90 && values.is_null(2), "{values:?}");
        assert_eq!(ranked.scores.len(), 3);
    }

    #[test]
    fn work_is_bounded() {
        let long = sequence(&"ACGT".repeat(300_000));
        let stop = AtomicBool::new(false);
        let query = long.clone().unwrap();
        let ranked = rank(Kind::Dna, &query, &[long], 1, &stop);
        assert!(matches!(ranked, Err(Error::RerankWork { .. })));
    }

    #[test]
    fn words() {
        for by in RerankBy::ALL {
            assert_eq!(by.to_string().parse(), Ok(by));
        }
        assert!("magic".parse::<RerankBy>().is_err());
    }
}
