//! Columns in memory, piece by piece: a piece is what one data file holds of a column.
//!
//! A data file never changes and is never written again under its name, so a piece serves every
//! version that has the file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt};
use lance::dataset::fragment::{FileFragment, FragReadConfig};
use lance::datatypes::Field;
use lance_table::format::{DataFile, Fragment};
use penstock_store::Table;
use penstock_types::TableName;
use penstock_types::columns::ID;
use tokio::sync::Semaphore;

use crate::rows::Place;
use crate::{IndexError, Result};

/// One piece takes this part of the budget at the most.
const PIECE_SHARE: u64 = 8;
/// A piece that was not asked for as long may give way, and what found no place is tried again.
const IDLE: Duration = Duration::from_secs(60);
/// Pieces that are known of, in memory or not.
const PIECES: usize = 65_536;
/// Rows read at once.
const READ_ROWS: u32 = 8192;

/// The pieces in memory. Cheap to clone: clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Kept(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: u64,
    held: Mutex<Held>,
    /// One is read at a time: searches have the disk meanwhile.
    reading: Semaphore,
}

#[derive(Debug, Default)]
struct Held {
    pieces: HashMap<Key, Piece>,
    bytes: u64,
}

/// A data file and the number of a field in it.
type Key = (String, i32);

#[derive(Debug)]
struct Piece {
    table: TableName,
    asked: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is being read, or found no room.
    Away,
    /// It takes more than its part.
    TooLarge,
    /// It is here, and takes so many bytes.
    Here(ArrayRef, u64),
}

impl Piece {
    fn bytes(&self) -> u64 {
        match self.state {
            State::Here(_, bytes) => bytes,
            State::Away | State::TooLarge => 0,
        }
    }
}

/// A piece that rows are in.
struct Wanted<'t> {
    key: Key,
    fragment: &'t Fragment,
    column: &'t str,
}

/// A piece to be read.
struct Away {
    key: Key,
    fragment: FileFragment,
    column: String,
}

impl Kept {
    pub(crate) fn new(budget: u64) -> Self {
        Self(Arc::new(Inner {
            budget,
            held: Mutex::default(),
            reading: Semaphore::new(1),
        }))
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.held().bytes
    }

    /// Lets the pieces of a table go.
    pub(crate) fn forget(&self, table: &TableName) {
        let mut held = self.held();
        held.pieces.retain(|_, piece| piece.table != *table);
        held.bytes = held.pieces.values().map(Piece::bytes).sum();
    }

