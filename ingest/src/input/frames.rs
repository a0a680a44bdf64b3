//! gzip members, bzip2 streams and zstd frames, one after the other until the end of the file.

use std::io::{self, BufRead, Read};

use crate::{Compression, ReadError};

use super::Tracked;

enum Frame {
    Gzip(Box<flate2::bufread::GzDecoder<Tracked>>),
    Bzip2(Box<bzip2::bufread::BzDecoder<Tracked>>),
    Zstd(Box<zstd::Decoder<'static, Tracked>>),
}

impl Frame {
    fn new(compression: Compression, input: Tracked) -> io::Result<Self> {
        Ok(match compression {
            Compression::Bzip2 => Self::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(input))),
            Compression::Zstd => {
                Self::Zstd(Box::new(zstd::Decoder::with_buffer(input)?.single_frame()))
            }
            Compression::Gzip | Compression::Bgzf | Compression::Zip => {
                Self::Gzip(Box::new(flate2::bufread::GzDecoder::new(input)))
            }
        })
    }

    fn input(&self) -> &Tracked {
        match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Bzip2(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn into_input(self) -> Tracked {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

impl Read for Frame {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

pub(super) fn is_zstd(head: &[u8]) -> bool {
    // A frame, or a skippable frame.
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || (head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18])
}

pub(super) fn is_bzip2(head: &[u8]) -> bool {
    const BLOCK: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    const END: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
    head.starts_with(b"BZh")
        && matches!(head.get(3), Some(b'1'..=b'9'))
        && head
            .get(4..10)
            .is_some_and(|next| next == BLOCK || next == END)
}

pub(super) struct Frames {
    file: String,
    compression: Compression,
    /// `None` once the end was reached or an error was given.
    frame: Option<Frame>,
    /// The stream before its first frame.
    start: Option<Tracked>,
    produced_by_frame: u64,
}

impl Frames {
    pub(super) fn new(file: String, compression: Compression, input: Tracked) -> Self {
        Self {
            file,
            compression,
            frame: None,
            start: Some(input),
            produced_by_frame: 0,
        }
    }

    fn damaged(&self, offset: u64, reason: impl Into<String>) -> io::Error {
        ReadError::Compressed {
            file: self.file.clone(),
            compression: self.compression,
            offset,
            reason: reason.into(),
        }
        .into_io()
    }

    fn of_decoder(&self, offset: u64, error: io::Error) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<ReadError>()) {
            return error;
        }
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is cut off here".to_owned(),
            _ => error.to_string(),
        };
        self.damaged(offset, reason)
    }

    /// After a frame: the next one, or the end of the file.
    fn advance(&mut self, mut input: Tracked) -> io::Result<()> {
        let offset = input.offset();
        let rest = input.fill_buf()?;
        if rest.is_empty() {
            if self.compression == Compression::Bgzf && self.produced_by_frame > 0 {
                return Err(self.damaged(offset, "the block that marks the end is missing"));
            }
            return Ok(());
        }
        let another = match self.compression {
            Compression::Bzip2 => rest.starts_with(b"B"),
            Compression::Zstd => matches!(rest[0], 0x28 | 0x50..=0x5f),
            Compression::Gzip | Compression::Bgzf | Compression::Zip => rest[0] == 0x1f,
        };
        if !another {
            return Err(self.damaged(offset, "something else follows the compressed data"));
        }
        self.begin(input)
    }

    fn begin(&mut self, input: Tracked) -> io::Result<()> {
        let offset = input.offset();
        self.produced_by_frame = 0;
        let frame = Frame::new(self.compression, input);
        self.frame = Some(frame.map_err(|error| self.of_decoder(offset, error))?);
        Ok(())
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(input) = self.start.take() {
            self.begin(input)?;
        }
        loop {
            let Some(mut frame) = self.frame.take() else {
                return Ok(0);
            };
            match frame.read(buffer) {
                Ok(0) => self.advance(frame.into_input())?,
                Ok(n) => {
                    self.produced_by_frame += n as u64;
                    self.frame = Some(frame);
                    return Ok(n);
                }
                Err(error) => return Err(self.of_decoder(frame.input().offset(), error)),
            }
        }
    }
}
