//! What becomes of each row of a batch.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use futures::StreamExt;
use penstock_types::columns;

use super::{Load, LoadMode, addresses};
use crate::check::Rows;
use crate::error::{Result, StoreError};
use crate::scan::{READ_AHEAD, id_in};
use crate::seen::{Entry, Key, key_of};

/// A row of the table.
struct Stored {
    address: u64,
    fingerprint: u64,
}

fn temporary(source: std::io::Error) -> StoreError {
    StoreError::Io {
        what: "keeping the ids of the load in a temporary file",
        source,
    }
}

impl Load {
    /// Sorts the rows of a batch; answers those that are to be written.
    pub(super) async fn classify(&mut self, batch: &RecordBatch) -> Result<Vec<u32>> {
        let rows = Rows::new(batch)?;
        let fresh = self.drop_repeated(&rows, batch.num_rows())?;
        let ids: Vec<&str> = fresh.iter().map(|&(row, _)| rows.ids.value(row)).collect();
        let stored = self.look_up(&ids).await?;

        let mut written = Vec::new();
        let mut changed_contigs = Vec::new();
        for (row, key) in fresh {
            let id = rows.ids.value(row);
            let fingerprint = rows.fingerprint(row);
            let window = rows.parent(row).is_some();
            let there = stored.get(id);
            if there.is_some() && self.options.mode == LoadMode::Append {
                return Err(StoreError::IdExists {
                    table: self.name.clone(),
                    id: id.to_owned(),
                });
            }
            let counts = &mut self.counts;
            let is_written = match there {
                None => {
                    *(if window {
                        &mut counts.windows_added
                    } else {
                        &mut counts.added
                    }) += 1;
                    true
                }
                Some(stored) if stored.fingerprint == fingerprint => {
                    *(if window {
                        &mut counts.windows_unchanged
                    } else {
                        &mut counts.unchanged
                    }) += 1;
                    self.kept.insert(stored.address);
                    false
                }
                Some(stored) => {
                    *(if window {
                        &mut counts.windows_updated
                    } else {
                        &mut counts.updated
                    }) += 1;
                    self.replaced[usize::from(window)].insert(stored.address);
                    if !window && self.kind.has_parts() {
                        changed_contigs.push(id);
                    }
                    true
                }
            };
            if is_written {
                written.push(row as u32);
            }
            let source = self.source_number(rows.sources.map_or("", |sources| sources.value(row)));
            let entry = Entry {
                fingerprint,
                source,
                written: is_written,
                window,
            };
            self.seen.insert(key, entry).map_err(temporary)?;
        }
        if !changed_contigs.is_empty() {
            self.note_windows_of(&changed_contigs).await?;
        }
        Ok(written)
    }

    /// Leaves out rows whose id came before in this load with the same content.
    fn drop_repeated(&mut self, rows: &Rows<'_>, count: usize) -> Result<Vec<(usize, Key)>> {
        let mut fresh = Vec::with_capacity(count);
        let mut here: HashMap<Key, usize> = HashMap::with_capacity(count);
        for row in 0..count {
            let id = rows.ids.value(row);
            let key = key_of(id);
            let source = |row| {
                rows.sources
                    .map_or("", |sources| sources.value(row))
                    .to_owned()
            };
            let (fingerprint, first) = match here.get(&key) {
                Some(&first) => (rows.fingerprint(first), source(first)),
                None => match self.seen.get(&key).map_err(temporary)? {
                    Some(entry) => {
                        let known = self.sources.get(entry.source as usize);
                        let known = known.map_or("an earlier source", String::as_str);
                        (entry.fingerprint, known.to_owned())
                    }
                    None => {
                        here.insert(key, row);
                        fresh.push((row, key));
                        continue;
                    }
                },
            };
            if fingerprint != rows.fingerprint(row) {
                return Err(StoreError::DuplicateId {
                    id: id.to_owned(),
                    first,
                    second: source(row),
                });
            }
            let window = rows.parent(row).is_some();
            let counts = &mut self.counts;
            *(if window {
                &mut counts.windows_unchanged
            } else {
                &mut counts.unchanged
            }) += 1;
        }
        Ok(fresh)
    }

    /// The rows that the table has of these ids.
    async fn look_up(&self, ids: &[&str]) -> Result<HashMap<String, Stored>> {
        let mut found = HashMap::new();
        let Some(base) = &self.base else {
            return Ok(found);
        };
        if ids.is_empty() || base.count_fragments() == 0 {
            return Ok(found);
        }
        let lance = |error| StoreError::lance(&self.name, error);
        let mut scanner = base.scan();
        scanner
            .project(&[
                columns::ID,
                columns::CONTENT_HASH,
                columns::NAME,
                columns::DESCRIPTION,
            ])
            .map_err(lance)?;
        scanner
            .filter_expr(id_in(ids.iter().copied()))
            .with_row_address()
            .scan_in_order(false)
            .io_buffer_size(READ_AHEAD);
        let mut stream = scanner.try_into_stream().await.map_err(lance)?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(lance)?;
            let rows = Rows::new(&batch)?;
            let addresses = addresses(&batch)?;
            for row in 0..batch.num_rows() {
                let stored = Stored {
                    address: addresses.value(row),
                    fingerprint: rows.fingerprint(row),
                };
                found.insert(rows.ids.value(row).to_owned(), stored);
            }
        }
        Ok(found)
    }
}
