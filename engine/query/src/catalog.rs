//! The tables that one statement sees: looked up once, each at one version.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider, TableProvider,
};
use datafusion::error::DataFusionError;
use penstock_store::{Store, Table, VersionRef};
use penstock_types::{ErrorCode, TableName};

use crate::statement::Parsed;
use crate::{QueryError, Result};

/// The catalog's name in full table names; never shown.
pub(crate) const CATALOG: &str = "penstock";
/// The schema's.
pub(crate) const SCHEMA: &str = "public";

/// Most tables that `SHOW TABLES` and `information_schema` open.
const MAX_LISTED: usize = 10_000;

/// Every table version that the statement names.
#[derive(Clone, Default)]
pub(crate) struct Pinned {
    /// By name and version as written.
    tables: HashMap<(String, String), Table>,
}

impl Pinned {
    /// The version of the table that was looked up for this statement.
    pub(crate) fn get(&self, table: &str, at: &VersionRef) -> Option<&Table> {
        self.tables.get(&(table.to_owned(), at.to_string()))
    }

    /// Table names with the versions that the statement sees.
    pub(crate) fn versions(&self) -> BTreeMap<String, Vec<u64>> {
        let mut versions = BTreeMap::<String, Vec<u64>>::new();
        for ((name, _), table) in &self.tables {
            versions
                .entry(name.clone())
                .or_default()
                .push(table.version());
        }
        for list in versions.values_mut() {
            list.sort_unstable();
            list.dedup();
        }
        versions
    }

    /// What DataFusion is shown: the latest versions by name.
    pub(crate) fn catalogs(&self) -> Result<Arc<dyn CatalogProviderList>, DataFusionError> {
        let latest = VersionRef::Latest.to_string();
        let tables = self
            .tables
            .iter()
            .filter(|((_, at), _)| *at == latest)
            .map(|((name, _), table)| (name.clone(), table.provider()))
            .collect();
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(Tables(tables)))?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        Ok(Arc::new(catalogs))
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.tables
                    .iter()
                    .map(|(key, table)| (key, table.version())),
            )
            .finish()
    }
}

/// Looks up what the statement names.
pub(crate) async fn resolve(store: &Store, parsed: &Parsed) -> Result<Pinned> {
    let mut wanted = parsed.pinned.clone();
    let latest = |name: &str| (name.to_owned(), VersionRef::Latest.to_string());
    for table in &parsed.tables {
        wanted.insert(latest(table), VersionRef::Latest);
    }
    if parsed.lists_tables {
        for name in store.table_names().await?.into_iter().take(MAX_LISTED) {
            wanted.insert(latest(name.as_str()), VersionRef::Latest);
        }
    }
    let mut pinned = Pinned::default();
    for (key, at) in wanted {
        let opened = match TableName::new(key.0.as_str()) {
            Ok(name) => open(store, &name, &at).await?,
            Err(_) => None,
        };
        match opened {
            Some(table) => {
                pinned.tables.insert(key, table);
            }
            // `at` in `FROM at(...)` reads like a table to the parser.
            None if parsed.functions.contains(&key.0) => {}
            // Between listing and opening, a table may be dropped.
            None if parsed.lists_tables && !parsed.tables.contains(&key.0) => {}
            None => return Err(unknown_table(store, key.0).await?),
        }
    }
    Ok(pinned)
}

async fn open(store: &Store, name: &TableName, at: &VersionRef) -> Result<Option<Table>> {
    match store.table_at(name, at).await {
        Ok(table) => Ok(Some(table)),
        // A version or tag that is not there is told by the store, in its words.
        Err(error) if error.code() == ErrorCode::NotFound => {
            if !matches!(at, VersionRef::Latest) && store.exists(name).await? {
                Err(error.into())
            } else {
                Ok(None)
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn unknown_table(store: &Store, table: String) -> Result<QueryError> {
    const SHOWN: usize = 20;
    let names = store.table_names().await?;
    let same = names
        .iter()
        .find(|name| name.as_str().eq_ignore_ascii_case(&table));
    let known = if let Some(name) = same {
        format!("write \"{name}\" in double quotes, unquoted names are read in lower case")
    } else if names.is_empty() {
        "the store has no tables yet".to_owned()
    } else {
        let list: Vec<_> = names.iter().take(SHOWN).map(TableName::as_str).collect();
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("the tables are {}{more}", list.join(", "))
    };
    Ok(QueryError::UnknownTable { table, known })
}

#[derive(Debug)]
struct Tables(HashMap<String, Arc<dyn TableProvider>>);

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(self.0.get(name).cloned())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
