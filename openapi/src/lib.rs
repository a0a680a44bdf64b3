#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod batch;
pub mod duplicates;
pub mod encoder;
pub mod head;
pub mod hot;
pub mod ingest;
pub mod job;
pub mod late;
pub mod maintain;
pub mod matching;
pub mod motif;
pub mod problem;
pub mod search;
pub mod service;
pub mod similar;
pub mod snapshot;
pub mod sql;
pub mod table;

pub use batch::{SearchBatchAnswer, SearchBatchParams, SearchBatchRequest};
pub use duplicates::{DuplicateCluster, DuplicateMember, DuplicatesAnswer, DuplicatesRequest};
pub use encoder::{
    EmbedAnswer, EmbedContacts, EmbedRequest, EmbedSequence, EmbedUpload, EmbedVector,
    EncodeOutcome, EncodeRequest, Encoder, Encoders, VectorForm,
};
pub use head::{
    Head, HeadClass, HeadEpoch, HeadLabels, HeadLineage, HeadMetrics, HeadOptions, HeadRows,
    HeadSplit, Heads, PredictAnswer, PredictRequest, Prediction, TrainHeadRequest,
};
pub use hot::{
    CoolOutcome, CoolParams, MeasureRequest, MeasuredRecall, RecallPoint, VectorIndex,
    VectorIndexes, WarmOutcome, WarmRequest, Warmed,
};
pub use ingest::{IngestParams, IngestResult, IngestUpload, Skipped, Warning};
pub use job::{Job, JobKind, JobParams, JobProgress, JobState, Jobs};
pub use late::{LateAnswer, LateParams, LateRequest};
pub use maintain::{
    CompactOutcome, CompactOutcomes, DeleteOutcome, DeleteRequest, GcOutcome, GcOutcomes,
    GcRequest, IndexOutcome, IndexRequest, VerifyProblem, VerifyProblemKind, VerifyReport,
    VerifyReports, VerifyRequest,
};
pub use matching::{
    GraphOutcome, GraphRequest, Match, MatchAnswer, MatchRequest, StructureAnswer, StructureMatch,
    StructureRequest,
};
pub use motif::{MotifAnswer, MotifHit, MotifRequest};
pub use problem::{PROBLEM_JSON, Problem, TYPE_PREFIX};
pub use search::{FileSearch, Hit, Rerank, SearchAnswer, SearchPlan, SearchRequest};
pub use service::{Service, Status};
pub use similar::{SimilarAnswer, SimilarMatch, SimilarRequest};
pub use snapshot::{CreateSnapshot, Snapshot, SnapshotArray, SnapshotSummary, Snapshots};
pub use sql::{Row, Rows, SqlRequest};
pub use table::{
    Column, Feature, Index, SetTag, TableDescription, TableStats, TableSummary, Tables, Tag, Tags,
    Version, Versions,
};
