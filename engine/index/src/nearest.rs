//! The k nearest rows of a stream of batches, by exact distance.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arrow::array::{Array, AsArray, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, UInt64Type};
use futures::{Stream, StreamExt, TryStreamExt};
use penstock_types::{Metric, Probe};

use crate::{IndexError, Result};

/// The column in which Lance hands out where a row is.
pub(crate) const ROW: &str = "_rowid";

/// Numbers that are compared where they arrive: handing them over would take as long.
const INLINE_NUMBERS: usize = 1 << 15;

/// A row and its exact distance. Ordered nearest first.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) distance: f32,
    pub(crate) preferred: bool,
    pub(crate) id: String,
    pub(crate) row: u64,
}

impl Hit {
    fn rank(&self, other: &Self) -> Ordering {
        self.distance
            .total_cmp(&other.distance)
            .then_with(|| other.preferred.cmp(&self.preferred))
            .then_with(|| self.id.cmp(&other.id))
            .then_with(|| self.row.cmp(&other.row))
    }
}

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.rank(other) == Ordering::Equal
    }
}

impl Eq for Hit {}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank(other)
    }
}

/// What is looked for.
pub(crate) struct Target {
    pub(crate) id_column: &'static str,
    pub(crate) column: String,
    pub(crate) metric: Metric,
    pub(crate) vector: Vec<f32>,
    pub(crate) k: usize,
    /// Rows beyond it are left out.
    pub(crate) radius: f32,
    pub(crate) prefer_id: Option<String>,
}

/// The nearest rows, nearest first, and how many vectors were compared.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    pub(crate) compared: u64,
}

/// Keeps the `k` nearest of all rows of the stream. Batches are compared on blocking threads, a few
/// at a time; memory is bounded by those batches and `k` ids.
pub(crate) async fn nearest<S>(
    batches: S,
    target: Arc<Target>,
    failed: impl Fn(lance::Error) -> IndexError,
) -> Result<Found>
where
    S: Stream<Item = Result<RecordBatch, lance::Error>>,
{
    let at_once = penstock_hnsw::threads::threads(0);
    // Distances are never negative zero and compare as floats; only whoever is nearer gets in.
    let worst = Arc::new(AtomicU32::new(target.radius.to_bits()));
    let mut heap = BinaryHeap::with_capacity(target.k + 1);
    let mut compared = 0;
    let scored = batches
        .map_err(failed)
        .map(|batch| {
            let (target, worst) = (Arc::clone(&target), Arc::clone(&worst));
            async move {
                let batch = batch?;
                let worst = f32::from_bits(worst.load(Relaxed));
                if batch.num_rows() * target.vector.len() <= INLINE_NUMBERS {
                    return compare(&batch, &target, worst);
                }
                tokio::task::spawn_blocking(move || compare(&batch, &target, worst)).await?
            }
        })
        .buffer_unordered(at_once);
    futures::pin_mut!(scored);
    while let Some(found) = scored.try_next().await? {
        compared += found.compared;
        for hit in found.hits {
            offer(&mut heap, target.k, hit);
        }
        if heap.len() == target.k
            && let Some(last) = heap.peek()
        {
            worst.store(last.distance.to_bits(), Relaxed);
        }
    }
    Ok(Found {
        hits: heap.into_sorted_vec(),
        compared,
    })
}

pub(crate) fn offer(heap: &mut BinaryHeap<Hit>, k: usize, hit: Hit) {
    if heap.len() < k {
        heap.push(hit);
    } else if let Some(mut last) = heap.peek_mut()
        && hit < *last
    {
        *last = hit;
    }
}

/// Rows with their ids and vectors, as they were read.
pub(crate) struct Read {
    pub(crate) rows: ScalarBuffer<u64>,
    pub(crate) ids: StringArray,
    vectors: FixedSizeListArray,
    values: Float32Array,
    dim: usize,
}

