//! The suite that every place must pass.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use penstock_store::{
    DeleteOptions, FeatureOptions, IndexRequest, LoadMode, LoadOptions, Scan, Store, StoreError,
    StoreOptions, VerifyProblem, VerifyScope, VersionRef,
};
use penstock_types::{ErrorCode, FeatureSpec, Kind, TagName, columns};

use crate::rows::{
    batch, contents, encode, feature_sum, load, load_proteins, proteins, record, spec, table,
    window, with_feature,
};
use crate::s3::S3Server;

/// A place for tables, and how to open it again as another process would.
pub(crate) enum Place {
    Local(tempfile::TempDir),
    S3(S3Server),
}

impl Place {
    pub(crate) async fn store(&self) -> Store {
        match self {
            Self::Local(folder) => {
                let root = folder.path().to_str().unwrap();
                Store::open(root, StoreOptions::default()).await.unwrap()
            }
            Self::S3(server) => Store::open(&server.uri("root"), server.options())
                .await
                .unwrap(),
        }
    }

    fn folder(&self) -> PathBuf {
        match self {
            Self::Local(folder) => folder.path().to_owned(),
            Self::S3(server) => server.folder("root"),
        }
    }
}

macro_rules! suite {
    ($($test:ident)*) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Place::Local(tempfile::tempdir().unwrap())).await;
            })*
        }
        mod s3 {
            use crate::s3::{Conditions, S3Server};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Place::S3(S3Server::start(Conditions::Honoured).await)).await;
            })*
        }
    };
}

suite! {
    loading_counts_what_is_new_changed_and_the_same
    versions_tags_and_time_travel
    a_load_is_seen_as_a_whole_or_not_at_all
    ids_are_unique_within_a_load
    bad_rows_are_refused
    tables_have_one_kind
    append_refuses_known_ids
    deletion_by_predicate
    keys_make_a_repetition_harmless
    racing_writers_lose_nothing
    racing_writers_of_other_processes_lose_nothing
    racing_loads_create_one_table
    a_load_beside_a_compaction_finds_its_rows
    features_are_filled_in_and_filled_up
    a_load_can_bring_features
    windows_follow_their_contig
    verification_finds_one_bit
    clean_up_keeps_what_is_tagged
    one_maintenance_job_at_a_time
    the_ids_of_a_large_table_are_indexed
    vector_indexes_are_built_and_verified
    rows_are_found_by_id
    objects_are_whole
    tables_are_listed_and_dropped
}

fn keyed(key: &str) -> LoadOptions {
    LoadOptions {
        key: Some(key.into()),
        ..LoadOptions::default()
    }
}

async fn loading_counts_what_is_new_changed_and_the_same(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    let first = load_proteins(&store, &name, proteins(0..100, "a")).await;
    assert_eq!(
        (first.added, first.updated, first.unchanged, first.created),
        (100, 0, 0, true)
    );
    let again = load_proteins(&store, &name, proteins(0..100, "a")).await;
    assert_eq!((again.added, again.updated, again.unchanged), (0, 0, 100));
    assert_eq!(again.version, first.version);
    assert!(!again.changed());
    let more = load_proteins(&store, &name, proteins(50..150, "b")).await;
    assert_eq!((more.added, more.updated, more.unchanged), (50, 50, 0));
    assert_eq!(more.version, first.version + 1);

    // A name alone makes a change too.
    let mut renamed = record("p0", "MKVa0");
    renamed.name = Some("zero".into());
    let renamed = batch(Kind::Protein, "x", &[renamed, record("p1", "MKVa1")]);
    let outcome = load_proteins(&store, &name, renamed).await;
    assert_eq!(
        (outcome.added, outcome.updated, outcome.unchanged),
        (0, 1, 1)
    );

    let latest = store.table(&name).await.unwrap();
    let rows = contents(&latest).await;
    assert_eq!(rows.len(), 150);
    for (id, sequence) in rows {
        let n: usize = id[1..].parse().unwrap();
        assert_eq!(
            sequence,
            format!("MKV{}{n}", if n < 50 { "a" } else { "b" })
        );
    }
    assert_eq!(latest.count_rows(Some("name = 'zero'")).await.unwrap(), 1);
    let stats = latest.stats().await.unwrap();
    assert_eq!(
        (stats.rows, stats.deleted_rows, stats.versions),
        (150, 51, 3)
    );
    let other = place.store().await.table(&name).await.unwrap();
    assert_eq!(other.version(), latest.version());
    other.dataset().validate().await.unwrap();
}

