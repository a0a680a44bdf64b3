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
pub mod hot;
pub mod hybrid;
pub mod kind;
pub mod many;
mod measure;
pub mod motif;
mod nearest;
pub mod plan;
pub mod policy;
pub mod predicate;
pub mod recall;
pub mod request;
mod rows;
pub mod search;
pub mod searcher;
pub mod text;

pub use build::{BuildOptions, RefreshOutcome, build, refresh};
pub use diverse::{DiverseOptions, diversify};
pub use error::{IndexError, Result};
pub use fuse::{FUSION_CONSTANT, Fused, Ranked, reciprocal_rank_fusion};
pub use group::{GroupOptions, best_per_group};
pub use hot::{HotInfo, HotOptions, HotTier, Warmed, Watch};
pub use hybrid::{HybridAnswer, HybridRequest, hybrid};
pub use kind::IndexKind;
pub use many::{ManyAnswer, ManyRequest, QUERY};
pub use measure::MeasureOptions;
pub use motif::{MotifAnswer, MotifRequest, build_motif_index, motif};
pub use plan::{Plan, Tier};
pub use policy::{Reason, needs_index};
pub use predicate::check_predicate;
pub use request::{MAX_K, Made, SearchAnswer, SearchOptions, SearchRequest};
pub use search::{DISTANCE, search};
pub use searcher::Searcher;
pub use text::{SCORE, TextAnswer, TextRequest, build_text_index, text_search};
