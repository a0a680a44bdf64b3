//! Nucleotide Transformer (Dalla-Torre et al. 2024, doi:10.1038/s41592-024-02523-z), both forms.
//!
//! Six bases a token. The first form has ESM's layers with learned positions; the second has
//! rotary positions and gated feed-forward blocks (`SiLU(first half) * second half`).

use std::collections::HashMap;

use penstock_types::Kind;

use super::esm2::{UNREAD, block};
use super::tokens::{Letters, SixMers, Specials, Tokenizer, Vocabulary};
use super::transformer::{Architecture, EmbeddingWeights, FeedForward, Position, Source};
use super::{Limits, Parts};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Config, Expected, Family, Weights};
use crate::kernel::{Activation, NormKind};

const POSITIONS: &str = "embeddings.position_embeddings.weight";

pub(super) fn expected(config: &Config) -> Result<Expected, CheckpointFault> {
    let width = config.hidden_size;
    let gated = config.family()? == Family::NucleotideV2;
    let bias = config.add_bias_fnn.unwrap_or(true);
    let inner = Config::need(config.intermediate_size, "intermediate_size", "a number")?;
    let mut expected = Expected::default();
    expected.tensor(
        "embeddings.word_embeddings.weight",
        &[config.vocab_size, width],
    );
    if !gated {
        expected.tensor(POSITIONS, &[positions(config)?, width]);
    }
    if config.emb_layer_norm_before == Some(true) {
        expected.norm("embeddings.layer_norm", width, true);
    }
    for index in 0..config.num_hidden_layers {
        let layer = format!("encoder.layer.{index}");
        expected.norm(&format!("{layer}.attention.LayerNorm"), width, true);
        expected.norm(&format!("{layer}.LayerNorm"), width, true);
        for name in ["query", "key", "value"] {
            let name = format!("{layer}.attention.self.{name}");
            expected.affine(&name, width, width, true);
        }
        let out = format!("{layer}.attention.output.dense");
        expected.affine(&out, width, width, true);
        let up = format!("{layer}.intermediate.dense");
        expected.affine(&up, width, if gated { 2 * inner } else { inner }, bias);
        expected.affine(&format!("{layer}.output.dense"), inner, width, bias);
    }
    expected.norm("encoder.emb_layer_norm_after", width, true);
    expected.ignore(&UNREAD);
    if gated {
        expected.ignore(&["position_embeddings"]);
    }
    Ok(expected)
}

fn positions(config: &Config) -> Result<usize, CheckpointFault> {
    Config::need(
        config.max_position_embeddings,
        "max_position_embeddings",
        "a number",
    )
}

pub(super) fn parts<'a>(
    checkpoint: &Checkpoint,
    weights: &'a Weights,
) -> Result<Parts<'a>, EmbedError> {
    let config = checkpoint.config();
    let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
    let gated = config.family().map_err(fault)? == Family::NucleotideV2;
    let head_dim = config.even_heads().map_err(fault)?;
    let epsilon = config.layer_norm_eps.unwrap_or(1e-12);
    let tokenizer = vocabulary(checkpoint).map_err(fault)?;
    // Rows of the table up to the padding token's are not positions (as in RoBERTa).
    let first = config.pad_token_id.unwrap_or(1) as usize + 1;
    let longest = positions(config).map_err(fault)?.saturating_sub(first);
    let window = longest.saturating_sub(1).max(1); // and the class token
    let dropout = config.token_dropout.unwrap_or(false);
    let norm = |name: &str| weights.norm(name, NormKind::Layer, epsilon);
    let source = Source {
        architecture: Architecture {
            layers: config.num_hidden_layers,
            width: config.hidden_size,
            heads: config.num_attention_heads,
            head_dim,
            norm_first: true,
            position: if gated {
                Position::Rotary(10_000.0)
            } else {
                Position::Absolute
            },
            feed_forward: if gated {
                FeedForward::Gated(Activation::Silu)
            } else {
                FeedForward::Plain(Activation::Gelu)
            },
            score_scale: (head_dim as f32).sqrt().recip(),
            residual_scale: 1.0,
        },
        embedding: EmbeddingWeights {
            words: weights.get("embeddings.word_embeddings.weight")?,
            positions: if gated {
                None
            } else {
                Some((weights.get(POSITIONS)?, first))
            },
            constant: None,
            norm: (config.emb_layer_norm_before == Some(true))
                .then(|| norm("embeddings.layer_norm"))
                .transpose()?,
            token_dropout: config.mask_token_id.filter(|_| dropout),
        },
        block: Box::new(move |index| block(weights, index, epsilon)),
        final_norm: Some(norm("encoder.emb_layer_norm_after")?),
    };
    Ok(Parts {
        source,
        tokenizer,
        limits: Limits {
            window,
            overlap: window / 8,
        },
        kind: Kind::Dna,
        recipe: format!(
            "nucleotide heads {} eps {epsilon:e} dropout {dropout} first {first}",
            config.num_attention_heads
        ),
    })
}

fn vocabulary(checkpoint: &Checkpoint) -> Result<Tokenizer, CheckpointFault> {
    let text = checkpoint
        .text("vocab.txt")?
        .ok_or_else(|| CheckpointFault::Vocabulary {
            reason: "vocab.txt is missing; it lists the k-mers".into(),
        })?;
    let vocabulary = Vocabulary::parse(&text).fits(checkpoint.config().vocab_size)?;
    let specials = Specials {
        before: vec![vocabulary.need("<cls>")?],
        after: Vec::new(),
    };
    let unknown = vocabulary.need("<unk>")?;
    let letters = Letters::new(unknown, specials, |letter| {
        let known = letter.is_ascii_alphabetic();
        known.then(|| vocabulary.letter(letter)).flatten()
    });
    let kmers: HashMap<Vec<u8>, u32> = vocabulary
        .iter()
        .filter(|(token, _)| token.len() > 1 && token.bytes().all(|b| b"ACGTN".contains(&b)))
        .map(|(token, id)| (token.as_bytes().to_vec(), id))
        .collect();
    Ok(Tokenizer::SixMers(SixMers::new(kmers, letters)))
}
