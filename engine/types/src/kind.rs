//! The kinds of raw data.

use std::fmt;
use std::str::FromStr;

/// What a table holds. A table has one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Amino-acid sequences, with or without coordinates.
    Protein,
    /// Nucleotide sequences.
    Dna,
    /// Surface and volume meshes.
    Mesh,
    /// Graphs, a row for each graph and one for each of its vertices.
    Graph,
}

impl Kind {
    /// Every kind, in the order in which they are listed to users.
    pub const ALL: [Self; 4] = [Self::Protein, Self::Dna, Self::Mesh, Self::Graph];

    /// The word used in files, columns and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Protein => "protein",
            Self::Dna => "dna",
            Self::Mesh => "mesh",
            Self::Graph => "graph",
        }
    }

    /// Whether rows of this kind can be parts of another row, which their column `parent` names:
    /// windows of a contig, vertices of a graph. Replacing the whole removes parts that it no
    /// longer has.
    #[must_use]
    pub const fn has_parts(self) -> bool {
        matches!(self, Self::Dna | Self::Graph)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of data; the kinds are protein, dna, mesh and graph")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownKind(word.to_owned()))
    }
}
