//! Writing into the cache of the hub's tools.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::client::{Client, Remote};
use super::partial::Partial;
use super::{HubFault, Step, disk};
use crate::checkpoint::HubName;

/// The part of a cache that is one repository's.
pub(super) struct Cache {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cache {
    pub(super) fn new(root: &Path, name: HubName<'_>) -> Self {
        Self {
            folder: root.join(name.folder_name()),
            locks: root.join(".locks").join(name.folder_name()),
        }
    }

    fn blob(&self, file: &Remote) -> PathBuf {
        self.folder.join("blobs").join(&file.etag)
    }

    /// Whether a blob is here. What has its final name was compared with its digest.
    pub(super) fn has(&self, file: &Remote) -> bool {
        fs::metadata(self.blob(file)).is_ok_and(|found| found.len() == file.size)
    }

    pub(super) fn read(&self, file: &Remote) -> Result<Vec<u8>, HubFault> {
        let path = self.blob(file);
        fs::read(&path).map_err(disk(&path))
    }

    /// Fetches a blob, or what is missing of it.
    pub(super) fn fetch(
        &self,
        client: &Client,
        commit: &str,
        file: &Remote,
        tell: &dyn Fn(Step<'_>),
    ) -> Result<(), HubFault> {
        let blob = self.blob(file);
        let blobs = self.folder.join("blobs");
        fs::create_dir_all(&blobs).map_err(disk(&blobs))?;
        let lock = self.lock(file, tell)?;
        tell(Step::File {
            name: &file.name,
            bytes: file.size,
        });
        if self.has(file) {
            // Another process was faster.
            tell(Step::Bytes(file.size));
            return Ok(());
        }
        let partial = match &lock {
            Some(_) => format!("{}.incomplete", file.etag),
            // Where nothing can be locked, nobody else may write the same file.
            None => format!("{}.{}.incomplete", file.etag, unique()),
        };
        let partial = blobs.join(partial);
        Partial::open(&partial, file, tell)?.complete(client, commit)?;
        fs::rename(&partial, &blob).map_err(disk(&blob))
    }

    /// Waits until no other process writes this blob. None where the file system has no locks.
    fn lock(&self, file: &Remote, tell: &dyn Fn(Step<'_>)) -> Result<Option<File>, HubFault> {
        fs::create_dir_all(&self.locks).map_err(disk(&self.locks))?;
        let path = self.locks.join(format!("{}.lock", file.etag));
        let lock = File::create(&path).map_err(disk(&path))?;
        let is_locked = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                tell(Step::Waits { name: &file.name });
                lock.lock().is_ok()
            }
            Err(TryLockError::Error(_)) => false,
        };
        Ok(is_locked.then_some(lock))
    }

    /// Makes the snapshot of files whose blobs are all here; its folder. A new one appears whole;
    /// what another tool began is filled, in the order of the files.
    pub(super) fn link(&self, commit: &str, files: &[Remote]) -> Result<PathBuf, HubFault> {
        let snapshots = self.folder.join("snapshots");
        let folder = snapshots.join(commit);
        fs::create_dir_all(&snapshots).map_err(disk(&snapshots))?;
        if !folder.is_dir() {
            let new = self.folder.join(format!(".new-{}", unique()));
            fs::create_dir(&new).map_err(disk(&new))?;
            let made = files
                .iter()
                .try_for_each(|file| self.link_one(&new, file))
                .and_then(|()| match fs::rename(&new, &folder) {
                    // Another process made it in the meantime.
                    Err(_) if folder.is_dir() => Ok(()),
                    done => done.map_err(disk(&folder)),
                });
            // After the rename there is none.
            let _ = fs::remove_dir_all(&new);
            made?;
        }
        for file in files {
            if !folder.join(&file.name).exists() {
                self.link_one(&folder, file)?;
            }
        }
        Ok(folder)
    }

    /// A link, as it reads in a snapshot's folder; a copy where there are no links.
    fn link_one(&self, folder: &Path, file: &Remote) -> Result<(), HubFault> {
        let path = folder.join(&file.name);
        let new = folder.join(format!(".new-{}", unique()));
        let target = Path::new("../../blobs").join(&file.etag);
        symlink(&target, &new)
            .or_else(|_| fs::copy(self.blob(file), &new).map(|_| ()))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(disk(&path))
    }

    /// Says which commit a branch or tag stands for.
    pub(super) fn point(&self, revision: &str, commit: &str) -> Result<(), HubFault> {
        let refs = self.folder.join("refs");
        fs::create_dir_all(&refs).map_err(disk(&refs))?;
        let new = self.folder.join(format!(".new-{}", unique()));
        let path = refs.join(revision);
        fs::write(&new, commit)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(disk(&path))
    }
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A name that nobody else on this machine takes.
fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}
