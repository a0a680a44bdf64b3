//! A loaded model and the threads that feed it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{ArrayRef, Float32Builder, ListBuilder};
use arrow::record_batch::RecordBatch;
use candle_core::Device;
use penstock_types::{Kind, Pooling, columns};

use crate::checkpoint::{Checkpoint, CheckpointFault, Family, Weights};
use crate::contacts::{ContactHead, Contacts};
use crate::input::{Text, id_of};
use crate::model::tokens::Tokenizer;
use crate::model::transformer::Position;
use crate::model::transformer::cpu::{self, Blind, Scratch};
use crate::model::transformer::device as gpu;
use crate::model::transformer::packed::Packed;
use crate::model::{Limits, Model, Parts, sequence};
use crate::pool::{Rows, join};
use crate::windows::{Window, batches, cover, windows};
use crate::{EmbedError, Precision};

/// Tokens of a batch on one core of a CPU: larger ones leave its caches.
const CPU_TOKENS: usize = 2048;

/// Numbers of a head, at most: one row of it is turned on the stack.
const MAX_HEAD_DIM: usize = 1024;

/// Tokens of a batch on a GPU, before memory says otherwise.
const GPU_TOKENS: usize = 50_000;

enum Layers {
    Cpu {
        model: cpu::Transformer,
        spare: Mutex<Vec<Scratch>>,
    },
    Gpu {
        model: gpu::Transformer,
        /// Halved when the device's memory does not do.
        budget: AtomicUsize,
    },
}

/// A model of a checkpoint, ready to embed sequences. Shared between threads.
pub(crate) struct Embedder {
    layers: Layers,
    tokenizer: Tokenizer,
    limits: Limits,
    width: usize,
    kind: Kind,
    about: String,
    digest: String,
    contacts: Option<ContactHead>,
    has_class_token: bool,
}

impl Embedder {
    pub(crate) fn load_on(
        checkpoint: &Checkpoint,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let family = checkpoint.config().family().map_err(fault)?;
        let expected = sequence::expected(checkpoint)?;
        let mut weights =
            Weights::open(checkpoint.weights(), sequence::prefix(family)).map_err(fault)?;
        // T5 shares one embedding between encoder and decoder, and files keep either name.
        weights.alias("shared.weight", "encoder.embed_tokens.weight");
        weights.check(&expected).map_err(fault)?;
        let parts = sequence::parts(checkpoint, &weights)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(parts.recipe.as_bytes());
        weights.digest(&expected, &mut hasher);
        let specials = parts.tokenizer.specials();
        let longest = parts.limits.window + specials.before.len() + specials.after.len();
        let heads = parts.source.architecture.layers * parts.source.architecture.heads;
        // SaProt has ESM-2's layers and not its contact head; a head that is there was made up.
        let letters = checkpoint.config().transformer().map_err(fault)?.vocab_size;
        let contacts = match family {
            Family::Esm2 if letters == 33 => ContactHead::load(&weights, heads)?,
            _ => None,
        };
        fits(&parts, longest).map_err(fault)?;
        let layers = if device.is_cpu() {
            Layers::Cpu {
                model: cpu::Transformer::load(&parts.source, longest, precision)?,
                spare: Mutex::default(),
            }
        } else {
            Layers::Gpu {
                model: gpu::Transformer::load(&parts.source, longest, device, precision)?,
                budget: AtomicUsize::new(GPU_TOKENS),
            }
        };
        Ok(Self {
            layers,
            width: parts.source.architecture.width,
            tokenizer: parts.tokenizer,
            limits: parts.limits,
            kind: parts.kind,
            about: format!("{family}, {} layers", parts.source.architecture.layers),
            digest: hasher.finalize().to_hex().to_string(),
            contacts,
            // What T5 is told first is what to do.
            has_class_token: family != Family::T5,
        })
    }

