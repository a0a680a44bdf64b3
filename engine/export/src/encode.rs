//! From Arrow columns to the entries of arrays.

use arrow::array::types::{
    Date32Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array as _, ArrayRef, ArrowPrimitiveType, AsArray, OffsetSizeTrait};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;

use crate::chunks::{ChunkBuffer, Finished};
use crate::dtype::DType;
use crate::error::{ExportError, Result};
use crate::manifest::{Array, Role, chunk_key};
use crate::plan::Node;

/// One array in the making.
#[derive(Debug)]
struct Slot {
    name: String,
    role: Role,
    depth: u32,
    dtype: DType,
    vectors: bool,
    buffer: ChunkBuffer,
}

impl Slot {
    fn new(name: &str, role: Role, depth: u32, dtype: DType, width: Option<u64>) -> Self {
        Self {
            name: name.to_owned(),
            role,
            depth,
            dtype,
            vectors: width.is_some(),
            buffer: ChunkBuffer::new(dtype, width),
        }
    }
}

/// Validity, which becomes an array with the first null.
#[derive(Debug)]
struct Validity {
    name: String,
    depth: u32,
    seen: u64,
    slot: Option<Slot>,
}

impl Validity {
    fn new(name: &str, depth: u32) -> Self {
        Self {
            name: name.to_owned(),
            depth,
            seen: 0,
            slot: None,
        }
    }

    fn push(&mut self, nulls: Option<&NullBuffer>, length: usize) {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        if nulls.is_some() && self.slot.is_none() {
            let mut slot = Slot::new(&self.name, Role::Valid, self.depth, DType::UInt8, None);
            slot.buffer.repeat(&[1], self.seen);
            self.slot = Some(slot);
        }
        self.seen += length as u64;
        if let Some(slot) = &mut self.slot {
            match nulls {
                Some(nulls) => {
                    let bytes: Vec<u8> = nulls.iter().map(u8::from).collect();
                    slot.buffer.push(&bytes);
                }
                None => slot.buffer.repeat(&[1], length as u64),
            }
        }
    }
}

#[derive(Debug)]
enum Encoder {
    Fixed {
        values: Slot,
        valid: Validity,
    },
    Bytes {
        offsets: Slot,
        last: i64,
        values: Slot,
        valid: Validity,
    },
    List {
        offsets: Slot,
        last: i64,
        items: Box<Encoder>,
        valid: Validity,
    },
}

/// Encodes one column. Feed its arrays in order; take what became full after each.
#[derive(Debug)]
pub(crate) struct ColumnEncoder {
    column: String,
    rows: u64,
    root: Encoder,
}

/// The key of a chunk below the tree, and its bytes.
pub(crate) type Stored = (String, Bytes);

impl ColumnEncoder {
    /// An encoder for the column with these arrays.
    #[must_use]
    pub(crate) fn new(column: &str, node: &Node) -> Self {
        Self {
            column: column.to_owned(),
            rows: 0,
            root: Encoder::new(node, 0),
        }
    }

    /// Encodes the next rows. The array must be of the type that the node was made from.
    ///
    /// # Errors
    /// A vector has a null inside.
    pub(crate) fn push(&mut self, array: &ArrayRef) -> Result<()> {
        if self.root.push(array) {
            self.rows += array.len() as u64;
            return Ok(());
        }
        // Which row it is has to be looked for only in this case.
        let row = (0..array.len())
            .find(|row| !Encoder::probe(&array.slice(*row, 1)))
            .unwrap_or(0) as u64;
        Err(ExportError::NullInVector {
            column: self.column.clone(),
            row: self.rows + row,
        })
    }

    /// The chunks that became full.
    pub(crate) fn take(&mut self) -> Vec<Stored> {
        let mut out = Vec::new();
        self.root.each(&mut |slot| {
            for chunk in slot.buffer.take() {
                out.push((
                    chunk_key(&slot.name, slot.vectors, chunk.index),
                    chunk.bytes,
                ));
            }
        });
        out
    }

    /// Ends the column: its arrays, and the chunks that are still to be stored.
    #[must_use]
    pub(crate) fn finish(self) -> (Vec<Array>, Vec<Stored>) {
        let mut slots = Vec::new();
        self.root.into_slots(&mut slots);
        let (mut arrays, mut stored) = (Vec::new(), Vec::new());
        for slot in slots {
            let (finished, ready) = slot.buffer.finish();
            for chunk in ready {
                let key = chunk_key(&slot.name, slot.vectors, chunk.index);
                stored.push((key, chunk.bytes));
            }
            let Finished {
                shape,
                chunk_shape,
                chunks,
            } = finished;
            arrays.push(Array {
                name: slot.name,
                column: self.column.clone(),
                role: slot.role,
                depth: slot.depth,
                dtype: slot.dtype,
                shape,
                chunk_shape,
                fill_value: slot.dtype.fill_value(),
                chunks,
            });
        }
        (arrays, stored)
    }
}

