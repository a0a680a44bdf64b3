//! Snapshots as files: Zarr, Parquet, NPY.
//!
//! | format | whole | rank 3 of 8 |
//! | --- | --- | --- |
//! | Zarr | `OUT/zarr.json`, `OUT/{array}/...` | the same below `OUT/rank-00003-of-00008/` |
//! | NPY | `OUT/{array}.npy`, with `.` for `/` | the same below `OUT/rank-00003-of-00008/` |
//! | Parquet | `OUT/part-00000-of-00001.parquet` | `OUT/part-00003-of-00008.parquet` |
//!
//! A whole Zarr export is a byte copy of the stored tree. A rank's arrays hold its rows alone:
//! offsets begin with 0, and the attributes `row_offset` and `entry_offset` say where the rows and
//! the entries lie in the snapshot.
//!
//! Each file is written under a temporary name (`.penstock-*`), synced and renamed. The last file
//! says what the export is, and that it is complete: `snapshot.json`; for a rank in Parquet
//! `part-00003-of-00008.json`; for Zarr the attribute `penstock` of the root, because zarr-python
//! warns of files that are no Zarr. While an export is under way, and for as long as ranks share a
//! folder, `.penstock-export.json` marks it, so that nothing else is ever overwritten.

mod files;
mod npy;
mod parquet;
mod zarr;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use penstock_store::CancelFn;
use serde_json::{Value, json};

use crate::canonical;
use crate::error::{ExportError, Result};
use crate::manifest::{Array, Role};
use crate::partition::{Partition, Rank};
use crate::rows::{BlockRequest, RowBlock};
use crate::snapshot::Snapshot;

/// The form of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A Zarr v3 folder.
    Zarr,
    /// Parquet, zstd.
    Parquet,
    /// One NumPy file per array.
    Npy,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Zarr, Self::Parquet, Self::Npy];

    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zarr => "zarr",
            Self::Parquet => "parquet",
            Self::Npy => "npy",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| ExportError::UnknownFormat(word.to_owned()))
    }
}

/// What to write, and where.
#[derive(Clone)]
pub struct ExportRequest {
    /// The form of the files.
    pub format: Format,
    /// The folder: new, empty, or of the same export.
    pub out: PathBuf,
    /// Only the rows of this rank; all rows if `None`.
    pub rank: Option<Rank>,
    /// How rows are dealt to ranks.
    pub partition: Partition,
    /// Asked now and then whether to stop.
    pub cancel: Option<Arc<CancelFn>>,
}