async fn versions_tags_and_time_travel(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    let one = load_proteins(&store, &name, proteins(0..10, "a"))
        .await
        .version;
    let two = load_proteins(&store, &name, proteins(10..15, "a"))
        .await
        .version;
    let tag = |word: &str| TagName::new(word).unwrap();
    assert_eq!(
        store.tag(&name, &tag("paper"), &one.into()).await.unwrap(),
        one
    );
    assert_eq!(
        store.tag(&name, &tag("paper"), &one.into()).await.unwrap(),
        one
    );
    let error = store
        .tag(&name, &tag("paper"), &VersionRef::Latest)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    assert_eq!(
        store
            .tag(&name, &tag("now"), &VersionRef::Latest)
            .await
            .unwrap(),
        two
    );

    let at = |at: VersionRef| {
        let (store, name) = (store.clone(), name.clone());
        async move { store.table_at(&name, &at).await }
    };
    let paper = at(tag("paper").into()).await.unwrap();
    assert_eq!(
        (paper.version(), paper.count_rows(None).await.unwrap()),
        (one, 10)
    );
    assert_eq!(
        at(two.into())
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        15
    );
    for absent in [VersionRef::Number(99), tag("nothing").into()] {
        assert_eq!(at(absent).await.unwrap_err().code(), ErrorCode::NotFound);
    }
    let versions = store.table(&name).await.unwrap().versions().await.unwrap();
    let tagged: Vec<_> = versions.iter().map(|v| (v.version, v.tags.len())).collect();
    assert_eq!(tagged, [(one, 1), (two, 1)]);
    store.untag(&name, &tag("now")).await.unwrap();
    assert_eq!(
        store.untag(&name, &tag("now")).await.unwrap_err().code(),
        ErrorCode::NotFound
    );
    assert_eq!(paper.tags().await.unwrap().len(), 1);
}

async fn a_load_is_seen_as_a_whole_or_not_at_all(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    let schema = columns::schema(Kind::Protein);
    let begin = || store.load(&name, Kind::Protein, schema.clone(), LoadOptions::default());
    let mut dropped = begin().await.unwrap();
    dropped.push(proteins(0..10_000, "a")).await.unwrap();
    drop(dropped);
    assert!(!store.exists(&name).await.unwrap());
    assert_eq!(store.tables().await.unwrap(), []);

    load_proteins(&store, &name, proteins(0..10, "a")).await;
    let before = store.table(&name).await.unwrap();
    let mut open = begin().await.unwrap();
    open.push(proteins(5..20_000, "b")).await.unwrap();
    assert_eq!(
        store.table(&name).await.unwrap().version(),
        before.version()
    );
    open.commit().await.unwrap();
    assert_eq!(
        store
            .table(&name)
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        20_000
    );
    // A reader keeps its version.
    assert_eq!(contents(&before).await.len(), 10);

    // A load without rows makes an empty table.
    let none = table("empty");
    let empty = load(&store, &none, Kind::Mesh, &[], LoadOptions::default());
    assert!(empty.await.unwrap().created);
    assert_eq!(
        store
            .table(&table("empty"))
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        0
    );
}

async fn ids_are_unique_within_a_load(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    let a = batch(
        Kind::Protein,
        "one.fa",
        &[record("x", "MK"), record("y", "MV"), record("x", "MK")],
    );
    let outcome = load_proteins(&store, &name, a.clone()).await;
    assert_eq!((outcome.added, outcome.unchanged), (2, 1));
    let b = batch(
        Kind::Protein,
        "two.fa",
        &[record("z", "MM"), record("y", "other")],
    );
    let error = load(
        &store,
        &table("u"),
        Kind::Protein,
        &[a, b.clone()],
        LoadOptions::default(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidData);
    let text = error.to_string();
    assert!(
        ["`y`", "one.fa", "two.fa"]
            .iter()
            .all(|word| text.contains(word)),
        "{text}"
    );
    assert!(!store.exists(&table("u")).await.unwrap());
}

async fn bad_rows_are_refused(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    let good = batch(Kind::Dna, "g.fa", &[record("a", "ACGT"), record("b", "GG")]);
    let with = |column: &str, array: ArrayRef| {
        let mut arrays = good.columns().to_vec();
        arrays[good.schema().index_of(column).unwrap()] = array;
        RecordBatch::try_new(good.schema(), arrays).unwrap()
    };
    for bad in [f64::NAN, f64::INFINITY] {
        let gc = Arc::new(Float64Array::from(vec![Some(0.5), Some(bad)]));
        let rows = with(columns::GC, gc);
        let error = load(&store, &name, Kind::Dna, &[rows], LoadOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidData);
        assert!(
            matches!(&error, StoreError::Row { id, column, .. } if id == "b" && column == "gc"),
            "{error}"
        );
    }
    let empty = batch(Kind::Dna, "g.fa", &[record("", "ACGT")]);
    let error = load(&store, &name, Kind::Dna, &[empty], LoadOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Row { .. }));
    let lacks = good.project(&[0, 1, 2]).unwrap();
    let error = load(&store, &name, Kind::Dna, &[lacks], LoadOptions::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("description"), "{error}");
    assert!(!store.exists(&name).await.unwrap());
}

