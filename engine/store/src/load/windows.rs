//! The windows of contigs that changed.
//!
//! When a contig is replaced, its windows in the table go, unless the load has them. Which windows
//! the load has is known at its end only, so until then their ids and addresses are in a temporary
//! file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use datafusion::prelude::{ident, lit};
use futures::StreamExt;
use penstock_types::columns;

use super::{Load, addresses, temp_file};
use crate::error::{Result, StoreError};
use crate::scan::{READ_AHEAD, strings};
use crate::seen::{Key, key_of};

/// Windows of the table whose contigs the load replaces.
#[derive(Debug)]
pub(super) struct Stale {
    dir: PathBuf,
    file: Option<BufWriter<File>>,
    /// Whether the table has windows at all; looked up once.
    pub(super) any: Option<bool>,
}

fn io(source: std::io::Error) -> StoreError {
    StoreError::Io {
        what: "keeping old windows in a temporary file",
        source,
    }
}

impl Stale {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            file: None,
            any: None,
        }
    }

    fn push(&mut self, key: &Key, address: u64) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(temp_file(&self.dir)?)),
        };
        file.write_all(key)
            .and_then(|()| file.write_all(&address.to_le_bytes()))
            .map_err(io)
    }

    /// What was pushed, from the start.
    fn read(&mut self) -> Result<Option<BufReader<File>>> {
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        let mut file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        Ok(Some(BufReader::new(file)))
    }
}

impl Load {
    /// Notes the windows that the table has of these contigs.
    pub(super) async fn note_windows_of(&mut self, contigs: &[&str]) -> Result<()> {
        let Some(base) = self.base.clone() else {
            return Ok(());
        };
        let name = self.name.clone();
        let lance = |error| StoreError::lance(&name, error);
        let any = match self.stale.any {
            Some(any) => any,
            None => {
                let mut scanner = base.scan();
                scanner.filter_expr(ident(columns::PARENT).is_not_null());
                scanner
                    .project(&[columns::PARENT])
                    .and_then(|scanner| scanner.limit(Some(1), None))
                    .map_err(lance)?;
                let one = scanner.try_into_batch().await.map_err(lance)?;
                *self.stale.any.insert(one.num_rows() > 0)
            }
        };
        if !any {
            return Ok(());
        }
        let mut scanner = base.scan();
        scanner.project(&[columns::ID]).map_err(lance)?;
        let contigs = contigs.iter().map(|&contig| lit(contig)).collect();
        scanner
            .filter_expr(ident(columns::PARENT).in_list(contigs, false))
            .with_row_address()
            .scan_in_order(false)
            .io_buffer_size(READ_AHEAD);
        let mut stream = scanner.try_into_stream().await.map_err(lance)?;
        while let Some(batch) = stream.next().await {
            self.note(&batch.map_err(lance)?)?;
        }
        Ok(())
    }

    fn note(&mut self, batch: &RecordBatch) -> Result<()> {
        let (ids, addresses) = (strings(batch, columns::ID)?, addresses(batch)?);
        for row in 0..batch.num_rows() {
            self.stale
                .push(&key_of(ids.value(row)), addresses.value(row))?;
        }
        Ok(())
    }

    /// At the end of the load: the windows that it does not have are to be removed.
    pub(super) fn settle_windows(&mut self) -> Result<()> {
        let Some(mut noted) = self.stale.read()? else {
            return Ok(());
        };
        let mut record = [0; 24];
        loop {
            match noted.read_exact(&mut record) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(io(error)),
            }
            let (mut key, mut address) = ([0; 16], [0; 8]);
            key.copy_from_slice(&record[..16]);
            address.copy_from_slice(&record[16..]);
            if self.seen.get(&key).map_err(io)?.is_none() {
                self.removed.insert(u64::from_le_bytes(address));
            }
        }
    }
}
