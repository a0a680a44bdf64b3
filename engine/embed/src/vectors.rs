//! What every descriptor does after its features are known: exact products, normalisation, and
//! the Arrow array.
//!
//! Products are exact. Features and matrices hold integers, stored as doubles, whose products and
//! sums stay below 2^53; so a sum has one value, in whatever order the library adds, on however
//! many threads, beside whichever other rows of the batch, on CPU or GPU. That is what makes a
//! vector a function of its record alone, to the last bit.

use std::sync::{Arc, OnceLock};

use arrow::array::{FixedSizeListArray, Float32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use candle_core::Tensor;
use penstock_types::Dim;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::error::tensor;
use crate::{EmbedError, device};

/// The length of every vector made here.
pub(crate) const DIM: usize = 256;

/// The same as a value of the column contract; 256 is not zero.
pub(crate) const DIMENSION: Dim = match Dim::new(DIM) {
    Some(dim) => dim,
    None => unreachable!(),
};

/// Features are multiples of 2^-24 of their block's norm.
pub(crate) const UNIT: f64 = (1 << 24) as f64;

/// An integer matrix, placed on the device when it is first needed.
#[derive(Debug)]
pub(crate) struct Projection {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
    placed: OnceLock<Tensor>,
}

impl Projection {
    /// An integer matrix in row-major order.
    pub(crate) fn new(values: Vec<f64>, rows: usize, columns: usize) -> Self {
        debug_assert_eq!(values.len(), rows * columns);
        debug_assert!(values.iter().all(|v| v.fract() == 0.0));
        Self {
            rows,
            columns,
            values,
            placed: OnceLock::new(),
        }
    }

    fn matrix(&self) -> Result<&Tensor, EmbedError> {
        if let Some(matrix) = self.placed.get() {
            return Ok(matrix);
        }
        let matrix = Tensor::from_slice(&self.values, (self.rows, self.columns), device())
            .map_err(tensor("placing a projection on the device"))?;
        Ok(self.placed.get_or_init(|| matrix))
    }

    /// Products of `features`, which holds rows of this matrix's height one after another.
    pub(crate) fn apply(&self, features: &[f64]) -> Result<Vec<f64>, EmbedError> {
        debug_assert_eq!(features.len() % self.rows, 0);
        let n = features.len() / self.rows;
        if n == 0 {
            return Ok(Vec::new());
        }
        let matrix = self.matrix()?;
        Tensor::from_slice(features, (n, self.rows), device())
            .and_then(|x| x.matmul(matrix))
            .and_then(|y| y.flatten_all())
            .and_then(|y| y.to_vec1::<f64>())
            .map_err(tensor("projecting features"))
    }

    /// The matrix, for the digest.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }
}

/// A sparse random projection: +1 and -1 with probability 1/6 each, else 0 (Achlioptas 2003,
/// doi:10.1016/S0022-0000(03)00025-4). `ChaCha8` gives the same stream on every machine.
pub(crate) fn signs(seed: u64, rows: usize, columns: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..rows * columns)
        .map(|_| match rng.random::<u32>() % 6 {
            0 => 1.0,
            1 => -1.0,
            _ => 0.0,
        })
        .collect()
}

/// Scales a block of features to norm 1 and rounds it to multiples of 1 / [`UNIT`], as integers.
/// A block of zeros stays one.
pub(crate) fn quantise(block: &mut [f64]) {
    let norm = block.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() {
        for x in block {
            *x = (*x / norm * UNIT).round();
        }
    } else {
        block.fill(0.0);
    }
}

/// Scales a block to the given norm. A block of zeros stays one.
pub(crate) fn scale_to(block: &mut [f64], target: f64) {
    let norm = block.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() {
        for x in block {
            *x *= target / norm;
        }
    } else {
        block.fill(0.0);
    }
}

/// The unit vector in single precision; `None` for what has no direction.
pub(crate) fn unit(values: &[f64]) -> Option<[f32; DIM]> {
    debug_assert_eq!(values.len(), DIM);
    let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
    if !(norm > 0.0 && norm.is_finite()) {
        return None;
    }
    let mut vector = [0.0; DIM];
    for (slot, value) in vector.iter_mut().zip(values) {
        *slot = (value / norm) as f32;
    }
    Some(vector)
}

/// One vector per row, as the feature column holds them.
pub(crate) fn array(rows: &[Option<[f32; DIM]>]) -> Result<FixedSizeListArray, EmbedError> {
    let mut values = Vec::with_capacity(rows.len() * DIM);
    for row in rows {
        values.extend_from_slice(row.as_ref().unwrap_or(&[0.0; DIM]));
    }
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect::<Vec<_>>().into();
    Ok(FixedSizeListArray::try_new(
        Arc::new(Field::new("item", DataType::Float32, true)),
        DIM as i32,
        Arc::new(Float32Array::from(values)),
        (nulls.null_count() > 0).then_some(nulls),
    )?)
}