async fn tables_have_one_kind(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..3, "a")).await;
    let dna = batch(Kind::Dna, "g.fa", &[record("a", "ACGT")]);
    let error = load(&store, &name, Kind::Dna, &[dna], LoadOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    let table = store.table(&name).await.unwrap();
    assert_eq!(table.kind(), Kind::Protein);
    let names: Vec<_> = table
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let contract = columns::schema(Kind::Protein);
    assert_eq!(
        names,
        contract
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect::<Vec<_>>()
    );
}

async fn append_refuses_known_ids(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..3, "a")).await;
    let append = LoadOptions {
        mode: LoadMode::Append,
        ..LoadOptions::default()
    };
    let outcome = load(
        &store,
        &name,
        Kind::Protein,
        &[proteins(3..6, "a")],
        append.clone(),
    )
    .await
    .unwrap();
    assert_eq!(outcome.added, 3);
    let error = load(&store, &name, Kind::Protein, &[proteins(5..9, "a")], append)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    assert_eq!(
        store
            .table(&name)
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        6
    );
}

async fn deletion_by_predicate(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..10, "a")).await;
    let delete = |predicate: &'static str| {
        let (store, name) = (store.clone(), name.clone());
        async move {
            store
                .delete(&name, predicate, DeleteOptions::default())
                .await
        }
    };
    let some = delete("id IN ('p1', 'p2') OR length > 1000").await.unwrap();
    assert_eq!(some.rows_deleted, 2);
    let none = delete("id = 'p1'").await.unwrap();
    assert_eq!((none.rows_deleted, none.version), (0, some.version));
    for bad in [
        "id =",
        "nonsense = 3",
        "id = 'x'; DROP TABLE t",
        "id = 'p3' LIMIT 0",
        "length",
    ] {
        let error = delete(bad).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{bad}: {error}");
        assert!(!error.to_string().contains(".rs:"), "{error}");
    }
    let error = store
        .table(&name)
        .await
        .unwrap()
        .count_rows(Some("nonsense"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert_eq!(delete("true").await.unwrap().rows_deleted, 8);
    assert_eq!(
        store
            .table(&name)
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        0
    );
    let again = load_proteins(&store, &name, proteins(0..10, "a")).await;
    assert_eq!(again.added, 10);
    let absent = store
        .delete(&table("no"), "true", DeleteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(absent.code(), ErrorCode::NotFound);
}

async fn keys_make_a_repetition_harmless(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    assert_eq!(store.key_outcome(&name, "k1").await.unwrap(), None);
    let rows = [proteins(0..10, "a")];
    let first = load(&store, &name, Kind::Protein, &rows, keyed("k1"))
        .await
        .unwrap();
    assert!(!first.replayed && first.added == 10);
    load_proteins(&store, &name, proteins(0..10, "b")).await;

    // Another process repeats the request: it must not bring the old rows back.
    let other = place.store().await;
    let again = load(&other, &name, Kind::Protein, &rows, keyed("k1"))
        .await
        .unwrap();
    assert!(again.replayed);
    assert_eq!((again.added, again.version), (10, first.version));
    assert!(
        contents(&store.table(&name).await.unwrap()).await[0]
            .1
            .starts_with("MKVb")
    );

    // The process died between the commit and the note that it happened.
    let key = format!("keys/{name}/{}.json", blake3::hash(b"k1").to_hex());
    let note = br#"{"key":"k1","since":0,"outcome":null}"#;
    store
        .objects()
        .put(&key, note.as_slice().into())
        .await
        .unwrap();
    let found = other.key_outcome(&name, "k1").await.unwrap().unwrap();
    assert_eq!(
        (found.added, found.version, found.replayed),
        (10, first.version, true)
    );

    // A load of the same key that was begun before the first committed.
    let schema = columns::schema(Kind::Protein);
    let mut late = other
        .load(&name, Kind::Protein, schema, keyed("k2"))
        .await
        .unwrap();
    late.push(proteins(20..30, "a")).await.unwrap();
    let rows = [proteins(20..30, "a")];
    let one = load(&store, &name, Kind::Protein, &rows, keyed("k2"))
        .await
        .unwrap();
    let two = late.commit().await.unwrap();
    assert!(two.replayed && two.version == one.version);

    let delete = |key: &str| {
        let options = DeleteOptions {
            key: Some(key.into()),
        };
        let (store, name) = (store.clone(), name.clone());
        async move { store.delete(&name, "id = 'p3'", options).await }
    };
    let gone = delete("k3").await.unwrap();
    load_proteins(&store, &name, proteins(3..4, "c")).await;
    let repeated = delete("k3").await.unwrap();
    assert_eq!((repeated.rows_deleted, repeated.version), (1, gone.version));
    assert!(repeated.replayed);
    assert_eq!(
        store
            .table(&name)
            .await
            .unwrap()
            .count_rows(Some("id = 'p3'"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        delete("k1").await.unwrap_err().code(),
        ErrorCode::InvalidArgument
    );
}

/// Writers add ids of their own, and all replace the same ten.
async fn race(stores: Vec<Store>, rounds: usize) {
    let name = table("t");
    load_proteins(&stores[0], &name, proteins(0..10, "a")).await;
    let writers = stores.len();
    let tasks = stores.iter().cloned().enumerate().map(|(writer, store)| {
        let name = name.clone();
        tokio::spawn(async move {
            let mut replaced = 0;
            for round in 0..rounds {
                let start = 100 + (writer * rounds + round) * 5;
                let batches = [
                    proteins(start..start + 5, "own"),
                    proteins(0..10, &format!("w{writer}r{round}")),
                ];
                let outcome = load(
                    &store,
                    &name,
                    Kind::Protein,
                    &batches,
                    LoadOptions::default(),
                )
                .await
                .unwrap();
                assert_eq!(
                    (outcome.added, outcome.updated, outcome.unchanged),
                    (5, 10, 0)
                );
                replaced += outcome.updated;
            }
            replaced
        })
    });
    for task in futures::future::join_all(tasks).await {
        assert_eq!(task.unwrap(), 10 * rounds as u64);
    }
    let latest = stores[0].table(&name).await.unwrap();
    let rows = contents(&latest).await;
    assert_eq!(rows.len(), 10 + writers * rounds * 5);
    let mut ids: Vec<_> = rows.iter().map(|(id, _)| id).collect();
    ids.dedup();
    assert_eq!(ids.len(), rows.len());
    // The last commit won as a whole.
    let shared: std::collections::BTreeSet<_> = rows
        .iter()
        .filter(|(id, _)| id[1..].parse::<usize>().unwrap() < 10)
        .map(|(id, sequence)| sequence.strip_suffix(&id[1..]).unwrap().to_owned())
        .collect();
    assert_eq!(shared.len(), 1, "{shared:?}");
    let versions = latest.versions().await.unwrap();
    assert_eq!(versions.len(), 1 + writers * rounds);
    assert!(
        stores[0]
            .verify(&name, VerifyScope::AllVersions)
            .await
            .unwrap()
            .is_ok()
    );
}

async fn racing_writers_lose_nothing(place: Place) {
    let store = place.store().await;
    race(vec![store; 8], 2).await;
}

async fn racing_writers_of_other_processes_lose_nothing(place: Place) {
    race(
        vec![
            place.store().await,
            place.store().await,
            place.store().await,
        ],
        4,
    )
    .await;
}

async fn racing_loads_create_one_table(place: Place) {
    let stores = [place.store().await, place.store().await];
    let name = table("t");
    let tasks = (0..6).map(|n| {
        let (store, name) = (stores[n % 2].clone(), name.clone());
        tokio::spawn(async move {
            // Every third load has one column more: the fields are numbered otherwise.
            let rows = proteins(n * 10..n * 10 + 15, "a");
            let rows = if n % 3 == 0 {
                with_feature(&rows)
            } else {
                rows
            };
            load(
                &store,
                &name,
                Kind::Protein,
                &[rows],
                LoadOptions::default(),
            )
            .await
        })
    });
    let (mut created, mut added) = (0, 0);
    for task in futures::future::join_all(tasks).await {
        match task.unwrap() {
            Ok(outcome) => {
                created += usize::from(outcome.created);
                added += outcome.added;
                // What is there with the same content may be written again, never twice.
                assert_eq!(outcome.added + outcome.updated + outcome.unchanged, 15);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((created, added), (1, 65));
    let table = stores[0].table(&name).await.unwrap();
    let rows = contents(&table).await;
    assert_eq!(rows.len(), 65);
    assert!(
        rows.iter()
            .all(|(id, sequence)| *sequence == format!("MKVa{}", &id[1..]))
    );
    let (_, sum) = feature_sum(&table).await;
    assert!(sum > 0.0);
    table.dataset().validate().await.unwrap();
}

async fn a_load_beside_a_compaction_finds_its_rows(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    for n in 0..4 {
        load_proteins(&store, &name, proteins(n * 10..n * 10 + 10, "a")).await;
    }
    let schema = columns::schema(Kind::Protein);
    let mut open = store
        .load(&name, Kind::Protein, schema, LoadOptions::default())
        .await
        .unwrap();
    // Ten unchanged, ten changed, ten new.
    open.push(proteins(10..20, "a")).await.unwrap();
    open.push(proteins(20..30, "b")).await.unwrap();
    open.push(proteins(40..9_000, "b")).await.unwrap();
    let compacted = store.compact(&name).await.unwrap();
    assert!(compacted.fragments_removed >= 4, "{compacted:?}");
    let outcome = open.commit().await.unwrap();
    assert_eq!(
        (outcome.added, outcome.updated, outcome.unchanged),
        (8_960, 10, 10)
    );
    let rows = contents(&store.table(&name).await.unwrap()).await;
    assert_eq!(rows.len(), 9_000);

    // A row that a load left out as unchanged was changed meanwhile: the load must be repeated.
    let schema = columns::schema(Kind::Protein);
    let mut open = store
        .load(&name, Kind::Protein, schema, LoadOptions::default())
        .await
        .unwrap();
    open.push(proteins(0..9_000, "a")).await.unwrap();
    load_proteins(&store, &name, proteins(5..6, "z")).await;
    let error = open.commit().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict, "{error}");
    assert!(error.code().is_retryable());
}

async fn fill(
    store: &Store,
    name: &str,
    spec: &FeatureSpec,
) -> penstock_store::Result<penstock_store::FeatureOutcome> {
    let make: Arc<penstock_store::EncodeFn> =
        Arc::new(|batch| Ok(Arc::new(encode(batch)) as ArrayRef));
    let options = FeatureOptions {
        batch_rows: 7,
        ..FeatureOptions::default()
    };
    store
        .add_feature(&table(name), spec, &[columns::SEQUENCE], make, options)
        .await
}

async fn features_are_filled_in_and_filled_up(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..100, "a")).await;
    load_proteins(&store, &name, proteins(100..150, "a")).await;
    // Holes at the start, in the middle and at the end of a fragment.
    store
        .delete(
            &name,
            "id IN ('p0', 'p50', 'p51', 'p99', 'p149')",
            DeleteOptions::default(),
        )
        .await
        .unwrap();
    let lengths = |rows: &[(String, String)]| {
        rows.iter()
            .filter(|(_, s)| !s.starts_with('X'))
            .map(|(_, s)| s.len() as f64)
            .sum::<f64>()
    };
    let before = store.table(&name).await.unwrap();
    let created = fill(&store, "t", &spec()).await.unwrap();
    assert_eq!(
        (created.rows_filled, created.rows_null, created.created),
        (145, 0, true)
    );
    assert_eq!(created.version, before.version() + 1);
    let table_now = store.table(&name).await.unwrap();
    assert_eq!(table_now.features(), [(spec().column(), spec())]);
    let rows = contents(&table_now).await;
    assert_eq!(feature_sum(&table_now).await, (145, lengths(&rows)));
    // The files of the other columns are the same ones.
    let files = |table: &penstock_store::Table| {
        let fragments = table.dataset().fragments();
        fragments
            .iter()
            .map(|f| f.files[0].path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(files(&before), files(&table_now));

    // Nothing to do: no version.
    let again = fill(&store, "t", &spec()).await.unwrap();
    assert_eq!((again.rows_filled, again.version), (0, created.version));

    // Rows that came later, one of which the encoder makes nothing of, and a changed row.
    let late = batch(
        Kind::Protein,
        "x",
        &[record("q1", "MKVVV"), record("q2", "XX"), record("p7", "M")],
    );
    load_proteins(&store, &name, late).await;
    let later = fill(&store, "t", &spec()).await.unwrap();
    assert_eq!(
        (later.rows_filled, later.rows_null, later.created),
        (2, 1, false)
    );
    let table_now = store.table(&name).await.unwrap();
    let rows = contents(&table_now).await;
    assert_eq!(feature_sum(&table_now).await, (146, lengths(&rows)));
    let again = fill(&store, "t", &spec()).await.unwrap();
    assert_eq!((again.rows_filled, again.version), (0, later.version));

    // Compaction puts rows with and without the feature into one fragment; a later row again.
    store.compact(&name).await.unwrap();
    load_proteins(&store, &name, proteins(200..210, "a")).await;
    store.compact(&name).await.unwrap();
    let mixed = fill(&store, "t", &spec()).await.unwrap();
    assert_eq!(mixed.rows_filled, 10);
    let table_now = store.table(&name).await.unwrap();
    let rows = contents(&table_now).await;
    assert_eq!(feature_sum(&table_now).await, (156, lengths(&rows)));
    table_now.dataset().validate().await.unwrap();
    let report = store.verify(&name, VerifyScope::AllVersions).await.unwrap();
    assert!(report.is_ok(), "{report:?}");

    let other = FeatureSpec {
        weights: "cd".repeat(32),
        ..spec()
    };
    let error = fill(&store, "t", &other).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::EncoderMismatch);
    let broken: Arc<penstock_store::EncodeFn> = Arc::new(|_| Err("out of order".into()));
    let absent = FeatureSpec {
        encoder: "broken-v1".into(),
        ..spec()
    };
    let error = store
        .add_feature(
            &name,
            &absent,
            &[columns::SEQUENCE],
            broken,
            FeatureOptions::default(),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Encode { .. }));
    assert_eq!(store.table(&name).await.unwrap().features().len(), 1);
}

async fn a_load_can_bring_features(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..10, "a")).await;
    let rows = with_feature(&proteins(5..20, "b"));
    let outcome = load(
        &store,
        &name,
        Kind::Protein,
        &[rows],
        LoadOptions::default(),
    )
    .await
    .unwrap();
    assert_eq!((outcome.added, outcome.updated), (10, 5));
    let now = store.table(&name).await.unwrap();
    assert_eq!(now.version(), outcome.version);
    assert_eq!(feature_sum(&now).await.0, 15);
    assert_eq!(contents(&now).await.len(), 20);
    // Rows without the feature still load, and lack it.
    load_proteins(&store, &name, proteins(20..30, "a")).await;
    assert_eq!(feature_sum(&store.table(&name).await.unwrap()).await.0, 15);
    let filled = fill(&store, "t", &spec()).await.unwrap();
    assert_eq!(filled.rows_filled, 15);
    let now = store.table(&name).await.unwrap();
    let sum: usize = contents(&now).await.iter().map(|(_, s)| s.len()).sum();
    assert_eq!(feature_sum(&now).await, (30, sum as f64));
    now.dataset().validate().await.unwrap();
}

async fn windows_follow_their_contig(place: Place) {
    let (store, name) = (place.store().await, table("g"));
    let genome = |salt: &str, windows: usize| {
        let mut rows = vec![record("c1", &format!("ACGT{salt}")), record("c2", "GGGG")];
        rows.extend(
            (0..windows).map(|n| window(&format!("c1:{n}"), "c1", &format!("AC{salt}{n}"))),
        );
        rows.push(window("c2:0", "c2", "GG"));
        batch(Kind::Dna, "g.fa", &rows)
    };
    let load_dna = |rows: RecordBatch| {
        let (store, name) = (store.clone(), name.clone());
        async move {
            load(&store, &name, Kind::Dna, &[rows], LoadOptions::default())
                .await
                .unwrap()
        }
    };
    let first = load_dna(genome("A", 5)).await;
    assert_eq!((first.added, first.windows_added), (2, 6));
    let again = load_dna(genome("A", 5)).await;
    assert_eq!(
        (again.unchanged, again.windows_unchanged, again.changed()),
        (2, 6, false)
    );
    // The contig changed and is shorter now: two windows replaced, three gone.
    let changed = load_dna(genome("T", 2)).await;
    assert_eq!((changed.updated, changed.unchanged), (1, 1));
    assert_eq!(
        (
            changed.windows_updated,
            changed.windows_removed,
            changed.windows_unchanged
        ),
        (2, 3, 1)
    );
    let now = store.table(&name).await.unwrap();
    let ids: Vec<_> = contents(&now).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["c1", "c1:0", "c1:1", "c2", "c2:0"]);
}

async fn verification_finds_one_bit(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..1000, "a")).await;
    store
        .delete(&name, "id = 'p5'", DeleteOptions::default())
        .await
        .unwrap();
    let report = store.verify(&name, VerifyScope::AllVersions).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!((report.files, report.versions.len()), (2, 2));

    let data = place.folder().join("t.lance/data");
    let file = std::fs::read_dir(data)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    // Another process looks: nothing is in its memory.
    let report = place
        .store()
        .await
        .verify(&name, VerifyScope::Latest)
        .await
        .unwrap();
    let shown = file.file_name().unwrap().to_str().unwrap();
    assert!(
        matches!(&report.problems[..], [VerifyProblem::Changed { file, .. }] if file.ends_with(shown)),
        "{report:?}"
    );
    std::fs::remove_file(&file).unwrap();
    let report = place
        .store()
        .await
        .verify(&name, VerifyScope::Latest)
        .await
        .unwrap();
    assert!(
        matches!(&report.problems[..], [VerifyProblem::Missing { .. }]),
        "{report:?}"
    );
}

