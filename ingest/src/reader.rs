//! Opening a source, and the batches that come out of it.

use std::io::BufReader;

use arrow::record_batch::RecordBatch;
use penstock_types::Kind;

use crate::batch::{Rows, Sink};
use crate::dna::fastq::Fastq;
use crate::dna::genbank::GenBank;
use crate::fasta::Fasta;
use crate::graph::GraphFile;
use crate::input::{Input, Member, stem};
use crate::letters::show_text;
use crate::lines::Lines;
use crate::protein::{mmcif::MmCif, pdb::Pdb};
use crate::{
    Format, OnError, Position, ReadContext, ReadError, ReadOptions, Report, Source, detect,
};

/// A format that is read record by record.
pub(crate) trait RecordReader: Send {
    /// Reads one record into the sink. False where there is no more. After an error the sink is as
    /// it was before.
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError>;

    /// After an error: goes to where the next record begins, and tells where that is. `None` where
    /// there is no more.
    fn resynchronise(&mut self, ctx: &ReadContext) -> Result<Option<Position>, ReadError>;
}

/// Batches of a source, in the schema of its kind ([`penstock_types::columns::schema`]).
///
/// After an error the reader is at its end.
pub struct Reader {
    input: Input,
    records: Option<Box<dyn RecordReader>>,
    sink: Sink,
    ctx: ReadContext,
    kind: Kind,
    format: Format,
    on_error: OnError,
    directed: bool,
    records_before: u64,
    done: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("file", &self.ctx.file)
            .field("format", &self.format)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Opens a source: sees how it is compressed, which format it has and which kind of data it holds.
///
/// # Errors
/// It cannot be opened, is damaged at its beginning, has no known format, or holds another kind of
/// data than `options.kind`.
pub fn open(source: Source, options: &ReadOptions) -> Result<Reader, ReadError> {
    let file = source.name.clone();
    let mut input = Input::open(source, &options.limits)?;
    let mut ctx = ReadContext {
        file: file.clone(),
        source: String::new(),
        event_time: 0,
        limits: options.limits,
        report: Report::default(),
    };
    loop {
        let Some(member) = input.next() else {
            return Err(ReadError::Empty { file });
        };
        let found = member.and_then(|member| {
            let (format, kind) = identify(&member, options.kind, options.directed)?;
            Ok((member, format, kind))
        });
        match found {
            Ok((member, format, kind)) => {
                let mut reader = Reader {
                    input,
                    records: None,
                    sink: Sink::new(kind, options.batch_bytes, options.windows),
                    ctx,
                    kind,
                    format,
                    on_error: options.on_error,
                    directed: options.directed,
                    records_before: 0,
                    done: false,
                };
                reader.begin(member, format);
                return Ok(reader);
            }
            // Other members of the archive may be readable.
            Err(error)
                if options.on_error == OnError::Skip && matches!(input, Input::Archive(_)) =>
            {
                ctx.report.skip(&error);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Format and kind of a file.
fn identify(
    member: &Member,
    wanted: Option<Kind>,
    directed: bool,
) -> Result<(Format, Kind), ReadError> {
    let file = || member.file.clone();
    if member.head.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty { file: file() });
    }
    let (format, found) =
        detect::plain(&member.head, &member.file).ok_or_else(|| ReadError::Unrecognised {
            file: file(),
            head: show_text(member.head.trim_ascii_start()),
        })?;
    if directed && !format.can_be_directed() {
        return Err(ReadError::Undirected {
            file: file(),
            format,
        });
    }
    match wanted {
        Some(wanted) if !format.holds(wanted) => Err(ReadError::OtherKind {
            file: file(),
            format,
            found,
            wanted,
        }),
        wanted => Ok((format, wanted.unwrap_or(found))),
    }
}

impl Reader {
    /// The kind of data in every batch.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The format of the file; of the member at hand, for an archive.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// What happened so far; complete once the reader has ended.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.ctx.report
    }

    fn begin(&mut self, member: Member, format: Format) {
        self.format = format;
        self.ctx.file = member.file;
        self.ctx.source = member.source;
        self.ctx.event_time = member.event_time;
        self.records_before = self.rows_read();
        let lines = |member_data| Lines::new(member_data);
        self.records = Some(match format {
            Format::Fasta => Box::new(Fasta::new(lines(member.data), self.kind)),
            Format::Fastq => Box::new(Fastq::new(lines(member.data))),
            Format::GenBank => Box::new(GenBank::new(lines(member.data), self.kind)),
            Format::Pdb => Box::new(Pdb::new(lines(member.data), stem(&member.name).to_owned())),
            Format::MmCif => Box::new(MmCif::new(
                lines(member.data),
                stem(&member.name).to_owned(),
            )),
            Format::Stl
            | Format::Obj
            | Format::Ply
            | Format::Off
            | Format::LegacyVtk
            | Format::Vtu
            | Format::Vtp => Box::new(MeshFile {
                format,
                // With the extension: `teapot.obj` and `teapot.stl` are two records.
                id: member.name,
                data: Some(BufReader::with_capacity(256 << 10, member.data)),
            }),
            Format::Tve | Format::EdgeList | Format::GraphMl | Format::Metis => {
                Box::new(GraphFile::new(
                    format,
                    self.directed,
                    stem(&member.name).to_owned(),
                    BufReader::with_capacity(256 << 10, member.data),
                ))
            }
        });
    }

    fn rows_read(&self) -> u64 {
        self.ctx.report.records + self.ctx.report.skipped_count
    }

    /// Goes to the next file of the source. False where there is none.
    fn next_member(&mut self) -> Result<bool, ReadError> {
        let Some(member) = self.input.next() else {
            return Ok(false);
        };
        let member = member?;
        let (format, kind) = identify(&member, None, self.directed)?;
        if kind != self.kind && !format.holds(self.kind) {
            return Err(ReadError::OtherKind {
                file: member.file,
                format,
                found: kind,
                wanted: self.kind,
            });
        }
        self.begin(member, format);
        Ok(true)
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            if self.sink.is_full() {
                return self.sink.take(&self.ctx);
            }
            if self.sink.continue_windows(&mut self.ctx) {
                continue;
            }
            let step = match &mut self.records {
                Some(records) => records.read(&mut self.ctx, &mut self.sink),
                None => match self.next_member() {
                    Ok(false) => return self.sink.take(&self.ctx),
                    other => other,
                },
            };
            match step {
                Ok(true) => {}
                Ok(false) => self.end_member()?,
                Err(error) => self.recover(error)?,
            }
        }
    }

    fn end_member(&mut self) -> Result<(), ReadError> {
        self.records = None;
        if self.rows_read() == self.records_before {
            let error = ReadError::Empty {
                file: self.ctx.file.clone(),
            };
            return self.recover(error);
        }
        Ok(())
    }

    /// Leaves out the record, or what is left of the member, where that was asked for.
    fn recover(&mut self, error: ReadError) -> Result<(), ReadError> {
        if self.on_error == OnError::Fail {
            return Err(error);
        }
        match &mut self.records {
            Some(records) if error.is_local() => {
                self.ctx.report.skip(&error);
                let resumed = records.resynchronise(&self.ctx)?;
                self.ctx.report.resume(resumed);
                Ok(())
            }
            _ if matches!(self.input, Input::Archive(_))
                && !matches!(error, ReadError::Io { .. } | ReadError::Arrow { .. }) =>
            {
                self.ctx.report.skip(&error);
                self.records = None;
                Ok(())
            }
            _ => Err(error),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let result = self.advance().transpose();
        self.done = !matches!(result, Some(Ok(_)));
        result
    }
}

/// A mesh file: one record.
struct MeshFile {
    format: Format,
    id: String,
    data: Option<BufReader<Box<dyn std::io::Read + Send>>>,
}

impl RecordReader for MeshFile {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        let Some(mut data) = self.data.take() else {
            return Ok(false);
        };
        let name = ctx.source.clone();
        let batch = crate::mesh::read(self.format, &name, &self.id, &mut data, ctx)?;
        // A parser may stop before the end; the checksum of compressed data comes after it.
        std::io::copy(&mut data, &mut std::io::sink()).map_err(|error| ctx.io(error))?;
        ctx.report.records += 1;
        if let Rows::Whole(batches) = &mut sink.rows {
            batches.push_back(batch);
        }
        Ok(true)
    }

    fn resynchronise(&mut self, _: &ReadContext) -> Result<Option<Position>, ReadError> {
        Ok(None)
    }
}
