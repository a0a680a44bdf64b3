#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod dominance;
mod duplicates;
mod encode;
mod engine;
mod error;
mod graphs;
mod head;
mod hot;
mod indexes;
mod late;
mod load;
mod maintain;
mod matching;
mod motif;
mod parts;
mod search;
mod snapshot;
mod sql;
mod task;

pub use dominance::{DominanceBy, UnknownDominance};
pub use duplicates::DuplicatesRequest;
pub use encode::{CONTACTS, EncodeOutcome, EncoderInfo, VECTOR, contacts, embed, encoders};
pub use engine::{Engine, EngineOptions, TableDescription};
pub use error::{Error, SourceError};
pub use graphs::{GraphOptions, GraphRequest, GraphsMade};
pub use head::{
    EpochFn, GivenLabels, HeadLabels, HeadRecord, HeadRequest, LabelFn, LabelSource, Lineage,
    PROBABILITIES, RowCounts, STATES, SplitCounts, StoredHead,
};
pub use hot::WarmOutcome;
pub use indexes::VectorIndex;
pub use late::{LateCandidates, LateInput, LateRequest};
pub use load::{Encoders, LoadRequest};
pub use maintain::{IndexOutcome, IndexType, MaintenanceAction, UnknownIndexType};
pub use matching::{
    MAX_KEPT, MatchAnswer, MatchRequest, Occurrence, SimilarAnswer, SimilarMatch, SimilarPattern,
    SimilarRequest,
};
pub use motif::{MotifPart, StructureAnswer, StructureMatch, StructureRequest};
pub use parts::item_name;
pub use search::{
    GroupBy, Rerank, RerankBy, SearchAnswer, SearchInput, SearchRequest, UnknownRerank,
};
pub use task::{CancellationToken, Progress, ProgressSnapshot, Task};

pub use {
    penstock_embed as encoding, penstock_export as export, penstock_graph as graph,
    penstock_index as index, penstock_pattern as pattern, penstock_query as query,
    penstock_rerank as rerank, penstock_store as store, penstock_types as types,
};
