//! The root of all tables.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::{StreamExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::session::Session;
use lance_io::object_store::{
    ObjectStore as LanceStore, ObjectStoreParams, ObjectStoreRegistry, StorageOptionsAccessor,
};
use object_store::path::Path;
use penstock_types::{Kind, TableName};

use crate::backing::{Commits, Recorder, TABLE_SUFFIX, Wrapper};
use crate::error::{Result, StoreError, first_line};
use crate::latest::{self, Latest};
use crate::objects::Objects;
use crate::options::StoreOptions;
use crate::table::Table;
use crate::version::VersionRef;

/// How many tables are opened at once by what looks at all of them.
const TABLES_AT_ONCE: usize = 8;

/// A root that holds tables, and the program's own files. Cheap to clone.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    uri: String,
    /// Root of the tables for writers and for readers: the same on S3, two schemes of one folder
    /// on a local disk, see [`crate::backing`].
    write_root: String,
    read_root: String,
    local_root: Option<PathBuf>,
    /// The caches of all tables.
    session: RwLock<Arc<Session>>,
    pub(crate) write_params: ObjectStoreParams,
    read_params: ObjectStoreParams,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) objects: Objects,
    pub(crate) options: StoreOptions,
    /// One commit per table at a time within this process: racing against oneself costs more.
    commit_locks: Mutex<HashMap<TableName, Arc<tokio::sync::Mutex<()>>>>,
    latest: Latest,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.0.uri).finish()
    }
}

/// What a list of tables shows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// The table.
    pub name: TableName,
    /// What it holds.
    pub kind: Kind,
    /// Its latest version.
    pub version: u64,
    /// Rows of that version.
    pub rows: u64,
    /// Names of its feature columns.
    pub features: Vec<String>,
}

impl Store {
    /// Opens a folder, which is created where it is absent, or `s3://bucket/prefix`.
    ///
    /// # Errors
    /// The root is neither; the folder cannot be created; the bucket cannot be reached; the object
    /// store does not honour conditional writes ([`StoreError::UnsafeStore`]).
    pub async fn open(uri: &str, options: StoreOptions) -> Result<Self> {
        let roots = Roots::new(uri).await?;
        let registry = Arc::new(ObjectStoreRegistry::default());
        let session = RwLock::new(session(&options, registry.clone()));
        let local = roots.local.is_some();
        let mut params = ObjectStoreParams::default();
        if !local {
            params.storage_options_accessor = Some(Arc::new(
                StorageOptionsAccessor::with_static_options(options.storage_options()),
            ));
        }
        let root_path = LanceStore::extract_path_from_uri(registry.clone(), &roots.write)
            .map_err(|error| bad_root(uri, &error))?;
        let recorder = Arc::new(Recorder::new(root_path.clone()));
        let read_params = params.clone();
        params.object_store_wrapper = Some(Arc::new(Wrapper {
            recorder: recorder.clone(),
            local,
        }));
        let (backing, _) = LanceStore::from_uri_and_params(registry, &roots.write, &params)
            .await
            .map_err(|error| bad_root(uri, &error))?;
        let objects = Objects::new(
            backing.inner.clone(),
            root_path,
            roots.read.clone(),
            roots.local.clone(),
        );
        let inner = Inner {
            uri: uri.to_owned(),
            // On S3, readers share the writers' client.
            read_params: if local { read_params } else { params.clone() },
            write_params: params,
            write_root: roots.write,
            read_root: roots.read,
            local_root: roots.local,
            session,
            recorder,
            objects,
            options,
            commit_locks: Mutex::default(),
            latest: Latest::default(),
        };
        let store = Self(Arc::new(inner));
        if !local && store.0.options.probe {
            store.0.objects.probe(uri).await?;
        }
        Ok(store)
    }

