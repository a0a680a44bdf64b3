//! Encoders by name: those of this build, and checkpoints.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_types::{Kind, Pooling};

use crate::checkpoint::{Checkpoint, HubName, hub_folder};
use crate::encoder::{self, Encoder};
use crate::learned::{Form, Learned, Loaded};
use crate::model;
use crate::worker::{Pool, WorkerOptions};
use crate::{EmbedError, Precision};

/// A model that is loaded, is being loaded (then it is locked), or could not be.
type Loading = Arc<Mutex<Option<Arc<Loaded>>>>;

/// Finds encoders, and keeps the checkpoints that it loaded.
#[derive(Default)]
pub struct Registry {
    options: RegistryOptions,
    models: Mutex<HashMap<(PathBuf, Precision), Loading>>,
    encoders: Mutex<HashMap<(PathBuf, String), Arc<dyn Encoder>>>,
}

/// Where checkpoints may come from.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// The folder whose subfolders are checkpoints, found by their names.
    pub root: Option<PathBuf>,
    /// The cache of the Hugging Face hub's tools: models in it are named as on the hub.
    pub hub_cache: Option<PathBuf>,
    /// Whether a name may also be the path of a folder. Not for names that come from a network.
    pub paths: bool,
    /// The processes that run models, where this one does not.
    pub workers: Option<WorkerOptions>,
}

/// A checkpoint that a registry can load by its name.
#[derive(Debug, Clone)]
pub struct Available {
    /// The name of its folder.
    pub name: String,
    /// Vector length.
    pub dim: usize,
    /// How the features of items become one vector, when nothing else is said.
    pub pooling: Pooling,
    /// What it reads, from its configuration.
    pub kind: Kind,
    /// What it is, in a few words.
    pub about: String,
    /// The licence that its model card names.
    pub licence: Option<String>,
    /// BLAKE3 of its weights, where they are in memory.
    pub weights: Option<String>,
}

/// Where a checkpoint lies, and the name that its columns keep, which does not depend on that.
struct Found {
    folder: PathBuf,
    short: String,
}

impl Found {
    fn at(path: &Path) -> Self {
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // `models/esm2` keeps its name though it may be a link; `.` has none but the folder's.
        let name = path.file_name().or(folder.file_name());
        Self {
            short: name.map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            folder,
        }
    }
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

    /// The encoder of a name: one of this build, a checkpoint's folder, the name of a folder under
    /// the registry's root, or the name of a model in the hub's cache (`ORG/NAME`, perhaps with
    /// `@REVISION`); the latter three with a [`Form`] after it. Loads the weights when
    /// they are not in memory yet.
    ///
    /// # Errors
    /// There is no such encoder; the checkpoint cannot be used.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Encoder>, EmbedError> {
        if let Some(encoder) = encoder::descriptor(name) {
            return Ok(encoder);
        }
        let (alone, form) = Form::split(name)?;
        let Found { folder, short } = self.find(alone, name)?;
        let key = (folder.clone(), form.name(&short));
        if let Some(encoder) = lock(&self.encoders).get(&key) {
            return Ok(Arc::clone(encoder));
        }
        if let Some(workers) = &self.options.workers {
            let pool = Pool::start(workers, &folder, &short, form)
                .map_err(|error| self.placeless(error, &short))?;
            let encoder: Arc<dyn Encoder> = Arc::new(pool);
            // Of two that were started at once, the first one stays.
            let mut encoders = lock(&self.encoders);
            return Ok(Arc::clone(encoders.entry(key).or_insert(encoder)));
        }
        // Each model has its own lock, held while it is loaded: two requests do not load the same
        // weights, and those for other models do not wait.
        let cell = Arc::clone(
            lock(&self.models)
                .entry((folder.clone(), form.precision))
                .or_default(),
        );
        let model = {
            let mut held = lock(&cell);
            match &*held {
                Some(model) => Arc::clone(model),
                None => {
                    let loaded = Loaded::open(&folder, form.precision)
                        .map_err(|e| self.placeless(e, &short));
                    Arc::clone(held.insert(Arc::new(loaded?)))
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
        self.find(alone, name).map(|_| ())
    }

    /// A folder given by its path, by its name under the root, or by its name on the hub. `given`
    /// is the whole name, for the error.
    fn find(&self, name: &str, given: &str) -> Result<Found, EmbedError> {
        let path = Path::new(name);
        if self.options.paths && path.is_dir() {
            return Ok(Found::at(path));
        }
        // A name of one part: what comes from a request must not walk out of the root.
        let mut parts = path.components();
        let plain = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        if let Some(root) = self.options.root.as_ref().filter(|_| plain)
            && root.join(name).is_dir()
        {
            return Ok(Found::at(&root.join(name)));
        }
        let cache = self.options.hub_cache.as_ref();
        // The short name that a column keeps of a model of the hub.
        if let Some(folder) = cache.filter(|_| plain).and_then(|c| hub_folder(c, name)) {
            return Ok(Found {
                folder,
                short: name.to_owned(),
            });
        }
        let (Some(hub), Some(cache)) = (HubName::parse(name), cache) else {
            return Err(self.unknown(given));
        };
        match hub.folder(cache) {
            Some(folder) => Ok(Found {
                folder,
                short: hub.name.to_owned(),
            }),
            None => Err(EmbedError::NotCached {
                name: name.to_owned(),
            }),
        }
    }

    /// An error for somebody elsewhere says nothing of this machine's folders.
    fn placeless(&self, error: EmbedError, short: &str) -> EmbedError {
        match error {
            EmbedError::Checkpoint { fault, .. } if !self.options.paths => EmbedError::Checkpoint {
                folder: PathBuf::from(short),
                fault,
            },
            error => error,
        }
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
                let kind = checkpoint.config().family().ok()?.kind();
                let summary = model::summary(&checkpoint).ok()?;
                let folder = entry.path().canonicalize().ok()?;
                // Whatever it computes in, its weights are the same. One that is being loaded is
                // not waited for.
                let models = lock(&self.models);
                let mut cells = Precision::ALL
                    .into_iter()
                    .filter_map(|precision| models.get(&(folder.clone(), precision)));
                let loaded = cells.find_map(|cell| cell.try_lock().ok()?.clone());
                Some(Available {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    dim: summary.dim,
                    pooling: summary.pooling,
                    kind,
                    about: summary.about,
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
