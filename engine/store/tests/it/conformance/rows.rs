//! Rows and versions: found, deleted, tagged, listed.

use super::*;

suite! {
    versions_tags_and_time_travel
    deletion_by_predicate
    windows_follow_their_contig
    rows_are_found_by_id
    tables_are_listed_and_dropped
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
