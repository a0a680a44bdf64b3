//! Where the labels of residues come from.

use std::sync::Arc;

use penstock_embed::head::states::{self, Letters};
use penstock_embed::head::{HeadFault, psea};

use crate::error::SourceError;

/// What a source of labels has for one id: lines of letters, as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenLabels {
    /// A letter for each residue, perhaps over several lines; or the sequence and then these.
    pub lines: Vec<String>,
    /// Marks of the residues that count, as [`states::mask`] reads them.
    pub mask: Option<String>,
    /// The group that the record belongs to, where the source knows groups.
    pub group: Option<String>,
}

/// Looks labels up by a row's id. Blocks.
pub type LabelFn = dyn Fn(&str) -> Result<Option<GivenLabels>, SourceError> + Send + Sync;

/// Where labels come from.
#[derive(Clone)]
pub enum HeadLabels {
    /// Helix, strand and coil by the C-alpha trace that is stored; see [`psea`]. Residues without
    /// a C-alpha are masked.
    Structure,
    /// Letters that somebody else has.
    Given {
        /// What they are called, such as a file's name.
        name: String,
        /// BLAKE3 of their source, in hexadecimal.
        digest: String,
        /// What the letters mean.
        letters: Letters,
        /// Whether the source knows groups; then they decide about the splits.
        has_groups: bool,
        /// The labels of an id.
        find: Arc<LabelFn>,
    },
}

impl std::fmt::Debug for HeadLabels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Structure => f.write_str("Structure"),
            Self::Given { name, digest, .. } => f
                .debug_struct("Given")
                .field("name", name)
                .field("digest", digest)
                .finish_non_exhaustive(),
        }
    }
}

/// The labels of one row.
pub(super) struct RowLabels {
    pub(super) labels: Vec<u8>,
    pub(super) group: Option<String>,
}

/// Why a row has no labels that fit.
pub(super) enum Misfit {
    /// The source fails for whatever reason.
    Source(SourceError),
    /// The labels are wrong.
    Fault(HeadFault),
    /// The sequence beside the labels is another than the row's.
    Sequence,
}

/// The labels by a row's structure.
pub(super) fn of_structure(xyz: &[f32], present: &[bool]) -> RowLabels {
    RowLabels {
        labels: psea::assign(xyz, present),
        group: None,
    }
}

/// The labels that somebody else gives a row.
pub(super) fn of_given(
    given: GivenLabels,
    letters: &Letters,
    sequence: &str,
) -> Result<RowLabels, Misfit> {
    let text = text_of(&given.lines, sequence)?;
    let mut labels = letters.read(&text).map_err(Misfit::Fault)?;
    if let Some(marks) = &given.mask {
        states::mask(&mut labels, marks).map_err(Misfit::Fault)?;
    }
    Ok(RowLabels {
        labels,
        group: given.group,
    })
}

/// The lines together, when they are as long as the sequence; or what follows the sequence, when
/// they are twice as long and begin with it.
fn text_of(lines: &[String], sequence: &str) -> Result<String, Misfit> {
    let text = lines.concat();
    let (given, residues) = (text.chars().count(), sequence.len());
    if given != 2 * residues || residues == 0 {
        return Ok(text);
    }
    match text.get(..residues).zip(text.get(residues..)) {
        Some((first, labels)) if first.eq_ignore_ascii_case(sequence) => Ok(labels.to_owned()),
        _ => Err(Misfit::Sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> GivenLabels {
        GivenLabels {
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
            ..GivenLabels::default()
        }
    }

    fn labels(given: GivenLabels, sequence: &str) -> Option<Vec<u8>> {
        of_given(given, &Letters::default(), sequence)
            .ok()
            .map(|row| row.labels)
    }

    #[test]
    fn lines_are_labels_or_a_sequence_and_labels() {
        assert_eq!(
            labels(lines(&["HHE", " C"]), "MKVAL"),
            Some(vec![0, 0, 1, 2, 2])
        );
        assert_eq!(labels(lines(&["mkv", "HEC"]), "MKV"), Some(vec![0, 1, 2]));
        // A sequence that could be labels.
        assert_eq!(
            labels(lines(&["GHEC", "CCHH"]), "GHEC"),
            Some(vec![2, 2, 0, 0])
        );
        assert_eq!(labels(lines(&["MKA", "HEC"]), "MKV"), None);
        let masked = GivenLabels {
            mask: Some("-X-".to_owned()),
            ..lines(&["HHH"])
        };
        assert_eq!(labels(masked, "MKV"), Some(vec![0, 255, 0]));
    }
}