impl Encoder {
    fn new(node: &Node, depth: u32) -> Self {
        let offsets = |name: &str| {
            let mut slot = Slot::new(name, Role::Offsets, depth, DType::Int64, None);
            slot.buffer.push(&0i64.to_le_bytes());
            slot
        };
        match node {
            Node::Fixed {
                values,
                valid,
                dtype,
                width,
            } => Self::Fixed {
                values: Slot::new(values, Role::Values, depth, *dtype, *width),
                valid: Validity::new(valid, depth),
            },
            Node::Bytes {
                offsets: name,
                values,
                valid,
                ..
            } => Self::Bytes {
                offsets: offsets(name),
                last: 0,
                values: Slot::new(values, Role::Values, depth + 1, DType::UInt8, None),
                valid: Validity::new(valid, depth),
            },
            Node::List {
                offsets: name,
                valid,
                items,
            } => Self::List {
                offsets: offsets(name),
                last: 0,
                items: Box::new(Self::new(items, depth + 1)),
                valid: Validity::new(valid, depth),
            },
        }
    }

    fn each(&mut self, f: &mut impl FnMut(&mut Slot)) {
        let valid = match self {
            Self::Fixed { values, valid } => {
                f(values);
                valid
            }
            Self::Bytes {
                offsets,
                values,
                valid,
                ..
            } => {
                f(offsets);
                f(values);
                valid
            }
            Self::List {
                offsets,
                items,
                valid,
                ..
            } => {
                f(offsets);
                items.each(f);
                valid
            }
        };
        valid.slot.iter_mut().for_each(f);
    }

    fn into_slots(self, out: &mut Vec<Slot>) {
        let valid = match self {
            Self::Fixed { values, valid } => {
                out.push(values);
                valid
            }
            Self::Bytes {
                offsets,
                values,
                valid,
                ..
            } => {
                out.extend([offsets, values]);
                valid
            }
            Self::List {
                offsets,
                items,
                valid,
                ..
            } => {
                out.push(offsets);
                items.into_slots(out);
                valid
            }
        };
        out.extend(valid.slot);
    }

    /// Appends; `false` where a vector has a null inside (then nothing more can be done here).
    fn push(&mut self, array: &ArrayRef) -> bool {
        match self {
            Self::Fixed { values, valid } => {
                let Some(bytes) = fixed(array) else {
                    return false;
                };
                push_fixed(values, &bytes, array.nulls());
                valid.push(array.nulls(), array.len());
                true
            }
            Self::Bytes {
                offsets,
                last,
                values,
                valid,
            } => {
                match array.data_type() {
                    DataType::Utf8 => {
                        let array = array.as_string::<i32>();
                        let data = array.value_data();
                        each_run(array.offsets(), array.nulls(), last, offsets, |run| {
                            values.buffer.push(&data[run]);
                            true
                        });
                    }
                    DataType::LargeUtf8 => {
                        let array = array.as_string::<i64>();
                        let data = array.value_data();
                        each_run(array.offsets(), array.nulls(), last, offsets, |run| {
                            values.buffer.push(&data[run]);
                            true
                        });
                    }
                    DataType::Binary => {
                        let array = array.as_binary::<i32>();
                        let data = array.value_data();
                        each_run(array.offsets(), array.nulls(), last, offsets, |run| {
                            values.buffer.push(&data[run]);
                            true
                        });
                    }
                    _ => {
                        let array = array.as_binary::<i64>();
                        let data = array.value_data();
                        each_run(array.offsets(), array.nulls(), last, offsets, |run| {
                            values.buffer.push(&data[run]);
                            true
                        });
                    }
                }
                valid.push(array.nulls(), array.len());
                true
            }
            Self::List {
                offsets,
                last,
                items,
                valid,
            } => {
                let done = if let Some(array) = array.as_list_opt::<i32>() {
                    each_run(array.offsets(), array.nulls(), last, offsets, |run| {
                        items.push(&array.values().slice(run.start, run.len()))
                    })
                } else {
                    let array = array.as_list::<i64>();
                    each_run(array.offsets(), array.nulls(), last, offsets, |run| {
                        items.push(&array.values().slice(run.start, run.len()))
                    })
                };
                valid.push(array.nulls(), array.len());
                done
            }
        }
    }