async fn clean_up_keeps_what_is_tagged(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    let first = load_proteins(&store, &name, proteins(0..10, "a"))
        .await
        .version;
    let tag = TagName::new("keep").unwrap();
    store.tag(&name, &tag, &first.into()).await.unwrap();
    for salt in ["b", "c", "d"] {
        load_proteins(&store, &name, proteins(0..10, salt)).await;
    }
    let cleaned = store.gc(&name, Duration::ZERO).await.unwrap();
    assert_eq!(cleaned.versions_removed, 2, "{cleaned:?}");
    assert!(cleaned.bytes_removed > 0 && cleaned.data_files_removed == 2);
    let kept = place
        .store()
        .await
        .table_at(&name, &tag.into())
        .await
        .unwrap();
    assert!(contents(&kept).await[0].1.starts_with("MKVa"));
    assert!(
        contents(&store.table(&name).await.unwrap()).await[0]
            .1
            .starts_with("MKVd")
    );
    let report = store.verify(&name, VerifyScope::AllVersions).await.unwrap();
    assert!(report.is_ok() && report.versions.len() == 2, "{report:?}");
    assert_eq!(store.objects().list("checksums/t").await.unwrap().len(), 1);
}

async fn one_maintenance_job_at_a_time(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..10, "a")).await;
    let held = store.lease(&name, "a test").await.unwrap();
    let other = place.store().await;
    let error = other.gc(&name, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert!(error.to_string().contains("a test"), "{error}");
    held.renew().await.unwrap();
    held.check().unwrap();
    held.release().await.unwrap();
    other.gc(&name, Duration::ZERO).await.unwrap();

    // A job that died: its lease has run out, and many want it.
    let dead = br#"{"owner":"x","purpose":"y","until":"2020-01-01T00:00:00Z","token":"z"}"#;
    for round in 0..5 {
        let key = format!("leases/t/{:020}.json", 1000 * (round + 1));
        store
            .objects()
            .put(&key, dead.as_slice().into())
            .await
            .unwrap();
        let tries = (0..8).map(|n| {
            let (store, name) = ([&store, &other][n % 2].clone(), name.clone());
            tokio::spawn(async move { store.lease(&name, "after a death").await.ok() })
        });
        let tries = futures::future::join_all(tries).await;
        let won: Vec<_> = tries.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(won.len(), 1);
        for lease in won {
            lease.renew().await.unwrap();
            lease.release().await.unwrap();
        }
        assert_eq!(store.objects().list("leases/t").await.unwrap().len(), 1);
    }
}

