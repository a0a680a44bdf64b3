//! Loads: what counts as new, changed and the same, and what is refused.

use super::*;

suite! {
    loading_counts_what_is_new_changed_and_the_same
    a_load_is_seen_as_a_whole_or_not_at_all
    ids_are_unique_within_a_load
    bad_rows_are_refused
    tables_have_one_kind
    append_refuses_known_ids
    keys_make_a_repetition_harmless
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
