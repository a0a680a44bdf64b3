//! The encoder of T5 (Raffel et al. 2020) as `ProtT5` (Elnaggar et al. 2022) and `ProstT5` use it.
//!
//! Root-mean-square norms, no biases, scores not scaled, a learned bias by bucket of distance that
//! all layers share.

use penstock_types::Kind;

use super::tokens::{Letters, Specials, Tokenizer, Vocabulary};
use super::transformer::{
    Architecture, BlockWeights, EmbeddingWeights, FeedForward, Position, Source,
};
use super::{Limits, Parts};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, TransformerConfig, Weights};
use crate::kernel::{Activation, NormKind};

/// The first pieces of `ProtT5`'s vocabulary, for folders without `spiece.model`.
const VOCABULARY: [&str; 28] = [
    "<pad>", "</s>", "<unk>", "A", "L", "G", "V", "S", "R", "E", "D", "T", "I", "P", "K", "F", "Q",
    "N", "Y", "M", "H", "W", "C", "X", "B", "O", "U", "Z",
];

/// The vocabulary of `ProstT5`, with the letters of structures.
const PROST_T5: usize = 150;

/// Relative positions have no end; the time for one window grows with its square.
const WINDOW: usize = 2047;

const BIAS: &str = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";

struct Shape {
    head_dim: usize,
    inner: usize,
    buckets: usize,
    max_distance: usize,
    feed_forward: FeedForward,
}

fn shape(config: &TransformerConfig) -> Result<Shape, CheckpointFault> {
    let proj = config.feed_forward_proj.as_deref().unwrap_or("relu");
    let feed_forward = match proj {
        "relu" => FeedForward::Plain(Activation::Relu),
        "gelu" => FeedForward::Plain(Activation::Gelu),
        "gated-gelu" => FeedForward::Gated(Activation::GeluTanh),
        "gated-silu" => FeedForward::Gated(Activation::Silu),
        other => {
            return Err(CheckpointFault::Config {
                key: "feed_forward_proj",
                given: other.to_owned(),
                expected: "relu, gelu, gated-gelu or gated-silu",
            });
        }
    };
    let buckets = config.relative_attention_num_buckets.unwrap_or(32);
    if buckets < 4 {
        return Err(CheckpointFault::Config {
            key: "relative_attention_num_buckets",
            given: buckets.to_string(),
            expected: "at least 4",
        });
    }
    Ok(Shape {
        head_dim: TransformerConfig::need(config.d_kv, "d_kv", "the numbers per head")?,
        inner: TransformerConfig::need(config.intermediate_size, "d_ff", "a number")?,
        buckets,
        max_distance: config.relative_attention_max_distance.unwrap_or(128),
        feed_forward,
    })
}

fn feed_names(feed_forward: FeedForward) -> &'static [&'static str] {
    match feed_forward {
        FeedForward::Plain(_) => &["wi"],
        FeedForward::Gated(_) => &["wi_0", "wi_1"],
    }
}

fn layer(index: usize) -> String {
    format!("encoder.block.{index}.layer")
}

pub(super) fn expected(config: &TransformerConfig) -> Result<Expected, CheckpointFault> {
    let shape = shape(config)?;
    let width = config.hidden_size;
    let all_heads = config.num_attention_heads * shape.head_dim;
    let mut expected = Expected::default();
    expected.tensor("shared.weight", &[config.vocab_size, width]);
    expected.tensor(BIAS, &[shape.buckets, config.num_attention_heads]);
    for index in 0..config.num_hidden_layers {
        let layer = layer(index);
        expected.norm(&format!("{layer}.0.layer_norm"), width, false);
        expected.norm(&format!("{layer}.1.layer_norm"), width, false);
        for name in ["q", "k", "v"] {
            let name = format!("{layer}.0.SelfAttention.{name}");
            expected.affine(&name, width, all_heads, false);
        }
        let out = format!("{layer}.0.SelfAttention.o");
        expected.affine(&out, all_heads, width, false);
        for name in feed_names(shape.feed_forward) {
            let name = format!("{layer}.1.DenseReluDense.{name}");
            expected.affine(&name, width, shape.inner, false);
        }
        let down = format!("{layer}.1.DenseReluDense.wo");
        expected.affine(&down, shape.inner, width, false);
    }
    expected.norm("encoder.final_layer_norm", width, false);
    expected.ignore(&["decoder.", "lm_head.", "encoder.embed_tokens."]);
    Ok(expected)
}

fn block(
    weights: &Weights,
    index: usize,
    epsilon: f64,
    feed_forward: FeedForward,
) -> Result<BlockWeights, EmbedError> {
    let layer = layer(index);
    let attention = |name: &str| format!("{layer}.0.SelfAttention.{name}");
    let norm = |part: usize| {
        let name = format!("{layer}.{part}.layer_norm");
        weights.norm(&name, NormKind::Rms, epsilon)
    };
    let up: Vec<String> = feed_names(feed_forward)
        .iter()
        .map(|name| format!("{layer}.1.DenseReluDense.{name}"))
        .collect();
    Ok(BlockWeights {
        attention_norm: norm(0)?,
        qkv: weights.affines(&[attention("q"), attention("k"), attention("v")])?,
        query_norm: None,
        key_norm: None,
        out: weights.affine(&attention("o"))?,
        feed_norm: norm(1)?,
        up: weights.affines(&up)?,
        down: weights.affine(&format!("{layer}.1.DenseReluDense.wo"))?,
    })
}