    /// Embeds sequences: for each `width` numbers, or with [`Pooling::None`] that many for each
    /// of its tokens; nothing for a sequence without tokens.
    ///
    /// Runs on the calling thread and rayon's.
    fn embed_all(
        &self,
        sequences: &[&[u8]],
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let tokens: Vec<Vec<u32>> = sequences
            .iter()
            .map(|sequence| self.tokenizer.encode(sequence))
            .collect();
        let mut all = Vec::new();
        let mut first = Vec::with_capacity(tokens.len() + 1);
        for (index, tokens) in tokens.iter().enumerate() {
            first.push(all.len());
            if !tokens.is_empty() {
                all.extend(windows(index, tokens.len(), self.limits));
            }
        }
        first.push(all.len());
        let parts = self.parts(&tokens, &all, &first, pooling)?;
        Ok((0..tokens.len())
            .map(|index| {
                let range = first[index]..first[index + 1];
                if range.is_empty() {
                    return Vec::new();
                }
                let len = tokens[index].len();
                join(pooling, len, self.width, &all[range.clone()], &parts[range])
            })
            .collect())
    }

    /// Whether contact maps can be made, but not on this device.
    const fn has_unused_contact_head(&self) -> bool {
        self.contacts.is_some() && matches!(self.layers, Layers::Gpu { .. })
    }

    /// The probability of contact between every two residues of a sequence that fits one window:
    /// `[residues, residues]`. None where the model has no contact head, or runs on a GPU.
    fn contact_map(&self, sequence: &[u8]) -> Option<Vec<f32>> {
        let (Some(head), Layers::Cpu { model, spare }) = (&self.contacts, &self.layers) else {
            return None;
        };
        let specials = self.tokenizer.specials();
        let mut tokens = specials.before.clone();
        tokens.extend(self.tokenizer.encode(sequence));
        let residues = specials.before.len()..tokens.len();
        tokens.extend_from_slice(&specials.after);
        let mut batch = Packed::default();
        batch.push(&tokens);
        let mut contacts = Contacts::new(head, tokens.len(), residues);
        let mut scratch = lock(spare).pop().unwrap_or_default();
        model.forward(&batch, &mut scratch, &mut contacts);
        lock(spare).push(scratch);
        Some(contacts.finish())
    }

    /// What each window adds to its sequence.
    fn parts(
        &self,
        tokens: &[Vec<u32>],
        all: &[Window],
        first: &[usize],
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let specials = self.tokenizer.specials();
        let around = specials.before.len() + specials.after.len();
        let budget = match &self.layers {
            Layers::Cpu { .. } => CPU_TOKENS,
            Layers::Gpu { budget, .. } => budget.load(Ordering::Relaxed),
        };
        let batches = batches(all, around, budget);
        let parts: Vec<OnceLock<Vec<f32>>> = all.iter().map(|_| OnceLock::new()).collect();
        let pool = |hidden: &[f32], batch: &[usize]| {
            let mut at = 0;
            for index in batch {
                let window = &all[*index];
                let rows = window.tokens.len() + around;
                let before = specials.before.len();
                let rows_of = Rows {
                    whole: window.tokens.len() == tokens[window.sequence].len(),
                    hidden: &hidden[at * self.width..(at + rows) * self.width],
                    width: self.width,
                    tokens: before..before + window.tokens.len(),
                };
                let len = tokens[window.sequence].len();
                let part = if window.tokens.len() == len {
                    rows_of.part(pooling, &vec![1; len])
                } else {
                    let of = first[window.sequence]..first[window.sequence + 1];
                    rows_of.part(pooling, &cover(&all[of.clone()], index - of.start))
                };
                // Each window is in one batch, and each batch is computed once.
                let _ = parts[*index].set(part);
                at += rows;
            }
        };
        let packed = |batch: &[usize]| {
            let mut packed = Packed::default();
            let mut window_tokens = Vec::new();
            for index in batch {
                let window = &all[*index];
                window_tokens.clear();
                window_tokens.extend_from_slice(&specials.before);
                window_tokens.extend_from_slice(&tokens[window.sequence][window.tokens.clone()]);
                window_tokens.extend_from_slice(&specials.after);
                packed.push(&window_tokens);
            }
            packed
        };
        match &self.layers {
            Layers::Cpu { model, spare } => {
                let next = AtomicUsize::new(0);
                let work = || {
                    let mut scratch = lock(spare).pop().unwrap_or_default();
                    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let hidden = model.forward(&packed(batch), &mut scratch, &mut Blind);
                        pool(hidden, batch);
                    }
                    lock(spare).push(scratch);
                };
                let threads = rayon::current_num_threads().min(batches.len());
                rayon::in_place_scope(|scope| {
                    for _ in 1..threads {
                        scope.spawn(|_| work());
                    }
                    work();
                });
            }
            Layers::Gpu { model, budget } => {
                for batch in &batches {
                    on_gpu(model, batch, budget, &packed, &pool)?;
                }
            }
        }
        Ok(parts
            .into_iter()
            .map(|part| part.into_inner().unwrap_or_default())
            .collect())
    }
}

