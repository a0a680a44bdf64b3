//! ESM-2 (Lin et al. 2023, doi:10.1126/science.ade2574) and models with its layers.
//!
//! Layers normalise first and have biases everywhere; rotary positions of base 10,000 turn the
//! whole head; GELU by the error function; one norm after the last layer. Token dropout scales the
//! embedding at inference too.

use candle_core::Tensor;
use penstock_types::Kind;

use super::tokens::{Letters, Specials, Tokenizer, Vocabulary};
use super::transformer::{
    Architecture, BlockWeights, EmbeddingWeights, FeedForward, NormWeights, Position, Source,
};
use super::{Limits, Parts};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, TransformerConfig, Weights};
use crate::kernel::{Activation, NormKind};

/// The vocabulary of all ESM-2 checkpoints, for folders without `vocab.txt`.
const VOCABULARY: [&str; 33] = [
    "<cls>", "<pad>", "<eos>", "<unk>", "L", "A", "G", "V", "S", "E", "R", "T", "I", "D", "P", "K",
    "Q", "N", "F", "Y", "M", "H", "W", "C", "X", "B", "U", "Z", "O", ".", "-", "<null_1>",
    "<mask>",
];

/// Residues in a training crop (1,024 tokens with the two special ones).
const WINDOW: usize = 1022;

const WORDS: &str = "embeddings.word_embeddings.weight";

/// What language-model heads and computed buffers are called.
const UNREAD: [&str; 5] = [
    "lm_head.",
    "contact_head.",
    "position_ids",
    "inv_freq",
    "pooler.",
];

fn layer(index: usize) -> String {
    format!("encoder.layer.{index}")
}

pub(super) fn expected(config: &TransformerConfig) -> Result<Expected, CheckpointFault> {
    let mut expected = layers(config, false, true)?;
    // Written by old versions beside rotary ones; not used by the model.
    expected.ignore(&["position_embeddings"]);
    Ok(expected)
}

/// The tensors of all models with ESM's names. `gated`: the first product of the feed-forward block
/// is twice as wide; `bias`: its products have biases.
pub(super) fn layers(
    config: &TransformerConfig,
    gated: bool,
    bias: bool,
) -> Result<Expected, CheckpointFault> {
    let width = config.hidden_size;
    let inner = TransformerConfig::need(config.intermediate_size, "intermediate_size", "a number")?;
    let up = if gated { 2 * inner } else { inner };
    let mut expected = Expected::default();
    expected.tensor(WORDS, &[config.vocab_size, width]);
    if config.emb_layer_norm_before == Some(true) {
        expected.norm("embeddings.layer_norm", width, true);
    }
    for index in 0..config.num_hidden_layers {
        let layer = layer(index);
        expected.norm(&format!("{layer}.attention.LayerNorm"), width, true);
        expected.norm(&format!("{layer}.LayerNorm"), width, true);
        for name in ["query", "key", "value"] {
            let name = format!("{layer}.attention.self.{name}");
            expected.affine(&name, width, width, true);
        }
        let out = format!("{layer}.attention.output.dense");
        expected.affine(&out, width, width, true);
        expected.affine(&format!("{layer}.intermediate.dense"), width, up, bias);
        expected.affine(&format!("{layer}.output.dense"), inner, width, bias);
    }
    expected.norm("encoder.emb_layer_norm_after", width, true);
    expected.ignore(&UNREAD);
    Ok(expected)
}

/// The embedding of all models with ESM's names.
pub(super) fn embedding(
    weights: &Weights,
    config: &TransformerConfig,
    epsilon: f64,
    positions: Option<(Tensor, usize)>,
    token_dropout: Option<u32>,
) -> Result<EmbeddingWeights, EmbedError> {
    Ok(EmbeddingWeights {
        words: weights.get(WORDS)?,
        positions,
        constant: None,
        norm: (config.emb_layer_norm_before == Some(true))
            .then(|| weights.norm("embeddings.layer_norm", NormKind::Layer, epsilon))
            .transpose()?,
        token_dropout,
    })
}

