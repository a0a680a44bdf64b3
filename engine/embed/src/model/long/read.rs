//! Weights as the kernels take them.

use crate::EmbedError;
use crate::checkpoint::Weights;
use crate::error::tensor;
use crate::kernel::{Linear, Norm, NormKind};

/// Rows that go through a few products together: as many as leave room in a second-level cache of
/// half a megabyte for rows of `widest` numbers, in whole tiles of every instruction set.
pub(crate) fn rows_at_once(widest: usize) -> usize {
    (128 * 1024 / widest.max(1) / 12 * 12).clamp(24, 192)
}

/// All numbers of a tensor, in row-major order.
pub(crate) fn numbers(weights: &Weights, name: &str) -> Result<Vec<f32>, EmbedError> {
    weights
        .get(name)?
        .flatten_all()
        .and_then(|t| t.to_vec1::<f32>())
        .map_err(tensor("reading a weight"))
}

fn optional(weights: &Weights, name: &str) -> Result<Option<Vec<f32>>, EmbedError> {
    weights
        .has(name)
        .then(|| numbers(weights, name))
        .transpose()
}

/// `prefix.weight`, `[outputs, inputs]`, and `prefix.bias`, where there is one.
pub(crate) fn linear(
    weights: &Weights,
    prefix: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Linear, EmbedError> {
    let weight = numbers(weights, &format!("{prefix}.weight"))?;
    let bias = optional(weights, &format!("{prefix}.bias"))?;
    Ok(Linear::new(&weight, bias.as_deref(), inputs, outputs))
}

/// A map without bias as several, of `block` outputs each but the last.
pub(crate) fn in_blocks(
    weights: &Weights,
    prefix: &str,
    inputs: usize,
    block: usize,
) -> Result<Vec<Linear>, EmbedError> {
    let weight = numbers(weights, &format!("{prefix}.weight"))?;
    Ok(weight
        .chunks(inputs * block)
        .map(|rows| Linear::new(rows, None, inputs, rows.len() / inputs))
        .collect())
}

/// `prefix.weight` and, where there is one, `prefix.bias`.
pub(crate) fn norm(
    weights: &Weights,
    prefix: &str,
    kind: NormKind,
    epsilon: f64,
) -> Result<Norm, EmbedError> {
    Ok(Norm {
        kind,
        epsilon: epsilon as f32,
        weight: numbers(weights, &format!("{prefix}.weight"))?,
        bias: optional(weights, &format!("{prefix}.bias"))?,
    })
}
