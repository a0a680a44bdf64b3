//! ESM C (ESM Cambrian, `EvolutionaryScale` 2024).
//!
//! No biases in the products; queries and keys are normalised over the whole width before they
//! are shared out to heads and turned; SwiGLU; what a block adds is divided by
//! `sqrt(layers / 36)`.

use penstock_types::Kind;

use super::tokens::{Letters, Specials, Tokenizer, Vocabulary};
use super::transformer::{
    Architecture, BlockWeights, EmbeddingWeights, FeedForward, Position, Source,
};
use super::{Limits, Parts};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, TransformerConfig, Weights};
use crate::kernel::{Activation, NormKind};

const VOCABULARY: [&str; 33] = [
    "<cls>", "<pad>", "<eos>", "<unk>", "L", "A", "G", "V", "S", "E", "R", "T", "I", "D", "P", "K",
    "Q", "N", "F", "Y", "M", "H", "W", "C", "X", "B", "U", "Z", "O", ".", "-", "|", "<mask>",
];

/// Residues in a training crop (2,048 tokens with the two special ones).
const WINDOW: usize = 2046;

/// `torch.nn.LayerNorm`'s default.
const EPSILON: f64 = 1e-5;

fn layer(index: usize) -> String {
    format!("transformer.blocks.{index}")
}

/// Eight thirds of the width, in whole steps of 256.
const fn inner(width: usize) -> usize {
    (width * 8).div_ceil(3).div_ceil(256) * 256
}

pub(super) fn expected(config: &TransformerConfig) -> Result<Expected, CheckpointFault> {
    let width = config.hidden_size;
    let inner = config.intermediate_size.unwrap_or_else(|| inner(width));
    let mut expected = Expected::default();
    expected.tensor("embed.weight", &[config.vocab_size, width]);
    for index in 0..config.num_hidden_layers {
        let layer = layer(index);
        expected.norm(&format!("{layer}.attn.layernorm_qkv.0"), width, true);
        let qkv = format!("{layer}.attn.layernorm_qkv.1");
        expected.affine(&qkv, width, 3 * width, false);
        expected.norm(&format!("{layer}.attn.q_ln"), width, false);
        expected.norm(&format!("{layer}.attn.k_ln"), width, false);
        let out = format!("{layer}.attn.out_proj");
        expected.affine(&out, width, width, false);
        expected.norm(&format!("{layer}.ffn.0"), width, true);
        expected.affine(&format!("{layer}.ffn.1"), width, 2 * inner, false);
        expected.affine(&format!("{layer}.ffn.3"), inner, width, false);
    }
    expected.norm("transformer.norm", width, false);
    expected.ignore(&["sequence_head.", "inv_freq"]);
    Ok(expected)
}

fn block(weights: &Weights, index: usize) -> Result<BlockWeights, EmbedError> {
    let layer = layer(index);
    let norm = |name: &str| weights.norm(&format!("{layer}.{name}"), NormKind::Layer, EPSILON);
    let affine = |name: &str| weights.affine(&format!("{layer}.{name}"));
    Ok(BlockWeights {
        attention_norm: norm("attn.layernorm_qkv.0")?,
        qkv: affine("attn.layernorm_qkv.1")?,
        query_norm: Some(norm("attn.q_ln")?),
        key_norm: Some(norm("attn.k_ln")?),
        out: affine("attn.out_proj")?,
        feed_norm: norm("ffn.0")?,
        up: affine("ffn.1")?,
        down: affine("ffn.3")?,
    })
}

pub(super) fn parts<'a>(
    checkpoint: &Checkpoint,
    weights: &'a Weights,
) -> Result<Parts<'a>, EmbedError> {
    let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
    let config = &checkpoint.config().transformer().map_err(fault)?;
    let head_dim = config.even_heads().map_err(fault)?;
    let vocabulary = Vocabulary::of(&VOCABULARY)
        .fits(config.vocab_size)
        .map_err(fault)?;
    let specials = Specials {
        before: vec![vocabulary.need("<cls>").map_err(fault)?],
        after: vec![vocabulary.need("<eos>").map_err(fault)?],
    };
    let unknown = vocabulary.need("<unk>").map_err(fault)?;
    let letters = Letters::new(unknown, specials, |letter| vocabulary.letter(letter));
    let source = Source {
        architecture: Architecture {
            layers: config.num_hidden_layers,
            width: config.hidden_size,
            heads: config.num_attention_heads,
            head_dim,
            norm_first: true,
            position: Position::Rotary(10_000.0),
            feed_forward: FeedForward::Gated(Activation::Silu),
            score_scale: (head_dim as f32).sqrt().recip(),
            residual_scale: (config.num_hidden_layers as f32 / 36.0).sqrt().recip(),
        },
        embedding: EmbeddingWeights {
            words: weights.get("embed.weight")?,
            positions: None,
            constant: None,
            norm: None,
            token_dropout: None,
        },
        block: Box::new(move |index| block(weights, index)),
        final_norm: Some(weights.norm("transformer.norm", NormKind::Layer, EPSILON)?),
    };
    Ok(Parts {
        source,
        tokenizer: Tokenizer::Letters(letters),
        limits: Limits {
            window: WINDOW,
            overlap: WINDOW / 8,
        },
        kind: Kind::Protein,
        recipe: format!("esmc heads {}", config.num_attention_heads),
    })
}
