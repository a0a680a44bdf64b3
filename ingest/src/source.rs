//! Where the bytes come from.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ReadError;

/// A file, or a named stream of bytes. It may be compressed; that is seen when it is opened.
pub struct Source {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    modified: Option<SystemTime>,
}

pub(crate) enum Bytes {
    Path(PathBuf),
    Stream(Box<dyn Read + Send>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish()
    }
}

impl Source {
    /// A file on disk.
    #[must_use]
    pub fn path(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            bytes: Bytes::Path(path.to_owned()),
            modified: None,
        }
    }

    /// A stream. Its name helps where the content does not tell the format, and goes into the
    /// `source` column and into errors.
    #[must_use]
    pub fn reader(name: impl Into<String>, stream: Box<dyn Read + Send>) -> Self {
        Self {
            name: name.into(),
            bytes: Bytes::Stream(stream),
            modified: None,
        }
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(name: impl Into<String>, bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::reader(name, Box::new(std::io::Cursor::new(bytes)))
    }

    /// The `event_time` of records without a date of their own. By default that is the file's
    /// modification time, and for a stream the time at which it is opened.
    #[must_use]
    pub fn with_modified(mut self, modified: SystemTime) -> Self {
        self.modified = Some(modified);
        self
    }

    /// Opens the file and tells the time in microseconds since 1970.
    pub(crate) fn open(self) -> Result<(String, Opened, i64), ReadError> {
        let Self {
            name,
            bytes,
            modified,
        } = self;
        let fail = |error| ReadError::Open {
            file: name.clone(),
            error,
        };
        let (opened, found) = match bytes {
            Bytes::Path(path) => {
                let file = File::open(path).map_err(fail)?;
                let metadata = file.metadata().map_err(fail)?;
                if metadata.is_dir() {
                    return Err(fail(std::io::ErrorKind::IsADirectory.into()));
                }
                let modified = metadata.modified().ok();
                if metadata.is_file() {
                    (Opened::File(file), modified)
                } else {
                    (Opened::Stream(Box::new(file)), modified)
                }
            }
            Bytes::Stream(stream) => (Opened::Stream(stream), None),
        };
        let time = modified.or(found).unwrap_or_else(SystemTime::now);
        Ok((name, opened, micros(time)))
    }
}

pub(crate) enum Opened {
    /// A regular file: it can be read from any place.
    File(File),
    Stream(Box<dyn Read + Send>),
}

fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, std::ops::Neg::neg)
        }
    }
}
