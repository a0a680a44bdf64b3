//! What `config.json` says of a transformer.

use serde::Deserialize;

use crate::checkpoint::CheckpointFault;

/// The keys of `config.json` that say what a transformer computes. Names are those of the files.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TransformerConfig {
    pub(crate) vocab_size: usize,
    #[serde(alias = "d_model")]
    pub(crate) hidden_size: usize,
    #[serde(alias = "num_layers")]
    pub(crate) num_hidden_layers: usize,
    #[serde(alias = "num_heads")]
    pub(crate) num_attention_heads: usize,
    #[serde(alias = "d_ff")]
    pub(crate) intermediate_size: Option<usize>,
    #[serde(alias = "layer_norm_epsilon")]
    pub(crate) layer_norm_eps: Option<f64>,
    pub(crate) max_position_embeddings: Option<usize>,
    pub(crate) pad_token_id: Option<u32>,
    pub(crate) mask_token_id: Option<u32>,
    pub(crate) token_dropout: Option<bool>,
    pub(crate) emb_layer_norm_before: Option<bool>,
    /// Only Nucleotide Transformer v2 has this key.
    pub(crate) add_bias_fnn: Option<bool>,
    /// T5: numbers per head.
    pub(crate) d_kv: Option<usize>,
    pub(crate) relative_attention_num_buckets: Option<usize>,
    pub(crate) relative_attention_max_distance: Option<usize>,
    pub(crate) feed_forward_proj: Option<String>,
}

impl TransformerConfig {
    pub(super) fn checked(self) -> Result<Self, CheckpointFault> {
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size.unwrap_or(1)),
            ("d_kv", self.d_kv.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(CheckpointFault::Config {
                    key,
                    given: "0".into(),
                    expected: "a positive number",
                });
            }
        }
        Ok(self)
    }

    /// Numbers per head, where they are the width shared out evenly.
    pub(crate) fn even_heads(&self) -> Result<usize, CheckpointFault> {
        if self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Ok(self.hidden_size / self.num_attention_heads);
        }
        Err(CheckpointFault::Config {
            key: "num_attention_heads",
            given: self.num_attention_heads.to_string(),
            expected: "a divisor of hidden_size",
        })
    }

    /// A key without which the model has no meaning.
    pub(crate) fn need<T>(
        value: Option<T>,
        key: &'static str,
        expected: &'static str,
    ) -> Result<T, CheckpointFault> {
        value.ok_or(CheckpointFault::Config {
            key,
            given: "missing".into(),
            expected,
        })
    }
}
