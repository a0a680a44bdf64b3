//! `config.json`: which model, and how large.

use std::fmt;

use penstock_types::Kind;
use serde::Deserialize;

use super::CheckpointFault;

/// The models that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// ESM-2 and what has its layers (`SaProt`).
    Esm2,
    /// Nucleotide Transformer with learned positions.
    NucleotideV1,
    /// Nucleotide Transformer with rotary positions and gated feed-forward blocks.
    NucleotideV2,
    /// ESM C (Cambrian).
    EsmC,
    /// The encoder of T5, as `ProtT5` and `ProstT5` use it.
    T5,
    /// DNABERT-2.
    DnaBert2,
}

impl Family {
    /// What its sequences are.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Esm2 | Self::EsmC | Self::T5 => Kind::Protein,
            Self::NucleotideV1 | Self::NucleotideV2 | Self::DnaBert2 => Kind::Dna,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Esm2 => "ESM-2 protein language model",
            Self::NucleotideV1 => "Nucleotide Transformer v1",
            Self::NucleotideV2 => "Nucleotide Transformer v2",
            Self::EsmC => "ESM C protein language model",
            Self::T5 => "T5 protein encoder",
            Self::DnaBert2 => "DNABERT-2",
        })
    }
}

/// What users are told that this build reads.
const KNOWN: &str = "esm (ESM-2, SaProt, Nucleotide Transformer), ESMplusplus (ESM C), t5 (ProtT5, \
                     ProstT5) and bert with ALiBi (DNABERT-2)";

/// The keys of `config.json` that say what a model computes. Names are those of the files.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) model_type: String,
    #[serde(default)]
    pub(crate) architectures: Vec<String>,
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
    pub(crate) position_embedding_type: Option<String>,
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
    /// DNABERT-2: the length its ALiBi table was made for at first.
    pub(crate) alibi_starting_size: Option<usize>,
}

impl Config {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, CheckpointFault> {
        let config: Self =
            serde_json::from_slice(bytes).map_err(|source| CheckpointFault::Json {
                file: "config.json",
                source,
            })?;
        for (key, value) in [
            ("vocab_size", config.vocab_size),
            ("hidden_size", config.hidden_size),
            ("num_attention_heads", config.num_attention_heads),
            ("intermediate_size", config.intermediate_size.unwrap_or(1)),
            ("d_kv", config.d_kv.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(CheckpointFault::Config {
                    key,
                    given: "0".into(),
                    expected: "a positive number",
                });
            }
        }
        Ok(config)
    }

    /// The model that these keys describe.
    pub(crate) fn family(&self) -> Result<Family, CheckpointFault> {
        let rotary = self.position_embedding_type.as_deref() == Some("rotary");
        match self.model_type.as_str() {
            // Its configurations on the hub name no model type.
            "esm" | "" if self.add_bias_fnn.is_some() => Ok(Family::NucleotideV2),
            "esm" if rotary => Ok(Family::Esm2),
            // ESM-1 has learned positions too, and the 33 letters of proteins.
            "esm" if self.vocab_size > 64 => Ok(Family::NucleotideV1),
            "ESMplusplus" | "esmc" => Ok(Family::EsmC),
            "t5" => Ok(Family::T5),
            "bert" if self.alibi_starting_size.is_some() => Ok(Family::DnaBert2),
            other => Err(CheckpointFault::UnknownModel {
                given: match (other, self.architectures.first()) {
                    ("", Some(architecture)) => architecture.clone(),
                    _ => other.to_owned(),
                },
                known: KNOWN,
            }),
        }
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
