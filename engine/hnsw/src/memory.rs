//! Arrays that start on a cache line and, where they are large, lie on huge pages.
//!
//! A walk jumps all over its arrays; with pages of 4 KiB most jumps also miss the translation
//! buffer.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Bytes of a huge page, and the size from which an array asks for them.
const HUGE: usize = 2 << 20;

/// Types of which every pattern of bits is a value and that need no drop.
pub(crate) trait Plain: Sized {}
impl Plain for u8 {}
impl Plain for i8 {}
impl Plain for u32 {}
impl Plain for f32 {}
impl Plain for AtomicU32 {}

/// A fixed-length array on cache lines.
pub(crate) struct Aligned<T: Plain> {
    start: NonNull<T>,
    len: usize,
    layout: Layout,
}

// SAFETY: it owns its memory, as a boxed slice does.
unsafe impl<T: Plain + Send> Send for Aligned<T> {}
// SAFETY: as above.
unsafe impl<T: Plain + Sync> Sync for Aligned<T> {}

/// Bytes that an array of so many bytes takes.
pub(crate) const fn footprint(bytes: usize) -> usize {
    let unit = if bytes >= HUGE { HUGE } else { LINE };
    bytes.next_multiple_of(unit)
}

impl<T: Plain> Aligned<T> {
    /// An array with every byte set to `byte`.
    pub(crate) fn filled(len: usize, byte: u8) -> Self {
        let bytes = footprint((len * size_of::<T>()).max(1));
        let align = if bytes >= HUGE { HUGE } else { LINE };
        // The size is a multiple of the alignment and far below isize::MAX: it was computed from
        // rows and dimensions within their limits.
        let Ok(layout) = Layout::from_size_align(bytes, align) else {
            handle_alloc_error(Layout::new::<T>())
        };
        // SAFETY: the layout's size is not zero; the bytes are written before any is read, and
        // every pattern of bits is a value of `T`.
        let start = unsafe {
            let Some(start) = NonNull::new(alloc(layout)) else {
                handle_alloc_error(layout)
            };
            #[cfg(target_os = "linux")]
            if align == HUGE {
                // A refusal costs speed alone.
                libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE);
            }
            start.as_ptr().write_bytes(byte, bytes);
            start.cast()
        };
        Self { start, len, layout }
    }

    /// An array of zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        Self::filled(len, 0)
    }
}

impl<T: Plain> Drop for Aligned<T> {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `filled`.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) }
    }
}

impl<T: Plain> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` values were initialised in `filled`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Plain> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Plain + std::fmt::Debug> std::fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} values]", self.len)
    }
}
