//! `config.json`: which model, and how large.

mod transformer;

use std::fmt;

use penstock_types::Kind;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CheckpointFault;
use crate::graph::recipe::Recipe;
pub(crate) use transformer::TransformerConfig;

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
    /// PointNet++.
    PointNet2,
    /// DGCNN.
    Dgcnn,
    /// Point-MAE.
    PointMae,
    /// Transolver.
    Transolver,
    /// `MeshGraphNet`.
    MeshGraphNet,
    /// `HyenaDNA`.
    HyenaDna,
    /// Caduceus, of either form.
    Caduceus,
    /// A graph neural network, and what its graphs are made of.
    Graph(Kind),
}

impl Family {
    /// Whether it is computed as `model::transformer`, which has several precisions.
    pub(crate) const fn is_transformer(self) -> bool {
        matches!(
            self,
            Self::Esm2
                | Self::NucleotideV1
                | Self::NucleotideV2
                | Self::EsmC
                | Self::T5
                | Self::DnaBert2
        )
    }

    /// What its records are.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Esm2 | Self::EsmC | Self::T5 => Kind::Protein,
            Self::PointNet2
            | Self::Dgcnn
            | Self::PointMae
            | Self::Transolver
            | Self::MeshGraphNet => Kind::Mesh,
            Self::NucleotideV1
            | Self::NucleotideV2
            | Self::DnaBert2
            | Self::HyenaDna
            | Self::Caduceus => Kind::Dna,
            Self::Graph(kind) => kind,
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
            Self::PointNet2 => "PointNet++",
            Self::Dgcnn => "DGCNN",
            Self::PointMae => "Point-MAE",
            Self::Transolver => "Transolver",
            Self::MeshGraphNet => "MeshGraphNet",
            Self::HyenaDna => "HyenaDNA",
            Self::Caduceus => "Caduceus",
            Self::Graph(_) => "graph neural network",
        })
    }
}

/// What users are told that this build reads.
const KNOWN: &str = "esm (ESM-2, SaProt, Nucleotide Transformer), ESMplusplus (ESM C), t5 (ProtT5, \
                     ProstT5), bert with ALiBi (DNABERT-2), hyenadna, caduceus, \
                     pointnet2 (PointNet++), dgcnn, point-mae, transolver, \
                     meshgraphnet, gin, graphsage and gat";

/// What `config.json` says. Each family reads its own keys.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    json: Value,
}

impl Config {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, CheckpointFault> {
        let json = serde_json::from_slice(bytes).map_err(json)?;
        Ok(Self { json })
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.json.get(key)?.as_str()
    }

    fn has(&self, key: &str) -> bool {
        self.json.get(key).is_some_and(|value| !value.is_null())
    }

    /// The model that these keys describe.
    pub(crate) fn family(&self) -> Result<Family, CheckpointFault> {
        let model_type = self.text("model_type").unwrap_or_default();
        let rotary = self.text("position_embedding_type") == Some("rotary");
        let letters = self.json.get("vocab_size").and_then(Value::as_u64);
        match model_type {
            // Its configurations on the hub name no model type; only it has this key.
            "esm" | "" if self.has("add_bias_fnn") => Ok(Family::NucleotideV2),
            "esm" if rotary => Ok(Family::Esm2),
            // ESM-1 has learned positions too, and the 33 letters of proteins.
            "esm" if letters.is_some_and(|letters| letters > 64) => Ok(Family::NucleotideV1),
            "ESMplusplus" | "esmc" => Ok(Family::EsmC),
            "t5" => Ok(Family::T5),
            "bert" if self.has("alibi_starting_size") => Ok(Family::DnaBert2),
            "pointnet2" => Ok(Family::PointNet2),
            "dgcnn" => Ok(Family::Dgcnn),
            "point-mae" => Ok(Family::PointMae),
            "transolver" => Ok(Family::Transolver),
            "meshgraphnet" => Ok(Family::MeshGraphNet),
            "hyenadna" => Ok(Family::HyenaDna),
            "caduceus" => Ok(Family::Caduceus),
            "gin" | "graphsage" | "gat" => self.graph_kind().map(Family::Graph),
            _ => Err(self.unknown()),
        }
    }

    /// That no model of this build has such a configuration.
    pub(crate) fn unknown(&self) -> CheckpointFault {
        let architecture = self.json.pointer("/architectures/0");
        CheckpointFault::UnknownModel {
            given: match (
                self.text("model_type"),
                architecture.and_then(Value::as_str),
            ) {
                (None | Some(""), Some(architecture)) => architecture.to_owned(),
                (model_type, _) => model_type.unwrap_or_default().to_owned(),
            },
            known: KNOWN,
        }
    }

    /// What the graphs of a graph neural network are made of.
    fn graph_kind(&self) -> Result<Kind, CheckpointFault> {
        let from = self.json.pointer("/graph/from").and_then(Value::as_str);
        from.and_then(Recipe::kind_of)
            .ok_or_else(|| CheckpointFault::Config {
                key: "graph.from",
                given: from.unwrap_or("missing").to_owned(),
                expected: "contacts, faces, vertices, kmers or graph",
            })
    }

    /// The keys of one family.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, CheckpointFault> {
        serde_json::from_value(self.json.clone()).map_err(json)
    }

    /// The keys of a transformer.
    pub(crate) fn transformer(&self) -> Result<TransformerConfig, CheckpointFault> {
        self.read::<TransformerConfig>()?.checked()
    }
}

fn json(source: serde_json::Error) -> CheckpointFault {
    CheckpointFault::Json {
        file: "config.json",
        source,
    }
}