impl Model for Embedder {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::SEQUENCE]
    }

    fn poolings(&self) -> &'static [Pooling] {
        match self.has_class_token {
            true => &[Pooling::Mean, Pooling::Max, Pooling::None, Pooling::Cls],
            false => &[Pooling::Mean, Pooling::Max, Pooling::None],
        }
    }

    fn width(&self, _pooling: Pooling) -> usize {
        self.width
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let text = Text::of(encoder, batch, columns::SEQUENCE)?;
        let rows: Vec<&[u8]> = (0..batch.num_rows())
            .map(|row| text.get(row).unwrap_or_default())
            .collect();
        self.embed_all(&rows, pooling)
    }

    fn contacts(&self, encoder: &str, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let text = Text::of(encoder, batch, columns::SEQUENCE)?;
        let mut rows = ListBuilder::new(ListBuilder::new(Float32Builder::new()));
        for row in 0..batch.num_rows() {
            let sequence = text.get(row).unwrap_or_default();
            if sequence.len() > self.limits.window {
                return Err(EmbedError::TooLong {
                    row,
                    id: id_of(batch, row),
                    given: sequence.len(),
                    longest: self.limits.window,
                });
            }
            let map = self
                .contact_map(sequence)
                .ok_or_else(|| EmbedError::NoContacts {
                    encoder: encoder.to_owned(),
                    reason: if self.has_unused_contact_head() {
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
}

/// Refuses a shape that no layer can compute.
fn fits(parts: &Parts<'_>, longest: usize) -> Result<(), CheckpointFault> {
    let architecture = &parts.source.architecture;
    let rotary = matches!(architecture.position, Position::Rotary(_));
    let head_dim = architecture.head_dim;
    let wrong = |key, given: usize, expected| {
        Err(CheckpointFault::Config {
            key,
            given: given.to_string(),
            expected,
        })
    };
    if architecture.layers == 0 {
        return wrong("num_hidden_layers", 0, "at least one");
    }
    if head_dim == 0 || head_dim > MAX_HEAD_DIM || (rotary && !head_dim.is_multiple_of(2)) {
        return wrong(
            "hidden_size / num_attention_heads",
            head_dim,
            "heads of 1 to 1024 numbers, an even number where positions are rotary",
        );
    }
    if let Some((table, first)) = &parts.source.embedding.positions {
        let rows = table.dims()[0];
        if first + longest > rows {
            return wrong(
                "max_position_embeddings",
                rows,
                "room for a class token and a base",
            );
        }
    }
    Ok(())
}

/// Computes a batch; one that does not fit the device's memory is halved, and so is the budget.
fn on_gpu(
    model: &gpu::Transformer,
    batch: &[usize],
    budget: &AtomicUsize,
    packed: &dyn Fn(&[usize]) -> Packed,
    pool: &dyn Fn(&[f32], &[usize]),
) -> Result<(), EmbedError> {
    match model.forward(&packed(batch)) {
        Ok(hidden) => {
            pool(&hidden, batch);
            Ok(())
        }
        Err(error) if error.is_out_of_memory() && batch.len() > 1 => {
            budget
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                    Some((tokens / 2).max(1))
                })
                .ok();
            let (left, right) = batch.split_at(batch.len() / 2);
            on_gpu(model, left, budget, packed, pool)?;
            on_gpu(model, right, budget, packed, pool)
        }
        Err(error) => Err(error),
    }
}

fn lock(spare: &Mutex<Vec<Scratch>>) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
    // Buffers hold no state between batches, so one left by a panic is as good as another.
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