async fn the_ids_of_a_large_table_are_indexed(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..50_000, "a")).await;
    let indexes = store.list_indexes(&name).await.unwrap();
    assert_eq!(indexes.len(), 1, "{indexes:?}");
    assert_eq!(
        (indexes[0].column.as_str(), indexes[0].indexed_rows),
        ("id", 50_000)
    );
    let more = load_proteins(&store, &name, proteins(49_000..51_000, "b")).await;
    assert_eq!((more.added, more.updated), (1000, 1000));
    let indexes = store.list_indexes(&name).await.unwrap();
    assert_eq!(
        (indexes[0].indexed_rows, indexes[0].unindexed_rows),
        (49_000, 2000)
    );
    // Indexed rows, deleted rows and rows that came later are all looked up.
    let again = load_proteins(&store, &name, proteins(48_000..51_000, "b")).await;
    assert_eq!(
        (again.added, again.updated, again.unchanged),
        (0, 1000, 2000)
    );
    let optimized = store.optimize(&name).await.unwrap();
    assert_eq!(optimized.indexes[0].unindexed_rows, 0);
    assert_eq!(
        store.optimize(&name).await.unwrap().version,
        optimized.version
    );
    let again = load_proteins(&store, &name, proteins(48_000..51_000, "b")).await;
    assert_eq!(again.unchanged, 3000);
    store.compact(&name).await.unwrap();
    let again = load_proteins(&store, &name, proteins(47_000..51_000, "b")).await;
    assert_eq!((again.unchanged, again.updated), (3000, 1000));
    assert_eq!(
        store
            .table(&name)
            .await
            .unwrap()
            .count_rows(None)
            .await
            .unwrap(),
        51_000
    );
    let report = store.verify(&name, VerifyScope::AllVersions).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
}

