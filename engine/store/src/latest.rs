//! Latest versions that stay open.
//!
//! To open a table costs the reading of a folder and of a manifest, more than a search in memory
//! takes. On a local disk the time stamp of the folder of versions tells whether there was a
//! commit, by whichever process, since the table was opened.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use penstock_types::TableName;

use crate::table::Table;

/// Time stamps are only so fine: two commits within this time can have the same one, so what was
/// opened sooner after the last commit is not kept.
const SETTLED: Duration = Duration::from_secs(1);
/// Tables that stay open.
const TABLES: usize = 64;

/// The tables, and the time stamps of their folders when they were opened.
#[derive(Default)]
pub(crate) struct Latest(Mutex<HashMap<TableName, (SystemTime, Table)>>);

/// When there last was a commit, by the folder of versions of a local table.
pub(crate) fn stamp(table: &Path) -> Option<SystemTime> {
    std::fs::metadata(table.join("_versions"))
        .and_then(|folder| folder.modified())
        .ok()
}

impl Latest {
    /// The table as it was opened, where nothing was committed since.
    pub(crate) fn get(&self, name: &TableName, stamp: SystemTime) -> Option<Table> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, table) = open.get(name)?;
        (*kept == stamp).then(|| table.clone())
    }

    /// Keeps a table whose folder had this time stamp before it was opened.
    pub(crate) fn keep(&self, stamp: SystemTime, table: &Table) {
        if !stamp.elapsed().is_ok_and(|age| age > SETTLED) {
            return;
        }
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= TABLES && !open.contains_key(table.name()) {
            let oldest = open.iter().min_by_key(|(_, (stamp, _))| *stamp);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                open.remove(&oldest);
            }
        }
        open.insert(table.name().clone(), (stamp, table.clone()));
    }

    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