    /// The root, as it was given.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.0.uri
    }

    /// Whether the root is a folder of this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.local_root.is_some()
    }

    /// The folder for files without names, in which large work is kept until its commit.
    #[must_use]
    pub fn temp_dir(&self) -> std::path::PathBuf {
        self.0.options.temp_dir()
    }

    /// The program's own files.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// How many files this store object has written. On a local disk each of them was synced.
    #[must_use]
    pub fn files_written(&self) -> u64 {
        self.0.recorder.written()
    }

    /// Where a table lies, for other programs that read Lance tables.
    #[must_use]
    pub fn table_uri(&self, name: &TableName) -> String {
        match &self.0.local_root {
            Some(root) => root
                .join(format!("{name}{TABLE_SUFFIX}"))
                .display()
                .to_string(),
            None => self.read_uri(name),
        }
    }

    pub(crate) fn write_uri(&self, name: &TableName) -> String {
        format!("{}/{name}{TABLE_SUFFIX}", self.0.write_root)
    }

    fn read_uri(&self, name: &TableName) -> String {
        format!("{}/{name}{TABLE_SUFFIX}", self.0.read_root)
    }

    /// The path of a table's folder in the object store.
    pub(crate) fn table_path(&self, name: &TableName) -> Path {
        self.0
            .objects
            .root()
            .clone()
            .join(format!("{name}{TABLE_SUFFIX}"))
    }

    pub(crate) fn commit_lock(&self, name: &TableName) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self
            .0
            .commit_locks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        locks.entry(name.clone()).or_default().clone()
    }

    pub(crate) fn commits(&self, expect: Option<u64>) -> Arc<Commits> {
        Arc::new(Commits {
            recorder: self.0.recorder.clone(),
            expect,
        })
    }

    pub(crate) fn session(&self) -> Arc<Session> {
        self.0
            .session
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Forgets all that is cached. A table made anew under a name must not meet what was cached of
    /// the old one: where a store gives no entity tags, Lance's cache knows a manifest by its
    /// version alone.
    fn forget_cached(&self) {
        let mut held = self
            .0
            .session
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *held = session(&self.0.options, held.store_registry());
        self.0.latest.clear();
    }

    async fn open_dataset(
        &self,
        uri: String,
        params: &ObjectStoreParams,
    ) -> lance::Result<Dataset> {
        DatasetBuilder::from_uri(uri)
            .with_store_params(params.clone())
            .with_session(self.session())
            .with_commit_handler(self.commits(None))
            .load()
            .await
    }

    /// The latest version, through the writing root.
    pub(crate) async fn writer(&self, name: &TableName) -> Result<Dataset> {
        self.open_dataset(self.write_uri(name), &self.0.write_params)
            .await
            .map_err(|error| absent(name, error))
    }

    /// As [`Store::writer`], `None` where there is no table.
    pub(crate) async fn writer_opt(&self, name: &TableName) -> Result<Option<Dataset>> {
        match self.writer(name).await {
            Ok(dataset) => Ok(Some(dataset)),
            Err(StoreError::NoTable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The latest version of a table.
    ///
    /// # Errors
    /// There is no such table, or the store cannot be read.
    pub async fn table(&self, name: &TableName) -> Result<Table> {
        let root = self.0.local_root.as_ref();
        let stamp =
            root.and_then(|root| latest::stamp(&root.join(format!("{name}{TABLE_SUFFIX}"))));
        if let Some(table) = stamp.and_then(|stamp| self.0.latest.get(name, stamp)) {
            return Ok(table);
        }
        let dataset = self
            .open_dataset(self.read_uri(name), &self.0.read_params)
            .await
            .map_err(|error| absent(name, error))?;
        let table = Table::new(name.clone(), Arc::new(dataset))?;
        if let Some(stamp) = stamp {
            self.0.latest.keep(stamp, &table);
        }
        Ok(table)
    }

    /// A version of a table.
    ///
    /// # Errors
    /// There is no such table, version or tag, or the store cannot be read.
    pub async fn table_at(&self, name: &TableName, at: &VersionRef) -> Result<Table> {
        let latest = self.table(name).await?;
        let dataset = match at {
            VersionRef::Latest => return Ok(latest),
            VersionRef::Number(version) if *version == latest.version() => return Ok(latest),
            VersionRef::Number(version) => latest.dataset().checkout_version(*version).await,
            VersionRef::Tag(tag) => latest.dataset().checkout_version(tag.as_str()).await,
        };
        let dataset = dataset.map_err(|error| match error {
            lance::Error::RefNotFound { .. }
            | lance::Error::VersionNotFound { .. }
            | lance::Error::DatasetNotFound { .. }
            | lance::Error::NotFound { .. } => StoreError::NoVersion {
                table: name.clone(),
                version: at.to_string(),
            },
            other => StoreError::lance(name, other),
        })?;
        Table::new(name.clone(), Arc::new(dataset))
    }

    /// Whether there is such a table.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn exists(&self, name: &TableName) -> Result<bool> {
        Ok(self.writer_opt(name).await?.is_some())
    }

    /// The names of all tables, sorted. A folder without a committed version is no table.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn table_names(&self) -> Result<Vec<TableName>> {
        Ok(self
            .all_tables()
            .await?
            .into_iter()
            .map(|table| table.name().clone())
            .collect())
    }

    /// All tables, sorted by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn tables(&self) -> Result<Vec<TableSummary>> {
        let tables = self.all_tables().await?;
        let each: Vec<_> = tables.into_iter().map(summary).collect();
        futures::stream::iter(each)
            .buffered(TABLES_AT_ONCE)
            .try_collect()
            .await
    }

    /// Opens every folder that could be a table. Folders with other names, folders without a
    /// version and tables of other programs are passed over.
    async fn all_tables(&self) -> Result<Vec<Table>> {
        let mut names: Vec<TableName> = self
            .0
            .objects
            .root_folders()
            .await?
            .iter()
            .filter_map(|folder| folder.strip_suffix(TABLE_SUFFIX))
            .filter_map(|name| TableName::new(name).ok())
            .collect();
        names.sort();
        let each: Vec<_> = names.into_iter().map(|name| self.table_opt(name)).collect();
        let found: Vec<Option<Table>> = futures::stream::iter(each)
            .buffered(TABLES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn table_opt(&self, name: TableName) -> Result<Option<Table>> {
        match self.table(&name).await {
            Ok(table) => Ok(Some(table)),
            Err(StoreError::NoTable(_) | StoreError::Foreign { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a table with all its versions, tags, indexes and checksums.
    ///
    /// # Errors
    /// There is no such table, another job maintains it, or the store cannot be written.
    pub async fn drop_table(&self, name: &TableName) -> Result<()> {
        if !self.exists(name).await? {
            return Err(StoreError::NoTable(name.clone()));
        }
        let lease = self.lease(name, "drop").await?;
        let lock = self.commit_lock(name);
        let _one_at_a_time = lock.lock().await;
        // Manifests first: what is left behind by a crash is no table any more.
        let folder = self.table_path(name);
        let objects = &self.0.objects;
        objects
            .remove_all(&folder.clone().join("_versions"))
            .await?;
        objects.remove_all(&folder).await?;
        for own in ["checksums", "keys", "partial", "hot", "recall"] {
            objects.delete_prefix(&format!("{own}/{name}/")).await?;
        }
        if let Some(root) = &self.0.local_root {
            let folder = root.join(format!("{name}{TABLE_SUFFIX}"));
            match tokio::fs::remove_dir_all(&folder).await {
                // Somebody else was faster, or the folder went with its last file.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Io {
                        what: "removing the folder of a dropped table",
                        source: error,
                    });
                }
                _ => {}
            }
        }
        self.forget_cached();
        lease.release().await
    }
}

fn session(options: &StoreOptions, registry: Arc<ObjectStoreRegistry>) -> Arc<Session> {
    let (indexes, metadata) = (options.index_cache_bytes, options.metadata_cache_bytes);
    Arc::new(Session::new(indexes, metadata, registry))
}

async fn summary(table: Table) -> Result<TableSummary> {
    Ok(TableSummary {
        kind: table.kind(),
        version: table.version(),
        rows: table.count_rows(None).await?,
        features: table
            .features()
            .into_iter()
            .map(|(column, _)| column)
            .collect(),
        name: table.name().clone(),
    })
}

fn absent(name: &TableName, error: lance::Error) -> StoreError {
    match error {
        lance::Error::NotFound { .. } | lance::Error::DatasetNotFound { .. } => {
            StoreError::NoTable(name.clone())
        }
        other => StoreError::lance(name, other),
    }
}

fn bad_root(uri: &str, error: &lance::Error) -> StoreError {
    StoreError::Root {
        uri: uri.to_owned(),
        hint: format!(": {}", first_line(error)),
    }
}

struct Roots {
    write: String,
    read: String,
    local: Option<PathBuf>,
}

impl Roots {
    async fn new(uri: &str) -> Result<Self> {
        let bad = |hint: &str| StoreError::Root {
            uri: uri.to_owned(),
            hint: hint.to_owned(),
        };
        if let Some(rest) = uri.strip_prefix("s3://") {
            let bucket = rest.split('/').next().unwrap_or_default();
            if bucket.is_empty() {
                return Err(bad("; the bucket is missing"));
            }
            let root = uri.trim_end_matches('/').to_owned();
            return Ok(Self {
                write: root.clone(),
                read: root,
                local: None,
            });
        }
        let folder = match uri.strip_prefix("file://") {
            Some(_) => url::Url::parse(uri)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .ok_or_else(|| bad("; the file URL names no folder"))?,
            None if uri.contains("://") => return Err(bad("")),
            None if uri.is_empty() => return Err(bad("; nothing was given")),
            None => PathBuf::from(uri),
        };
        let io = |source| StoreError::Io {
            what: "creating the store's folder",
            source,
        };
        tokio::fs::create_dir_all(&folder).await.map_err(io)?;
        let folder = tokio::fs::canonicalize(&folder).await.map_err(io)?;
        let url = url::Url::from_file_path(&folder).map_err(|()| bad("; the path is no URL"))?;
        let read = url.as_str().trim_end_matches('/').to_owned();
        let write = read.replacen("file://", "file-object-store://", 1);
        Ok(Self {
            write,
            read,
            local: Some(folder),
        })
    }
}
