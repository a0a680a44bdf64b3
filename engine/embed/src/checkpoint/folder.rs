//! A checkpoint's folder.

use std::path::{Path, PathBuf};

use super::licence::of_card;
use super::{CheckpointFault, Config};
use crate::EmbedError;

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
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = folder.join("model.safetensors.index.json");
    if index.is_file() {
        return shards(folder, &index);
    }
    let mut found = Vec::new();
    let mut pickled = None;
    let entries = std::fs::read_dir(folder).map_err(|source| CheckpointFault::Read {
        file: ".".into(),
        source,
    })?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match Path::new(&name).extension().and_then(|e| e.to_str()) {
            Some("safetensors") => found.push(entry.path()),
            Some("bin" | "pt" | "pth" | "ckpt" | "pkl") => pickled = Some(name),
            _ => {}
        }
    }
    found.sort();
    match pickled {
        _ if !found.is_empty() => Ok(found),
        Some(file) => Err(CheckpointFault::Pickled {
            command: "in its folder, python -c \"import glob, torch, safetensors.torch as s; \
                      [s.save_file({k: v.contiguous().clone() for k, v in torch.load(f, \
                      map_location='cpu', weights_only=True).items()}, f[:-4] + '.safetensors') \
                      for f in glob.glob('*.bin')]\""
                .to_owned(),
            file,
        }),
        None => Err(CheckpointFault::NoWeights),
    }
}

fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, CheckpointFault> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let file = "model.safetensors.index.json";
    let bytes = std::fs::read(index).map_err(|source| CheckpointFault::Read {
        file: file.into(),
        source,
    })?;
    let index: Index =
        serde_json::from_slice(&bytes).map_err(|source| CheckpointFault::Json { file, source })?;
    let names: std::collections::BTreeSet<&String> = index.weight_map.values().collect();
    names
        .into_iter()
        .map(|name| {
            // A name with a path could point out of the folder.
            let path = folder.join(Path::new(name).file_name().unwrap_or_default());
            if path.is_file() {
                return Ok(path);
            }
            Err(CheckpointFault::Read {
                file: name.clone(),
                source: std::io::ErrorKind::NotFound.into(),
            })
        })
        .collect()
}