    /// Whether no vector of the array has a null inside.
    fn probe(array: &ArrayRef) -> bool {
        if let Some(list) = array.as_list_opt::<i32>() {
            list.iter().flatten().all(|items| Self::probe(&items))
        } else if let Some(list) = array.as_list_opt::<i64>() {
            list.iter().flatten().all(|items| Self::probe(&items))
        } else {
            no_null_inside(array)
        }
    }
}

/// Appends the offsets of these entries, and gives out the runs of items that they cover: one, but
/// for nulls that hide items.
fn each_run<O: OffsetSizeTrait>(
    source: &OffsetBuffer<O>,
    nulls: Option<&NullBuffer>,
    last: &mut i64,
    offsets: &mut Slot,
    mut items: impl FnMut(std::ops::Range<usize>) -> bool,
) -> bool {
    let mut ends = Vec::with_capacity((source.len() - 1) * 8);
    let mut run: Option<std::ops::Range<usize>> = None;
    let mut done = true;
    for (i, pair) in source.windows(2).enumerate() {
        let (start, end) = (pair[0].as_usize(), pair[1].as_usize());
        if end > start && nulls.is_none_or(|nulls| nulls.is_valid(i)) {
            *last += (end - start) as i64;
            match &mut run {
                Some(run) if run.end == start => run.end = end,
                other => {
                    if let Some(run) = other.replace(start..end) {
                        done &= items(run);
                    }
                }
            }
        }
        ends.extend_from_slice(&last.to_le_bytes());
    }
    if let Some(run) = run {
        done &= items(run);
    }
    offsets.buffer.push(&ends);
    done
}

/// Appends entries, with fill under nulls.
fn push_fixed(values: &mut Slot, bytes: &[u8], nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        values.buffer.push(bytes);
        return;
    };
    let entry = bytes.len() / nulls.len().max(1);
    let mut done = 0;
    for (start, end) in nulls.valid_slices() {
        values.buffer.fill((start - done) as u64);
        values.buffer.push(&bytes[start * entry..end * entry]);
        done = end;
    }
    values.buffer.fill((nulls.len() - done) as u64);
}

/// Whether each non-null vector of a fixed-size list has no null inside.
fn no_null_inside(array: &ArrayRef) -> bool {
    let Some(list) = array.as_fixed_size_list_opt() else {
        return true;
    };
    let inner = list.values();
    let size = list.value_length() as usize;
    inner.null_count() == 0
        || (0..list.len())
            .all(|row| list.is_null(row) || inner.slice(row * size, size).null_count() == 0)
}

/// The bytes of fixed-size entries; `None` where a vector has a null inside.
fn fixed(array: &ArrayRef) -> Option<std::borrow::Cow<'_, [u8]>> {
    match array.data_type() {
        DataType::FixedSizeList(..) => {
            no_null_inside(array).then(|| scalars(array.as_fixed_size_list().values()))
        }
        _ => Some(scalars(array)),
    }
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> std::borrow::Cow<'_, [u8]> {
    array.as_primitive::<T>().values().inner().as_slice().into()
}

fn scalars(array: &ArrayRef) -> std::borrow::Cow<'_, [u8]> {
    match array.data_type() {
        DataType::Boolean => {
            let bits = array.as_boolean().values();
            bits.iter().map(u8::from).collect::<Vec<u8>>().into()
        }
        DataType::UInt8 => primitive::<UInt8Type>(array),
        DataType::UInt16 => primitive::<UInt16Type>(array),
        DataType::UInt32 => primitive::<UInt32Type>(array),
        DataType::UInt64 => primitive::<UInt64Type>(array),
        DataType::Int8 => primitive::<Int8Type>(array),
        DataType::Int16 => primitive::<Int16Type>(array),
        DataType::Int32 => primitive::<Int32Type>(array),
        DataType::Int64 => primitive::<Int64Type>(array),
        DataType::Float16 => primitive::<Float16Type>(array),
        DataType::Float32 => primitive::<Float32Type>(array),
        DataType::Float64 => primitive::<Float64Type>(array),
        DataType::Date32 => primitive::<Date32Type>(array),
        DataType::Timestamp(TimeUnit::Second, _) => primitive::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive::<TimestampMillisecondType>(array)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive::<TimestampMicrosecondType>(array)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive::<TimestampNanosecondType>(array),
        // The plan lets no other type through than fixed-size binary.
        _ => array.as_fixed_size_binary().value_data().into(),
    }
}
