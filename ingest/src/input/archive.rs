//! The members of a zip archive.
//!
//! The `zip` crate reads the directory. The members are decompressed here, because each of its
//! readers borrows the whole archive, and a stream of records must own what it reads from. The
//! directory is held in memory; it grows with the count of members.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use zip::CompressionMethod;

use crate::date::micros_of_day;
use crate::{Compression, Limits, Position, ReadError};

use super::{Guard, Member, Tracked, base_name};

struct Entry {
    name: String,
    method: CompressionMethod,
    encrypted: bool,
    start: u64,
    compressed: u64,
    size: u64,
    crc32: u32,
    event_time: Option<i64>,
}

pub(crate) struct Archive {
    file: String,
    name: String,
    event_time: i64,
    handle: Arc<Mutex<File>>,
    bytes: u64,
    entries: VecDeque<Entry>,
    total: Arc<AtomicU64>,
    limits: Limits,
}

/// What archivers add for themselves.
fn is_baggage(name: &str) -> bool {
    name.starts_with("__MACOSX/") || base_name(name).starts_with('.')
}

impl Archive {
    /// A stream is copied to a temporary file first: the directory of a zip is at its end.
    pub(super) fn open(
        file: String,
        name: String,
        event_time: i64,
        seekable: Option<File>,
        stream: Tracked,
        limits: &Limits,
    ) -> Result<Self, ReadError> {
        let mut handle = match seekable {
            Some(handle) => handle,
            None => spool(&file, stream, limits)?,
        };
        let bytes = handle
            .seek(SeekFrom::End(0))
            .map_err(|error| ReadError::from_io(&file, error))?;
        let mut entries = VecDeque::new();
        let damaged = |error: zip::result::ZipError| ReadError::Compressed {
            file: file.clone(),
            compression: Compression::Zip,
            offset: bytes,
            reason: error.to_string(),
        };
        let mut archive = zip::ZipArchive::new(&mut handle).map_err(damaged)?;
        for i in 0..archive.len() {
            let entry = archive.by_index_raw(i).map_err(damaged)?;
            if entry.is_dir() || entry.is_symlink() || is_baggage(entry.name()) {
                continue;
            }
            let time = entry.last_modified().and_then(|t| {
                let day = micros_of_day(t.year().into(), t.month().into(), t.day().into())?;
                let seconds =
                    i64::from(t.hour()) * 3600 + i64::from(t.minute()) * 60 + i64::from(t.second());
                Some(day + seconds * 1_000_000)
            });
            entries.push_back(Entry {
                name: entry.name().to_owned(),
                method: entry.compression(),
                encrypted: entry.encrypted(),
                start: entry.data_start().unwrap_or(bytes),
                compressed: entry.compressed_size(),
                size: entry.size(),
                crc32: entry.crc32(),
                event_time: time,
            });
        }
        drop(archive);
        Ok(Self {
            file,
            name,
            event_time,
            handle: Arc::new(Mutex::new(handle)),
            bytes,
            entries,
            total: Arc::default(),
            limits: *limits,
        })
    }

    pub(super) fn next(&mut self) -> Option<Result<Member, ReadError>> {
        let entry = self.entries.pop_front()?;
        Some(self.member(entry))
    }

