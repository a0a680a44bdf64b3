//! The formats that are read, and the compressions around them.
//!
//! Sequences and structures are read record by record ([`crate::reader`]). A mesh file is one
//! record: `crate::mesh::read(format, name, id, input, context)` reads the whole of it, up to
//! `context.limits.max_record_bytes`, and returns a batch of one row with the schema
//! `penstock_types::columns::schema(Kind::Mesh)`. `name` is the file's name, which becomes the
//! `source`; `id` is that name without folders and the extension of a compression.

use std::fmt;

use penstock_types::Kind;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// FASTA: proteins or DNA.
    Fasta,
    /// FASTQ.
    Fastq,
    /// GenBank flat file; GenPept where the sequence is a protein.
    GenBank,
    /// PDB.
    Pdb,
    /// PDBx/mmCIF.
    MmCif,
    /// STL, ASCII or binary.
    Stl,
    /// Wavefront OBJ.
    Obj,
    /// PLY, ASCII or binary.
    Ply,
    /// OFF.
    Off,
    /// Legacy VTK.
    LegacyVtk,
    /// VTK XML, unstructured grid.
    Vtu,
    /// VTK XML, polygonal data.
    Vtp,
    /// Vertices and edges, a line each: `t`, `v`, `e`.
    Tve,
    /// A list of edges.
    EdgeList,
    /// GraphML.
    GraphMl,
    /// METIS.
    Metis,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 16] = [
        Self::Fasta,
        Self::Fastq,
        Self::GenBank,
        Self::Pdb,
        Self::MmCif,
        Self::Stl,
        Self::Obj,
        Self::Ply,
        Self::Off,
        Self::LegacyVtk,
        Self::Vtu,
        Self::Vtp,
        Self::Tve,
        Self::EdgeList,
        Self::GraphMl,
        Self::Metis,
    ];

    /// The name shown to users.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fasta => "FASTA",
            Self::Fastq => "FASTQ",
            Self::GenBank => "GenBank",
            Self::Pdb => "PDB",
            Self::MmCif => "mmCIF",
            Self::Stl => "STL",
            Self::Obj => "OBJ",
            Self::Ply => "PLY",
            Self::Off => "OFF",
            Self::LegacyVtk => "legacy VTK",
            Self::Vtu => "VTU",
            Self::Vtp => "VTP",
            Self::Tve => "t/v/e",
            Self::EdgeList => "edge list",
            Self::GraphMl => "GraphML",
            Self::Metis => "METIS",
        }
    }

    /// Whether a file of this format can hold that kind of data.
    #[must_use]
    pub const fn holds(self, kind: Kind) -> bool {
        match self {
            Self::Fasta | Self::GenBank => matches!(kind, Kind::Protein | Kind::Dna),
            Self::Fastq => matches!(kind, Kind::Dna),
            Self::Pdb | Self::MmCif => matches!(kind, Kind::Protein),
            Self::Stl
            | Self::Obj
            | Self::Ply
            | Self::Off
            | Self::LegacyVtk
            | Self::Vtu
            | Self::Vtp => matches!(kind, Kind::Mesh),
            Self::Tve | Self::EdgeList | Self::GraphMl | Self::Metis => {
                matches!(kind, Kind::Graph)
            }
        }
    }

    /// Whether a file of this format can hold a graph whose edges have a direction.
    #[must_use]
    pub const fn can_be_directed(self) -> bool {
        matches!(self, Self::EdgeList | Self::GraphMl)
    }

    pub(crate) fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A compression, seen by the first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip, of one or more members.
    Gzip,
    /// BGZF: gzip in blocks, with a mark at its end.
    Bgzf,
    /// bzip2, of one or more streams.
    Bzip2,
    /// Zstandard, of one or more frames.
    Zstd,
    /// A zip archive; each member is read as a file.
    Zip,
}

impl Compression {
    /// The name shown to users.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bgzf => "BGZF",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
