//! Feature columns and indexes.

use super::*;

suite! {
    features_are_filled_in_and_filled_up
    a_backfill_goes_on_where_it_stopped
    a_load_can_bring_features
    the_ids_of_a_large_table_are_indexed
    vector_indexes_are_built_and_verified
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

async fn a_backfill_goes_on_where_it_stopped(place: Place) {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let (store, name) = (place.store().await, table("t"));
    load_proteins(&store, &name, proteins(0..100, "a")).await;
    // Each run may call the encoder so often.
    let run = async |store: &Store, calls: usize| {
        let called = Arc::new(AtomicUsize::new(0));
        let counted = called.clone();
        let make: Arc<penstock_store::EncodeFn> = Arc::new(move |batch| {
            if counted.fetch_add(1, Ordering::Relaxed) == calls {
                return Err("the power went".into());
            }
            Ok(Arc::new(encode(batch)) as ArrayRef)
        });
        let options = FeatureOptions {
            batch_rows: 10,
            resumable: true,
            ..FeatureOptions::default()
        };
        let outcome = store
            .add_feature(&name, &spec(), &[columns::SEQUENCE], make, options)
            .await;
        (outcome, called.load(Ordering::Relaxed))
    };
    let (outcome, _) = run(&store, 6).await;
    assert!(matches!(outcome, Err(StoreError::Encode { .. })));
    assert_eq!(store.objects().list("partial/").await.unwrap().len(), 6);
    let again = place.store().await;
    let (outcome, called) = run(&again, usize::MAX).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.rows_filled, called), (100, 4));
    assert_eq!(again.objects().list("partial/").await.unwrap(), []);
    let fresh = table("u");
    load_proteins(&store, &fresh, proteins(0..100, "a")).await;
    fill(&store, "u", &spec()).await.unwrap();
    assert_eq!(
        feature_sum(&again.table(&name).await.unwrap()).await,
        feature_sum(&store.table(&fresh).await.unwrap()).await
    );
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
