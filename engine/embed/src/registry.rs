//! Encoders by name: those of this build, and checkpoints.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_types::Kind;

use crate::EmbedError;
use crate::checkpoint::Checkpoint;
use crate::encoder::{self, Encoder};
use crate::learned::{Form, Learned, Model};

/// Finds encoders, and keeps the checkpoints that it loaded.
#[derive(Default)]
pub struct Registry {
    options: RegistryOptions,
    models: Mutex<HashMap<PathBuf, Arc<Model>>>,
    encoders: Mutex<HashMap<(PathBuf, String), Arc<dyn Encoder>>>,
}

/// Where checkpoints may come from.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// The folder whose subfolders are checkpoints, found by their names.
    pub root: Option<PathBuf>,
    /// Whether a name may also be the path of a folder. Not for names that come from a network.
    pub paths: bool,
}

/// A checkpoint that a registry can load by its name.
#[derive(Debug, Clone)]
pub struct Available {
    /// The name of its folder.
    pub name: String,
    /// Vector length.
    pub dim: usize,
    /// What it reads, from its configuration.
    pub kind: Kind,
    /// What it is, in a few words.
    pub about: String,
    /// The licence that its model card names.
    pub licence: Option<String>,
    /// BLAKE3 of its weights, where they are in memory.
    pub weights: Option<String>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry with nothing loaded.
    #[must_use]
    pub fn new(options: RegistryOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// The encoder of a name: one of this build, a checkpoint's folder, or the name of a folder
    /// under the registry's root; the latter two with a [`Form`] after it. Loads the weights when
    /// they are not in memory yet.
    ///
    /// # Errors
    /// There is no such encoder; the checkpoint cannot be used.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Encoder>, EmbedError> {
        if let Some(encoder) = encoder::descriptor(name) {
            return Ok(encoder);
        }
        let (alone, form) = Form::split(name)?;
        let folder = self.folder(alone).ok_or_else(|| self.unknown(name))?;
        // The name that a column keeps must not depend on where the folder lies.
        let folder = folder.canonicalize().unwrap_or(folder);
        let short = folder
            .file_name()
            .map_or_else(|| alone.to_owned(), |n| n.to_string_lossy().into_owned());
        let key = (folder.clone(), form.name(&short));
        if let Some(encoder) = lock(&self.encoders).get(&key) {
            return Ok(Arc::clone(encoder));
        }
        let model = {
            // Held while loading, so that two requests do not load the same weights.
            let mut models = lock(&self.models);
            match models.get(&folder) {
                Some(model) => Arc::clone(model),
                None => {
                    let model = Arc::new(Model::load(&folder)?);
                    models.insert(folder.clone(), Arc::clone(&model));
                    model
                }
            }
        };
        let encoder: Arc<dyn Encoder> = Arc::new(Learned::new(&short, form, model, &folder)?);
        lock(&self.encoders).insert(key, Arc::clone(&encoder));
        Ok(encoder)
    }

    /// Whether [`Self::get`] would look for weights under this name; nothing is loaded.
    ///
    /// # Errors
    /// There is no such encoder.
    pub fn check(&self, name: &str) -> Result<(), EmbedError> {
        if encoder::descriptor(name).is_some() {
            return Ok(());
        }
        let (alone, _) = Form::split(name)?;
        match self.folder(alone) {
            Some(_) => Ok(()),
            None => Err(self.unknown(name)),
        }
    }

    /// A folder given by its path, or by its name under the root.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(name);
        if name.is_empty() {
            return None;
        }
        if self.options.paths && path.is_dir() {
            return Some(path.to_owned());
        }
        // A name of one part: what comes from a request must not walk out of the root.
        let plain = path.components().count() == 1 && name != "." && name != "..";
        let inside = self.options.root.as_ref()?.join(name);
        (plain && inside.is_dir()).then_some(inside)
    }

    /// The checkpoints under the root that look usable, by name. Weights are not read.
    #[must_use]
    pub fn available(&self) -> Vec<Available> {
        let root = self.options.root.as_ref();
        let Some(entries) = root.and_then(|root| std::fs::read_dir(root).ok()) else {
            return Vec::new();
        };
        let mut found: Vec<Available> = entries
            .flatten()
            .filter_map(|entry| {
                let checkpoint = Checkpoint::open(&entry.path()).ok()?;
                let family = checkpoint.config().family().ok()?;
                let folder = entry.path().canonicalize().ok()?;
                let loaded = lock(&self.models).get(&folder).cloned();
                Some(Available {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    dim: checkpoint.config().hidden_size,
                    kind: family.kind(),
                    about: format!("{family}, {} layers", checkpoint.config().num_hidden_layers),
                    weights: loaded.map(|model| model.digest().to_owned()),
                    licence: checkpoint.licence().map(str::to_owned),
                })
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn unknown(&self, name: &str) -> EmbedError {
        let names = encoder::all()
            .into_iter()
            .map(|encoder| encoder.spec().encoder.clone());
        let checkpoints = self.available().into_iter().map(|found| found.name);
        EmbedError::UnknownEncoder {
            given: name.to_owned(),
            known: names.chain(checkpoints).collect::<Vec<_>>().join(", "),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Maps whose entries are inserted whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
