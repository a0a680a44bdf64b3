//! Folders with a trained model, laid out as the Hugging Face hub has them.
//!
//! `config.json` says what the model is, `*.safetensors` hold its weights (one file, or shards
//! with an index), `vocab.txt` or `tokenizer.json` its vocabulary, `README.md` its licence. The
//! folder is only read. Pickled weights can run code when they are loaded, so they are refused,
//! with the command that converts them.

mod config;
mod fault;
mod folder;
mod hub;
mod licence;
mod weights;

pub(crate) use config::{Config, Family, TransformerConfig};
pub use fault::CheckpointFault;
pub use folder::Checkpoint;
pub(crate) use folder::{INDEX, WEIGHTS, is_pickle, pickled, shard_names};
pub(crate) use hub::{HubName, by_short_name as hub_folder, is_plain};
pub(crate) use weights::{Expected, Weights};
