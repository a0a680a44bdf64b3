//! Encoders whose weights are a checkpoint's.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array as _, ArrayRef, FixedSizeListArray, Float16Array, Float32Array, ListArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field};
use arrow::record_batch::RecordBatch;
use half::f16;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling};

use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::encoder::Encoder;
use crate::input::row_keys;
use crate::model::{self, Model};
use crate::{EmbedError, Graph, Precision, device};

/// Bytes of pooled vectors kept to answer for sequences that come again.
const REMEMBERED: usize = 64 << 20;

/// What an encoder gives for a record, as it is written after a checkpoint's name:
/// `esm2_t6_8M`, `esm2_t6_8M:max`, `esm2_t6_8M:bf16`, `esm2_t6_8M:none:int8:f16`. `f32` and `f16`
/// are what is stored, `bf16` and `int8` what is computed with; a vector computed with one is not
/// that computed with another, so both are part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// How the vectors of items become one; [`Pooling::None`] keeps one per item. None: as the
    /// model usually does.
    pub pooling: Option<Pooling>,
    /// The numbers that the model's products are computed in.
    pub precision: Precision,
    /// Element type of what is stored.
    pub dtype: DType,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            pooling: None,
            precision: Precision::F32,
            dtype: DType::F32,
        }
    }
}

impl Form {
    /// Takes the form off a name: the name alone, and the form.
    ///
    /// # Errors
    /// What follows a colon is no form.
    pub fn split(name: &str) -> Result<(&str, Self), EmbedError> {
        let mut parts = name.split(':');
        let alone = parts.next().unwrap_or_default();
        let mut form = Self::default();
        for part in parts {
            if let Ok(pooling) = part.parse() {
                form.pooling = Some(pooling);
            } else if let Ok(dtype) = part.parse() {
                form.dtype = dtype;
            } else if let Ok(precision) = part.parse() {
                form.precision = precision;
            } else {
                return Err(EmbedError::Form {
                    given: part.to_owned(),
                });
            }
        }
        Ok((alone, form))
    }

    /// A name with this form after it; what is usual is not written.
    #[must_use]
    pub fn name(self, alone: &str) -> String {
        let mut name = alone.to_owned();
        if let Some(pooling) = self.pooling {
            name.push(':');
            name.push_str(pooling.as_str());
        }
        if self.precision != Self::default().precision {
            name.push(':');
            name.push_str(self.precision.as_str());
        }
        if self.dtype != Self::default().dtype {
            name.push(':');
            name.push_str(self.dtype.as_str());
        }
        name
    }
}

impl Checkpoint {
    /// Loads the weights, onto the device of this process. `name` is the encoder's, with its form
    /// where it is not the usual one: `esm2_t6_8M:max`.
    ///
    /// # Errors
    /// What follows a colon is no form, or none of this model's; the weights do not fit the
    /// configuration.
    pub fn encoder(&self, name: &str) -> Result<Arc<dyn Encoder>, EmbedError> {
        let (short, form) = Form::split(name)?;
        let loaded = Arc::new(Loaded::open(self.folder(), form.precision)?);
        Ok(Arc::new(Learned::new(short, form, loaded, self.folder())?))
    }
}

/// A checkpoint in memory, shared by the encoders of all its forms.
pub(crate) struct Loaded {
    model: Box<dyn Model>,
    licence: Option<String>,
}

impl Loaded {
    /// Loads a checkpoint onto the device of this process.
    pub(crate) fn open(folder: &Path, precision: Precision) -> Result<Self, EmbedError> {
        let checkpoint = Checkpoint::open(folder)?;
        Ok(Self {
            model: model::load(&checkpoint, device(), precision)?,
            licence: checkpoint.licence().map(str::to_owned),
        })
    }

    /// BLAKE3 of what decides the vectors, in hexadecimal.
    pub(crate) fn digest(&self) -> &str {
        self.model.digest()
    }
}

/// An encoder that runs a checkpoint's model.
pub(crate) struct Learned {
    spec: FeatureSpec,
    loaded: Arc<Loaded>,
    remembered: Mutex<HashMap<[u8; 32], Arc<[f32]>>>,
}

impl Learned {
    pub(crate) fn new(
        name: &str,
        form: Form,
        loaded: Arc<Loaded>,
        folder: &Path,
    ) -> Result<Self, EmbedError> {
        let model = &loaded.model;
        let poolings = model.poolings();
        let usual = poolings[0];
        let pooling = form.pooling.unwrap_or(usual);
        // The usual pooling is not written, so that one kind of vector has one name.
        let form = Form {
            pooling: form.pooling.filter(|pooling| *pooling != usual),
            ..form
        };
        if !poolings.contains(&pooling) {
            let known: Vec<&str> = poolings.iter().map(|pooling| pooling.as_str()).collect();
            return Err(EmbedError::NoPooling {
                encoder: name.to_owned(),
                given: pooling,
                known: known.join(", "),
            });
        }
        let width = model.width(pooling);
        let dim = Dim::new(width).ok_or_else(|| {
            let fault = CheckpointFault::Config {
                key: "hidden_size",
                given: width.to_string(),
                expected: "a positive number",
            };
            EmbedError::checkpoint(folder, fault)
        })?;
        Ok(Self {
            spec: FeatureSpec {
                encoder: form.name(name),
                weights: model.digest().to_owned(),
                pooling,
                dtype: form.dtype,
                dim,
                licence: loaded.licence.clone(),
            },
            loaded,
            remembered: Mutex::default(),
        })
    }

