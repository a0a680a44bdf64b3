#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod approximate;
pub mod build;
mod column;
pub mod diverse;
pub mod error;
mod exact;
pub mod fuse;
pub mod group;
pub mod hybrid;
pub mod kind;
pub mod motif;
mod nearest;
pub mod policy;
pub mod predicate;
pub mod request;
mod rows;
pub mod search;
pub mod text;

pub use build::{BuildOptions, RefreshOutcome, build, refresh};
pub use diverse::{DiverseOptions, diversify};
pub use error::{IndexError, Result};
pub use fuse::{FUSION_CONSTANT, Fused, Ranked, reciprocal_rank_fusion};
pub use group::{GroupOptions, best_per_group};
pub use hybrid::{HybridAnswer, HybridRequest, hybrid};
pub use kind::IndexKind;
pub use motif::{MAX_HITS, MotifAnswer, MotifRequest, build_motif_index, motif};
pub use policy::{Reason, needs_index};
pub use predicate::check_predicate;
pub use request::{MAX_K, Made, SearchAnswer, SearchOptions, SearchRequest};
pub use search::{DISTANCE, search};
pub use text::{SCORE, TextAnswer, TextRequest, build_text_index, text_search};
