//! Downloading checkpoints from the Hugging Face hub, or from what speaks its protocol.
//!
//! A name is resolved to a commit once; every file is then asked for at that commit. Only what
//! models are read from is fetched: `config.json`, safetensors, vocabularies and the model card.
//! Files go where the hub's own tools keep them, so that both share one cache:
//!
//! ```text
//! models--ORG--NAME/blobs/ETAG              the bytes; ETAG is their SHA-256, or git's SHA-1
//! models--ORG--NAME/blobs/ETAG.incomplete   what an interrupted download left; it is resumed
//! models--ORG--NAME/snapshots/COMMIT/FILE   a link to the blob
//! models--ORG--NAME/refs/REVISION           the commit of a branch or tag
//! .locks/models--ORG--NAME/ETAG.lock        held while a blob is written
//! ```
//!
//! A snapshot appears when all of its blobs are there and have the digests that their names say.
//!
//! The crate `hf-hub` is not used. Its versions 0.4 and 0.5 have no time limits, append an answer
//! that ignored the asked range to a partial file, compare no digests, and send the token to the
//! host of the large files as well; 1.0 resumes nothing, compares no digests, keeps an error's page
//! as the file, and brings 57 crates.

mod cache;
mod client;
mod fault;
mod files;
mod partial;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use fault::HubFault;

use crate::EmbedError;
use crate::checkpoint::HubName;
use cache::Cache;
use client::{Client, Remote};

/// Where the hub is when nobody names another.
pub const ENDPOINT: &str = "https://huggingface.co";

/// Whether models that are not on this machine are downloaded.
#[derive(Debug, Clone, Default)]
pub enum Download {
    /// No: no request leaves this machine.
    #[default]
    Never,
    /// From this hub, when a name `ORG/NAME` or `ORG/NAME@REVISION` is asked for.
    From(Hub),
}

/// A hub to download from. Proxies are those of the process environment.
#[derive(Clone)]
pub struct Hub {
    /// Its address, such as [`ENDPOINT`].
    pub endpoint: String,
    /// What proves who asks; for gated and private models. Sent to the endpoint's host alone.
    pub token: Option<String>,
    /// How long the hub may be silent before a download counts as interrupted.
    pub silence: Duration,
    /// Is told what happens, on the thread that downloads.
    pub report: Option<Report>,
}

/// Receives what happens during a download.
pub type Report = Arc<dyn Fn(Step<'_>) + Send + Sync>;

/// What happens during a download.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Step<'a> {
    /// It is known what is to be fetched.
    Begins {
        /// `ORG/NAME`.
        model: &'a str,
        /// The commit that its revision stands for.
        commit: &'a str,
        /// Files that are not here yet.
        files: usize,
        /// Their sizes together.
        bytes: u64,
    },
    /// A file is begun, or gone on with.
    File {
        /// Its name.
        name: &'a str,
        /// Its size in bytes.
        bytes: u64,
    },
    /// Another process writes the same file; it is waited for.
    Waits {
        /// Its name.
        name: &'a str,
    },
    /// So many more bytes are here.
    Bytes(u64),
    /// So many bytes that were here are fetched again.
    Again(u64),
    /// Everything is here.
    Ends {
        /// `ORG/NAME`.
        model: &'a str,
        /// The commit.
        commit: &'a str,
        /// The folder of its snapshot.
        folder: &'a Path,
    },
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            endpoint: ENDPOINT.to_owned(),
            token: None,
            silence: Duration::from_secs(30),
            report: None,
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("has_token", &self.token.is_some())
            .field("silence", &self.silence)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// Downloads what is missing of a model; the folder of its snapshot. Blocks until it is there.
    pub(crate) fn fetch(&self, cache: &Path, name: HubName<'_>) -> Result<PathBuf, EmbedError> {
        let failed = |fault| EmbedError::Hub {
            name: name.to_string(),
            cache: Some(cache.to_owned()),
            fault: Box::new(fault),
        };
        let client = Client::new(self, name.repository()).map_err(failed)?;
        let listing = client.listing(name.revision()).map_err(failed)?;
        let commit = listing.sha.as_str();
        let wanted = files::wanted(name, commit, &listing.files())
            .map_err(|fault| EmbedError::checkpoint(Path::new(&name.to_string()), fault))?;
        let files = Cache::new(cache, name);
        let here = self
            .blobs(&client, &files, commit, wanted)
            .map_err(failed)?;
        let folder = files.link(commit, &here).map_err(failed)?;
        if name.revision() != commit {
            files.point(name.revision(), commit).map_err(failed)?;
        }
        self.tell(Step::Ends {
            model: name.repository(),
            commit,
            folder: &folder,
        });
        Ok(folder)
    }

    /// Fetches the blobs that are not here; the files of the snapshot, in the order in which they
    /// are linked.
    fn blobs(
        &self,
        client: &Client,
        cache: &Cache,
        commit: &str,
        wanted: files::Wanted,
    ) -> Result<Vec<Remote>, HubFault> {
        let mut names = wanted.files;
        let mut first = Vec::new();
        if let Some(index) = wanted.index {
            // Small, and it says what else is needed.
            let remote = client.facts(commit, index)?;
            cache.fetch(client, commit, &remote, &|_| ())?;
            names.extend(files::shards(&cache.read(&remote)?, &wanted.listed)?);
            first.push(remote);
        }
        let facts = names.iter().map(|name| client.facts(commit, name));
        let rest = facts.collect::<Result<Vec<Remote>, HubFault>>()?;
        let missing: Vec<&Remote> = rest.iter().filter(|file| !cache.has(file)).collect();
        self.tell(Step::Begins {
            model: client.repository(),
            commit,
            files: missing.len(),
            bytes: missing.iter().map(|file| file.size).sum(),
        });
        for file in &missing {
            cache.fetch(client, commit, file, &|step| self.tell(step))?;
        }
        first.extend(rest);
        // The configuration comes last: a folder without one is no checkpoint.
        first.sort_by_key(|file| file.name == files::CONFIG);
        Ok(first)
    }

    fn tell(&self, step: Step<'_>) {
        if let Some(report) = &self.report {
            report(step);
        }
    }
}

/// An error of the file system.
fn disk(path: &Path) -> impl FnOnce(io::Error) -> HubFault {
    let path = path.to_owned();
    move |source| HubFault::Disk { path, source }
}
