//! A loaded model and the threads that feed it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{ArrayRef, Float32Builder, ListBuilder};
use arrow::record_batch::RecordBatch;
use candle_core::Device;
use penstock_types::{Kind, Pooling, columns};

use crate::checkpoint::{Checkpoint, CheckpointFault, Family, Weights};
use crate::contacts::{ContactHead, Contacts};
use crate::device::free_memory;
use crate::feed::{Feed, Item};
use crate::input::{Text, id_of};
use crate::memory;
use crate::model::tokens::Tokenizer;
use crate::model::transformer::Position;
use crate::model::transformer::cpu::{self, Blind, Scratch};
use crate::model::transformer::device as gpu;
use crate::model::transformer::packed::Packed;
use crate::model::transformer::pooled::Pool;
use crate::model::{Limits, Model, Parts, sequence};
use crate::pool::{Rows, join};
use crate::windows::{Room, cover};
use crate::{EmbedError, Precision};

/// Numbers of a head, at most: one row of it is turned on the stack.
const MAX_HEAD_DIM: usize = 1024;

enum Layers {
    Cpu {
        model: cpu::Transformer,
        spare: Mutex<Vec<Scratch>>,
    },
    Gpu {
        model: gpu::Transformer,
        /// Bytes for one batch; fewer after it turned out that so many were not free.
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
                // What is free now that the weights are there, less what the allocator loses.
                budget: AtomicUsize::new(free_memory(device).map_or(usize::MAX, |n| n / 5 * 4)),
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
        let results: Vec<OnceLock<Vec<f32>>> = sequences.iter().map(|_| OnceLock::new()).collect();
        let specials = self.tokenizer.specials();
        let around = specials.before.len() + specials.after.len();
        // A letter is at most one token.
        let longest = sequences.iter().map(|sequence| sequence.len()).max();
        let longest = longest.unwrap_or(0).min(self.limits.window) + around;
        let encode = |sequence: &[u8]| self.tokenizer.encode(sequence);
        match &self.layers {
            Layers::Cpu { model, spare } => {
                let threads = rayon::current_num_threads().min(sequences.len()).max(1);
                let budget = memory::host_budget();
                let tokens = model
                    .shape()
                    .plan_cpu(budget, longest, threads)
                    .map_err(|needed| EmbedError::no_room(longest, needed, budget))?;
                let room = Room {
                    around,
                    padded: false,
                    tokens: Box::new(move |_| tokens),
                };
                let feed = Feed::new(sequences, &encode, self.limits, room, threads, tokens);
                let work = || {
                    let mut scratch = lock(spare).pop().unwrap_or_default();
                    while let Some(batch) = feed.next() {
                        let packed = self.packed(&batch);
                        let hidden = model.forward(&packed, &mut scratch, &mut Blind);
                        self.pool(hidden, &batch, pooling, &results);
                    }
                    lock(spare).push(scratch);
                };
                rayon::in_place_scope(|scope| {
                    for _ in 1..threads {
                        scope.spawn(|_| work());
                    }
                    work();
                });
            }
            Layers::Gpu { model, budget } => {
                let shape = model.shape();
                let now = budget.load(Ordering::Relaxed);
                let tokens = shape
                    .plan_device(now, longest)
                    .map_err(|needed| EmbedError::no_room(longest, needed, now))?;
                let room = Room {
                    around,
                    padded: true,
                    // A shorter window takes less than the longest, which fits.
                    tokens: Box::new(move |longest| {
                        shape.plan_device(now, longest).unwrap_or(longest)
                    }),
                };
                let feed = Feed::new(sequences, &encode, self.limits, room, 2, tokens);
                std::thread::scope(|scope| {
                    scope.spawn(|| feed.run_ahead());
                    let mut done = Ok(());
                    while let (Ok(()), Some(batch)) = (&done, feed.next()) {
                        done = self.on_device(model, &batch, budget, pooling, &results);
                    }
                    feed.stop();
                    done
                })?;
            }
        }
        Ok(results
            .into_iter()
            .map(|result| result.into_inner().unwrap_or_default())
            .collect())
    }

    /// The probability of contact between every two residues of a sequence that fits one window:
    /// `[residues, residues]`. None where the model has no contact head.
    fn contact_map(&self, sequence: &[u8]) -> Result<Option<Vec<f32>>, EmbedError> {
        let Some(head) = &self.contacts else {
            return Ok(None);
        };
        let specials = self.tokenizer.specials();
        let mut tokens = specials.before.clone();
        tokens.extend(self.tokenizer.encode(sequence));
        let residues = specials.before.len()..tokens.len();
        tokens.extend_from_slice(&specials.after);
        let mut batch = Packed::default();
        batch.push(&tokens);
        let mut contacts = Contacts::new(head, tokens.len(), residues);
        match &self.layers {
            Layers::Cpu { model, spare } => {
                let mut scratch = lock(spare).pop().unwrap_or_default();
                model.forward(&batch, &mut scratch, &mut contacts);
                lock(spare).push(scratch);
            }
            Layers::Gpu { model, .. } => model.show(&batch, &mut contacts)?,
        }
        Ok(Some(contacts.finish()))
    }

