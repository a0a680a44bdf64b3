//! How to read.

use penstock_types::Kind;

/// What to do with a record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The first error ends the reading.
    #[default]
    Fail,
    /// The record is left out and listed in the report; reading goes on with the next one.
    Skip,
}

/// How a long contig is cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Contigs of at least this many bases have windows.
    pub min_contig: usize,
    /// Bases of a window.
    pub length: usize,
    /// Bases from the start of a window to the start of the next one.
    pub stride: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            min_contig: 8192,
            length: 2048,
            stride: 1024,
        }
    }
}

/// Bounds that keep a hostile or damaged file from taking the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes out for each byte in, past [`Limits::ratio_floor`].
    pub max_ratio: u64,
    /// Decompressed bytes up to which the ratio is not looked at.
    pub ratio_floor: u64,
    /// Decompressed bytes of a whole source; `None`: no limit.
    pub max_output_bytes: Option<u64>,
    /// Bytes of one record: the residues or bases of a sequence, the text of a structure or a mesh
    /// file. The default holds the largest human chromosome.
    pub max_record_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_ratio: 200,
            ratio_floor: 16 << 20,
            max_output_bytes: None,
            max_record_bytes: 256 << 20,
        }
    }
}

/// Options of [`crate::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// The kind of data; `None`: as the content says.
    pub kind: Option<Kind>,
    /// What to do with a record that cannot be read.
    pub on_error: OnError,
    /// Bytes after which a batch is handed over. A batch is larger only by its last record.
    pub batch_bytes: usize,
    /// Windows of long contigs; `None`: no windows.
    pub windows: Option<Windows>,
    /// Whether the edges of graphs go from their first vertex to their second. A list of edges does
    /// not say, and GraphML need not. Where the format or the file says that edges have no
    /// direction, and where it holds no graph, this is an error.
    pub directed: bool,
    /// Bounds.
    pub limits: Limits,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            kind: None,
            on_error: OnError::Fail,
            batch_bytes: 8 << 20,
            windows: Some(Windows::default()),
            directed: false,
            limits: Limits::default(),
        }
    }
}
