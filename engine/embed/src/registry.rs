//! Encoders by name: those of this build, and checkpoints.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_types::{Kind, Pooling};

use crate::checkpoint::{Checkpoint, CheckpointFault, HubName, hub_folder};
use crate::encoder::{self, Encoder};
use crate::hub::{Download, HubFault};
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
    /// Whether a model of the hub that is not in its cache is downloaded into it.
    pub download: Download,
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
struct Found<'a> {
    /// None for a model of the hub that is not here, and that may be downloaded.
    folder: Option<PathBuf>,
    short: String,
    /// Its name on the hub.
    hub: Option<HubName<'a>>,
}

impl Found<'_> {
    fn at(path: &Path) -> Self {
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // `models/esm2` keeps its name though it may be a link; `.` has none but the folder's.
        let name = path.file_name().or(folder.file_name());
        Self {
            short: name.map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            folder: Some(folder),
            hub: None,
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
    /// the registry's root, or the name of a model on the hub (`ORG/NAME`, perhaps with
    /// `@REVISION`); the latter three with a [`Form`] after it. Loads the weights when
    /// they are not in memory yet, and downloads a model of the hub where
    /// [`RegistryOptions::download`] says so. Blocks until that is done; not to be called where
    /// async code runs.
    ///
    /// # Errors
    /// There is no such encoder; the checkpoint cannot be used, or not be downloaded.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Encoder>, EmbedError> {
        if let Some(encoder) = encoder::descriptor(name) {
            return Ok(encoder);
        }
        let (alone, form) = Form::split(name)?;
        let Found { folder, short, hub } = self.find(alone, name)?;
        let folder = match (folder, hub) {
            (Some(folder), _) => folder,
            (None, Some(hub)) => self.download(hub)?,
            (None, None) => return Err(self.unknown(name)),
        };
        let key = (folder.clone(), form.name(&short));
        if let Some(encoder) = lock(&self.encoders).get(&key) {
            return Ok(Arc::clone(encoder));
        }
        if let Some(workers) = self
            .options
            .workers
            .as_ref()
            .filter(|_| !reads_graphs(&folder))
        {
            if let Err(error) = Checkpoint::open(&folder)
                && let Some(hub) = self.to_complete(&error, &folder, hub)
            {
                self.download(hub)?;
            }
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
                    let loaded = self
                        .load(&folder, hub, form.precision)
                        .map_err(|error| self.placeless(error, &short));
                    Arc::clone(held.insert(Arc::new(loaded?)))
                }
            }
        };
        let encoder: Arc<dyn Encoder> = Arc::new(Learned::new(&short, form, model, &folder)?);
        lock(&self.encoders).insert(key, Arc::clone(&encoder));
        Ok(encoder)
    }

    /// Loads a checkpoint, and first completes it where that fails for want of a file.
    fn load(
        &self,
        folder: &Path,
        hub: Option<HubName<'_>>,
        precision: Precision,
    ) -> Result<Loaded, EmbedError> {
        match Loaded::open(folder, precision) {
            Err(error) => match self.to_complete(&error, folder, hub) {
                Some(hub) => Loaded::open(&self.download(hub)?, precision),
                None => Err(error),
            },
            loaded => loaded,
        }
    }

    /// What to download where a checkpoint cannot be used. Other tools fetch single files of a
    /// model, such as its vocabulary, so that its folder may be there and lack the rest.
    fn to_complete<'a>(
        &self,
        error: &EmbedError,
        folder: &'a Path,
        hub: Option<HubName<'a>>,
    ) -> Option<HubName<'a>> {
        match (error, &self.options.download) {
            (EmbedError::Checkpoint { fault, .. }, Download::From(_)) if lacks_a_file(fault) => {
                hub?.at(folder.file_name()?.to_str()?)
            }
            _ => None,
        }
    }

    /// Downloads what is missing of a model; the folder that it is in then.
    fn download(&self, hub: HubName<'_>) -> Result<PathBuf, EmbedError> {
        match (&self.options.download, &self.options.hub_cache) {
            (Download::From(from), Some(cache)) => from
                .fetch(cache, hub)
                .map_err(|error| self.placeless(error, hub.short())),
            _ => Err(self.not_cached(hub)),
        }
    }

    fn not_cached(&self, hub: HubName<'_>) -> EmbedError {
        EmbedError::NotCached {
            name: hub.to_string(),
            cache: self
                .options
                .hub_cache
                .clone()
                .filter(|_| self.options.paths),
        }
    }

    /// Whether [`Self::get`] would look for weights under this name; nothing is loaded, and
    /// nobody is asked.
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

    /// The commit of the hub that a name's files here are of; none for what is not from there.
    #[must_use]
    pub fn commit(&self, name: &str) -> Option<String> {
        let (alone, _) = Form::split(name).ok()?;
        let found = self.find(alone, name).ok()?;
        let folder = found.folder.filter(|_| found.hub.is_some())?;
        Some(folder.file_name()?.to_str()?.to_owned())
    }

    /// A folder given by its path, by its name under the root, or by its name on the hub. `given`
    /// is the whole name, for the error.
    fn find<'a>(&self, name: &'a str, given: &str) -> Result<Found<'a>, EmbedError> {
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
                folder: Some(folder),
                short: name.to_owned(),
                hub: None,
            });
        }
        let (Some(hub), Some(cache)) = (HubName::parse(name), cache) else {
            return Err(self.unknown(given));
        };
        let folder = hub.folder(cache);
        match (&folder, &self.options.download) {
            (None, Download::Never) => Err(self.not_cached(hub)),
            _ => Ok(Found {
                folder,
                short: hub.short().to_owned(),
                hub: Some(hub),
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
            EmbedError::Hub { name, fault, .. } if !self.options.paths => EmbedError::Hub {
                name,
                cache: None,
                fault: Box::new(match *fault {
                    HubFault::Disk { source, .. } => HubFault::Disk {
                        path: PathBuf::from("the cache of the hub"),
                        source,
                    },
                    fault => fault,
                }),
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

/// Whether a checkpoint's records are whole graphs. Workers are sent rows, so this process runs it.
fn reads_graphs(folder: &Path) -> bool {
    Checkpoint::open(folder)
        .ok()
        .and_then(|checkpoint| checkpoint.config().family().ok())
        .is_some_and(|family| family.kind() == Kind::Graph)
}

/// Whether a file is missing that may be on the hub.
fn lacks_a_file(fault: &CheckpointFault) -> bool {
    match fault {
        CheckpointFault::NoConfig
        | CheckpointFault::NoWeights
        | CheckpointFault::Pickled { .. }
        | CheckpointFault::Vocabulary { .. } => true,
        CheckpointFault::Read { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Maps whose entries are inserted whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
