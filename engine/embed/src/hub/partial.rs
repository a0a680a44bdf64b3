//! A file on its way: resumed where it stopped, and compared with its digest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::client::{Client, Remote};
use super::{HubFault, Step, disk};

/// Bytes read at once.
const BUFFER: usize = 128 << 10;

/// A file that is being fetched.
pub(super) struct Partial<'a> {
    remote: &'a Remote,
    path: &'a Path,
    file: File,
    /// Bytes that are in the file.
    length: u64,
    /// The most that have been in it.
    reached: u64,
    digest: Digest,
    tell: &'a dyn Fn(Step<'_>),
}

impl<'a> Partial<'a> {
    /// Goes on with what an earlier download left.
    pub(super) fn open(
        path: &'a Path,
        remote: &'a Remote,
        tell: &'a dyn Fn(Step<'_>),
    ) -> Result<Self, HubFault> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(disk(path))?;
        let mut digest = Digest::of(remote);
        let mut length = 0;
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer).map_err(disk(path))? {
                0 => break,
                read => {
                    digest.update(&buffer[..read]);
                    length += read as u64;
                }
            }
        }
        let mut this = Self {
            remote,
            path,
            file,
            length,
            reached: length,
            digest,
            tell,
        };
        tell(Step::Bytes(length));
        if length > remote.size {
            this.restart()?;
        }
        Ok(this)
    }

    fn restart(&mut self) -> Result<(), HubFault> {
        self.file.set_len(0).map_err(disk(self.path))?;
        (self.tell)(Step::Again(self.length));
        self.length = 0;
        self.digest = Digest::of(self.remote);
        Ok(())
    }

    /// Fetches what is missing, and compares the digest.
    pub(super) fn complete(mut self, client: &Client, commit: &str) -> Result<(), HubFault> {
        let mut is_resumed = self.length > 0;
        loop {
            while self.length < self.remote.size {
                self.more(client, commit)?;
            }
            let expected = &self.remote.etag;
            let digest = std::mem::replace(&mut self.digest, Digest::of(self.remote));
            match digest.finish() {
                Some(given) if given != *expected => {
                    // What an earlier download left may be at fault, so all is fetched once.
                    if is_resumed {
                        is_resumed = false;
                        self.reached = 0;
                        self.restart()?;
                        continue;
                    }
                    // It could never be gone on with.
                    let _ = fs::remove_file(self.path);
                    return Err(HubFault::Damaged {
                        file: self.remote.name.clone(),
                        given,
                        expected: expected.clone(),
                    });
                }
                _ => return self.file.sync_all().map_err(disk(self.path)),
            }
        }
    }

    /// Appends one response. It may end early, but it has to bring something new.
    fn more(&mut self, client: &Client, commit: &str) -> Result<(), HubFault> {
        let (mut body, start) = match client.body(commit, &self.remote.name, self.length) {
            // That nobody answers any more is how this connection broke.
            Err(HubFault::Unreachable { source, .. }) if self.length > 0 => {
                return Err(self.interrupted(Some(io::Error::other(source))));
            }
            other => other?,
        };
        if start != self.length {
            self.restart()?;
        }
        let before = self.reached;
        let mut buffer = vec![0; BUFFER];
        let ended = loop {
            let room = (self.remote.size - self.length).min(BUFFER as u64) as usize;
            if room == 0 {
                break None;
            }
            match body.read(&mut buffer[..room]) {
                Ok(0) => break None,
                Ok(read) => {
                    self.file
                        .write_all(&buffer[..read])
                        .map_err(disk(self.path))?;
                    self.digest.update(&buffer[..read]);
                    self.length += read as u64;
                    (self.tell)(Step::Bytes(read as u64));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        self.reached = self.reached.max(self.length);
        match self.reached > before || self.length == self.remote.size {
            true => Ok(()),
            false => Err(self.interrupted(ended)),
        }
    }

    fn interrupted(&self, source: Option<io::Error>) -> HubFault {
        HubFault::Interrupted {
            file: self.remote.name.clone(),
            given: self.length,
            expected: self.remote.size,
            source,
        }
    }
}

/// The digest that an `ETag` is.
enum Digest {
    /// Of large files, as git-lfs has them.
    Sha256(Sha256),
    /// Of small files, as git has them: over `blob SIZE`, a zero byte, and the content.
    Git(Sha1),
    /// A mirror's own tag; the size has to do.
    Unknown,
}

impl Digest {
    fn of(remote: &Remote) -> Self {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match remote.etag.len() {
            _ if !remote.etag.bytes().all(is_hex) => Self::Unknown,
            64 => Self::Sha256(Sha256::new()),
            40 => Self::Git(Sha1::new_with_prefix(format!("blob {}\0", remote.size))),
            _ => Self::Unknown,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Git(state) => state.update(bytes),
            Self::Unknown => {}
        }
    }

    /// In hexadecimal.
    fn finish(self) -> Option<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
        match self {
            Self::Sha256(state) => Some(hex(&state.finalize())),
            Self::Git(state) => Some(hex(&state.finalize())),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_git_lfs() {
        let of = |etag: String| {
            let remote = Remote {
                name: "x".into(),
                etag,
                size: 6,
            };
            let mut digest = Digest::of(&remote);
            digest.update(b"hel");
            digest.update(b"lo\n");
            digest.finish()
        };
        // `printf 'hello\n' | git hash-object --stdin`, and `| sha256sum`.
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let lfs = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(of("0".repeat(40)).as_deref(), Some(git));
        assert_eq!(of("0".repeat(64)).as_deref(), Some(lfs));
        assert_eq!(of("my-tag".into()), None);
    }
}
