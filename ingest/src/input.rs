//! From a source to the plain bytes of its files: one for a file, one per member for an archive.
//!
//! Compression is seen by the first bytes, never by the name. Decompression streams. Data that are
//! cut off, fail their checksum or are followed by anything else are an error with the offset in
//! the compressed file; they never pass for a shorter file. What no reader can notice is a file
//! that was cut exactly between two complete gzip members, bzip2 streams or zstd frames; BGZF marks
//! its end, and that mark is demanded.

mod archive;
mod frames;
mod guard;
mod tracked;

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::source::Opened;
use crate::{Compression, Limits, ReadError, Source};

use archive::Archive;
pub(crate) use archive::first_member;
use frames::Frames;
use guard::Guard;
use tracked::Tracked;

/// Bytes from which the format is told.
pub(crate) const HEAD: usize = 64 << 10;

/// One file inside a source.
pub(crate) struct Member {
    /// The source as it was named by the caller, and the member of an archive.
    pub(crate) file: String,
    /// The same without folders before the file name.
    pub(crate) source: String,
    /// The name without folders and the extension of a compression; for an archive the member's
    /// path within it.
    pub(crate) name: String,
    /// Microseconds since 1970.
    pub(crate) event_time: i64,
    /// The first [`HEAD`] bytes, which `data` yields again.
    pub(crate) head: Vec<u8>,
    /// The plain bytes.
    pub(crate) data: Box<dyn Read + Send>,
}

/// The files of a source, one after the other.
pub(crate) enum Input {
    Single(Option<Box<Member>>),
    Archive(Box<Archive>),
}

impl Input {
    pub(crate) fn open(source: Source, limits: &Limits) -> Result<Self, ReadError> {
        let (file, opened, event_time) = source.open()?;
        let (seekable, stream): (Option<std::fs::File>, Box<dyn Read + Send>) = match opened {
            Opened::File(file_handle) => {
                let again = file_handle.try_clone().map_err(|error| ReadError::Open {
                    file: file.clone(),
                    error,
                })?;
                (Some(again), Box::new(file_handle))
            }
            Opened::Stream(stream) => (None, stream),
        };
        let mut tracked = Tracked::new(&file, stream);
        let compression = tracked
            .head()
            .map(compression_of)
            .map_err(|error| ReadError::from_io(&file, error))?;
        let name = base_name(&file).to_owned();
        if compression == Some(Compression::Zip) {
            return Archive::open(file, name, event_time, seekable, tracked, limits)
                .map(|archive| Self::Archive(Box::new(archive)));
        }
        let consumed = tracked.consumed();
        let plain: Box<dyn Read + Send> = match compression {
            None => Box::new(tracked),
            Some(compression) => Box::new(Frames::new(file.clone(), compression, tracked)),
        };
        let guard = Guard {
            file: file.clone(),
            inner: plain,
            consumed: compression.is_some().then_some(consumed),
            produced: 0,
            total: Arc::new(AtomicU64::new(0)),
            archive_bytes: None,
            limits: *limits,
        };
        let plain_name = uncompressed_name(&name).to_owned();
        let guard = Box::new(guard);
        let member = Member::new(file, name, plain_name, event_time, guard, compression)?;
        Ok(Self::Single(Some(Box::new(member))))
    }

    /// The next file. An error concerns that file alone: the ones after it can still be asked for.
    pub(crate) fn next(&mut self) -> Option<Result<Member, ReadError>> {
        match self {
            Self::Single(member) => member.take().map(|member| Ok(*member)),
            Self::Archive(archive) => archive.next(),
        }
    }
}

impl Member {
    fn new(
        file: String,
        source: String,
        name: String,
        event_time: i64,
        mut data: Box<dyn Read + Send>,
        outer: Option<Compression>,
    ) -> Result<Self, ReadError> {
        let mut head = Vec::new();
        data.by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(|error| ReadError::from_io(&file, error))?;
        if let (Some(outer), Some(inner)) = (outer, compression_of(&head)) {
            return Err(ReadError::Unsupported {
                file,
                what: format!("{inner} data inside {outer} data"),
                advice: "unpack the outer one first",
            });
        }
        if let Some(what) = foreign(&head) {
            return Err(ReadError::Unsupported {
                file,
                what: what.to_owned(),
                advice: "unpack or convert it first",
            });
        }
        // A byte order mark says nothing in UTF-8.
        let mark = if head.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        head.drain(..mark);
        let data = Box::new(io::Cursor::new(head.clone()).chain(data));
        Ok(Self {
            file,
            source,
            name,
            event_time,
            head,
            data,
        })
    }
}

/// The compression that these first bytes announce.
pub(crate) fn compression_of(head: &[u8]) -> Option<Compression> {
    if head.starts_with(b"\x1f\x8b") {
        return Some(if is_bgzf(head) {
            Compression::Bgzf
        } else {
            Compression::Gzip
        });
    }
    if frames::is_zstd(head) {
        return Some(Compression::Zstd);
    }
    if frames::is_bzip2(head) {
        return Some(Compression::Bzip2);
    }
    (head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")).then_some(Compression::Zip)
}

/// BGZF is gzip whose members carry an extra field `BC` of two bytes.
fn is_bgzf(head: &[u8]) -> bool {
    head.len() >= 18 && head[3] & 4 != 0 && &head[12..16] == b"BC\x02\x00"
}

/// Packings that are often met and not read, so that the error can name them.
fn foreign(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"\xfd7zXZ\x00", "xz compression"),
        (b"\x04\x22\x4d\x18", "lz4 compression"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    if head.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    KNOWN
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, what)| *what)
}

/// The plain bytes at the beginning of compressed ones, as far as they go: for detection only.
pub(crate) fn peek_plain(compression: Compression, head: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let stream: Box<dyn Read + Send> = Box::new(io::Cursor::new(head.to_vec()));
    let mut frames =
        Frames::new(String::new(), compression, Tracked::new("", stream)).take(HEAD as u64);
    // The head of a longer file ends somewhere within; what came before that is what is wanted.
    let mut piece = [0; 4096];
    while let Ok(n @ 1..) = frames.read(&mut piece) {
        plain.extend_from_slice(&piece[..n]);
    }
    plain
}

/// The last segment of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The name without the extension of a compression.
pub(crate) fn uncompressed_name(name: &str) -> &str {
    for extension in [".gz", ".bgz", ".bz2", ".zst", ".zip"] {
        let Some(at) = name.len().checked_sub(extension.len()) else {
            continue;
        };
        if at > 0 && name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(extension) {
            return &name[..at];
        }
    }
    name
}

/// The name without its last extension: `motorBike` of `motorBike.obj`.
pub(crate) fn stem(name: &str) -> &str {
    match name.rfind('.') {
        Some(at) if at > name.rfind('/').map_or(0, |slash| slash + 1) => &name[..at],
        _ => name,
    }
}

impl Tracked {
    /// The first bytes, not consumed.
    fn head(&mut self) -> io::Result<&[u8]> {
        self.fill_buf()
    }
}
