//! Norms between layers, as their names in a checkpoint say.

use super::config::{GraphConfig, NormKind, NormMode};
use crate::EmbedError;
use crate::checkpoint::{Expected, Weights};
use crate::error::tensor;
use crate::ops::{Norm, Step};

/// The tensors of a norm.
pub(super) fn expect(config: &GraphConfig, prefix: &str, width: usize, expected: &mut Expected) {
    match config.norm {
        None => {}
        Some(NormKind::Layer) => expected.norm(prefix, width, true),
        Some(NormKind::Batch) => {
            expected.norm(&format!("{prefix}.module"), width, true);
            expected.tensor(format!("{prefix}.module.running_mean"), &[width]);
            expected.tensor(format!("{prefix}.module.running_var"), &[width]);
        }
    }
}

/// Norm and activation, in the order of the configuration.
pub(super) fn steps(
    config: &GraphConfig,
    prefix: &str,
    weights: &Weights,
) -> Result<Vec<Step>, EmbedError> {
    let mut steps = Vec::new();
    if let Some(kind) = config.norm {
        steps.push(norm(config, kind, prefix, weights)?);
    }
    if let Some(act) = config.act {
        let at = if config.act_first { 0 } else { steps.len() };
        steps.insert(at, Step::Apply(act.function()));
    }
    Ok(steps)
}

fn norm(
    config: &GraphConfig,
    kind: NormKind,
    prefix: &str,
    weights: &Weights,
) -> Result<Step, EmbedError> {
    let epsilon = config.norm_epsilon();
    let read = |name: String| vector(weights, &name);
    match kind {
        NormKind::Layer => {
            let norm = Norm {
                weight: read(format!("{prefix}.weight"))?,
                bias: read(format!("{prefix}.bias"))?,
                epsilon,
            };
            Ok(match config.norm_mode() {
                NormMode::Node => Step::NormRows(norm),
                NormMode::Graph => Step::NormAll(norm),
            })
        }
        NormKind::Batch => {
            let module = format!("{prefix}.module");
            let weight = read(format!("{module}.weight"))?;
            let bias = read(format!("{module}.bias"))?;
            let mean = read(format!("{module}.running_mean"))?;
            let variance = read(format!("{module}.running_var"))?;
            // Once trained, its statistics are constants.
            let scale: Vec<f64> = weight
                .iter()
                .zip(&variance)
                .map(|(w, v)| f64::from(*w) / (f64::from(*v) + f64::from(epsilon)).sqrt())
                .collect();
            let shift = bias
                .iter()
                .zip(&mean)
                .zip(&scale)
                .map(|((b, m), s)| (f64::from(*b) - f64::from(*m) * s) as f32)
                .collect();
            Ok(Step::Affine {
                scale: scale.iter().map(|s| *s as f32).collect(),
                shift,
            })
        }
    }
}

/// A tensor's numbers, whatever its shape.
pub(super) fn vector(weights: &Weights, name: &str) -> Result<Vec<f32>, EmbedError> {
    weights
        .get(name)?
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .map_err(tensor("reading a weight"))
}
