//! Where uploads wait for their job.
//!
//! A spool is a folder with one sub-folder for each server process that ever used it, named by a
//! UUID and held by a file lock. A process that starts takes over every sub-folder that nobody
//! holds, with the jobs that belong to it: so jobs survive a restart, and two servers beside each
//! other never run each other's.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The spool of one process.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    owner: String,
    /// Every owner whose jobs are this process's now, with its lock.
    taken: Vec<(String, File)>,
}

impl Spool {
    /// Takes the folders that no living process holds, or makes a new one. Blocking.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut names: Vec<String> = fs::read_dir(folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| Uuid::parse_str(name).is_ok())
            .collect();
        names.sort();
        let mut taken = Vec::new();
        for name in names {
            if let Some(lock) = lock(&folder.join(&name))? {
                taken.push((name, lock));
            }
        }
        if taken.is_empty() {
            let name = Uuid::now_v7().to_string();
            fs::create_dir_all(folder.join(&name))?;
            if let Some(lock) = lock(&folder.join(&name))? {
                taken.push((name, lock));
            }
        }
        let owner = taken
            .first()
            .map(|(name, _)| name.clone())
            .ok_or(io::ErrorKind::ResourceBusy)?;
        Ok(Self {
            folder: folder.to_owned(),
            owner,
            taken,
        })
    }

    /// This process's name in the spool.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether the jobs of this owner are this process's.
    pub(super) fn owns(&self, owner: &str) -> bool {
        self.taken.iter().any(|(name, _)| name == owner)
    }

    /// The folder of a job's files.
    pub(super) fn job(&self, owner: &str, id: &str) -> PathBuf {
        self.folder.join(owner).join(id)
    }

    /// Leaves the folders to whoever starts next.
    pub(super) fn release(&self) {
        for (owner, lock) in &self.taken {
            if let Err(error) = lock.unlock() {
                tracing::warn!(owner, %error, "a spool folder could not be left");
            }
        }
    }

    /// Removes what belongs to no job that is still to be done: half an upload. Blocking.
    pub(super) fn sweep(&self, keep: &HashSet<String>) -> io::Result<()> {
        for (owner, _) in &self.taken {
            for entry in fs::read_dir(self.folder.join(owner))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() && !keep.contains(&name) {
                    fs::remove_dir_all(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_taken_over_only_from_the_dead() {
        let folder = tempfile::tempdir().unwrap();
        let first = Spool::open(folder.path()).unwrap();
        let second = Spool::open(folder.path()).unwrap();
        assert_ne!(first.owner(), second.owner());
        assert!(!second.owns(first.owner()));
        fs::create_dir_all(first.job(first.owner(), "a")).unwrap();
        fs::create_dir_all(first.job(first.owner(), "b")).unwrap();
        let owner = first.owner().to_owned();
        drop(first);
        let third = Spool::open(folder.path()).unwrap();
        assert_eq!(third.owner(), owner);
        third.sweep(&HashSet::from(["b".to_owned()])).unwrap();
        assert!(!third.job(&owner, "a").exists() && third.job(&owner, "b").exists());
    }
}
