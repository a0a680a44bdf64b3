//! The best-first walk over one layer of the graph.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::codes::{Codes, Probe};
use crate::simd::lanes::Lanes;
use crate::simd::prefetch;

/// Ends a list of links that has free slots.
pub(crate) const NONE: u32 = u32::MAX;

/// The lists of links of a layer: `slots` per vertex, those in use first.
pub(crate) trait Links: Copy {
    fn slots(self) -> usize;
    /// # Safety
    /// `at` is below the vertices times the slots.
    unsafe fn get(self, at: usize) -> u32;
    fn address(self, vertex: u32) -> *const u32;
}

/// A layer that no longer changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frozen<'a> {
    pub(crate) links: &'a [u32],
    pub(crate) slots: usize,
}

impl Links for Frozen<'_> {
    #[inline(always)]
    fn slots(self) -> usize {
        self.slots
    }
    #[inline(always)]
    unsafe fn get(self, at: usize) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { *self.links.get_unchecked(at) }
    }
    #[inline(always)]
    fn address(self, vertex: u32) -> *const u32 {
        self.links
            .as_ptr()
            .wrapping_add(vertex as usize * self.slots)
    }
}

/// A layer that other threads write. A list read while it is written is a mixture of the old and
/// the new one: every entry is a vertex, and that is all a walk needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing<'a> {
    pub(crate) links: &'a [AtomicU32],
    pub(crate) slots: usize,
}

impl Links for Growing<'_> {
    #[inline(always)]
    fn slots(self) -> usize {
        self.slots
    }
    #[inline(always)]
    unsafe fn get(self, at: usize) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { self.links.get_unchecked(at).load(Ordering::Relaxed) }
    }
    #[inline(always)]
    fn address(self, vertex: u32) -> *const u32 {
        self.links
            .as_ptr()
            .wrapping_add(vertex as usize * self.slots)
            .cast()
    }
}

/// Vertices seen by one walk: a bit each, and a log to clear them by, since a walk sees few.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    bits: Vec<u64>,
    pub(crate) log: Vec<u32>,
}

impl Seen {
    /// Forgets all and makes room for `vertices`.
    pub(crate) fn reset(&mut self, vertices: usize) {
        if self.log.len() * 4 > self.bits.len() {
            self.bits.fill(0);
        } else {
            for vertex in &self.log {
                self.bits[(vertex >> 6) as usize] = 0;
            }
        }
        self.log.clear();
        self.bits.resize(vertices.div_ceil(64), 0);
    }

    #[inline(always)]
    pub(crate) fn contains(&self, vertex: u32) -> bool {
        self.bits[(vertex >> 6) as usize] >> (vertex & 63) & 1 == 1
    }

    /// `true` where the vertex was not seen before.
    #[inline(always)]
    pub(crate) fn insert(&mut self, vertex: u32) -> bool {
        let word = &mut self.bits[(vertex >> 6) as usize];
        let new = *word >> (vertex & 63) & 1 == 0;
        *word |= 1 << (vertex & 63);
        if new {
            self.log.push(vertex);
        }
        new
    }

    /// Adds the unseen ones of a vertex's links to the log, whose length before that is returned.
    /// Whether a link was seen is a coin toss, so there is no branch on it.
    ///
    /// # Safety
    /// The vertex exists, and its links are below the number given to `reset`.
    #[inline(always)]
    unsafe fn gather<K: Links>(&mut self, links: K, vertex: u32) -> usize {
        let before = self.log.len();
        let slots = links.slots();
        self.log.reserve(slots);
        let mut end = before;
        // SAFETY: there is room for `slots` more entries, each of which is written before the
        // length covers it; links are vertices, which have a bit.
        unsafe {
            let log = self.log.as_mut_ptr();
            for slot in 0..slots {
                let link = links.get(vertex as usize * slots + slot);
                if link == NONE {
                    break;
                }
                let word = self.bits.get_unchecked_mut((link >> 6) as usize);
                *log.add(end) = link;
                end += (!*word >> (link & 63) & 1) as usize;
                *word |= 1 << (link & 63);
            }
            self.log.set_len(end);
        }
        before
    }
}

/// A number that orders as the `f32` does.
#[inline(always)]
pub(crate) fn ordered(key: f32) -> u32 {
    let bits = key.to_bits();
    bits ^ ((bits as i32 >> 31) as u32 | 0x8000_0000)
}

/// The inverse of [`ordered`].
#[inline(always)]
pub(crate) fn unordered(bits: u32) -> f32 {
    f32::from_bits(if bits >> 31 == 1 {
        bits ^ 0x8000_0000
    } else {
        !bits
    })
}