impl Read {
    pub(crate) fn of(batch: &RecordBatch, id_column: &str, column: &str) -> Result<Self> {
        let of = |name: &str| {
            batch.column_by_name(name).ok_or(IndexError::Invariant {
                what: "a scan left out a column that it was asked for",
            })
        };
        let ids = cast(of(id_column)?, &DataType::Utf8)?;
        let vectors = of(column)?
            .as_fixed_size_list_opt()
            .ok_or(IndexError::Invariant {
                what: "a feature column is no fixed-size list",
            })?;
        Ok(Self {
            rows: of(ROW)?.as_primitive::<UInt64Type>().values().clone(),
            ids: ids.as_string::<i32>().clone(),
            values: floats(vectors)?,
            dim: vectors.value_length() as usize,
            vectors: vectors.clone(),
        })
    }

    /// The vector of a row; `None` where it has none.
    pub(crate) fn vector(&self, at: usize) -> Option<&[f32]> {
        if self.vectors.is_null(at) {
            return None;
        }
        let start = self.vectors.value_offset(at) as usize;
        self.values.values().get(start..start + self.dim)
    }
}

fn compare(batch: &RecordBatch, target: &Target, worst: f32) -> Result<Found> {
    let read = Read::of(batch, target.id_column, &target.column)?;
    let probe = Probe::new(target.metric, &target.vector);

    let mut heap = BinaryHeap::with_capacity(target.k.min(batch.num_rows()) + 1);
    let mut limit = worst;
    let mut compared = 0;
    for row in 0..batch.num_rows() {
        let Some(distance) = read.vector(row).and_then(|vector| probe.distance(vector)) else {
            continue;
        };
        compared += 1;
        if distance > limit {
            continue;
        }
        let id = read.ids.value(row);
        let hit = Hit {
            distance,
            preferred: target.prefer_id.as_deref() == Some(id),
            id: id.to_owned(),
            row: read.rows[row],
        };
        offer(&mut heap, target.k, hit);
        if heap.len() == target.k
            && let Some(last) = heap.peek()
        {
            limit = limit.min(last.distance);
        }
    }
    Ok(Found {
        hits: heap.into_vec(),
        compared,
    })
}

pub(crate) fn floats(vectors: &FixedSizeListArray) -> Result<Float32Array> {
    let values = vectors.values();
    Ok(match values.data_type() {
        DataType::Float32 => values.as_primitive::<Float32Type>().clone(),
        _ => cast(values, &DataType::Float32)?
            .as_primitive::<Float32Type>()
            .clone(),
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::UInt64Array;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(first: u64, rows: &[(&str, Option<[f32; 2]>)]) -> RecordBatch {
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
            rows.iter().map(|(_, v)| v.map(|v| v.map(Some))),
            2,
        );
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("v", vectors.data_type().clone(), true),
            Field::new(ROW, DataType::UInt64, false),
        ]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringArray::from_iter_values(rows.iter().map(|(id, _)| id))),
                Arc::new(vectors),
                Arc::new(UInt64Array::from_iter_values((first..).take(rows.len()))),
            ],
        )
        .unwrap()
    }

    #[tokio::test]
    async fn ties_nulls_and_zeros() {
        let batches = [
            batch(
                0,
                &[
                    ("d", Some([1.0, 0.0])),
                    ("null", None),
                    ("b", Some([2.0, 0.0])),
                ],
            ),
            batch(
                3,
                &[
                    ("zero", Some([0.0, 0.0])),
                    ("c", Some([3.0, 0.0])),
                    ("far", Some([-1.0, 0.0])),
                ],
            ),
        ];
        for k in 1..6 {
            let target = Target {
                id_column: "id",
                column: "v".into(),
                metric: Metric::Cosine,
                vector: vec![1.0, 0.0],
                k,
                radius: f32::INFINITY,
                prefer_id: Some("c".into()),
            };
            let found = nearest(
                futures::stream::iter(batches.clone().map(Ok)),
                Arc::new(target),
                |_| IndexError::ZeroVector,
            )
            .await
            .unwrap();
            let ids: Vec<_> = found.hits.iter().map(|hit| hit.id.as_str()).collect();
            assert_eq!(ids, &["c", "b", "d", "far"][..k.min(4)]);
            assert_eq!(found.hits[0].distance, 0.0);
            assert_eq!(found.compared, 4);
        }
    }
}
