//! Tables of sequences with names and descriptions.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, Int64Array, LargeStringArray, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use penstock_store::{LoadOptions, Store, StoreOptions, Table};
use penstock_types::content::Payload;
use penstock_types::{Kind, TableName, columns};

/// One row; windows have a parent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) sequence: String,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) parent: Option<String>,
}

impl Record {
    pub(crate) fn new(id: &str, sequence: &str) -> Self {
        Self {
            id: id.to_owned(),
            sequence: sequence.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn described(id: &str, name: &str, description: &str) -> Self {
        Self {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            description: Some(description.to_owned()).filter(|text| !text.is_empty()),
            ..Self::new(id, "MKV")
        }
    }
}

fn batch(kind: Kind, rows: &[Record]) -> RecordBatch {
    let schema = columns::schema(kind);
    let texts = |of: fn(&Record) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> ArrayRef {
            match field.name().as_str() {
                columns::ID => texts(|row| Some(&row.id)),
                columns::NAME => texts(|row| row.name.as_deref()),
                columns::DESCRIPTION => texts(|row| row.description.as_deref()),
                columns::PARENT => texts(|row| row.parent.as_deref()),
                columns::KIND => Arc::new(StringArray::from(vec![kind.as_str(); rows.len()])),
                columns::SOURCE => texts(|_| Some("synthetic.fa")),
                columns::CONTENT_HASH => {
                    let mut hashes = FixedSizeBinaryBuilder::new(32);
                    for row in rows {
                        let mut payload = Payload::new(kind);
                        payload.bytes("sequence", row.sequence.as_bytes());
                        hashes.append_value(payload.finish().as_bytes()).unwrap();
                    }
                    Arc::new(hashes.finish())
                }
                columns::EVENT_TIME => Arc::new(
                    TimestampMicrosecondArray::from(vec![1_700_000_000_000_000; rows.len()])
                        .with_timezone("UTC"),
                ),
                columns::SEQUENCE => Arc::new(LargeStringArray::from_iter_values(
                    rows.iter().map(|row| &row.sequence),
                )),
                columns::LENGTH => Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|row| row.sequence.len() as i64),
                )),
                _ => new_null_array(field.data_type(), rows.len()),
            }
        })
        .collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

pub(crate) struct Sequences {
    pub(crate) store: Store,
    pub(crate) name: TableName,
    kind: Kind,
    _folder: tempfile::TempDir,
}

impl Sequences {
    pub(crate) async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
            .await
            .unwrap();
        Self {
            store,
            name: TableName::new("sequences").unwrap(),
            kind,
            _folder: folder,
        }
    }

    /// Loads rows in one commit, replacing those of the same id.
    pub(crate) async fn load(&self, rows: &[Record]) {
        let options = LoadOptions {
            mode: penstock_store::LoadMode::Upsert,
            ..LoadOptions::default()
        };
        let mut load = self
            .store
            .load(&self.name, self.kind, columns::schema(self.kind), options)
            .await
            .unwrap();
        for part in rows.chunks(4096) {
            load.push(batch(self.kind, part)).await.unwrap();
        }
        load.commit().await.unwrap();
    }

    pub(crate) async fn table(&self) -> Table {
        self.store.table(&self.name).await.unwrap()
    }
}