    fn member(&self, entry: Entry) -> Result<Member, ReadError> {
        let file = format!("{}/{}", self.file, entry.name);
        let unsupported = |what: String, advice| ReadError::Unsupported {
            file: file.clone(),
            what,
            advice,
        };
        if entry.encrypted {
            return Err(unsupported("encryption".into(), "unpack the archive first"));
        }
        let section = Section {
            handle: Arc::clone(&self.handle),
            at: entry.start,
            left: entry.compressed,
        };
        let tracked = Tracked::new(&file, Box::new(section));
        let consumed = tracked.consumed();
        let inner: Box<dyn Read + Send> = match entry.method {
            CompressionMethod::Stored => Box::new(tracked),
            CompressionMethod::Deflated => Box::new(flate2::bufread::DeflateDecoder::new(tracked)),
            CompressionMethod::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(tracked)),
            CompressionMethod::Zstd => Box::new(
                zstd::Decoder::with_buffer(tracked)
                    .map_err(|error| ReadError::from_io(&file, error))?
                    .single_frame(),
            ),
            method => {
                return Err(unsupported(
                    format!("the compression method {method:?}"),
                    "unpack the archive first",
                ));
            }
        };
        let checked = Checked {
            file: file.clone(),
            inner,
            start: entry.start,
            consumed: Arc::clone(&consumed),
            left: entry.size,
            crc: flate2::Crc::new(),
            expected: entry.crc32,
        };
        let guard = Guard {
            file: file.clone(),
            inner: Box::new(checked),
            consumed: Some(consumed),
            produced: 0,
            total: Arc::clone(&self.total),
            archive_bytes: Some(self.bytes),
            limits: self.limits,
        };
        let source = format!("{}/{}", self.name, entry.name);
        let event_time = entry.event_time.unwrap_or(self.event_time);
        Member::new(
            file,
            source,
            entry.name,
            event_time,
            Box::new(guard),
            Some(Compression::Zip),
        )
    }
}

fn spool(file: &str, mut stream: Tracked, limits: &Limits) -> Result<File, ReadError> {
    let fail = |error| ReadError::from_io(file, error);
    let mut spool = tempfile::tempfile().map_err(fail)?;
    loop {
        let piece = stream.fill_buf().map_err(fail)?;
        if piece.is_empty() {
            return Ok(spool);
        }
        spool.write_all(piece).map_err(fail)?;
        let n = piece.len();
        stream.consume(n);
        if let Some(limit) = limits.max_output_bytes
            && stream.offset() > limit
        {
            return Err(ReadError::Limit {
                file: file.to_owned(),
                record: None,
                position: Position::Byte(stream.offset()),
                what: "the archive",
                limit,
            });
        }
    }
}

/// The compressed bytes of one member. The members are read one at a time; the lock only makes
/// the shared handle safe to own.
struct Section {
    handle: Arc<Mutex<File>>,
    at: u64,
    left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        handle.seek(SeekFrom::Start(self.at))?;
        let n = handle.read(&mut buffer[..want])?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// Holds a member to the size and the checksum that the directory gives.
struct Checked {
    file: String,
    inner: Box<dyn Read + Send>,
    start: u64,
    consumed: Arc<AtomicU64>,
    left: u64,
    crc: flate2::Crc,
    expected: u32,
}

impl Checked {
    fn damaged(&self, reason: String) -> io::Error {
        let consumed = self.consumed.load(std::sync::atomic::Ordering::Relaxed);
        ReadError::Compressed {
            file: self.file.clone(),
            compression: Compression::Zip,
            offset: self.start + consumed,
            reason,
        }
        .into_io()
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.inner.read(buffer) {
            Ok(n) => n,
            Err(error) if error.get_ref().is_some_and(|e| e.is::<ReadError>()) => {
                return Err(error);
            }
            Err(error) => return Err(self.damaged(error.to_string())),
        };
        self.crc.update(&buffer[..n]);
        match self.left.checked_sub(n as u64) {
            None => Err(self.damaged("the member is longer than the directory says".into())),
            Some(left) => {
                self.left = left;
                if n == 0 && !buffer.is_empty() {
                    if left > 0 {
                        return Err(self.damaged(format!("{left} bytes are missing")));
                    }
                    if self.crc.sum() != self.expected {
                        return Err(self.damaged("the checksum does not match".into()));
                    }
                }
                Ok(n)
            }
        }
    }
}

/// Name and first bytes of the first file in the head of an archive: for detection only.
pub(crate) fn first_member(mut head: &[u8]) -> Option<(String, Vec<u8>)> {
    loop {
        let mut member = zip::read::read_zipfile_from_stream(&mut head).ok()??;
        if member.is_dir() || is_baggage(member.name()) {
            continue;
        }
        let name = member.name().to_owned();
        let mut plain = Vec::new();
        let mut piece = [0; 4096];
        while plain.len() < super::HEAD
            && let Ok(n @ 1..) = member.read(&mut piece)
        {
            plain.extend_from_slice(&piece[..n]);
        }
        return Some((name, plain));
    }
}
