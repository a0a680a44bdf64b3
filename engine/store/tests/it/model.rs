//! Random sequences of loads and deletions against a map.

use std::collections::BTreeMap;

use penstock_store::{DeleteOptions, LoadOptions, Store, StoreOptions, VerifyScope};
use penstock_types::Kind;
use proptest::prelude::*;

use crate::rows::{batch, contents, load, record, table};

#[derive(Debug, Clone)]
enum Step {
    /// Ids and the variant of their sequences.
    Load(Vec<(u8, u8)>),
    /// Ids modulo the first that are the second.
    Delete(u8, u8),
    Compact,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::btree_map(0..40u8, 0..3u8, 0..25)
            .prop_map(|rows| Step::Load(rows.into_iter().collect())),
        2 => (2..5u8, 0..4u8).prop_map(|(of, is)| Step::Delete(of, is)),
        1 => Just(Step::Compact),
    ];
    prop::collection::vec(step, 1..10)
}

fn sequence(variant: u8, id: u8) -> String {
    "MKV".repeat(usize::from(variant) + 1) + &id.to_string()
}

async fn play(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
        .await
        .unwrap();
    let name = table("t");
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    let mut exists = false;
    for step in steps {
        match step {
            Step::Load(rows) => {
                let records: Vec<_> = rows
                    .iter()
                    .map(|(id, variant)| record(&format!("p{id:03}"), &sequence(*variant, *id)))
                    .collect();
                let rows = batch(Kind::Protein, "x", &records);
                let outcome = load(
                    &store,
                    &name,
                    Kind::Protein,
                    &[rows],
                    LoadOptions::default(),
                )
                .await
                .unwrap();
                let mut expected = (0, 0, 0);
                for record in records {
                    match model.insert(record.id, record.sequence.clone()) {
                        None => expected.0 += 1,
                        Some(old) if old != record.sequence => expected.1 += 1,
                        Some(_) => expected.2 += 1,
                    }
                }
                assert_eq!(
                    (outcome.added, outcome.updated, outcome.unchanged),
                    expected
                );
                assert_eq!(outcome.created, !exists);
                exists = true;
            }
            Step::Delete(of, is) if exists => {
                let hits: Vec<String> = (0..40u8)
                    .filter(|id| id % of == is)
                    .map(|id| format!("p{id:03}"))
                    .collect();
                let list: Vec<_> = hits.iter().map(|id| format!("'{id}'")).collect();
                let predicate = match list.is_empty() {
                    true => "false".to_owned(),
                    false => format!("id IN ({})", list.join(",")),
                };
                let outcome = store
                    .delete(&name, &predicate, DeleteOptions::default())
                    .await
                    .unwrap();
                let before = model.len();
                model.retain(|id, _| !hits.contains(id));
                assert_eq!(outcome.rows_deleted, (before - model.len()) as u64);
            }
            Step::Compact if exists => {
                store.compact(&name).await.unwrap();
            }
            Step::Delete(..) | Step::Compact => {}
        }
        if exists {
            let rows = contents(&store.table(&name).await.unwrap()).await;
            assert_eq!(rows, model.clone().into_iter().collect::<Vec<_>>());
        }
    }
    if exists {
        let report = store.verify(&name, VerifyScope::AllVersions).await.unwrap();
        assert!(report.is_ok(), "{report:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn loads_and_deletions_do_as_a_map_does(steps in steps()) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(play(steps));
    }
}