async fn vector_indexes_are_built_and_verified(place: Place) {
    use lance::index::vector::VectorIndexParams;
    use lance_index::IndexType;
    use lance_index::vector::hnsw::builder::HnswBuildParams;
    use lance_index::vector::ivf::IvfBuildParams;
    use lance_index::vector::sq::builder::SQBuildParams;
    use lance_linalg::distance::MetricType;

    let (store, name) = (place.store().await, table("t"));
    let rows = with_feature(&proteins(0..600, "a"));
    load(
        &store,
        &name,
        Kind::Protein,
        &[rows],
        LoadOptions::default(),
    )
    .await
    .unwrap();
    let params = VectorIndexParams::with_ivf_hnsw_sq_params(
        MetricType::L2,
        IvfBuildParams::new(2),
        HnswBuildParams::default(),
        SQBuildParams::default(),
    );
    let column = spec().column();
    let request = || IndexRequest {
        column: &column,
        kind: IndexType::Vector,
        name: None,
        params: &params,
        replace: false,
    };
    let built = store.build_index(&name, request()).await.unwrap();
    assert_eq!((built.indexed_rows, built.unindexed_rows), (600, 0));
    assert_eq!(built.metric, Some(penstock_types::Metric::L2));
    assert_eq!(built.kind, "IVF_HNSW_SQ");
    assert!(store.build_index(&name, request()).await.is_err());

    // New rows and replaced ones are outside until the index is brought up to date.
    let rows = with_feature(&proteins(590..610, "bb"));
    load(
        &store,
        &name,
        Kind::Protein,
        &[rows],
        LoadOptions::default(),
    )
    .await
    .unwrap();
    let now = &store.list_indexes(&name).await.unwrap()[0];
    assert_eq!((now.indexed_rows, now.unindexed_rows), (590, 20));
    let now = &store.optimize(&name).await.unwrap().indexes[0];
    assert_eq!((now.indexed_rows, now.unindexed_rows), (610, 0));
    // Filling a feature takes the fragments out of its index.
    load_proteins(&store, &name, proteins(700..710, "a")).await;
    store.compact(&name).await.unwrap();
    fill(&store, "t", &spec()).await.unwrap();
    store.optimize(&name).await.unwrap();
    let now = &store.list_indexes(&name).await.unwrap()[0];
    assert_eq!((now.indexed_rows, now.unindexed_rows), (620, 0));
    let report = place
        .store()
        .await
        .verify(&name, VerifyScope::AllVersions)
        .await
        .unwrap();
    assert!(report.is_ok(), "{report:?}");
    store.drop_index(&name, &built.name).await.unwrap();
    assert_eq!(store.list_indexes(&name).await.unwrap(), []);
    let error = store.drop_index(&name, &built.name).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}

