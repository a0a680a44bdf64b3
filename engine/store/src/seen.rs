//! The ids of one load, in bounded memory.
//!
//! The newest entries are in a hash map. When it is full, it is sorted and written to a temporary
//! file (a run), of which only the first key of every block stays in memory: 16 bytes per 128 ids.
//! Runs are merged when there are many, so that a look-up reads few blocks.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Entries kept in memory: about 64 MB.
const IN_MEMORY: usize = 1 << 20;
/// Entries per block of a run.
const BLOCK: usize = 128;
/// Bytes per entry in a run.
const RECORD: usize = 32;
/// Runs before they are merged into one.
const RUNS: usize = 8;

/// The first 16 bytes of an id's BLAKE3: 2^64 ids before two are likely to agree.
pub(crate) type Key = [u8; 16];

/// The key of an id.
pub(crate) fn key_of(id: &str) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    key
}

/// What is remembered of one row of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of the content that decides whether a row is changed.
    pub(crate) fingerprint: u64,
    /// Number of the source it came from.
    pub(crate) source: u32,
    /// Whether the row was written: it was new or changed. If not, it was as the table has it.
    pub(crate) written: bool,
    /// Whether the row is a window.
    pub(crate) window: bool,
}

/// The ids of one load.
#[derive(Debug)]
pub(crate) struct Seen {
    recent: HashMap<Key, Entry>,
    runs: Vec<Run>,
    dir: PathBuf,
    in_memory: usize,
}

#[derive(Debug)]
struct Run {
    file: File,
    entries: u64,
    /// First key of each block.
    first: Vec<Key>,
}

impl Seen {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self::with_bound(dir, IN_MEMORY)
    }

    fn with_bound(dir: PathBuf, in_memory: usize) -> Self {
        Self {
            recent: HashMap::new(),
            runs: Vec::new(),
            dir,
            in_memory,
        }
    }

    /// Looks an id up.
    pub(crate) fn get(&mut self, key: &Key) -> io::Result<Option<Entry>> {
        if let Some(entry) = self.recent.get(key) {
            return Ok(Some(*entry));
        }
        for run in self.runs.iter_mut().rev() {
            if let Some(entry) = run.get(key)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Adds an id that is not there.
    pub(crate) fn insert(&mut self, key: Key, entry: Entry) -> io::Result<()> {
        self.recent.insert(key, entry);
        if self.recent.len() >= self.in_memory {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut entries: Vec<(Key, Entry)> = self.recent.drain().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let mut run = RunWriter::new(&self.dir)?;
        for (key, entry) in &entries {
            run.push(&to_bytes(key, entry))?;
        }
        self.runs.push(run.finish()?);
        if self.runs.len() > RUNS {
            self.merge()?;
        }
        Ok(())
    }

    fn merge(&mut self) -> io::Result<()> {
        let mut inputs = Vec::new();
        for run in &mut self.runs {
            run.file.seek(SeekFrom::Start(0))?;
            inputs.push((BufReader::new(&run.file), run.entries, None::<[u8; RECORD]>));
        }
        let mut merged = RunWriter::new(&self.dir)?;
        loop {
            for (reader, left, head) in &mut inputs {
                if head.is_none() && *left > 0 {
                    let mut record = [0; RECORD];
                    reader.read_exact(&mut record)?;
                    *head = Some(record);
                    *left -= 1;
                }
            }
            let least = inputs
                .iter_mut()
                .filter(|(_, _, head)| head.is_some())
                .min_by_key(|(_, _, head)| *head);
            match least.and_then(|(_, _, head)| head.take()) {
                Some(record) => merged.push(&record)?,
                None => break,
            }
        }
        self.runs = vec![merged.finish()?];
        Ok(())
    }
}

impl Run {
    fn get(&mut self, key: &Key) -> io::Result<Option<Entry>> {
        let Some(block) = self
            .first
            .partition_point(|first| first <= key)
            .checked_sub(1)
        else {
            return Ok(None);
        };
        let start = (block * BLOCK) as u64;
        let count = (self.entries - start).min(BLOCK as u64) as usize;
        let mut bytes = [0; BLOCK * RECORD];
        let bytes = &mut bytes[..count * RECORD];
        self.file.seek(SeekFrom::Start(start * RECORD as u64))?;
        self.file.read_exact(bytes)?;
        let (records, _) = bytes.as_chunks::<RECORD>();
        let found = records.binary_search_by(|record| record[..16].cmp(key));
        Ok(found.ok().and_then(|at| records.get(at)).map(from_bytes))
    }
}

struct RunWriter {
    out: BufWriter<File>,
    entries: u64,
    first: Vec<Key>,
}

impl RunWriter {
    fn new(dir: &PathBuf) -> io::Result<Self> {
        // The file has no name: it is gone with the process, however that ends.
        let file = tempfile::tempfile_in(dir)?;
        Ok(Self {
            out: BufWriter::new(file),
            entries: 0,
            first: Vec::new(),
        })
    }

    fn push(&mut self, record: &[u8; RECORD]) -> io::Result<()> {
        if self.entries.is_multiple_of(BLOCK as u64) {
            let mut key = [0; 16];
            key.copy_from_slice(&record[..16]);
            self.first.push(key);
        }
        self.entries += 1;
        self.out.write_all(record)
    }

    fn finish(self) -> io::Result<Run> {
        let file = self.out.into_inner().map_err(|error| error.into_error())?;
        Ok(Run {
            file,
            entries: self.entries,
            first: self.first,
        })
    }
}

fn to_bytes(key: &Key, entry: &Entry) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..16].copy_from_slice(key);
    record[16..24].copy_from_slice(&entry.fingerprint.to_le_bytes());
    record[24..28].copy_from_slice(&entry.source.to_le_bytes());
    record[28] = u8::from(entry.written);
    record[29] = u8::from(entry.window);
    record
}

fn from_bytes(record: &[u8; RECORD]) -> Entry {
    let mut fingerprint = [0; 8];
    fingerprint.copy_from_slice(&record[16..24]);
    let mut source = [0; 4];
    source.copy_from_slice(&record[24..28]);
    Entry {
        fingerprint: u64::from_le_bytes(fingerprint),
        source: u32::from_le_bytes(source),
        written: record[28] != 0,
        window: record[29] != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spilled_and_merged_is_found() {
        let mut seen = Seen::with_bound(std::env::temp_dir(), 300);
        let entry = |n: u64| Entry {
            fingerprint: n * 7,
            source: n as u32,
            written: n.is_multiple_of(2),
            window: n.is_multiple_of(3),
        };
        for n in 0..5_000 {
            let key = key_of(&n.to_string());
            assert_eq!(seen.get(&key).unwrap(), None);
            seen.insert(key, entry(n)).unwrap();
        }
        assert!(seen.recent.len() < 300 && !seen.runs.is_empty() && seen.runs.len() <= RUNS);
        for n in 0..5_000 {
            assert_eq!(seen.get(&key_of(&n.to_string())).unwrap(), Some(entry(n)));
        }
        assert_eq!(seen.get(&key_of("5000")).unwrap(), None);
    }
}