    /// Vectors of records; those seen before, here or in an earlier batch, are not computed.
    fn vectors(&self, batch: &RecordBatch) -> Result<Vec<Arc<[f32]>>, EmbedError> {
        let pooled = self.spec.pooling != Pooling::None;
        let keys = row_keys(batch, self.columns());
        let mut known: HashMap<[u8; 32], Arc<[f32]>> = HashMap::new();
        let (mut wanted, mut rows) = (Vec::new(), Vec::new());
        {
            let remembered = self.lock();
            let mut seen = HashSet::new();
            for (key, row) in keys.iter().zip(0_u64..) {
                if !seen.insert(*key) {
                    continue;
                }
                match remembered.get(key) {
                    Some(vector) => {
                        known.insert(*key, Arc::clone(vector));
                    }
                    None => {
                        wanted.push(*key);
                        rows.push(row);
                    }
                }
            }
        }
        let model = &self.loaded.model;
        let encoder = &self.spec.encoder;
        let computed = if rows.len() == batch.num_rows() {
            model.embed(encoder, batch, self.spec.pooling)?
        } else {
            let new = take_record_batch(batch, &UInt64Array::from(rows))?;
            model.embed(encoder, &new, self.spec.pooling)?
        };
        let mut remembered = self.lock();
        for (key, vector) in wanted.into_iter().zip(computed) {
            let vector: Arc<[f32]> = vector.into();
            if pooled {
                if (remembered.len() + 1) * (self.spec.dim.get() * 4 + 64) > REMEMBERED {
                    remembered.clear();
                }
                remembered.insert(key, Arc::clone(&vector));
            }
            known.insert(key, vector);
        }
        drop(remembered);
        // Every key was known or computed.
        Ok(keys.iter().map(|key| Arc::clone(&known[key])).collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<[f32]>>> {
        // A panic between two insertions leaves a map that is as good as before.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers as the column's dtype, `[values / dim, dim]`.
    fn lists(
        &self,
        values: Vec<f32>,
        nulls: Option<NullBuffer>,
    ) -> Result<FixedSizeListArray, EmbedError> {
        let (element, values): (DataType, ArrayRef) = match self.spec.dtype {
            DType::F32 => (DataType::Float32, Arc::new(Float32Array::from(values))),
            DType::F16 => {
                let halves = values.into_iter().map(f16::from_f32);
                (
                    DataType::Float16,
                    Arc::new(Float16Array::from_iter_values(halves)),
                )
            }
        };
        Ok(FixedSizeListArray::try_new(
            Arc::new(Field::new("item", element, true)),
            self.spec.dim.as_i32(),
            values,
            nulls,
        )?)
    }
}

impl Encoder for Learned {
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        self.loaded.model.kind()
    }

    fn columns(&self) -> &'static [&'static str] {
        self.loaded.model.columns()
    }

    fn describe(&self) -> &str {
        self.loaded.model.about()
    }

    fn is_model(&self) -> bool {
        true
    }

    fn contacts(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        self.loaded.model.contacts(&self.spec.encoder, batch)
    }

    fn vertices(&self, graph: &Graph, labels: &[Option<&str>]) -> Result<Vec<f32>, EmbedError> {
        let model = &self.loaded.model;
        model.vertices(&self.spec.encoder, graph, labels)
    }

    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let vectors = self.vectors(batch)?;
        // A sum over NaN or infinity in damaged weights must not be stored.
        // Nor may what becomes infinite in half precision.
        let is_half = self.spec.dtype == DType::F16;
        let fits = |x: f32| x.is_finite() && (!is_half || f16::from_f32(x).is_finite());
        let good = |vector: &[f32]| !vector.is_empty() && vector.iter().all(|x| fits(*x));
        let valid: Vec<bool> = vectors.iter().map(|vector| good(vector)).collect();
        let dim = self.spec.dim.get();
        let mut values = Vec::new();
        if self.spec.pooling == Pooling::None {
            let mut lengths = Vec::with_capacity(vectors.len());
            for (vector, valid) in vectors.iter().zip(&valid) {
                let vector = if *valid { &vector[..] } else { &[] };
                lengths.push(vector.len() / dim);
                values.extend_from_slice(vector);
            }
            let items = self.lists(values, None)?;
            let nulls = NullBuffer::from(valid);
            return Ok(Arc::new(ListArray::try_new(
                Arc::new(Field::new("item", items.data_type().clone(), true)),
                OffsetBuffer::from_lengths(lengths),
                Arc::new(items),
                (nulls.null_count() > 0).then_some(nulls),
            )?));
        }
        values.reserve(vectors.len() * dim);
        for (vector, valid) in vectors.iter().zip(&valid) {
            if *valid {
                values.extend_from_slice(vector);
            } else {
                values.resize(values.len() + dim, 0.0);
            }
        }
        let nulls = NullBuffer::from(valid);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        Ok(Arc::new(self.lists(values, nulls)?))
    }
}

#[cfg(test)]
mod tests;
