//! What is wrong with a checkpoint.

use std::fmt;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// A file cannot be read.
    #[error("cannot read `{file}`")]
    Read {
        /// The file's name in the folder.
        file: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// There is no `config.json`.
    #[error(
        "it has no config.json; a checkpoint is a folder as the Hugging Face hub lays it out. The \
         published weights of PointNet++, DGCNN and Point-MAE come without one: for those of the \
         published size, write {{\"model_type\": \"pointnet2\"}} (with \"multi_scale\": true for \
         several scales and \"normals\": true where they were trained with normals), \
         {{\"model_type\": \"dgcnn\"}} or {{\"model_type\": \"point-mae\"}} (with \"class_token\": \
         false for an encoder of pre-training) into it"
    )]
    NoConfig,
    /// A file is not the JSON it should be.
    #[error("`{file}` is not what a checkpoint's should be")]
    Json {
        /// The file's name in the folder.
        file: &'static str,
        /// What was expected and where.
        #[source]
        source: serde_json::Error,
    },
    /// A value of the configuration makes no model.
    #[error("config.json: {key} is {given}, expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        given: String,
        /// What would do.
        expected: &'static str,
    },
    /// No model of this build has such a configuration.
    #[error("config.json says model type `{given}`; this build reads {known}")]
    UnknownModel {
        /// The model type, or architecture.
        given: String,
        /// What is read.
        known: &'static str,
    },
    /// There are no weights.
    #[error("it has no *.safetensors file")]
    NoWeights,
    /// The weights are pickled.
    #[error(
        "its weights are pickled (`{file}`), and loading a pickle can run code. Convert them: {command}"
    )]
    Pickled {
        /// The file.
        file: String,
        /// A command that writes safetensors.
        command: String,
    },
    /// The weights' file is damaged.
    #[error("the weights cannot be read")]
    Weights(#[source] candle_core::Error),
    /// The tensors are not those of the model that the configuration describes.
    #[error("the weights do not fit config.json: {0}")]
    Tensors(TensorFaults),
    /// The vocabulary is missing or does not fit the embedding.
    #[error("vocabulary: {reason}")]
    Vocabulary {
        /// What is wrong and where.
        reason: String,
    },
}

/// Which tensors are wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TensorFaults {
    /// Named by the configuration, not in the files.
    pub missing: Vec<String>,
    /// In the files, not part of the model.
    pub extra: Vec<String>,
    /// With another shape: name, shape found, shape expected.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl TensorFaults {
    /// Nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.misshapen.is_empty()
    }
}

impl fmt::Display for TensorFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let named = |names: &[String]| {
            let shown = names
                .iter()
                .take(SHOWN)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            match names.len().saturating_sub(SHOWN) {
                0 => shown,
                more => format!("{shown} and {more} more"),
            }
        };
        if !self.missing.is_empty() {
            parts.push(format!("missing {}", named(&self.missing)));
        }
        if !self.misshapen.is_empty() {
            let names: Vec<String> = self
                .misshapen
                .iter()
                .map(|(name, given, expected)| format!("{name}: {given:?}, expected {expected:?}"))
                .collect();
            parts.push(format!("of another shape {}", named(&names)));
        }
        if !self.extra.is_empty() {
            parts.push(format!("not part of the model {}", named(&self.extra)));
        }
        f.write_str(&parts.join("; "))
    }
}

const SHOWN: usize = 6;
