#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod dominance;
pub mod error;
pub mod format;
pub mod graph;
pub mod host;
pub mod pattern;
pub mod search;
pub mod similar;

pub use dominance::{DominanceRecipe, EdgeClass, Rows};
pub use error::{Fault, PatternError, Result};
pub use graph::{Columns, Edge, Graph, GraphBuilder, Labels, Loops, Parallel};
pub use host::{Host, HostOptions};
pub use pattern::{Allowed, MAX_VERTICES, Near, Pattern, PatternEdge, PatternVertex};
pub use search::{MatchOptions, MatchOutcome, Matches, Stopped};
pub use similar::{Anchor, Place, Score, SimilarOptions, SimilarOutcome};
