mod contacts;
mod corpus;
mod faces;
mod unitigs;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{
    Array, ArrayRef, FixedSizeListBuilder, LargeStringArray, ListBuilder, PrimitiveBuilder,
    StringArray,
};
use arrow::datatypes::ArrowPrimitiveType;
use arrow::record_batch::RecordBatch;

static GO: AtomicBool = AtomicBool::new(false);

fn ids(count: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        (0..count).map(|row| format!("row{row}")),
    ))
}

fn sequences(sequences: &[&str]) -> ArrayRef {
    Arc::new(LargeStringArray::from_iter_values(sequences))
}

/// A column of lists of triples.
fn triples<T: ArrowPrimitiveType>(rows: &[Option<Vec<[T::Native; 3]>>]) -> ArrayRef {
    let item = FixedSizeListBuilder::new(PrimitiveBuilder::<T>::new(), 3);
    let mut lists = ListBuilder::new(item);
    for row in rows {
        for triple in row.iter().flatten() {
            lists.values().values().append_slice(triple);
            lists.values().append(true);
        }
        lists.append(row.is_some());
    }
    Arc::new(lists.finish())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| {
        let nullable = a.is_nullable();
        (n, a, nullable)
    }))
    .unwrap()
}
