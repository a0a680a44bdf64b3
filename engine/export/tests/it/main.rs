//! Snapshots of real tables in a real store, and their files.

#![allow(clippy::unwrap_used, clippy::panic)]

mod exports;
mod python;
mod sample;
mod snapshots;

use penstock_export::{CreateOptions, CreateRequest, Created, Snapshot};
use penstock_store::{LoadOptions, Store, StoreOptions, VersionRef};
use penstock_types::{Kind, SnapshotName, TableName};

/// A store in a folder that goes away with it.
async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().join("store");
    let store = Store::open(uri.to_str().unwrap(), StoreOptions::default())
        .await
        .unwrap();
    (store, folder)
}

fn table() -> TableName {
    TableName::new("t").unwrap()
}

/// Adds rows to the table.
async fn load(store: &Store, kind: Kind, first: u64, rows: usize) {
    let schema = sample::schema(kind);
    let mut load = store
        .load(&table(), kind, schema, LoadOptions::default())
        .await
        .unwrap();
    load.push(sample::batch(kind, first, rows)).await.unwrap();
    load.commit().await.unwrap();
}

fn request(name: &str) -> CreateRequest {
    CreateRequest {
        name: SnapshotName::new(name).unwrap(),
        table: table(),
        version: VersionRef::Latest,
        columns: None,
        filter: None,
    }
}

async fn create(store: &Store, request: &CreateRequest) -> Created {
    Snapshot::create(store, request, &CreateOptions::default())
        .await
        .unwrap()
}
