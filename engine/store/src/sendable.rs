//! Servers run these futures on several threads, so they must be `Send`. The compiler checks it here
//! rather than in the crates that would have no say in it. Nothing is run.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use penstock_types::{FeatureSpec, Kind, TableName, TagName, columns};

use crate::*;

fn send<F: Future + Send>(_: F) {}

#[expect(dead_code, reason = "only the types are checked")]
fn all(
    (store, table): (&Store, &Table),
    (name, tag, at): (&TableName, &TagName, &VersionRef),
    (spec, encode): (&FeatureSpec, Arc<EncodeFn>),
    (mut load, batch): (Load, RecordBatch),
) {
    send(Store::open("", StoreOptions::default()));
    send(store.tables());
    send(store.table_at(name, at));
    send(store.drop_table(name));
    send(store.load(
        name,
        Kind::Dna,
        columns::schema(Kind::Dna),
        LoadOptions::default(),
    ));
    send(store.key_outcome(name, ""));
    send(load.push(batch));
    send(load.commit());
    send(store.delete(name, "", DeleteOptions::default()));
    send(store.tag(name, tag, at));
    send(store.untag(name, tag));
    send(store.add_feature(name, spec, &[], encode, FeatureOptions::default()));
    send(store.optimize(name));
    send(store.drop_index(name, ""));
    send(store.compact(name));
    send(store.gc(name, Duration::ZERO));
    send(store.verify(name, VerifyScope::Latest));
    send(table.scan(Scan::default()));
    send(table.count_rows(None));
    send(table.rows_by_id(&[], None));
    send(table.versions());
    send(table.stats());
    send(store.objects().list(""));
    send(store.objects().delete_prefix(""));
}

#[expect(dead_code, reason = "only the types are checked")]
fn index(store: &Store, name: &TableName, request: IndexRequest<'_>) {
    send(store.build_index(name, request));
}
