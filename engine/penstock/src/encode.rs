//! Feature columns: which encoders there are, and filling a column of a stored table.

use std::sync::Arc;

use penstock_embed::Encoder;
use penstock_store::FeatureOptions;
use penstock_types::{FeatureSpec, Kind, TableName};

use crate::{Engine, Error, Task};

/// One encoder, as `encoders` lists it.
#[derive(Debug, Clone)]
pub struct EncoderInfo {
    /// What the encoder's columns say of themselves.
    pub spec: FeatureSpec,
    /// Kind of records it reads.
    pub kind: Kind,
    /// Where its tensors are computed.
    pub device: String,
    /// What it computes, in a sentence.
    pub description: String,
    /// Whether loads use it when they name none.
    pub is_default: bool,
}

/// What `encode` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOutcome {
    /// The version that has the column filled.
    pub version: u64,
    /// The column.
    pub column: String,
    /// Rows that got a vector.
    pub rows_encoded: u64,
    /// Rows without one: nothing in them can be encoded.
    pub rows_empty: u64,
}

/// The encoders of this build; no store is needed to know them.
#[must_use]
pub fn encoders() -> Vec<EncoderInfo> {
    penstock_embed::all()
        .into_iter()
        .map(|encoder| EncoderInfo {
            spec: encoder.spec().clone(),
            kind: encoder.kind(),
            device: device_name(),
            description: encoder.describe().to_owned(),
            is_default: penstock_embed::default_for(encoder.kind()).spec() == encoder.spec(),
        })
        .collect()
}

impl Engine {
    /// The encoders of this build.
    #[must_use]
    pub fn encoders(&self) -> Vec<EncoderInfo> {
        encoders()
    }

    /// Fills the encoder's column in the rows where it is empty; makes the column when there is
    /// none. No other column is rewritten.
    ///
    /// # Errors
    /// No such encoder or table; an encoder of another kind; another writer was faster too often;
    /// the task was cancelled.
    pub async fn encode(
        &self,
        name: &TableName,
        encoder: &str,
        task: &Task,
    ) -> Result<EncodeOutcome, Error> {
        let encoder = penstock_embed::by_name(encoder)?;
        let table = self.store().table(name).await?;
        if table.kind() != encoder.kind() {
            return Err(Error::KindMismatch {
                table: name.clone(),
                holds: table.kind(),
                given: encoder.kind(),
            });
        }
        task.progress.set_stage("encoding");
        let outcome = self
            .store()
            .add_feature(
                name,
                encoder.spec(),
                encoder.columns(),
                encode_fn(&encoder),
                feature_options(task),
            )
            .await?;
        Ok(EncodeOutcome {
            version: outcome.version,
            column: outcome.column,
            rows_encoded: outcome.rows_filled,
            rows_empty: outcome.rows_null,
        })
    }
}

fn device_name() -> String {
    format!("{:?}", penstock_embed::device().location()).to_ascii_lowercase()
}

fn encode_fn(encoder: &Arc<dyn Encoder>) -> Arc<penstock_store::EncodeFn> {
    let encoder = Arc::clone(encoder);
    Arc::new(move |batch| match encoder.encode(batch) {
        Ok(array) => Ok(Arc::new(array) as arrow::array::ArrayRef),
        Err(error) => Err(error.into()),
    })
}

fn feature_options(task: &Task) -> FeatureOptions {
    let progress = Arc::clone(&task.progress);
    FeatureOptions {
        progress: Some(Arc::new(move |done, all| progress.set_rows(done, all))),
        cancel: Some(task.cancel_fn()),
        ..FeatureOptions::default()
    }
}
