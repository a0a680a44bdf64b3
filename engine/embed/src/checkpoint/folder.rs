//! A checkpoint's folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::licence::of_card;
use super::{CheckpointFault, Config};
use crate::EmbedError;

/// The weights, where they are in one file.
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// Names the files of the weights, where they are in several.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// A folder with a trained model.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    folder: PathBuf,
    config: Config,
    weights: Vec<PathBuf>,
    licence: Option<String>,
}

impl Checkpoint {
    /// Looks at a folder; the weights are not read yet.
    ///
    /// # Errors
    /// There is no `config.json` or it makes no sense; there are no weights, or only pickled ones.
    pub fn open(folder: &Path) -> Result<Self, EmbedError> {
        Self::look(folder).map_err(|fault| EmbedError::checkpoint(folder, fault))
    }

    fn look(folder: &Path) -> Result<Self, CheckpointFault> {
        let config = match std::fs::read(folder.join("config.json")) {
            Ok(bytes) => Config::parse(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CheckpointFault::NoConfig);
            }
            Err(source) => {
                return Err(CheckpointFault::Read {
                    file: "config.json".into(),
                    source,
                });
            }
        };
        let licence = std::fs::read_to_string(folder.join("README.md"))
            .ok()
            .and_then(|card| of_card(&card));
        Ok(Self {
            weights: weights(folder)?,
            folder: folder.to_owned(),
            config,
            licence,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The licence that its model card names, such as `mit` or `cc-by-nc-sa-4.0`.
    #[must_use]
    pub fn licence(&self) -> Option<&str> {
        self.licence.as_deref()
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn weights(&self) -> &[PathBuf] {
        &self.weights
    }

    /// A text file of the folder; none when it is not there.
    pub(crate) fn text(&self, file: &str) -> Result<Option<String>, CheckpointFault> {
        match std::fs::read_to_string(self.folder.join(file)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CheckpointFault::Read {
                file: file.to_owned(),
                source,
            }),
        }
    }

    /// A file of the folder; none when it is not there.
    pub(crate) fn bytes(&self, file: &str) -> Result<Option<Vec<u8>>, CheckpointFault> {
        match std::fs::read(self.folder.join(file)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CheckpointFault::Read {
                file: file.to_owned(),
                source,
            }),
        }
    }
}

/// The files with weights: the shards that the index names, else every safetensors file.
fn weights(folder: &Path) -> Result<Vec<PathBuf>, CheckpointFault> {
    let single = folder.join(WEIGHTS);
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = folder.join(INDEX);
    if index.is_file() {
        return shards(folder, &index);
    }
    let mut found = Vec::new();
    let mut pickle = None;
    let entries = std::fs::read_dir(folder).map_err(|source| CheckpointFault::Read {
        file: ".".into(),
        source,
    })?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".safetensors") {
            found.push(entry.path());
        } else if is_pickle(&name) {
            pickle = Some(name);
        }
    }
    found.sort();
    match pickle {
        _ if !found.is_empty() => Ok(found),
        Some(file) => Err(pickled(file, "")),
        None => Err(CheckpointFault::NoWeights),
    }
}

/// Whether a file's name is one that pickled weights have.
pub(crate) fn is_pickle(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    matches!(extension, Some("bin" | "pt" | "pth" | "ckpt" | "pkl"))
}

/// Says how pickled weights are converted; `before` is what has to be done before that.
pub(crate) fn pickled(file: String, before: &str) -> CheckpointFault {
    let command = "in its folder, python -c \"import glob, torch, safetensors.torch as s; \
                   [s.save_file({k: v.contiguous().clone() for k, v in torch.load(f, \
                   map_location='cpu', weights_only=True).items()}, f[:-4] + '.safetensors') \
                   for f in glob.glob('*.bin')]\"";
    CheckpointFault::Pickled {
        command: format!("{before}{command}"),
        file,
    }
}

/// The files that an index of shards names.
pub(crate) fn shard_names(index: &[u8]) -> Result<BTreeSet<String>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index)?;
    Ok(index.weight_map.into_values().collect())
}

fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, CheckpointFault> {
    let file = INDEX;
    let bytes = std::fs::read(index).map_err(|source| CheckpointFault::Read {
        file: file.into(),
        source,
    })?;
    shard_names(&bytes)
        .map_err(|source| CheckpointFault::Json { file, source })?
        .into_iter()
        .map(|name| {
            // A name with a path could point out of the folder.
            let path = folder.join(Path::new(&name).file_name().unwrap_or_default());
            if path.is_file() {
                return Ok(path);
            }
            Err(CheckpointFault::Read {
                file: name,
                source: std::io::ErrorKind::NotFound.into(),
            })
        })
        .collect()
}
