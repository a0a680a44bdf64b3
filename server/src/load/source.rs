//! Inputs as sources whose bytes are counted.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;
use std::sync::Arc;

use penstock::Progress;
use penstock_ingest::Source;

use super::Input;

/// What is read goes to the progress, before decompression.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.progress.add_bytes(n as u64);
        Ok(n)
    }
}

pub(super) fn source(input: Input, progress: &Arc<Progress>) -> Source {
    let name = input.name();
    match input {
        Input::Stdin => {
            let inner = io::stdin();
            Source::reader(
                name,
                Box::new(Counted {
                    inner,
                    progress: Arc::clone(progress),
                }),
            )
        }
        Input::Path(path) | Input::Found(path) => counted(name, &path, progress)
            // The reader opens it again and reports what is wrong.
            .unwrap_or_else(|_| Source::path(&path)),
        Input::Upload { name, path } => {
            counted(name, &path, progress).unwrap_or_else(|_| Source::path(&path))
        }
    }
}

fn counted(name: String, path: &Path, progress: &Arc<Progress>) -> io::Result<Source> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        let mut head = [0; 2];
        let n = file.read(&mut head)?;
        file.rewind()?;
        if n == 2 && &head == b"PK" && name == path.display().to_string() {
            // The directory of a zip archive is at its end: the reader must be able to seek.
            progress.add_bytes(metadata.len());
            return Ok(Source::path(path));
        }
    }
    let source = Source::reader(
        name,
        Box::new(Counted {
            inner: file,
            progress: Arc::clone(progress),
        }),
    );
    Ok(match metadata.modified() {
        Ok(modified) => source.with_modified(modified),
        Err(_) => source,
    })
}
