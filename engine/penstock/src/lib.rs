#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod encode;
mod engine;
mod error;
mod head;
mod hot;
mod indexes;
mod load;
mod maintain;
mod parts;
mod search;
mod snapshot;
mod sql;
mod task;

pub use encode::{CONTACTS, EncodeOutcome, EncoderInfo, VECTOR, contacts, embed, encoders};
pub use engine::{Engine, EngineOptions, TableDescription};
pub use error::{Error, SourceError};
pub use head::{
    EpochFn, GivenLabels, HeadLabels, HeadRecord, HeadRequest, LabelFn, LabelSource, Lineage,
    PROBABILITIES, RowCounts, STATES, SplitCounts, StoredHead,
};
pub use hot::WarmOutcome;
pub use indexes::VectorIndex;
pub use load::{Encoders, LoadRequest};
pub use maintain::{IndexOutcome, IndexType, MaintenanceAction, UnknownIndexType};
pub use parts::item_name;
pub use search::{
    GroupBy, Rerank, RerankBy, SearchAnswer, SearchInput, SearchRequest, UnknownRerank,
};
pub use task::{CancellationToken, Progress, ProgressSnapshot, Task};

pub use {
    penstock_embed as encoding, penstock_export as export, penstock_index as index,
    penstock_query as query, penstock_rerank as rerank, penstock_store as store,
    penstock_types as types,
};
