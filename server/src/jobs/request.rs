//! What a job is asked to do, in the form in which it outlives the process.

use std::time::Duration;

use penstock::encoding::head::HeadOptions;
use penstock::export::CreateRequest;
use penstock::store::{VerifyScope, VersionRef};
use penstock::{Encoders, HeadRequest, IndexType};
use penstock_ingest::{OnError, ReadOptions};
use penstock_openapi::JobKind;
use penstock_types::{HeadName, Kind, Metric, SnapshotName, TableName};
use serde::{Deserialize, Serialize};

/// A request of long work. Every value in it has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum JobRequest {
    /// Loads spooled files.
    Ingest(Ingest),
    /// Fills a feature column.
    Encode {
        /// The table.
        #[serde(with = "text")]
        table: TableName,
        /// The encoder.
        encoder: String,
    },
    /// Builds an index.
    Index {
        /// The table.
        #[serde(with = "text")]
        table: TableName,
        /// The column.
        column: String,
        /// The type of the index.
        #[serde(with = "text_option")]
        kind: Option<IndexType>,
        /// The metric.
        #[serde(with = "text_option")]
        metric: Option<Metric>,
    },
    /// Brings an index into memory.
    Warm {
        /// The table.
        #[serde(with = "text")]
        table: TableName,
        /// The feature column.
        column: String,
        /// The metric.
        #[serde(with = "text_option")]
        metric: Option<Metric>,
    },
    /// Measures the indexes of a column.
    Measure {
        /// The table.
        #[serde(with = "text")]
        table: TableName,
        /// The feature column.
        column: String,
        /// The recall that its searches aim at from now on.
        min_recall: Option<f64>,
        /// Whether it is measured; else the recall alone is set.
        measure: bool,
    },
    /// Merges small data files.
    Compact {
        /// The table; all where left out.
        #[serde(with = "text_option")]
        table: Option<TableName>,
    },
    /// Removes old versions.
    Gc {
        /// The table; all where left out.
        #[serde(with = "text_option")]
        table: Option<TableName>,
        /// Versions older than this go.
        older_than_secs: u64,
    },
    /// Compares files with their digests.
    Verify {
        /// The table; all where left out.
        #[serde(with = "text_option")]
        table: Option<TableName>,
        /// Whether all versions are read.
        all_versions: bool,
    },
    /// Makes a snapshot.
    Snapshot {
        /// Its name.
        #[serde(with = "text")]
        name: SnapshotName,
        /// The table.
        #[serde(with = "text")]
        table: TableName,
        /// The version: settled when the job was asked for, so that a restart makes the same.
        version: u64,
        /// Columns; all where left out.
        columns: Option<Vec<String>>,
        /// Predicate of the rows.
        filter: Option<String>,
    },
    /// Fits a head on stored structures.
    TrainHead(TrainHead),
    /// Makes graphs of a table's records.
    Graph {
        /// The table of graphs.
        #[serde(with = "text")]
        table: TableName,
        /// The table of records.
        #[serde(with = "text")]
        from: TableName,
        /// Its version: settled when the job was asked for.
        version: u64,
        /// Predicate of the records.
        filter: Option<String>,
        /// Residues closer than this are in contact.
        cutoff_angstrom: Option<f32>,
        /// Bases of a k-mer.
        k: Option<u32>,
    },
}

/// A head to be fitted on stored structures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainHead {
    /// Its name.
    #[serde(with = "text")]
    pub name: HeadName,
    /// The table.
    #[serde(with = "text")]
    pub table: TableName,
    /// The version: settled when the job was asked for, so that a restart makes the same.
    pub version: u64,
    /// The column of vectors.
    pub column: Option<String>,
    /// The column that decides about splits.
    pub group: Option<String>,
    /// The share of records for validation.
    pub validation: f64,
    /// The share of records for the test.
    pub test: f64,
    /// Seed of the splits.
    pub split_seed: u64,
    /// How it is fitted.
    pub options: HeadOptions,
    /// Whether a head of this name is replaced.
    pub replace: bool,
}

impl TrainHead {
    /// The request as the engine takes it.
    pub(super) fn request(&self, key: String) -> HeadRequest {
        HeadRequest {
            version: VersionRef::Number(self.version),
            column: self.column.clone(),
            group: self.group.clone(),
            validation: self.validation,
            test: self.test,
            split_seed: self.split_seed,
            options: self.options.clone(),
            replace: self.replace,
            key: Some(key),
            ..HeadRequest::new(self.name.clone(), self.table.clone())
        }
    }
}

