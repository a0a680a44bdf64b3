//! Verification, clean-up and leases.

use super::*;

suite! {
    verification_finds_one_bit
    clean_up_keeps_what_is_tagged
    one_maintenance_job_at_a_time
    objects_are_whole
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
