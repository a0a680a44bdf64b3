//! What one statement may cost.

use std::path::PathBuf;
use std::time::Duration;

/// Bounds of one statement. All of them hold at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the answer.
    pub rows: u64,
    /// Rows that joins and other operators which multiply rows may make on the way.
    pub intermediate_rows: u64,
    /// From the call to the last batch.
    pub time: Duration,
    /// Memory that operators may hold at once, in bytes. What goes beyond is spilled to disk where
    /// the operator can, else the statement fails.
    pub memory_bytes: usize,
    /// Bytes spilled to disk at once.
    pub spill_bytes: u64,
    /// Where to spill; the system's folder for temporary files where `None`.
    pub spill_dir: Option<PathBuf>,
    /// Threads that one statement is spread over; all cores where `None`.
    pub threads: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            intermediate_rows: 200_000_000,
            time: Duration::from_secs(30),
            memory_bytes: 256 << 20,
            spill_bytes: 2 << 30,
            spill_dir: None,
            threads: None,
        }
    }
}

/// Longest statement, in bytes.
pub(crate) const MAX_BYTES: usize = 256 << 10;
/// Most operators of a statement; negative numbers in a list are not counted.
pub(crate) const MAX_OPERATORS: usize = 5_000;
/// Deepest expression: what the recursive evaluation of an expression fits on any thread's stack.
pub(crate) const MAX_DEPTH: usize = 400;
/// Deepest nesting that the parser follows.
pub(crate) const MAX_NESTING: usize = 64;
/// Most tables, joins and subqueries of a statement.
pub(crate) const MAX_RELATIONS: usize = 64;
/// Most times that `WITH` queries may be copied into each other.
pub(crate) const MAX_COPIES: usize = 256;
/// Stack of the thread that parses and plans. Only touched pages count.
pub(crate) const PLANNER_STACK_BYTES: usize = 256 << 20;