/// The nearest vertices so far, nearest first, and which of them were expanded. An entry is the
/// ordered key, the vertex and, in the lowest bit, whether it was expanded.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    entries: Vec<u64>,
    limit: usize,
    next: usize,
}

impl Pool {
    pub(crate) fn reset(&mut self, limit: usize) {
        self.entries.clear();
        self.entries.reserve(limit + 1);
        self.limit = limit;
        self.next = 0;
    }

    /// Vertices and their keys, nearest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.entries
            .iter()
            .map(|entry| (*entry as u32 >> 1, unordered((entry >> 32) as u32)))
    }

    #[inline(always)]
    pub(crate) fn insert(&mut self, vertex: u32, key: f32) {
        let entry = u64::from(ordered(key)) << 32 | u64::from(vertex) << 1;
        let full = self.entries.len() == self.limit;
        if full && self.entries.last().is_none_or(|last| entry >= *last) {
            return;
        }
        if full {
            self.entries.pop();
        }
        let at = self.entries.partition_point(|other| *other < entry);
        self.entries.insert(at, entry);
        self.next = self.next.min(at);
    }

    /// The nearest vertex that was not expanded.
    #[inline(always)]
    fn peek(&self) -> Option<u32> {
        self.entries.get(self.next).map(|entry| *entry as u32 >> 1)
    }

    /// Takes the nearest vertex that was not expanded.
    #[inline(always)]
    pub(crate) fn expand(&mut self) -> Option<u32> {
        let entry = self.entries.get_mut(self.next)?;
        *entry |= 1;
        let vertex = *entry as u32 >> 1;
        while self
            .entries
            .get(self.next)
            .is_some_and(|entry| entry & 1 == 1)
        {
            self.next += 1;
        }
        Some(vertex)
    }
}

/// Puts vertices `from..` of the log, with their keys, into the pool.
///
/// # Safety
/// As for [`Codes::keys`].
#[inline(always)]
pub(crate) unsafe fn admit<L: Lanes>(
    codes: &Codes,
    probe: &Probe<'_>,
    new: &[u32],
    pool: &mut Pool,
) {
    for vertex in new {
        codes.prefetch(*vertex);
    }
    for four in new.chunks(4) {
        let last = four[four.len() - 1];
        let ids = std::array::from_fn(|i| four.get(i).copied().unwrap_or(last));
        // SAFETY: the caller's promise.
        let keys = unsafe { codes.keys::<L>(probe, ids) };
        for (vertex, key) in four.iter().zip(keys) {
            pool.insert(*vertex, key);
        }
    }
}

/// Expands the pool's vertices until the nearest that is not expanded lies behind all it holds.
///
/// # Safety
/// As for [`Codes::keys`]; the links are vertices below the number that `seen` was reset to.
#[inline(always)]
pub(crate) unsafe fn walk<L: Lanes, K: Links>(
    codes: &Codes,
    links: K,
    probe: &Probe<'_>,
    seen: &mut Seen,
    pool: &mut Pool,
) {
    while let Some(vertex) = pool.expand() {
        if let Some(next) = pool.peek() {
            prefetch(links.address(next));
            prefetch(links.address(next).wrapping_add(16));
        }
        // SAFETY: the caller's promise.
        unsafe {
            let before = seen.gather(links, vertex);
            admit::<L>(codes, probe, &seen.log[before..], pool);
        }
        if let Some(next) = pool.peek() {
            prefetch(links.address(next));
            prefetch(links.address(next).wrapping_add(16));
        }
    }
}

/// Goes to ever nearer neighbours from `from` to the last; returns it with its key.
///
/// # Safety
/// As for [`walk`].
#[inline(always)]
pub(crate) unsafe fn descend<L: Lanes, K: Links>(
    codes: &Codes,
    links: K,
    probe: &Probe<'_>,
    from: (u32, f32),
    compared: &mut usize,
) -> (u32, f32) {
    let slots = links.slots();
    let mut best = from;
    loop {
        let start = best.0 as usize * slots;
        let mut four = [best.0; 4];
        let mut held = 0;
        for slot in 0..=slots {
            // SAFETY: the caller's promise.
            let link = if slot < slots {
                unsafe { links.get(start + slot) }
            } else {
                NONE
            };
            if link != NONE {
                four[held] = link;
                held += 1;
            }
            if held == 4 || link == NONE && held > 0 {
                *compared += held;
                // SAFETY: the caller's promise.
                let keys = unsafe { codes.keys::<L>(probe, four) };
                for (vertex, key) in four.into_iter().zip(keys).take(held) {
                    if key < best.1 {
                        best = (vertex, key);
                    }
                }
                held = 0;
            }
            if link == NONE {
                break;
            }
        }
        if best.0 as usize * slots == start {
            return best;
        }
    }
}
