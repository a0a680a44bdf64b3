//! Writers that race.

use super::*;

suite! {
    racing_writers_lose_nothing
    racing_writers_of_other_processes_lose_nothing
    racing_loads_create_one_table
    a_load_beside_a_compaction_finds_its_rows
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
