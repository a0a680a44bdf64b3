//! Idempotency keys.
//!
//! A key and the outcome of its write are stored in the properties of the same Lance transaction.
//! So that a key need not be looked for in the whole history, a small file
//! `_penstock/keys/TABLE/HASH.json` is written before the commit is tried; it says from which
//! version on the key could have been committed, and afterwards what the outcome was. No file: the
//! key never came near a commit. The file is a hint where to look, the transaction is the truth.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use lance::Dataset;
use penstock_types::TableName;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::load::LoadOutcome;
use crate::maintain::DeleteOutcome;
use crate::store::Store;

/// Transaction property: the idempotency key.
const PROPERTY_KEY: &str = "penstock:key";
/// Transaction property: the outcome, as JSON.
const PROPERTY_OUTCOME: &str = "penstock:outcome";
/// Versions looked at between an unfinished write and now.
const VERSIONS: u64 = 10_000;

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Load(LoadOutcome),
    Delete(DeleteOutcome),
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    key: String,
    /// The version that was the latest when the commit was first tried.
    since: u64,
    outcome: Option<Outcome>,
}

fn object(name: &TableName, key: &str) -> String {
    format!("keys/{name}/{}.json", blake3::hash(key.as_bytes()).to_hex())
}

/// The transaction properties of a write.
pub(crate) fn properties(
    key: Option<&str>,
    outcome: &Outcome,
) -> Result<Option<Arc<HashMap<String, String>>>> {
    let Some(key) = key else { return Ok(None) };
    let json = serde_json::to_string(outcome)
        .map_err(|_| StoreError::Internal("an outcome is no JSON"))?;
    Ok(Some(Arc::new(HashMap::from([
        (PROPERTY_KEY.to_owned(), key.to_owned()),
        (PROPERTY_OUTCOME.to_owned(), json),
    ]))))
}

impl Store {
    async fn put_marker(&self, name: &TableName, marker: &Marker, fresh: bool) -> Result<()> {
        let bytes = serde_json::to_vec(marker)
            .map(Bytes::from)
            .map_err(|_| StoreError::Internal("a marker is no JSON"))?;
        let object = object(name, &marker.key);
        if fresh {
            // An older marker knows better since when.
            self.objects().put_if_absent(&object, bytes).await?;
        } else {
            self.objects().put(&object, bytes).await?;
        }
        Ok(())
    }

    /// Says, before a commit is tried, that the key may be found after this version.
    pub(crate) async fn key_intent(&self, name: &TableName, key: &str, since: u64) -> Result<()> {
        let marker = Marker {
            key: key.to_owned(),
            since,
            outcome: None,
        };
        self.put_marker(name, &marker, true).await
    }

    /// Remembers the outcome. Failing to is no failure of the write: the transaction has it.
    pub(crate) async fn key_done(&self, name: &TableName, key: &str, since: u64, outcome: Outcome) {
        let marker = Marker {
            key: key.to_owned(),
            since,
            outcome: Some(outcome),
        };
        if let Err(error) = self.put_marker(name, &marker, false).await {
            tracing::warn!(%error, table = %name, "the outcome of a key was not remembered");
        }
    }

    /// The outcome of a key that was committed at or before this version of the table.
    pub(crate) async fn find_key(
        &self,
        name: &TableName,
        key: &str,
        dataset: Option<&Dataset>,
    ) -> Result<Option<Outcome>> {
        let Some(bytes) = self.objects().get_opt(&object(name, key)).await? else {
            return Ok(None);
        };
        let marker: Marker = serde_json::from_slice(&bytes).map_err(|_| StoreError::Corrupt {
            detail: format!("the marker of an idempotency key of table `{name}` is no marker"),
        })?;
        if marker.outcome.is_some() {
            return Ok(marker.outcome);
        }
        let Some(dataset) = dataset else {
            return Ok(None);
        };
        let found = find_between(name, key, dataset, marker.since).await?;
        if let Some(outcome) = &found {
            self.key_done(name, key, marker.since, outcome.clone())
                .await;
        }
        Ok(found)
    }
}

/// The outcome of a key committed after `since` and at or before the dataset's version.
pub(crate) async fn find_between(
    name: &TableName,
    key: &str,
    dataset: &Dataset,
    since: u64,
) -> Result<Option<Outcome>> {
    let latest = dataset.version_id();
    let unknown = || StoreError::OutcomeUnknown {
        table: name.clone(),
        source: None,
    };
    if latest.saturating_sub(since) > VERSIONS {
        return Err(unknown());
    }
    let mut missing = false;
    let each = (since + 1..=latest).map(|version| properties_of(name, dataset, version));
    let mut all = futures::stream::iter(each.collect::<Vec<_>>()).buffered(16);
    while let Some(found) = all.try_next().await? {
        let Some(properties) = found else {
            missing = true;
            continue;
        };
        if properties
            .get(PROPERTY_KEY)
            .is_some_and(|found| found == key)
        {
            let outcome = properties.get(PROPERTY_OUTCOME);
            return outcome
                .and_then(|json| serde_json::from_str(json).ok())
                .map(Some)
                .ok_or_else(unknown);
        }
    }
    if missing { Err(unknown()) } else { Ok(None) }
}

/// The properties of the transaction that made a version, `None` where it was cleaned up.
async fn properties_of(
    name: &TableName,
    dataset: &Dataset,
    version: u64,
) -> Result<Option<Arc<HashMap<String, String>>>> {
    match dataset.read_transaction_by_version(version).await {
        Ok(Some(transaction)) => Ok(Some(transaction.transaction_properties.unwrap_or_default())),
        Ok(None)
        | Err(
            lance::Error::DatasetNotFound { .. }
            | lance::Error::NotFound { .. }
            | lance::Error::VersionNotFound { .. },
        ) => Ok(None),
        Err(error) => Err(StoreError::lance(name, error)),
    }
}
