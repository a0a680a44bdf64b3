//! What only a local disk can show.

use std::path::{Path, PathBuf};

use penstock_store::{LoadOptions, Store, StoreOptions};
use penstock_types::{Kind, columns};

use crate::rows::{load_proteins, proteins, table};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn count(folder: &Path) -> usize {
    let mut found = Vec::new();
    files(folder, &mut found);
    found.len()
}

/// The store below every writer syncs each file that it writes and counts it. If Lance wrote past
/// it, there would be files that were not counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_is_written_through_the_store_that_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
        .await
        .unwrap();
    let name = table("t");
    load_proteins(&store, &name, proteins(0..500, "a")).await;
    load_proteins(&store, &name, proteins(400..600, "b")).await;
    store
        .delete(&name, "id = 'p7'", Default::default())
        .await
        .unwrap();
    let there = count(folder.path());
    assert!(there > 10, "{there}");
    // The version hint is written anew by every commit, so more are written than are there.
    assert!(
        store.files_written() >= there as u64,
        "{} < {there}",
        store.files_written()
    );
    let data = count(&folder.path().join("t.lance/data"));
    assert_eq!(data, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_is_dropped_leaves_no_data_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
        .await
        .unwrap();
    let name = table("t");
    load_proteins(&store, &name, proteins(0..10, "a")).await;
    let mut load = store
        .load(
            &name,
            Kind::Protein,
            columns::schema(Kind::Protein),
            LoadOptions::default(),
        )
        .await
        .unwrap();
    load.push(proteins(0..20_000, "b")).await.unwrap();
    drop(load);
    // The removal runs in the background; it is done within any sane time.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        if count(&folder.path().join("t.lance/data")) == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the data files of a dropped load are still there");
}

#[tokio::test]
async fn a_folder_with_blanks_and_signs_is_a_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a b#c%20é");
    let store = Store::open(root.to_str().unwrap(), StoreOptions::default())
        .await
        .unwrap();
    load_proteins(&store, &table("t"), proteins(0..3, "a")).await;
    assert_eq!(
        store
            .table(&table("t"))
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        3
    );
    assert!(root.join("t.lance/_versions").is_dir());
    assert_eq!(
        store.table_uri(&table("t")),
        root.join("t.lance").to_str().unwrap()
    );
}

/// A store that keeps the latest version open sees the commits of others at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_stays_open_is_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path().to_str().unwrap(), StoreOptions::default());
    let (reader, writer) = (open().await.unwrap(), open().await.unwrap());
    let name = table("t");
    let versions = folder.path().join("t.lance/_versions");
    let settle = |seconds| {
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
        let folder = std::fs::File::open(&versions).unwrap();
        folder.set_modified(past).unwrap();
    };
    for round in 1..4_usize {
        load_proteins(&writer, &name, proteins(0..round * 10, "a")).await;
        let rows = |table: penstock_store::Table| async move { table.count_rows(None).await };
        // Just committed: opened anew each time.
        for _ in 0..2 {
            let seen = reader.table(&name).await.unwrap();
            assert_eq!(rows(seen).await.unwrap(), round as u64 * 10);
        }
        settle(3_600);
        let first = reader.table(&name).await.unwrap();
        let again = reader.table(&name).await.unwrap();
        assert!(std::sync::Arc::ptr_eq(first.dataset(), again.dataset()));
    }
    writer.drop_table(&name).await.unwrap();
    assert!(reader.table(&name).await.is_err());
}
