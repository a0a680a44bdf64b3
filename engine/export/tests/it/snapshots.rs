//! Names, versions, columns and filters.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use futures::TryStreamExt;
use penstock_export::{CreateOptions, ExportError, Snapshot};
use penstock_store::{Store, VersionRef};
use penstock_types::{ErrorCode, Kind};

use crate::{create, load, request, sample, store};

async fn rows(snapshot: &Snapshot) -> RecordBatch {
    let batches: Vec<RecordBatch> = snapshot
        .record_batches(None, 0..snapshot.rows())
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    concat_batches(snapshot.schema(), &batches).unwrap()
}

async fn refused(store: &Store, request: &penstock_export::CreateRequest) -> ExportError {
    Snapshot::create(store, request, &CreateOptions::default())
        .await
        .unwrap_err()
}

/// Every kind's columns come back as they were loaded.
#[tokio::test]
async fn every_column_of_the_contract() {
    for kind in Kind::ALL {
        let (store, _folder) = store().await;
        load(&store, kind, 0, 200).await;
        let made = create(&store, &request("all")).await;
        assert!(!made.existed);
        let found = rows(&made.snapshot).await;
        let loaded = sample::batch(kind, 0, 200);
        assert_eq!(found.num_rows(), 200);
        for field in loaded.schema().fields() {
            assert_eq!(
                &found[field.name().as_str()],
                &loaded[field.name().as_str()],
                "{field}"
            );
            let kept = found
                .schema()
                .field_with_name(field.name())
                .unwrap()
                .clone();
            assert_eq!(kept.data_type(), field.data_type());
            assert_eq!(kept.metadata(), field.metadata());
        }
        assert!(made.snapshot.verify().await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn names_and_digests() {
    let (store, _folder) = store().await;
    load(&store, Kind::Dna, 0, 50).await;
    let first = create(&store, &request("first")).await;
    let digest = first.snapshot.digest();

    // The same request again, and the same content under another name.
    let again = create(&store, &request("first")).await;
    assert!(again.existed);
    assert_eq!(again.entry, first.entry);
    let other = create(&store, &request("other")).await;
    assert!(!other.existed);
    assert_eq!(other.snapshot.digest(), digest);

    // A writer goes on; what is pinned stays.
    load(&store, Kind::Dna, 50, 10).await;
    let before = rows(&first.snapshot).await;
    assert_eq!(before.num_rows(), 50);
    let error = refused(&store, &request("first")).await;
    assert_eq!(error.code(), ErrorCode::AlreadyExists, "{error}");
    let newer = create(&store, &request("newer")).await;
    assert_eq!(newer.snapshot.rows(), 60);
    assert_ne!(newer.snapshot.digest(), digest);

    for name in [
        "first",
        &digest.to_string(),
        &format!("sha256:{digest}"),
        &format!("sha256-{digest}"),
    ] {
        let opened = Snapshot::open(&store, name).await.unwrap();
        assert_eq!(opened.digest(), digest);
        assert_eq!(rows(&opened).await, before);
    }
    let latest = Snapshot::open(&store, "latest").await.unwrap();
    assert_eq!(latest.digest(), newer.snapshot.digest());
    let names = Snapshot::list(&store).await.unwrap();
    let names: Vec<&str> = names.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["first", "newer", "other"]);

    for missing in ["nobody", &"0".repeat(64), "../first", ""] {
        let error = Snapshot::open(&store, missing).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::NotFound, "{error}");
    }
    let error = refused(&store, &request("latest")).await;
    assert!(matches!(error, ExportError::ReservedName(_)));

    // An old version can still be pinned, and is the same snapshot.
    let mut old = request("old");
    old.version = VersionRef::Number(first.snapshot.manifest().version);
    assert_eq!(create(&store, &old).await.snapshot.digest(), digest);
    let tag = format!("snapshot-{}", &digest.to_string()[..32]);
    old.name = "tagged".parse().unwrap();
    old.version = VersionRef::Tag(tag.parse().unwrap());
    assert_eq!(create(&store, &old).await.snapshot.digest(), digest);
}

#[tokio::test]
async fn columns_and_filters() {
    let (store, _folder) = store().await;
    load(&store, Kind::Protein, 0, 100).await;
    let mut some = request("some");
    some.columns = Some(vec!["sequence".into(), "length".into(), "sample_v1".into()]);
    some.filter = Some(" length > 0 ".into());
    let made = create(&store, &some).await;
    let found = rows(&made.snapshot).await;
    let names: Vec<String> = found
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["id", "sequence", "length", "sample_v1"]);
    assert_eq!(
        made.snapshot.manifest().filter.as_deref(),
        Some("length > 0")
    );
    let loaded = sample::batch(Kind::Protein, 0, 100);
    let lengths = loaded["length"].as_primitive::<arrow::datatypes::Int64Type>();
    let kept = lengths
        .iter()
        .flatten()
        .filter(|length| *length > 0)
        .count();
    assert!(kept > 0 && kept < 100);
    assert_eq!(found.num_rows(), kept);

    some.name = "none".parse().unwrap();
    some.filter = Some("id = 'nobody'".into());
    let none = create(&store, &some).await;
    assert_eq!(none.snapshot.rows(), 0);

    some.name = "bad".parse().unwrap();
    some.columns = Some(vec!["nothing".into()]);
    assert_eq!(refused(&store, &some).await.code(), ErrorCode::NotFound);
    some.columns = None;
    some.filter = Some("nothing = 1".into());
    refused(&store, &some).await;
    let names = Snapshot::list(&store).await.unwrap();
    assert_eq!(names.len(), 2);
}

/// Two creators of one name: both get the same snapshot, or one is told.
#[tokio::test]
async fn creators_race() {
    let (store, _folder) = store().await;
    load(&store, Kind::Mesh, 0, 30).await;
    let name = request("same");
    let options = CreateOptions::default();
    let made =
        futures::future::join_all((0..4).map(|_| Snapshot::create(&store, &name, &options))).await;
    let digests: Vec<_> = made
        .into_iter()
        .map(|made| made.unwrap().snapshot.digest())
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    // One tree stays.
    let data = store.objects().list("snapshots/data").await.unwrap();
    let roots = data
        .iter()
        .filter(|object| object.key.matches('/').count() == 3);
    assert_eq!(
        roots
            .filter(|object| object.key.ends_with("/zarr.json"))
            .count(),
        1
    );
    assert!(
        Snapshot::open(&store, "same")
            .await
            .unwrap()
            .verify()
            .await
            .unwrap()
            .is_ok()
    );
}
