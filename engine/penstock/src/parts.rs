//! Encoding a batch in parts that take a few seconds each, so that whoever waits sees how far it
//! is and can stop it. Encoders give a batch the same bits as its rows one by one, so where it is
//! cut changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use penstock_embed::{EmbedError, Encoder};
use penstock_types::columns;

use crate::{Error, Task};

/// What a part should take.
const PART: Duration = Duration::from_secs(3);

/// Items of the smallest part: enough for each thread of a CPU to sort and fill four batches, and
/// for a GPU four of its larger ones.
const CPU_ITEMS: u64 = 8 << 10;
const GPU_ITEMS: u64 = 200_000;

/// An encoder whose progress is told.
pub(crate) struct Parts {
    encoder: Arc<dyn Encoder>,
    task: Task,
    /// Items of a part, from the last one's speed.
    items: AtomicU64,
    smallest: u64,
    is_counted: bool,
}

impl Parts {
    /// All encoders of a batch. The slowest kind among them is the one whose items are counted.
    pub(crate) fn of(encoders: &[Arc<dyn Encoder>], task: &Task) -> Vec<Self> {
        let counted = encoders.iter().position(|e| e.is_model()).unwrap_or(0);
        let each = encoders.iter().enumerate();
        each.map(|(at, encoder)| Self {
            is_counted: at == counted,
            ..Self::new(encoder, task)
        })
        .collect()
    }

    pub(crate) fn new(encoder: &Arc<dyn Encoder>, task: &Task) -> Self {
        let smallest = match penstock_embed::device().is_cpu() {
            true => CPU_ITEMS * std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            false => GPU_ITEMS,
        };
        Self {
            encoder: Arc::clone(encoder),
            task: task.clone(),
            items: AtomicU64::new(smallest),
            smallest,
            is_counted: true,
        }
    }

    fn count(&self, items: u64) {
        if self.is_counted {
            let name = item_name(self.encoder.kind());
            self.task.progress.add_items(items, name);
        }
    }

    /// As [`Encoder::encode`].
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, Error> {
        let items = items(batch);
        if !self.encoder.is_model() {
            let encoded = self.encoder.encode(batch)?;
            self.count(items.iter().sum());
            return Ok(encoded);
        }
        let mut parts = Vec::new();
        let mut at = 0;
        while at < batch.num_rows() {
            if self.task.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let bound = self.items.load(Ordering::Relaxed);
            let (mut end, mut count) = (at, 0);
            while end < batch.num_rows() && (end == at || count + items[end] <= bound) {
                count += items[end];
                end += 1;
            }
            let started = Instant::now();
            parts.push(self.encoder.encode(&batch.slice(at, end - at))?);
            let taken = started.elapsed().as_secs_f64().max(1e-3);
            self.count(count);
            let next = (count as f64 / taken * PART.as_secs_f64()) as u64;
            self.items.store(next.max(self.smallest), Ordering::Relaxed);
            at = end;
        }
        match parts.as_slice() {
            [] => Ok(self.encoder.encode(batch)?),
            [one] => Ok(Arc::clone(one)),
            _ => {
                let parts: Vec<_> = parts.iter().map(|part| &**part).collect();
                Ok(concat(&parts).map_err(EmbedError::from)?)
            }
        }
    }
}

/// What the items of a kind are called.
#[must_use]
pub const fn item_name(kind: penstock_types::Kind) -> &'static str {
    match kind {
        penstock_types::Kind::Protein => "residues",
        penstock_types::Kind::Dna => "bases",
        penstock_types::Kind::Mesh | penstock_types::Kind::Graph => "vertices",
    }
}

/// The residues, bases or vertices of each row.
fn items(batch: &RecordBatch) -> Vec<u64> {
    let rows = 0..batch.num_rows();
    if let Some(sequences) = batch.column_by_name(columns::SEQUENCE) {
        let length = |row: usize| -> u64 {
            let bytes = match sequences.data_type() {
                _ if sequences.is_null(row) => 0,
                DataType::LargeUtf8 => sequences.as_string::<i64>().value_length(row) as usize,
                DataType::Utf8 => sequences.as_string::<i32>().value_length(row) as usize,
                DataType::Utf8View => sequences.as_string_view().value(row).len(),
                _ => 0,
            };
            bytes as u64
        };
        return rows.map(length).collect();
    }
    if let Some(vertices) = batch.column_by_name(columns::VERTICES)
        && let Some(vertices) = vertices.as_list_opt::<i32>()
    {
        return rows.map(|row| vertices.value_length(row) as u64).collect();
    }
    vec![1; batch.num_rows()]
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use arrow::array::{Float32Array, LargeStringArray};
    use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling};

    use super::*;

    /// Gives each sequence's length, and notes how many rows it was given at once.
    struct Lengths {
        spec: FeatureSpec,
        calls: Mutex<Vec<usize>>,
        stop_after: Option<(usize, Task)>,
    }

    impl Encoder for Lengths {
        fn spec(&self) -> &FeatureSpec {
            &self.spec
        }
        fn kind(&self) -> Kind {
            Kind::Protein
        }
        fn columns(&self) -> &'static [&'static str] {
            &[columns::SEQUENCE]
        }
        fn describe(&self) -> &str {
            "lengths"
        }
        fn is_model(&self) -> bool {
            true
        }
        fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
            let mut calls = self.calls.lock().unwrap();
            calls.push(batch.num_rows());
            if let Some((after, task)) = &self.stop_after
                && calls.len() == *after
            {
                task.cancel.cancel();
            }
            let lengths = items(batch).into_iter().map(|n| n as f32);
            Ok(Arc::new(Float32Array::from_iter_values(lengths)))
        }
    }

    fn run(stop_after: Option<usize>) -> (Result<ArrayRef, Error>, Vec<usize>, u64) {
        let task = Task::default();
        let lengths = Arc::new(Lengths {
            spec: FeatureSpec {
                encoder: "lengths".into(),
                weights: String::new(),
                pooling: Pooling::Whole,
                dtype: DType::F32,
                dim: Dim::new(1).unwrap(),
                licence: None,
            },
            calls: Mutex::default(),
            stop_after: stop_after.map(|after| (after, task.clone())),
        });
        let encoder: Arc<dyn Encoder> = lengths.clone();
        let mut parts = Parts::new(&encoder, &task);
        (parts.items, parts.smallest) = (AtomicU64::new(10), 10);
        let sequences: ArrayRef = Arc::new(LargeStringArray::from(vec![
            "AAAA",
            "CCCCCC",
            "G",
            "TTTTTTTTTTTTTTTT",
            "A",
            "",
        ]));
        let batch = RecordBatch::try_from_iter([(columns::SEQUENCE, sequences)]).unwrap();
        let given = parts.encode(&batch);
        let calls = lengths.calls.lock().unwrap().clone();
        (given, calls, task.progress.snapshot().items)
    }

    #[test]
    fn parts_make_up_the_whole() {
        let (given, calls, items) = run(None);
        let given = given.unwrap();
        let given = given.as_primitive::<arrow::datatypes::Float32Type>();
        assert_eq!(given.values(), &[4.0, 6.0, 1.0, 16.0, 1.0, 0.0]);
        // The first part holds ten items; it was fast, so the rest may be one.
        assert_eq!(calls[0], 2);
        assert_eq!(calls.iter().sum::<usize>(), 6);
        assert_eq!(items, 28);
    }

    #[test]
    fn a_cancelled_task_ends_between_parts() {
        let (given, calls, items) = run(Some(1));
        assert!(matches!(given, Err(Error::Cancelled)));
        assert_eq!((calls, items), (vec![2], 10));
    }
}
