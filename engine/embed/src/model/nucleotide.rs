//! Nucleotide Transformer (Dalla-Torre et al. 2024, doi:10.1038/s41592-024-02523-z), both forms.
//!
//! Six bases a token. The first form has ESM's layers with learned positions; the second has
//! rotary positions and gated feed-forward blocks (`SiLU(first half) * second half`).

use std::collections::HashMap;

use penstock_types::Kind;

use super::esm2::{block, embedding, final_norm, layers};
use super::tokens::{Letters, SixMers, Specials, Tokenizer, Vocabulary};
use super::transformer::{Architecture, FeedForward, Position, Source};
use super::{Limits, Parts};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, TransformerConfig, Weights};
use crate::kernel::Activation;

const POSITIONS: &str = "embeddings.position_embeddings.weight";

pub(super) fn expected(config: &TransformerConfig) -> Result<Expected, CheckpointFault> {
    let gated = config.add_bias_fnn.is_some();
    let bias = config.add_bias_fnn.unwrap_or(true);
    let mut expected = layers(config, gated, bias)?;
    if gated {
        expected.ignore(&["position_embeddings"]);
    } else {
        expected.tensor(POSITIONS, &[positions(config)?, config.hidden_size]);
    }
    Ok(expected)
}

fn positions(config: &TransformerConfig) -> Result<usize, CheckpointFault> {
    TransformerConfig::need(
        config.max_position_embeddings,
        "max_position_embeddings",
        "a number",
    )
}

pub(super) fn parts<'a>(
    checkpoint: &Checkpoint,
    weights: &'a Weights,
) -> Result<Parts<'a>, EmbedError> {
    let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
    let config = &checkpoint.config().transformer().map_err(fault)?;
    let gated = config.add_bias_fnn.is_some();
    let head_dim = config.even_heads().map_err(fault)?;
    let epsilon = config.layer_norm_eps.unwrap_or(1e-12);
    let tokenizer = vocabulary(checkpoint).map_err(fault)?;
    // Rows of the table up to the padding token's are not positions (as in RoBERTa).
    let first = config.pad_token_id.unwrap_or(1) as usize + 1;
    let longest = positions(config).map_err(fault)?.saturating_sub(first);
    let window = longest.saturating_sub(1).max(1); // and the class token
    let dropout = config.token_dropout.unwrap_or(false);
    let table = if gated {
        None
    } else {
        Some((weights.get(POSITIONS)?, first))
    };
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
        embedding: embedding(
            weights,
            config,
            epsilon,
            table,
            config.mask_token_id.filter(|_| dropout),
        )?,
        block: Box::new(move |index| block(weights, index, epsilon)),
        final_norm: Some(final_norm(weights, epsilon)?),
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
    let vocabulary =
        Vocabulary::parse(&text).fits(checkpoint.config().transformer()?.vocab_size)?;
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