    /// The windows of a batch with their special tokens.
    fn packed(&self, batch: &[Item]) -> Packed {
        let specials = self.tokenizer.specials();
        let mut packed = Packed::default();
        let mut tokens = Vec::new();
        for item in batch {
            tokens.clear();
            tokens.extend_from_slice(&specials.before);
            tokens.extend_from_slice(&item.sequence.tokens[item.window().tokens.clone()]);
            tokens.extend_from_slice(&specials.after);
            packed.push(&tokens);
        }
        packed
    }

    /// Adds the hidden states of a batch, `[tokens, width]`, to its sequences.
    fn pool(
        &self,
        hidden: &[f32],
        batch: &[Item],
        pooling: Pooling,
        results: &[OnceLock<Vec<f32>>],
    ) {
        let specials = self.tokenizer.specials();
        let (before, around) = (
            specials.before.len(),
            specials.before.len() + specials.after.len(),
        );
        let mut at = 0;
        for item in batch {
            let tokens = item.window().tokens.len();
            let rows = tokens + around;
            let rows_of = Rows {
                whole: item.is_whole(),
                hidden: &hidden[at * self.width..(at + rows) * self.width],
                width: self.width,
                tokens: before..before + tokens,
            };
            let part = rows_of.part(pooling, &cover(&item.sequence.windows, item.window));
            self.add(item, part, pooling, results);
            at += rows;
        }
    }

    /// Adds what one window gives to its sequence; the last window makes the result.
    fn add(&self, item: &Item, part: Vec<f32>, pooling: Pooling, results: &[OnceLock<Vec<f32>>]) {
        let sequence = &item.sequence;
        if let Some(parts) = sequence.add(item.window, part) {
            let len = sequence.tokens.len();
            let result = join(pooling, len, self.width, &sequence.windows, &parts);
            // Each window is in one batch, so this happens once.
            let _ = results[sequence.index].set(result);
        }
    }

    /// What can be pooled where the hidden states are. Nothing where single tokens are wanted:
    /// without pooling, and for the largest over windows that overlap.
    fn device_pool(&self, batch: &[Item], pooling: Pooling) -> Option<Pool> {
        let before = self.tokenizer.specials().before.len();
        match pooling {
            Pooling::Mean | Pooling::Whole => {
                let weights = batch.iter().map(|item| {
                    let cover = cover(&item.sequence.windows, item.window);
                    let weights = cover.iter().map(|count| 1.0 / *count as f32);
                    std::iter::repeat_n(0.0, before).chain(weights).collect()
                });
                Some(Pool::Weighted(weights.collect()))
            }
            Pooling::Cls => Some(Pool::First),
            Pooling::Max if batch.iter().all(Item::is_whole) => {
                let marked = batch.iter().map(|item| {
                    let tokens = std::iter::repeat_n(true, item.window().tokens.len());
                    std::iter::repeat_n(false, before).chain(tokens).collect()
                });
                Some(Pool::Largest(marked.collect()))
            }
            Pooling::Max | Pooling::None => None,
        }
    }

    /// Computes a batch; one that does not fit the device's memory is halved, and so is the
    /// budget.
    fn on_device(
        &self,
        model: &gpu::Transformer,
        batch: &[Item],
        budget: &AtomicUsize,
        pooling: Pooling,
        results: &[OnceLock<Vec<f32>>],
    ) -> Result<(), EmbedError> {
        let packed = self.packed(batch);
        let pool = self.device_pool(batch, pooling);
        let computed = match &pool {
            Some(pool) => model.pooled(&packed, pool),
            None => model.forward(&packed),
        };
        match computed {
            Ok(vectors) if pool.is_some() => {
                for (item, vector) in batch.iter().zip(vectors.chunks_exact(self.width)) {
                    self.add(item, vector.to_vec(), pooling, results);
                }
                Ok(())
            }
            Ok(hidden) => {
                self.pool(&hidden, batch, pooling, results);
                Ok(())
            }
            Err(error) if error.is_out_of_memory() && batch.len() > 1 => {
                let took = model.shape().device_bytes(packed.len(), packed.longest());
                budget.fetch_min(took / 2, Ordering::Relaxed);
                let (left, right) = batch.split_at(batch.len() / 2);
                self.on_device(model, left, budget, pooling, results)?;
                self.on_device(model, right, budget, pooling, results)
            }
            Err(error) => Err(error),
        }
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
                .contact_map(sequence)?
                .ok_or_else(|| EmbedError::NoContacts {
                    encoder: encoder.to_owned(),
                    reason: "the ESM-2 checkpoints with a contact head do",
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

fn lock(spare: &Mutex<Vec<Scratch>>) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
    // Buffers hold no state between batches, so one left by a panic is as good as another.
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