/// A load of spooled files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingest {
    /// The table.
    #[serde(with = "text")]
    pub table: TableName,
    /// The files' own names, in order; file n lies in the job's spool folder as `n`.
    pub files: Vec<String>,
    /// The kind; `None`: as the content says.
    #[serde(with = "text_option")]
    pub kind: Option<Kind>,
    /// Encoders; `None`: the kind's own; empty: none.
    pub encoders: Option<Vec<String>>,
    /// Whether records that cannot be read are left out.
    pub skip_errors: bool,
    /// Whether the edges of graphs have a direction.
    #[serde(default)]
    pub directed: bool,
}

impl Ingest {
    pub(super) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            kind: self.kind,
            on_error: if self.skip_errors {
                OnError::Skip
            } else {
                OnError::Fail
            },
            directed: self.directed,
            ..ReadOptions::default()
        }
    }

    pub(super) fn encoders(&self) -> Encoders {
        match &self.encoders {
            None => Encoders::Default,
            Some(names) if names.is_empty() => Encoders::None,
            Some(names) => Encoders::Named(names.clone()),
        }
    }
}

impl JobRequest {
    /// The kind of job.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Ingest(_) => JobKind::Ingest,
            Self::Encode { .. } => JobKind::Encode,
            Self::Index { .. } => JobKind::Index,
            Self::Warm { .. } => JobKind::Warm,
            Self::Measure { .. } => JobKind::Measure,
            Self::Compact { .. } => JobKind::Compact,
            Self::Gc { .. } => JobKind::Gc,
            Self::Verify { .. } => JobKind::Verify,
            Self::Snapshot { .. } => JobKind::Snapshot,
            Self::TrainHead(_) => JobKind::TrainHead,
            Self::Graph { .. } => JobKind::Graph,
        }
    }

    /// The table that the job works on, where it is one.
    #[must_use]
    pub const fn table(&self) -> Option<&TableName> {
        match self {
            Self::Ingest(ingest) => Some(&ingest.table),
            Self::TrainHead(head) => Some(&head.table),
            Self::Encode { table, .. }
            | Self::Index { table, .. }
            | Self::Warm { table, .. }
            | Self::Measure { table, .. }
            | Self::Graph { table, .. }
            | Self::Snapshot { table, .. } => Some(table),
            Self::Compact { table } | Self::Gc { table, .. } | Self::Verify { table, .. } => {
                table.as_ref()
            }
        }
    }
}

/// The request of a snapshot job as the engine takes it.
pub(super) fn create_request(
    name: &SnapshotName,
    table: &TableName,
    version: u64,
    columns: Option<&Vec<String>>,
    filter: Option<&String>,
) -> CreateRequest {
    CreateRequest {
        name: name.clone(),
        table: table.clone(),
        version: VersionRef::Number(version),
        columns: columns.cloned(),
        filter: filter.cloned(),
    }
}

pub(super) const fn scope(all_versions: bool) -> VerifyScope {
    if all_versions {
        VerifyScope::AllVersions
    } else {
        VerifyScope::Latest
    }
}

pub(super) const fn age(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Values as the text by which users know them.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The same, where there may be none.
mod text_option {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value
            .as_ref()
            .map(ToString::to_string)
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| text.parse().map_err(de::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_outlive_the_process() {
        let requests = [
            JobRequest::Ingest(Ingest {
                table: "t".parse().unwrap(),
                files: vec!["a.fasta".into()],
                kind: Some(Kind::Dna),
                encoders: None,
                skip_errors: true,
                directed: true,
            }),
            JobRequest::Index {
                table: "t".parse().unwrap(),
                column: "c".into(),
                kind: Some(IndexType::Words),
                metric: None,
            },
            JobRequest::Verify {
                table: None,
                all_versions: false,
            },
            JobRequest::Measure {
                table: "t".parse().unwrap(),
                column: "c".into(),
                min_recall: Some(0.1 + 0.2),
                measure: true,
            },
            JobRequest::TrainHead(TrainHead {
                name: "ss3".parse().unwrap(),
                table: "t".parse().unwrap(),
                version: 3,
                column: None,
                group: Some("structure".into()),
                validation: 0.2,
                test: 0.3,
                split_seed: u64::MAX,
                options: HeadOptions {
                    learning_rate: 0.1 + 0.2,
                    ..HeadOptions::default()
                },
                replace: true,
            }),
        ];
        for request in requests {
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(
                serde_json::from_str::<JobRequest>(&text).unwrap(),
                request,
                "{text}"
            );
        }
    }
}