pub(super) fn parts<'a>(
    checkpoint: &Checkpoint,
    weights: &'a Weights,
) -> Result<Parts<'a>, EmbedError> {
    let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
    let config = &checkpoint.config().transformer().map_err(fault)?;
    let shape = shape(config).map_err(fault)?;
    let epsilon = config.layer_norm_eps.unwrap_or(1e-6);
    let tokenizer = vocabulary(checkpoint).map_err(fault)?;
    let feed_forward = shape.feed_forward;
    let source = Source {
        architecture: Architecture {
            layers: config.num_hidden_layers,
            width: config.hidden_size,
            heads: config.num_attention_heads,
            head_dim: shape.head_dim,
            norm_first: true,
            position: Position::Relative {
                table: weights.get(BIAS)?,
                max_distance: shape.max_distance,
            },
            feed_forward,
            score_scale: 1.0,
            residual_scale: 1.0,
        },
        embedding: EmbeddingWeights {
            words: weights.get("shared.weight")?,
            positions: None,
            constant: None,
            norm: None,
            token_dropout: None,
        },
        block: Box::new(move |index| block(weights, index, epsilon, feed_forward)),
        final_norm: Some(weights.norm("encoder.final_layer_norm", NormKind::Rms, epsilon)?),
    };
    Ok(Parts {
        source,
        tokenizer,
        limits: Limits {
            window: WINDOW,
            overlap: WINDOW / 8,
        },
        kind: Kind::Protein,
        recipe: format!(
            "t5 heads {} eps {epsilon:e} distance {}",
            config.num_attention_heads, shape.max_distance
        ),
    })
}

fn vocabulary(checkpoint: &Checkpoint) -> Result<Tokenizer, CheckpointFault> {
    let rows = checkpoint.config().transformer()?.vocab_size;
    let vocabulary = match checkpoint.bytes("spiece.model")? {
        Some(bytes) => Vocabulary::from_tokens(
            pieces(&bytes)?
                .into_iter()
                .map(|piece| piece.trim_start_matches('\u{2581}').to_owned()),
        ),
        None => Vocabulary::of(&VOCABULARY),
    }
    .fits(rows)?;
    let prefix = added(checkpoint, "<AA2fold>")?;
    if prefix.is_some_and(|id| id as usize >= rows) {
        return Err(CheckpointFault::Vocabulary {
            reason: format!("added_tokens.json numbers a token over the {rows} of the embedding"),
        });
    }
    if prefix.is_none() && rows == PROST_T5 {
        return Err(CheckpointFault::Vocabulary {
            reason: "added_tokens.json is missing; ProstT5 reads its first token from there".into(),
        });
    }
    let specials = Specials {
        before: prefix.into_iter().collect(),
        after: vec![vocabulary.need("</s>")?],
    };
    let unknown = vocabulary.need("X")?;
    let letters = Letters::new(unknown, specials, |letter| match letter {
        // The authors replace rare residues before they embed.
        b'U' | b'Z' | b'O' | b'B' => Some(unknown),
        letter if letter.is_ascii_alphabetic() => vocabulary.letter(letter),
        _ => None,
    });
    Ok(Tokenizer::Letters(letters))
}

/// A token of `added_tokens.json`: `ProstT5` wants to be told which way to translate.
fn added(checkpoint: &Checkpoint, token: &str) -> Result<Option<u32>, CheckpointFault> {
    let file = "added_tokens.json";
    let Some(text) = checkpoint.text(file)? else {
        return Ok(None);
    };
    let tokens: std::collections::HashMap<String, u32> =
        serde_json::from_str(&text).map_err(|source| CheckpointFault::Json { file, source })?;
    Ok(tokens.get(token).copied())
}

/// The pieces of a `SentencePiece` model in order: field 1 of the message, and in each field 1,
/// its text. Nothing else of the file is needed.
fn pieces(bytes: &[u8]) -> Result<Vec<String>, CheckpointFault> {
    let damaged = || CheckpointFault::Vocabulary {
        reason: "spiece.model is not a SentencePiece model".into(),
    };
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (field, value, after) = field(rest).ok_or_else(damaged)?;
        if let (1, Some(piece)) = (field, value) {
            let text = match self::field(piece) {
                Some((1, Some(text), _)) => std::str::from_utf8(text).ok(),
                _ => None,
            };
            pieces.push(text.ok_or_else(damaged)?.to_owned());
        }
        rest = after;
    }
    Ok(pieces)
}

/// One field of a protocol buffer: its number, its bytes where it has a length, and what follows.
type Field<'a> = (u64, Option<&'a [u8]>, &'a [u8]);

/// The first field of these bytes; none where they are no field.
fn field(bytes: &[u8]) -> Option<Field<'_>> {
    let (key, rest) = varint(bytes)?;
    match key & 7 {
        0 => Some((key >> 3, None, varint(rest)?.1)),
        1 => Some((key >> 3, None, rest.get(8..)?)),
        2 => {
            let (len, rest) = varint(rest)?;
            let len = usize::try_from(len).ok()?;
            Some((key >> 3, Some(rest.get(..len)?), rest.get(len..)?))
        }
        5 => Some((key >> 3, None, rest.get(4..)?)),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn pieces_are_read_in_order() {
        // pieces { piece: "<pad>" score: 0 type: 3 } pieces { piece: "▁A" } trainer_spec {}
        let model = [
            b"\x0a\x0e\x0a\x05<pad>\x15\0\0\0\0\x18\x03".as_slice(),
            b"\x0a\x06\x0a\x04\xe2\x96\x81A",
            b"\x12\x00",
        ]
        .concat();
        assert_eq!(pieces(&model).unwrap(), ["<pad>", "\u{2581}A"]);
        assert!(pieces(&model[..7]).is_err());
    }
}