impl ExportRequest {
    /// All rows.
    #[must_use]
    pub fn whole(format: Format, out: impl Into<PathBuf>) -> Self {
        Self {
            format,
            out: out.into(),
            rank: None,
            partition: Partition::Petsc,
            cancel: None,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The rows of the snapshot.
    pub rows: Range<u64>,
    /// Files, without the marks of the export itself.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The work of one export.
struct Job<'a> {
    snapshot: &'a Snapshot,
    rows: Range<u64>,
    rank: Option<Rank>,
    /// Where the files go.
    folder: PathBuf,
    cancel: Option<Arc<CancelFn>>,
    files: u64,
    bytes: u64,
}

impl Job<'_> {
    fn check(&self) -> Result<()> {
        if self.cancel.as_ref().is_some_and(|cancel| cancel()) {
            return Err(ExportError::Cancelled);
        }
        Ok(())
    }

    fn wrote(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// What the files are, as `snapshot.json` and file metadata say it.
    fn facts(&self) -> Value {
        let manifest = self.snapshot.manifest();
        json!({
            "snapshot": format!("sha256:{}", self.snapshot.digest()),
            "table": manifest.table,
            "version": manifest.version,
            "filter": manifest.filter,
            "snapshot_rows": manifest.rows,
            "row_offset": self.rows.start,
            "rows": self.rows.end - self.rows.start,
            "rank": self.rank.map_or(0, Rank::rank),
            "of": self.rank.map_or(1, Rank::of),
        })
    }

    /// The rows' part of an array; offsets begin with 0.
    async fn block(&self, array: &Array) -> Result<RowBlock> {
        let entries = self
            .snapshot
            .entries(&array.name, self.rows.clone())
            .await?;
        let start = entries.start;
        let block = self
            .snapshot
            .block(&BlockRequest::new(&array.name, entries))?;
        if array.role == Role::Offsets && start > 0 {
            let base = self.snapshot.offset(array, start).await?;
            return Ok(block.rebased(base as i64));
        }
        Ok(block)
    }
}

impl Snapshot {
    /// Writes the snapshot, or a rank's rows of it, as files.
    ///
    /// # Errors
    /// The folder holds something else, the partition names what there is not, a chunk is damaged,
    /// the disk is full, or the caller cancelled. What was complete by then stays; the next export
    /// of the same snapshot goes over it.
    pub async fn export(&self, request: &ExportRequest) -> Result<Exported> {
        let rows = match request.rank {
            Some(rank) => self.partition(&request.partition, rank).await?,
            None => 0..self.rows(),
        };
        claim(self, request).await?;
        let rank = request
            .rank
            .map(|rank| format!("{:05}-of-{:05}", rank.rank(), rank.of()));
        let in_folder = request.format != Format::Parquet;
        let folder = match &rank {
            Some(rank) if in_folder => request.out.join(format!("rank-{rank}")),
            _ => request.out.clone(),
        };
        let mut job = Job {
            snapshot: self,
            rows,
            rank: request.rank,
            folder,
            cancel: request.cancel.clone(),
            files: 0,
            bytes: 0,
        };
        match request.format {
            Format::Zarr if rank.is_none() => zarr::copy(&mut job).await?,
            Format::Zarr => zarr::slice(&mut job).await?,
            Format::Npy => npy::write(&mut job).await?,
            Format::Parquet => parquet::write(&mut job).await?,
        }
        let facts = canonical::to_vec(&job.facts())?;
        let mark = match (&rank, request.format) {
            (None, Format::Zarr) => {
                let claim = request.out.join(CLAIM);
                files::blocking(move || files::remove(&claim)).await?;
                None
            }
            (Some(_), Format::Zarr) => None,
            (Some(rank), Format::Parquet) => Some(format!("part-{rank}.json")),
            _ => Some("snapshot.json".to_owned()),
        };
        if let Some(mark) = mark {
            files::write(job.folder.join(mark), facts.into()).await?;
        }
        Ok(Exported {
            rows: job.rows,
            files: job.files,
            bytes: job.bytes,
        })
    }
}

/// The file that marks a folder.
const CLAIM: &str = ".penstock-export.json";

/// Marks the folder as this export's, or finds that it is marked so.
async fn claim(snapshot: &Snapshot, request: &ExportRequest) -> Result<()> {
    let digest = format!("sha256:{}", snapshot.digest());
    let mark = canonical::to_vec(&json!({
        "snapshot": digest,
        "format": request.format.as_str(),
        "of": request.rank.map_or(0, Rank::of),
    }))?;
    let whole_zarr = request.format == Format::Zarr && request.rank.is_none();
    let root = whole_zarr.then_some(digest);
    let out = request.out.clone();
    files::blocking(move || claim_folder(&out, &mark, root.as_deref())).await
}

/// `root`: the snapshot whose complete Zarr tree the folder may hold already.
fn claim_folder(out: &Path, mark: &[u8], root: Option<&str>) -> Result<()> {
    let io = |path: &Path| files::error(path.to_owned());
    let foreign = || ExportError::ForeignFolder {
        path: out.to_owned(),
    };
    std::fs::create_dir_all(out).map_err(io(out))?;
    let path = out.join(CLAIM);
    let marked = || match std::fs::read(&path) {
        Ok(found) if found == mark => Ok(true),
        Ok(_) => Err(foreign()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(&path)(error)),
    };
    if marked()? {
        return Ok(());
    }
    let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(".penstock-");
    let mut empty = true;
    for entry in std::fs::read_dir(out).map_err(io(out))? {
        empty &= ours(&entry.map_err(io(out))?.file_name());
    }
    // A complete tree of the same snapshot may be gone over, and another rank may have marked the
    // folder just now and be writing already.
    if !empty && !root.is_some_and(|root| is_tree_of(out, root)) {
        return if marked()? { Ok(()) } else { Err(foreign()) };
    }
    if files::create(&path, mark)? || marked()? {
        Ok(())
    } else {
        Err(foreign())
    }
}

fn is_tree_of(out: &Path, snapshot: &str) -> bool {
    let document = std::fs::read(out.join("zarr.json")).unwrap_or_default();
    let document: Value = serde_json::from_slice(&document).unwrap_or_default();
    document["attributes"]["penstock"]["snapshot"] == snapshot
}