async fn rows_are_found_by_id(place: Place) {
    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..100, "a")).await;
    let found = store.table(&name).await.unwrap();
    let rows = found
        .rows_by_id(&["p9", "no", "p3", "p9"], Some(&["length", "id"]))
        .await
        .unwrap();
    let ids = rows
        .column(1)
        .as_any()
        .downcast_ref::<arrow::array::StringArray>()
        .unwrap();
    assert_eq!(ids.iter().flatten().collect::<Vec<_>>(), ["p9", "p3"]);
    assert_eq!(rows.num_columns(), 2);
    let none = found.rows_by_id(&[], None).await.unwrap();
    assert_eq!((none.num_rows(), none.schema()), (0, found.schema()));
    let error = found
        .rows_by_id(&["p1"], Some(&["nothing"]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    let scan = Scan {
        limit: Some(5),
        offset: Some(10),
        ..Scan::columns(["id"])
    };
    let batches: Vec<RecordBatch> =
        futures::TryStreamExt::try_collect(found.scan(scan).await.unwrap())
            .await
            .unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
}

async fn objects_are_whole(place: Place) {
    let store = place.store().await;
    let objects = store.objects();
    objects
        .put("jobs/1.json", b"one".as_slice().into())
        .await
        .unwrap();
    assert!(
        !objects
            .put_if_absent("jobs/1.json", b"two".as_slice().into())
            .await
            .unwrap()
    );
    assert!(
        objects
            .put_if_absent("jobs/2.json", b"two".as_slice().into())
            .await
            .unwrap()
    );
    assert_eq!(&objects.get("jobs/1.json").await.unwrap()[..], b"one");
    assert_eq!(
        &objects.get_range("jobs/1.json", 1..3).await.unwrap()[..],
        b"ne"
    );
    assert_eq!(objects.get_opt("jobs/3.json").await.unwrap(), None);
    let listed = objects.list("jobs").await.unwrap();
    assert_eq!(
        listed.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(),
        ["jobs/1.json", "jobs/2.json"]
    );
    let mut writer = objects.writer("uploads/large").unwrap();
    for _ in 0..24 {
        writer.write(vec![7; 1 << 20].into()).await.unwrap();
    }
    assert!(!objects.exists("uploads/large").await.unwrap());
    writer.finish().await.unwrap();
    assert_eq!(objects.size("uploads/large").await.unwrap(), 24 << 20);
    for bad in ["", "../x", "a//b", "a/../b", "/a", "a/"] {
        assert_eq!(
            objects.get(bad).await.unwrap_err().code(),
            ErrorCode::InvalidArgument,
            "{bad}"
        );
    }
    assert_eq!(objects.delete_prefix("jobs").await.unwrap(), 2);
    objects.delete("jobs/1.json").await.unwrap();
    assert_eq!(
        objects.get("jobs/1.json").await.unwrap_err().code(),
        ErrorCode::NotFound
    );
}

async fn tables_are_listed_and_dropped(place: Place) {
    let store = place.store().await;
    for name in ["b", "a"] {
        load_proteins(&store, &table(name), proteins(0..3, name)).await;
    }
    let tables = store.tables().await.unwrap();
    let names: Vec<_> = tables
        .iter()
        .map(|t| (t.name.as_str(), t.rows, t.version))
        .collect();
    assert_eq!(names, [("a", 3, 1), ("b", 3, 1)]);
    store.drop_table(&table("a")).await.unwrap();
    assert_eq!(store.table_names().await.unwrap(), [table("b")]);
    assert_eq!(
        store.table(&table("a")).await.unwrap_err().code(),
        ErrorCode::NotFound
    );
    assert_eq!(
        store.drop_table(&table("a")).await.unwrap_err().code(),
        ErrorCode::NotFound
    );
    // A new table of the old name knows nothing of it.
    let anew = load_proteins(&store, &table("a"), proteins(0..2, "z")).await;
    assert_eq!((anew.version, anew.added), (1, 2));
    assert_eq!(
        contents(&store.table(&table("a")).await.unwrap()).await[0].1,
        "MKVz0"
    );
    assert!(
        store
            .verify(&table("a"), VerifyScope::Latest)
            .await
            .unwrap()
            .is_ok()
    );
}