/// The norm after the last layer of all models with ESM's names.
pub(super) fn final_norm(weights: &Weights, epsilon: f64) -> Result<NormWeights, EmbedError> {
    weights.norm("encoder.emb_layer_norm_after", NormKind::Layer, epsilon)
}

/// One layer as all models with ESM's names have it.
pub(super) fn block(
    weights: &Weights,
    index: usize,
    epsilon: f64,
) -> Result<BlockWeights, EmbedError> {
    let layer = layer(index);
    let attention = |name: &str| format!("{layer}.attention.self.{name}");
    Ok(BlockWeights {
        attention_norm: weights.norm(
            &format!("{layer}.attention.LayerNorm"),
            NormKind::Layer,
            epsilon,
        )?,
        qkv: weights.affines(&[attention("query"), attention("key"), attention("value")])?,
        query_norm: None,
        key_norm: None,
        out: weights.affine(&format!("{layer}.attention.output.dense"))?,
        feed_norm: weights.norm(&format!("{layer}.LayerNorm"), NormKind::Layer, epsilon)?,
        up: weights.affine(&format!("{layer}.intermediate.dense"))?,
        down: weights.affine(&format!("{layer}.output.dense"))?,
    })
}

pub(super) fn parts<'a>(
    checkpoint: &Checkpoint,
    weights: &'a Weights,
) -> Result<Parts<'a>, EmbedError> {
    let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
    let config = &checkpoint.config().transformer().map_err(fault)?;
    let head_dim = config.even_heads().map_err(fault)?;
    let epsilon = config.layer_norm_eps.unwrap_or(1e-12);
    let (tokenizer, mask) = vocabulary(checkpoint).map_err(fault)?;
    let dropout = config.token_dropout.unwrap_or(false);
    let source = Source {
        architecture: Architecture {
            layers: config.num_hidden_layers,
            width: config.hidden_size,
            heads: config.num_attention_heads,
            head_dim,
            norm_first: true,
            position: Position::Rotary(10_000.0),
            feed_forward: FeedForward::Plain(Activation::Gelu),
            score_scale: (head_dim as f32).sqrt().recip(),
            residual_scale: 1.0,
        },
        embedding: embedding(weights, config, epsilon, None, dropout.then_some(mask))?,
        block: Box::new(move |index| block(weights, index, epsilon)),
        final_norm: Some(final_norm(weights, epsilon)?),
    };
    Ok(Parts {
        source,
        tokenizer,
        limits: Limits {
            window: WINDOW,
            overlap: WINDOW / 4,
        },
        kind: Kind::Protein,
        recipe: format!(
            "esm2 heads {} eps {epsilon:e} dropout {dropout}",
            config.num_attention_heads
        ),
    })
}

/// The table of letters, and the mask token.
fn vocabulary(checkpoint: &Checkpoint) -> Result<(Tokenizer, u32), CheckpointFault> {
    let config = checkpoint.config().transformer()?;
    let vocabulary = match checkpoint.text("vocab.txt")? {
        Some(text) => Vocabulary::parse(&text),
        None if config.vocab_size == VOCABULARY.len() => Vocabulary::of(&VOCABULARY),
        None => {
            return Err(CheckpointFault::Vocabulary {
                reason: "vocab.txt is missing, and it is not ESM-2's own".into(),
            });
        }
    }
    .fits(config.vocab_size)?;
    let specials = Specials {
        before: vec![vocabulary.need("<cls>")?],
        after: vec![vocabulary.need("<eos>")?],
    };
    let unknown = vocabulary.need("<unk>")?;
    let mask = match config.mask_token_id {
        Some(mask) => mask,
        None => vocabulary.need("<mask>")?,
    };
    // SaProt's tokens are a residue and a letter of its structure; `#` is an unknown structure.
    let paired = vocabulary.get("A#").is_some();
    let letters = Letters::new(unknown, specials, |letter| {
        if paired {
            vocabulary.get(&format!("{}#", letter as char))
        } else if letter.is_ascii_alphabetic() || letter == b'.' || letter == b'-' {
            vocabulary.letter(letter)
        } else {
            None
        }
    });
    Ok((Tokenizer::Letters(letters), mask))
}