    /// The columns of these rows, in the order of both, where all of them are in memory. Pieces that
    /// are not are read in the background, for the next time.
    pub(crate) fn read(
        &self,
        table: &Table,
        rows: &[Place<'_>],
        names: &[String],
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>> {
        let mut fragments: Vec<u64> = rows.iter().map(|row| row.row >> 32).collect();
        fragments.sort_unstable();
        fragments.dedup();
        let others = names.iter().filter(|name| *name != ID);
        let Some(wanted) = wanted(table, &fragments, others.map(String::as_str)) else {
            return Ok(None);
        };
        let Some(found) = self.find(table, wanted) else {
            return Ok(None);
        };
        let places: Vec<(usize, usize)> = rows
            .iter()
            .map(|row| {
                let fragment = fragments.partition_point(|other| *other < row.row >> 32);
                (fragment, row.row as u32 as usize)
            })
            .collect();
        let mut found = found.chunks(fragments.len());
        let mut arrays = Vec::with_capacity(names.len());
        for name in names {
            arrays.push(match (name != ID).then(|| found.next()).flatten() {
                Some(pieces) => pick(pieces, &places)?,
                None => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.id))),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?;
        Ok(Some(batch))
    }

    /// The pieces, where all are here; those that are not are sent for.
    fn find(&self, table: &Table, wanted: Vec<Wanted<'_>>) -> Option<Vec<ArrayRef>> {
        let now = Instant::now();
        let mut held = self.held();
        let full = held.pieces.len() >= PIECES;
        let mut found = Vec::with_capacity(wanted.len());
        let mut away = Vec::new();
        for piece in &wanted {
            match held.pieces.get_mut(&piece.key) {
                Some(known) => match &known.state {
                    State::Here(values, _) => {
                        known.asked = now;
                        found.push(Arc::clone(values));
                        continue;
                    }
                    State::Away if now.duration_since(known.asked) >= IDLE => known.asked = now,
                    State::Away | State::TooLarge => continue,
                },
                None if full => continue,
                None => {
                    let known = Piece {
                        table: table.name().clone(),
                        asked: now,
                        state: State::Away,
                    };
                    held.pieces.insert(piece.key.clone(), known);
                }
            }
            away.push(Away {
                key: piece.key.clone(),
                fragment: FileFragment::new(Arc::clone(table.dataset()), piece.fragment.clone()),
                column: piece.column.to_owned(),
            });
        }
        drop(held);
        if !away.is_empty() {
            let this = self.clone();
            tokio::spawn(async move { this.load(away).await });
        }
        (found.len() == wanted.len()).then_some(found)
    }

    /// Reads pieces, one after the other.
    async fn load(&self, away: Vec<Away>) {
        // Never closed.
        let Ok(_one) = self.0.reading.acquire().await else {
            return;
        };
        let limit = self.0.budget / PIECE_SHARE;
        for piece in away {
            match read(&piece.fragment, &piece.column, limit).await {
                Ok(Some(values)) => self.keep(&piece.key, values),
                Ok(None) => {
                    if let Some(piece) = self.held().pieces.get_mut(&piece.key) {
                        piece.state = State::TooLarge;
                    }
                }
                // A search that needs the rows says so itself.
                Err(error) => {
                    tracing::debug!(%error, column = piece.column, "not kept in memory");
                }
            }
        }
    }

    /// Keeps a piece where there is room, or where others were not asked for lately.
    fn keep(&self, key: &Key, values: ArrayRef) {
        let bytes = values.get_array_memory_size() as u64;
        let mut held = self.held();
        let mut over = (held.bytes + bytes).saturating_sub(self.0.budget);
        if over > 0 {
            let now = Instant::now();
            let mut idle: Vec<(Instant, u64, Key)> = held
                .pieces
                .iter()
                .filter(|(_, piece)| now.duration_since(piece.asked) >= IDLE)
                .filter(|(_, piece)| piece.bytes() > 0)
                .map(|(key, piece)| (piece.asked, piece.bytes(), key.clone()))
                .collect();
            idle.sort_by_key(|(asked, ..)| *asked);
            for (_, bytes, key) in idle {
                if over == 0 {
                    break;
                }
                held.pieces.remove(&key);
                held.bytes -= bytes;
                over = over.saturating_sub(bytes);
            }
        }
        // It may have been forgotten meanwhile.
        if over == 0
            && let Some(piece) = held.pieces.get_mut(key)
        {
            let before = piece.bytes();
            piece.state = State::Here(values, bytes);
            held.bytes = held.bytes - before + bytes;
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Column by column, the pieces of the fragments; `None` where one has no file of a column, or has
/// values that are laid over those of its file.
fn wanted<'t>(
    table: &'t Table,
    fragments: &[u64],
    columns: impl Iterator<Item = &'t str>,
) -> Option<Vec<Wanted<'t>>> {
    let dataset = table.dataset();
    let mut there = Vec::with_capacity(fragments.len());
    for id in fragments {
        let fragment = dataset.fragments().iter().find(|other| other.id == *id)?;
        if !fragment.overlays.is_empty() {
            return None;
        }
        there.push(fragment);
    }
    let mut wanted = Vec::new();
    for column in columns {
        let field = dataset.schema().field(column)?;
        let leaves = leaves(field);
        for fragment in &there {
            let has = |file: &&DataFile| leaves.iter().all(|leaf| file.fields.contains(leaf));
            let file = fragment.files.iter().find(has)?;
            wanted.push(Wanted {
                key: (file.path.clone(), field.id),
                fragment,
                column,
            });
        }
    }
    Some(wanted)
}

/// The fields of a column that hold values: files name these alone.
fn leaves(field: &Field) -> Vec<i32> {
    match &field.children[..] {
        [] => vec![field.id],
        children => children.iter().flat_map(leaves).collect(),
    }
}

/// What a fragment has of a column, deleted rows too, so that an offset is a place; `None` beyond
/// so many bytes.
async fn read(
    fragment: &FileFragment,
    column: &str,
    limit: u64,
) -> Result<Option<ArrayRef>, lance::Error> {
    let columns = fragment.schema().project(&[column])?;
    let how = FragReadConfig::default().with_ignore_deletions(true);
    let reader = fragment.open(&columns, how).await?;
    let mut batches = reader.read_all(READ_ROWS).await?.buffered(1);
    let (mut parts, mut bytes): (Vec<ArrayRef>, u64) = (Vec::new(), 0);
    while let Some(batch) = batches.try_next().await? {
        let part = batch.column(0);
        bytes += part.to_data().get_slice_memory_size()? as u64;
        if bytes > limit {
            return Ok(None);
        }
        parts.push(Arc::clone(part));
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(Some(concat(&parts)?))
}

/// The values at these places: a piece and an offset in it.
fn pick(pieces: &[ArrayRef], places: &[(usize, usize)]) -> Result<ArrayRef> {
    if places.iter().any(|(piece, at)| *at >= pieces[*piece].len()) {
        return Err(IndexError::Invariant {
            what: "a row was found beyond the end of its fragment",
        });
    }
    if let [one] = pieces {
        let at = UInt32Array::from_iter_values(places.iter().map(|(_, at)| *at as u32));
        return Ok(take(one, &at, None)?);
    }
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    Ok(interleave(&pieces, places)?)
}
