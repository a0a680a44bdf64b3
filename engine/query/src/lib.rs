#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod catalog;
pub mod error;
mod functions;
mod guard;
pub mod json;
pub mod limits;
pub mod sql;
mod statement;
pub mod vector_search;

pub use error::{QueryError, Result};
pub use functions::match_schema;
pub use json::json_rows;
pub use limits::Limits;
pub use sql::{Answer, BatchStream, Sql};
pub use vector_search::{Calls, MatchFn, PatternMatch, Query, SearchFn, VectorSearch};
