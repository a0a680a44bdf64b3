//! Windows of long contigs.
//!
//! Windows start at every `stride`-th base; the last one is moved back so that it ends with the
//! contig. All have the same length, and together they cover every base.

use std::ops::Range;

use arrow::buffer::Buffer;

use crate::batch::Head;
use crate::{ReadContext, Windows};

use super::{DnaRows, Extras, Place};

/// A contig in the batch at hand.
pub(super) struct Contig {
    id: String,
    event_time: i64,
    source: String,
    range: Range<usize>,
}

/// A contig in a batch that was handed over, whose bytes it shares.
pub(super) struct Pending {
    id: String,
    event_time: i64,
    source: String,
    bases: Buffer,
    next: usize,
}

impl Contig {
    pub(super) fn detach(self, buffer: Buffer) -> Pending {
        Pending {
            id: self.id,
            event_time: self.event_time,
            source: self.source,
            bases: buffer.slice_with_length(self.range.start, self.range.len()),
            next: 0,
        }
    }
}

/// Start of window `i` of a contig, `None` past the last one.
fn start_of(windows: &Windows, contig: usize, i: usize) -> Option<usize> {
    let stride = windows.stride.max(1);
    let last = contig.checked_sub(windows.length)?;
    let start = i.checked_mul(stride)?;
    if start < last + stride {
        Some(start.min(last))
    } else {
        None
    }
}

impl DnaRows {
    /// Whether the batch must be handed over before another record is read.
    pub(crate) fn must_flush(&self) -> bool {
        self.contig.is_some()
    }

    /// Cuts the record that was closed last, if it is long enough.
    pub(super) fn cut(&mut self, head: Head<'_>, from: usize, ctx: &mut ReadContext) {
        let Some(windows) = self.windows.filter(|w| w.length > 0) else {
            return;
        };
        let range = from..self.sequence.start();
        if range.len() < windows.min_contig.max(windows.length) {
            return;
        }
        let count = range.len() / windows.stride.max(1) + 1;
        let more = count.saturating_mul(windows.length + 256);
        if self.bytes().saturating_add(more) > self.batch_bytes {
            self.contig = Some(Contig {
                id: head.id.to_owned(),
                event_time: head.event_time,
                source: ctx.source.clone(),
                range,
            });
            return;
        }
        let source = std::mem::take(&mut ctx.source);
        for i in 0.. {
            let Some(start) = start_of(&windows, range.len(), i) else {
                break;
            };
            let from = range.start + start;
            self.sequence
                .values()
                .extend_from_within(from..from + windows.length);
            self.window(
                head.id,
                head.event_time,
                start,
                windows.length,
                &source,
                ctx,
            );
        }
        ctx.source = source;
    }

    /// Closes the open sequence as a window.
    fn window(
        &mut self,
        parent: &str,
        event_time: i64,
        start: usize,
        length: usize,
        source: &str,
        ctx: &mut ReadContext,
    ) {
        let place = Place {
            parent,
            start: start as i64,
            end: (start + length) as i64,
        };
        let head = Head {
            id: &format!("{parent}:{start}-{}", start + length),
            name: None,
            description: None,
            event_time,
        };
        self.close(head, &Extras::default(), Some(&place), source);
        ctx.report.windows += 1;
    }

    /// Writes windows of the contig that was handed over until the batch is full. False where
    /// there is none.
    pub(crate) fn continue_windows(&mut self, ctx: &mut ReadContext) -> bool {
        let (Some(mut pending), Some(windows)) = (self.pending.take(), self.windows) else {
            return false;
        };
        while !self.is_full() {
            let Some(start) = start_of(&windows, pending.bases.len(), pending.next) else {
                return true;
            };
            pending.next += 1;
            self.sequence
                .values()
                .extend_from_slice(&pending.bases[start..start + windows.length]);
            self.window(
                &pending.id,
                pending.event_time,
                start,
                windows.length,
                &pending.source,
                ctx,
            );
        }
        self.pending = Some(pending);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_contig() {
        for (contig, stride, length) in [
            (8192, 1024, 2048),
            (8193, 1024, 2048),
            (10, 3, 4),
            (4, 1, 4),
        ] {
            let windows = Windows {
                min_contig: 0,
                length,
                stride,
            };
            let starts: Vec<usize> = (0..).map_while(|i| start_of(&windows, contig, i)).collect();
            assert_eq!(starts[0], 0);
            assert_eq!(starts.last().unwrap() + length, contig);
            assert!(
                starts
                    .windows(2)
                    .all(|w| w[0] < w[1] && w[1] - w[0] <= stride)
            );
        }
        let windows = Windows::default();
        assert_eq!(start_of(&windows, 100, 0), None);
    }
}
