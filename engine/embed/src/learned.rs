//! Encoders whose weights are a checkpoint's.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array as _, ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Float32Builder,
    ListArray, ListBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use arrow::record_batch::RecordBatch;
use half::f16;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling, columns};

use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault};
use crate::embedder::Embedder;
use crate::encoder::Encoder;
use crate::input::{Text, id_of};

/// Bytes of pooled vectors kept to answer for sequences that come again.
const REMEMBERED: usize = 64 << 20;

/// What an encoder gives for a record, as it is written after a checkpoint's name:
/// `esm2_t6_8M`, `esm2_t6_8M:max`, `esm2_t6_8M:none:f16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// How the vectors of tokens become one; [`Pooling::None`] keeps one per token.
    pub pooling: Pooling,
    /// Element type of what is stored.
    pub dtype: DType,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            pooling: Pooling::Mean,
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
            match part.parse::<Pooling>() {
                Ok(pooling) if pooling != Pooling::Whole => form.pooling = pooling,
                _ => {
                    form.dtype = part.parse().map_err(|_| EmbedError::Form {
                        given: part.to_owned(),
                    })?;
                }
            }
        }
        Ok((alone, form))
    }

    /// A name with this form after it; the usual form is not written.
    #[must_use]
    pub fn name(self, alone: &str) -> String {
        let usual = Self::default();
        let mut name = alone.to_owned();
        if self.pooling != usual.pooling {
            name.push(':');
            name.push_str(self.pooling.as_str());
        }
        if self.dtype != usual.dtype {
            name.push(':');
            name.push_str(self.dtype.as_str());
        }
        name
    }
}

/// A checkpoint in memory, shared by the encoders of all its forms.
pub(crate) struct Model {
    embedder: Embedder,
    licence: Option<String>,
}

impl Model {
    pub(crate) fn load(folder: &Path) -> Result<Self, EmbedError> {
        let checkpoint = Checkpoint::open(folder)?;
        Ok(Self {
            embedder: Embedder::load(&checkpoint)?,
            licence: checkpoint.licence().map(str::to_owned),
        })
    }

    /// BLAKE3 of what decides the vectors, in hexadecimal.
    pub(crate) fn digest(&self) -> &str {
        self.embedder.digest()
    }
}

/// An encoder that runs a checkpoint's model.
pub(crate) struct Learned {
    spec: FeatureSpec,
    about: String,
    model: Arc<Model>,
    remembered: Mutex<HashMap<[u8; 32], Arc<[f32]>>>,
}

impl Learned {
    pub(crate) fn new(
        name: &str,
        form: Form,
        model: Arc<Model>,
        folder: &Path,
    ) -> Result<Self, EmbedError> {
        let embedder = &model.embedder;
        if form.pooling == Pooling::Cls && !embedder.has_class_token() {
            return Err(EmbedError::NoClassToken {
                encoder: form.name(name),
            });
        }
        let dim = Dim::new(embedder.width()).ok_or_else(|| {
            let given = embedder.width().to_string();
            let fault = CheckpointFault::Config {
                key: "hidden_size",
                given,
                expected: "a positive number",
            };
            EmbedError::checkpoint(folder, fault)
        })?;
        Ok(Self {
            spec: FeatureSpec {
                encoder: form.name(name),
                weights: embedder.digest().to_owned(),
                pooling: form.pooling,
                dtype: form.dtype,
                dim,
                licence: model.licence.clone(),
            },
            about: embedder.about().to_owned(),
            model,
            remembered: Mutex::default(),
        })
    }

    /// Vectors of sequences; those seen before, here or in an earlier batch, are not computed.
    fn vectors(&self, sequences: &[&[u8]]) -> Result<Vec<Arc<[f32]>>, EmbedError> {
        let pooled = self.spec.pooling != Pooling::None;
        let keys: Vec<[u8; 32]> = sequences
            .iter()
            .map(|sequence| *blake3::hash(sequence).as_bytes())
            .collect();
        let mut known: HashMap<[u8; 32], Arc<[f32]>> = HashMap::new();
        let mut wanted = Vec::new();
        {
            let remembered = self.lock();
            let mut seen = std::collections::HashSet::new();
            for (key, sequence) in keys.iter().zip(sequences) {
                if !seen.insert(*key) {
                    continue;
                }
                match remembered.get(key) {
                    Some(vector) => {
                        known.insert(*key, Arc::clone(vector));
                    }
                    None => wanted.push((*key, *sequence)),
                }
            }
        }
        let new: Vec<&[u8]> = wanted.iter().map(|(_, sequence)| *sequence).collect();
        let computed = self.model.embedder.embed(&new, self.spec.pooling)?;
        let mut remembered = self.lock();
        for ((key, _), vector) in wanted.into_iter().zip(computed) {
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
        self.model.embedder.kind()
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::SEQUENCE]
    }

    fn describe(&self) -> &str {
        &self.about
    }

    fn is_model(&self) -> bool {
        true
    }

    fn contacts(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let text = Text::of(&self.spec.encoder, batch, columns::SEQUENCE)?;
        let embedder = &self.model.embedder;
        let mut rows = ListBuilder::new(ListBuilder::new(Float32Builder::new()));
        for row in 0..batch.num_rows() {
            let sequence = text.get(row).unwrap_or_default();
            if sequence.len() > embedder.window() {
                return Err(EmbedError::TooLong {
                    row,
                    id: id_of(batch, row),
                    given: sequence.len(),
                    longest: embedder.window(),
                });
            }
            let map = embedder
                .contacts(sequence)
                .ok_or_else(|| EmbedError::NoContacts {
                    encoder: self.spec.encoder.clone(),
                    reason: if embedder.has_unused_contact_head() {
                        "contact maps are made on the CPU, and this build uses the GPU"
                    } else {
                        "the ESM-2 checkpoints with a contact head do"
                    },
                })?;
            for line in map.chunks_exact(sequence.len().max(1)) {
                rows.values().values().append_slice(line);
                rows.values().append(true);
            }
            rows.append(true);
        }
        Ok(Arc::new(rows.finish()))
    }

    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let text = Text::of(&self.spec.encoder, batch, columns::SEQUENCE)?;
        let rows: Vec<&[u8]> = (0..batch.num_rows())
            .map(|row| text.get(row).unwrap_or_default())
            .collect();
        let vectors = self.vectors(&rows)?;
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
