//! DNABERT-2 (Zhou et al. 2024, arXiv:2306.15006).
//!
//! BERT with norms after the blocks, `ALiBi` in place of positions, and gated GELU; bases are cut
//! into byte-pair pieces of varying length.

use penstock_types::Kind;

use super::tokens::{Specials, Tokenizer};
use super::transformer::{
    Architecture, BlockWeights, EmbeddingWeights, FeedForward, Position, Source,
};
use super::{Limits, Parts};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, TransformerConfig, Weights};
use crate::error::tensor;
use crate::kernel::{Activation, NormKind};

fn layer(index: usize) -> String {
    format!("encoder.layer.{index}")
}

fn inner(config: &TransformerConfig) -> usize {
    config.intermediate_size.unwrap_or(4 * config.hidden_size)
}

pub(super) fn expected(config: &TransformerConfig) -> Result<Expected, CheckpointFault> {
    let (width, inner) = (config.hidden_size, inner(config));
    config.even_heads()?;
    let mut expected = Expected::default();
    expected.tensor(
        "embeddings.word_embeddings.weight",
        &[config.vocab_size, width],
    );
    expected.tensor("embeddings.token_type_embeddings.weight", &[2, width]);
    expected.norm("embeddings.LayerNorm", width, true);
    for index in 0..config.num_hidden_layers {
        let layer = layer(index);
        expected.affine(
            &format!("{layer}.attention.self.Wqkv"),
            width,
            3 * width,
            true,
        );
        expected.affine(
            &format!("{layer}.attention.output.dense"),
            width,
            width,
            true,
        );
        expected.norm(&format!("{layer}.attention.output.LayerNorm"), width, true);
        expected.affine(
            &format!("{layer}.mlp.gated_layers"),
            width,
            2 * inner,
            false,
        );
        expected.affine(&format!("{layer}.mlp.wo"), inner, width, true);
        expected.norm(&format!("{layer}.mlp.layernorm"), width, true);
    }
    expected.ignore(&["pooler.", "cls.", "position_ids", "alibi"]);
    Ok(expected)
}

fn block(weights: &Weights, index: usize, epsilon: f64) -> Result<BlockWeights, EmbedError> {
    let layer = layer(index);
    let norm = |name: &str| weights.norm(&format!("{layer}.{name}"), NormKind::Layer, epsilon);
    let affine = |name: &str| weights.affine(&format!("{layer}.{name}"));
    Ok(BlockWeights {
        attention_norm: norm("attention.output.LayerNorm")?,
        qkv: affine("attention.self.Wqkv")?,
        query_norm: None,
        key_norm: None,
        out: affine("attention.output.dense")?,
        feed_norm: norm("mlp.layernorm")?,
        up: affine("mlp.gated_layers")?,
        down: affine("mlp.wo")?,
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
    let segment = weights
        .get("embeddings.token_type_embeddings.weight")?
        .get(0)
        .map_err(tensor("reading a weight"))?;
    let source = Source {
        architecture: Architecture {
            layers: config.num_hidden_layers,
            width: config.hidden_size,
            heads: config.num_attention_heads,
            head_dim,
            norm_first: false,
            position: Position::Alibi,
            feed_forward: FeedForward::Gated(Activation::Gelu),
            score_scale: (head_dim as f32).sqrt().recip(),
            residual_scale: 1.0,
        },
        embedding: EmbeddingWeights {
            words: weights.get("embeddings.word_embeddings.weight")?,
            positions: None,
            constant: Some(segment),
            norm: Some(weights.norm("embeddings.LayerNorm", NormKind::Layer, epsilon)?),
            token_dropout: None,
        },
        block: Box::new(move |index| block(weights, index, epsilon)),
        final_norm: None,
    };
    let window = config.max_position_embeddings.unwrap_or(512).max(3) - 2;
    Ok(Parts {
        source,
        tokenizer: tokenizer(checkpoint).map_err(fault)?,
        limits: Limits {
            window,
            overlap: window / 8,
        },
        kind: Kind::Dna,
        recipe: format!(
            "dnabert2 heads {} eps {epsilon:e}",
            config.num_attention_heads
        ),
    })
}

fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer, CheckpointFault> {
    let fault = |reason: String| CheckpointFault::Vocabulary { reason };
    let bytes = checkpoint
        .bytes("tokenizer.json")?
        .ok_or_else(|| fault("tokenizer.json is missing; it holds the byte-pair pieces".into()))?;
    let unreadable = |error| fault(format!("tokenizer.json: {error}"));
    let mut pieces = tokenizers::Tokenizer::from_bytes(&bytes).map_err(unreadable)?;
    // Files keep what their last user set.
    pieces.with_padding(None);
    pieces.with_truncation(None).map_err(unreadable)?;
    let rows = checkpoint.config().transformer()?.vocab_size;
    if let Some(last) = pieces.get_vocab(true).into_values().max()
        && last as usize >= rows
    {
        return Err(fault(format!(
            "its last piece has number {last}, and the embedding {rows} rows"
        )));
    }
    let special = |token: &str| {
        pieces
            .token_to_id(token)
            .ok_or_else(|| fault(format!("it has no `{token}`")))
    };
    let specials = Specials {
        before: vec![special("[CLS]")?],
        after: vec![special("[SEP]")?],
    };
    Ok(Tokenizer::Pieces(Box::new(pieces), specials))
}
