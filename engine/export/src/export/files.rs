//! Files that are complete or not there: temporary name, sync, rename.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::{ExportError, Result};

/// Wraps an I/O error with the file that it is about.
pub(super) fn error(path: PathBuf) -> impl FnOnce(io::Error) -> ExportError {
    move |source| ExportError::Io { path, source }
}

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ExportError::Task)?
}

/// A file in the making. Dropped before [`Self::finish`], it is removed.
pub(super) struct Draft {
    temporary: PathBuf,
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl Draft {
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(error(folder.to_owned()))?;
        let temporary = folder.join(format!(".penstock-{}", uuid::Uuid::new_v4()));
        let file = File::create_new(&temporary).map_err(error(temporary.clone()))?;
        Ok(Self {
            temporary,
            path,
            file: Some(BufWriter::new(file)),
            bytes: 0,
        })
    }

    fn sync(&mut self) -> Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()
                .and_then(|()| file.get_ref().sync_all())
                .map_err(error(self.path.clone()))?;
        }
        Ok(())
    }

    /// Gives the file its name; answers its bytes.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.sync()?;
        fs::rename(&self.temporary, &self.path).map_err(error(self.path.clone()))?;
        sync_folder(&self.path)?;
        Ok(self.bytes)
    }

    /// Gives the file its name unless there is a file of that name; answers whether it did.
    fn finish_new(mut self) -> Result<bool> {
        self.sync()?;
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => sync_folder(&self.path).map(|()| true),
            Err(found) if found.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(found) => Err(error(self.path.clone())(found)),
        }
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let written = file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already where the file has its name.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Windows opens no folders as files, and needs no sync of them.
    if cfg!(unix) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(error(folder.to_owned()))?;
    }
    Ok(())
}

/// Writes a small file unless there is one of that name; answers whether it did.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<bool> {
    let mut draft = Draft::new(path.to_owned())?;
    draft.write_all(bytes).map_err(error(path.to_owned()))?;
    draft.finish_new()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(found) if found.kind() != io::ErrorKind::NotFound => Err(error(path.to_owned())(found)),
        _ => Ok(()),
    }
}

/// Writes a file, over one of that name.
pub(super) async fn write(path: PathBuf, bytes: Bytes) -> Result<u64> {
    blocking(move || {
        let mut draft = Draft::new(path.clone())?;
        draft.write_all(&bytes).map_err(error(path))?;
        draft.finish()
    })
    .await
}

/// A file that is written on a thread of its own, at most two pieces behind.
pub(super) struct Stream {
    sender: mpsc::Sender<Bytes>,
    task: JoinHandle<Result<Draft>>,
}

impl Stream {
    pub(super) fn new(path: PathBuf) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(2);
        let task = tokio::task::spawn_blocking(move || {
            let mut draft = Draft::new(path.clone())?;
            while let Some(bytes) = receiver.blocking_recv() {
                draft.write_all(&bytes).map_err(error(path.clone()))?;
            }
            Ok(draft)
        });
        Self { sender, task }
    }

    /// Appends. Answers `false` when the thread gave up; [`Self::finish`] says why.
    pub(super) async fn push(&self, bytes: Bytes) -> bool {
        self.sender.send(bytes).await.is_ok()
    }

    /// Waits until the file is removed.
    pub(super) async fn abandon(self) {
        drop(self.sender);
        // Dropping the draft removes it, whatever became of the thread.
        drop(self.task.await);
    }

    /// Gives the file its name. Without this call the file is removed.
    pub(super) async fn finish(self) -> Result<u64> {
        drop(self.sender);
        let draft = self.task.await.map_err(|_| ExportError::Task)??;
        blocking(move || draft.finish()).await
    }
}
