//! What is kept of a head, beside its weights.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use penstock_embed::head::{Epoch, Head, HeadOptions, HeadShape, Metrics};
use penstock_store::Objects;
use penstock_types::HeadName;
use serde::{Deserialize, Serialize};

use super::StoredHead;
use crate::{Engine, Error};

/// The version of the stored form.
pub(super) const FORMAT: u32 = 1;

/// Digits of the digest in the name of the weights.
const SHORT: usize = 16;

/// A head, and how it came to be: `heads/{name}.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadRecord {
    /// The version of this form.
    pub format: u32,
    /// The head's name.
    pub name: String,
    /// What it looks like.
    pub shape: HeadShape,
    /// BLAKE3 of the weights' file, in hexadecimal.
    pub weights: String,
    /// The encoder of the vectors that it reads, with the form.
    pub encoder: String,
    /// BLAKE3 of that encoder's weights.
    pub encoder_weights: String,
    /// The licence of the encoder's weights, where it is known.
    pub licence: Option<String>,
    /// What it was fitted on.
    pub lineage: Lineage,
    /// How it was fitted.
    pub options: HeadOptions,
    /// Every epoch.
    pub epochs: Vec<Epoch>,
    /// The epoch whose weights these are, from 1.
    pub best_epoch: usize,
    /// How it does on the records that chose the epoch.
    pub validation: Metrics,
    /// How it does on the records that nothing else looked at.
    pub test: Metrics,
    /// The version of the program.
    pub program: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// What the request was keyed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a head was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// The table.
    pub table: String,
    /// Its version.
    pub version: u64,
    /// The column of vectors.
    pub column: String,
    /// Where the labels came from.
    pub labels: LabelSource,
    /// What decided about a record's split: `sequence`, or what the groups are called.
    pub split_by: String,
    /// The share of records for validation.
    pub validation: f64,
    /// The share of records for the test.
    pub test: f64,
    /// Seed of the splits.
    pub split_seed: u64,
    /// Rows by what became of them.
    pub rows: RowCounts,
}

/// Where labels came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum LabelSource {
    /// The stored C-alpha traces, by P-SEA.
    Structure,
    /// A file.
    File {
        /// Its name.
        name: String,
        /// Its BLAKE3, in hexadecimal.
        digest: String,
        /// The letters that were taken for "not observed".
        mask_letters: String,
    },
}

/// Rows by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Learned from.
    pub training: SplitCounts,
    /// Chose the epoch.
    pub validation: SplitCounts,
    /// Judged the head.
    pub test: SplitCounts,
    /// Without vectors.
    pub unencoded: u64,
    /// Without labels.
    pub unlabelled: u64,
    /// Left out because their labels do not fit.
    pub misfits: u64,
}

/// The rows of one split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// Rows.
    pub rows: u64,
    /// Labelled residues.
    pub residues: u64,
    /// Residues that are masked.
    pub masked: u64,
}

impl HeadRecord {
    fn weights_key(&self) -> String {
        let short = self.weights.get(..SHORT).unwrap_or(&self.weights);
        format!("heads/{}-{short}.safetensors", self.name)
    }
}

fn record_key(name: &str) -> String {
    format!("heads/{name}.json")
}

/// The record of a name, where there is one.
pub(super) async fn read(objects: &Objects, name: &str) -> Result<Option<HeadRecord>, Error> {
    let Some(bytes) = objects.get_opt(&record_key(name)).await? else {
        return Ok(None);
    };
    let damaged = |reason: String| Error::HeadDamaged {
        name: name.to_owned(),
        reason,
    };
    let record: HeadRecord =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if record.format != FORMAT {
        return Err(damaged(format!("it has the form {}", record.format)));
    }
    Ok(Some(record))
}

/// The weights that a record names.
async fn weights(objects: &Objects, record: &HeadRecord) -> Result<Bytes, Error> {
    let bytes = objects.get(&record.weights_key()).await?;
    if digest(&bytes) != record.weights {
        return Err(Error::HeadDamaged {
            name: record.name.clone(),
            reason: "the weights have another digest".to_owned(),
        });
    }
    Ok(bytes)
}

/// BLAKE3 in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Stores a head: its weights, then the record that names them.
pub(super) async fn write(
    objects: &Objects,
    record: &HeadRecord,
    weights: Vec<u8>,
    replace: bool,
) -> Result<(), Error> {
    let old = read(objects, &record.name).await.ok().flatten();
    let key = record.weights_key();
    objects.put(&key, Bytes::from(weights)).await?;
    // Text and finite numbers: there is nothing in a record that JSON cannot say.
    let text = serde_json::to_vec_pretty(record).unwrap_or_default();
    let text = Bytes::from(text);
    let written = if replace {
        objects.put(&record_key(&record.name), text).await?;
        true
    } else {
        objects
            .put_if_absent(&record_key(&record.name), text)
            .await?
    };
    if !written {
        // Somebody else was faster. Their weights may be the same, and then they stay.
        let winner = read(objects, &record.name).await?;
        if winner.is_none_or(|winner| winner.weights_key() != key) {
            objects.delete(&key).await?;
        }
        return Err(Error::HeadExists {
            name: record.name.clone(),
        });
    }
    if let Some(old) = old.filter(|old| old.weights_key() != key) {
        objects.delete(&old.weights_key()).await?;
    }
    Ok(())
}

impl Engine {
    /// Every head of the store, by name.
    ///
    /// # Errors
    /// The store cannot be read, or a record in it.
    pub async fn heads(&self) -> Result<Vec<HeadRecord>, Error> {
        let objects = self.store().objects();
        let mut found = Vec::new();
        for object in objects.list("heads").await? {
            let name = object.key.strip_prefix("heads/");
            let Some(name) = name.and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            // One that was replaced or removed in between is no error.
            found.extend(read(objects, name).await?);
        }
        Ok(found)
    }

    /// A head by name, with its weights.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub async fn head(&self, name: &HeadName) -> Result<StoredHead, Error> {
        let objects = self.store().objects();
        let record = read(objects, name.as_str()).await?;
        let record = record.ok_or_else(|| Error::NoSuchHead { name: name.clone() })?;
        let bytes = weights(objects, &record).await?;
        let head = Head::from_safetensors(record.shape.clone(), &bytes)
            .map_err(penstock_embed::EmbedError::from)?;
        Ok(StoredHead::new(record, head))
    }
}
