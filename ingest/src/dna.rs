//! DNA: rows, and the readers of the formats that hold nothing else.

pub(crate) mod fastq;
pub(crate) mod genbank;
mod window;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Builder, Int64Builder, LargeStringBuilder, ListBuilder, StringBuilder,
    UInt8Builder,
};
use arrow::error::ArrowError;
use penstock_types::content::Payload;
use penstock_types::{Kind, columns};

use crate::batch::{Common, Head, Sequences};
use crate::{ReadContext, Windows};
use window::{Contig, Pending};

/// Rows of the kind `dna` that are being gathered.
pub(crate) struct DnaRows {
    common: Common,
    pub(crate) sequence: Sequences,
    gc: Float64Builder,
    quality: ListBuilder<UInt8Builder>,
    parent: StringBuilder,
    start: Int64Builder,
    end: Int64Builder,
    strand: StringBuilder,
    annotations: LargeStringBuilder,
    blank: Payload,
    windows: Option<Windows>,
    batch_bytes: usize,
    /// A contig of this batch whose windows do not fit in it.
    contig: Option<Contig>,
    /// The same once the batch was handed over.
    pending: Option<Pending>,
}

/// The place of a window.
struct Place<'a> {
    parent: &'a str,
    start: i64,
    end: i64,
}

/// What a record brings beside its sequence.
#[derive(Default)]
pub(crate) struct Extras<'a> {
    /// Phred scores.
    pub(crate) quality: Option<&'a [u8]>,
    /// JSON.
    pub(crate) annotations: Option<&'a str>,
    /// Whether a long record is a contig that has windows.
    pub(crate) is_contig: bool,
}

impl DnaRows {
    pub(crate) fn new(windows: Option<Windows>, batch_bytes: usize) -> Self {
        Self {
            common: Common::default(),
            sequence: Sequences::default(),
            gc: Float64Builder::new(),
            quality: ListBuilder::new(UInt8Builder::new()),
            parent: StringBuilder::new(),
            start: Int64Builder::new(),
            end: Int64Builder::new(),
            strand: StringBuilder::new(),
            annotations: LargeStringBuilder::new(),
            blank: Payload::new(Kind::Dna),
            windows,
            batch_bytes,
            contig: None,
            pending: None,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.common.rows()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.common.bytes()
            + self.sequence.bytes()
            + self.quality.values_ref().values_slice().len()
            + self.parent.values_slice().len()
            + self.annotations.values_slice().len()
            // gc, start, end and the offsets of quality, parent, strand and annotations.
            + self.rows() * (8 * 4 + 4 * 3)
    }

    /// Whether the batch is large enough. One row always fits.
    pub(crate) fn is_full(&self) -> bool {
        self.rows() > 0 && self.bytes() >= self.batch_bytes
    }

    /// Closes the open sequence as a record of the file, with its windows.
    pub(crate) fn push(&mut self, head: Head<'_>, extras: &Extras<'_>, ctx: &mut ReadContext) {
        let from = self.sequence.start();
        self.close(head, extras, None, &ctx.source);
        ctx.report.records += 1;
        if extras.is_contig {
            self.cut(head, from, ctx);
        }
    }

    fn close(
        &mut self,
        head: Head<'_>,
        extras: &Extras<'_>,
        place: Option<&Place<'_>>,
        source: &str,
    ) {
        let bases = self.sequence.open();
        let mut payload = self.blank.clone();
        payload.bytes(columns::SEQUENCE, bases);
        if let Some(quality) = extras.quality {
            payload.bytes(columns::QUALITY, quality);
        }
        if let Some(place) = place {
            payload
                .bytes(columns::PARENT, place.parent.as_bytes())
                .i64s(columns::START, &[place.start])
                .i64s(columns::END, &[place.end])
                .bytes(columns::STRAND, b"+");
        }
        if let Some(annotations) = extras.annotations {
            payload.bytes(columns::ANNOTATIONS, annotations.as_bytes());
        }
        self.gc.append_option(gc(bases));
        self.sequence.close();
        self.common.push(head, source, payload.finish());
        match extras.quality {
            Some(quality) => {
                self.quality.values().append_slice(quality);
                self.quality.append(true);
            }
            None => self.quality.append(false),
        }
        self.parent.append_option(place.map(|p| p.parent));
        self.start.append_option(place.map(|p| p.start));
        self.end.append_option(place.map(|p| p.end));
        self.strand.append_option(place.map(|_| "+"));
        self.annotations.append_option(extras.annotations);
    }

    /// The columns in the order of the contract.
    pub(crate) fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let (sequence, buffer) = self.sequence.finish()?;
        if let Some(contig) = self.contig.take() {
            self.pending = Some(contig.detach(buffer));
        }
        let lengths = lengths(&sequence);
        let mut columns = self.common.finish(Kind::Dna)?;
        columns.extend([
            Arc::new(sequence) as ArrayRef,
            lengths,
            Arc::new(self.gc.finish()),
            Arc::new(self.quality.finish()),
            Arc::new(self.parent.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.end.finish()),
            Arc::new(self.strand.finish()),
            Arc::new(self.annotations.finish()),
        ]);
        Ok(columns)
    }
}

/// The `length` column of a sequence column.
pub(crate) fn lengths(sequence: &arrow::array::LargeStringArray) -> ArrayRef {
    let lengths = sequence.offsets().windows(2).map(|pair| pair[1] - pair[0]);
    Arc::new(arrow::array::Int64Array::from_iter_values(lengths))
}

/// (G + C) / (A + C + G + T), with U for T.
fn gc(bases: &[u8]) -> Option<f64> {
    let count = |a: u8, b: u8, c: u8| {
        bases
            .chunks(255)
            .map(|chunk| {
                // Counts of a chunk fit in a byte, which lets the compiler use vectors.
                let n: u8 = chunk
                    .iter()
                    .map(|base| u8::from(*base == a || *base == b || *base == c))
                    .sum();
                u64::from(n)
            })
            .sum::<u64>()
    };
    let strong = count(b'G', b'C', b'C');
    let weak = count(b'A', b'T', b'U');
    let all = strong + weak;
    (all > 0).then(|| strong as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gc_counts_the_four_bases() {
        assert_eq!(gc(b"GGCCAATT"), Some(0.5));
        assert_eq!(gc(b"GCNNRY"), Some(1.0));
        assert_eq!(gc(b"GCAU"), Some(0.5));
        assert_eq!(gc(b"NNN"), None);
        assert_eq!(gc(&b"G".repeat(1000)), Some(1.0));
    }
}
