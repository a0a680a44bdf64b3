//! Fitting a head on a table, pass by pass over one version of it.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use chrono::Utc;
use futures::StreamExt as _;
use penstock_embed::head::states::STATES;
use penstock_embed::head::{
    Epoch, HeadFault, HeadOptions, HeadTrainer, MASKED, Split, Splits, Tally, Trained, Training,
};
use penstock_store::{Scan, Table, VersionRef};
use penstock_types::{FeatureSpec, HeadName, Kind, Pooling, TableName, columns};
use tokio::sync::mpsc;

use super::HeadLabels;
use super::labels::{Misfit, RowLabels, of_given, of_structure};
use super::record::{self, FORMAT, HeadRecord, LabelSource, Lineage, RowCounts, SplitCounts};
use super::rows::{Texts, Traces, Vectors};
use crate::{Engine, Error, Task};

/// Bytes of rows that are decoded at once.
const BATCH_BYTES: u64 = 8 << 20;
/// Batches that wait for the thread that fits.
const QUEUE: usize = 2;

/// Told of each epoch when it was judged.
pub type EpochFn = dyn Fn(&Epoch) + Send + Sync;

/// A head that is wanted.
#[derive(Clone)]
pub struct HeadRequest {
    /// Its name.
    pub name: HeadName,
    /// The table that it is fitted on.
    pub table: TableName,
    /// The version of the table.
    pub version: VersionRef,
    /// The column of vectors, one per residue; may be left out where there is only one.
    pub column: Option<String>,
    /// Where the labels come from.
    pub labels: HeadLabels,
    /// A column of the table whose value decides about a row's split in place of its sequence.
    pub group: Option<String>,
    /// The share of records for validation.
    pub validation: f64,
    /// The share of records for the test.
    pub test: f64,
    /// Seed of the splits.
    pub split_seed: u64,
    /// How it is fitted.
    pub options: HeadOptions,
    /// Whether rows whose labels do not fit are left out and counted; else they are an error.
    pub skip_misfits: bool,
    /// Whether a head of this name is replaced.
    pub replace: bool,
    /// Idempotency key: a head of this name that was made with it is answered as it is.
    pub key: Option<String>,
    /// Told of each epoch.
    pub on_epoch: Option<Arc<EpochFn>>,
}

impl HeadRequest {
    /// A linear head by stored structures, eight records in ten for training.
    #[must_use]
    pub fn new(name: HeadName, table: TableName) -> Self {
        Self {
            name,
            table,
            version: VersionRef::Latest,
            column: None,
            labels: HeadLabels::Structure,
            group: None,
            validation: 0.1,
            test: 0.1,
            split_seed: 0,
            options: HeadOptions::default(),
            skip_misfits: false,
            replace: false,
            key: None,
            on_epoch: None,
        }
    }
}

impl std::fmt::Debug for HeadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeadRequest")
            .field("name", &self.name)
            .field("table", &self.table)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Fits a head for secondary structure (H, E, C) and stores it.
    ///
    /// Rows are sorted into training, validation and test by a hash of the sequence, so that equal
    /// sequences are never in two splits, or of what the request groups them by. The test split is
    /// looked at when the weights are settled.
    ///
    /// # Errors
    /// No such table, version or column; labels that do not fit; a split without labels; a head of
    /// this name exists; the task was cancelled. Nothing is stored then.
    pub async fn train_head(
        &self,
        request: &HeadRequest,
        task: &Task,
    ) -> Result<HeadRecord, Error> {
        let existing = record::read(self.store().objects(), request.name.as_str()).await;
        match existing {
            Ok(Some(record)) if request.key.is_some() && record.key == request.key => {
                return Ok(record);
            }
            // A damaged one is replaced like any other.
            Ok(Some(_)) | Err(Error::HeadDamaged { .. }) if !request.replace => {
                return Err(Error::HeadExists {
                    name: request.name.to_string(),
                });
            }
            Err(Error::HeadDamaged { .. }) | Ok(_) => {}
            Err(error) => return Err(error),
        }
        let table = self
            .store()
            .table_at(&request.table, &request.version)
            .await?;
        let plan = Arc::new(Plan::new(&table, request)?);
        let (rows, trained) = fit(&table, &plan, request, task).await?;
        task.progress.set_stage("testing");
        let tally = Tally::new(&trained.head.shape().classes);
        let head = trained.head.clone();
        let (tally, _) = pass(
            &table,
            &plan,
            &[Split::Test],
            task,
            tally,
            move |tally, row| tally.add(row.labels, &head.log_probabilities(row.features)?),
        )
        .await?;
        let test = tally
            .metrics(trained.majority)
            .ok_or(HeadFault::Empty { split: "test" })
            .map_err(of_fault)?;
        let weights = trained.head.to_safetensors().map_err(of_fault)?;
        let record = plan.record(request, table.version(), rows, trained, test, &weights);
        if task.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        record::write(self.store().objects(), &record, weights, request.replace).await?;
        Ok(record)
    }
}

/// The passes that learn.
async fn fit(
    table: &Table,
    plan: &Arc<Plan>,
    request: &HeadRequest,
    task: &Task,
) -> Result<(RowCounts, Trained), Error> {
    task.progress.set_stage("measuring");
    let trainer = HeadTrainer::new(plan.spec.dim.get(), &STATES, request.options.clone());
    let trainer = trainer.map_err(of_fault)?;
    let (trainer, rows) = pass(
        table,
        plan,
        &Split::ALL,
        task,
        trainer,
        |trainer, row| match row.split {
            Split::Train => trainer.look(row.features, row.labels),
            Split::Validation | Split::Test => Ok(()),
        },
    )
    .await?;
    for (split, counts) in [
        (Split::Train, rows.training),
        (Split::Validation, rows.validation),
        (Split::Test, rows.test),
    ] {
        if counts.residues == 0 {
            let split = split.as_str();
            return Err(of_fault(HeadFault::Empty { split }));
        }
    }
    let mut training = trainer.start().map_err(of_fault)?;
    task.progress.set_stage("training");
    task.progress.set_note("epoch 1".to_owned());
    while !training.is_done() {
        let wanted: &[Split] = match (training.is_learning(), training.is_judging()) {
            (true, false) => &[Split::Train],
            (true, true) => &[Split::Train, Split::Validation],
            _ => &[Split::Validation],
        };
        let (state, _) = pass(table, plan, wanted, task, training, visit).await?;
        let (state, judged) = tokio::task::spawn_blocking(move || {
            let mut state = state;
            let judged = state.end_pass();
            (state, judged)
        })
        .await
        .map_err(Error::Worker)?;
        training = state;
        if let Some(epoch) = judged.map_err(of_fault)? {
            task.progress.set_note(format!(
                "epoch {}: loss {:.4}, validation loss {:.4}, Q3 {:.3}",
                epoch.epoch, epoch.training_loss, epoch.validation_loss, epoch.validation_q3
            ));
            if let Some(on_epoch) = &request.on_epoch {
                on_epoch(&epoch);
            }
        }
    }
    Ok((rows, training.finish().map_err(of_fault)?))
}

fn visit(training: &mut Training, row: &LabelledRow<'_>) -> Result<(), HeadFault> {
    match row.split {
        Split::Train => training.train(row.features, row.labels),
        Split::Validation => training.validate(row.features, row.labels),
        Split::Test => Ok(()),
    }
}

/// A row as the passes see it.
struct LabelledRow<'a> {
    split: Split,
    /// `[residues, dim]`.
    features: &'a [f32],
    labels: &'a [u8],
}

/// What decides how rows are read.
struct Plan {
    column: String,
    spec: FeatureSpec,
    labels: HeadLabels,
    group: Option<String>,
    splits: Splits,
    skip_misfits: bool,
}

impl Plan {
    fn new(table: &Table, request: &HeadRequest) -> Result<Self, Error> {
        if table.kind() != Kind::Protein {
            return Err(Error::KindMismatch {
                table: table.name().clone(),
                holds: table.kind(),
                given: Kind::Protein,
            });
        }
        let (column, spec) = residue_column(table, request.column.as_deref())?;
        if let Some(group) = &request.group {
            table.column(group)?;
        }
        let splits = Splits::new(request.validation, request.test, request.split_seed);
        Ok(Self {
            column,
            spec,
            labels: request.labels.clone(),
            group: request.group.clone(),
            splits: splits.map_err(of_fault)?,
            skip_misfits: request.skip_misfits,
        })
    }

    fn columns(&self) -> Vec<String> {
        let mut columns = vec![columns::ID, columns::SEQUENCE, &self.column];
        if matches!(self.labels, HeadLabels::Structure) {
            columns.extend([columns::CA_XYZ, columns::CA_PRESENT]);
        }
        if let Some(group) = self.group.as_deref()
            && !columns.contains(&group)
        {
            columns.push(group);
        }
        columns.into_iter().map(str::to_owned).collect()
    }

    /// Gives the rows of a batch that are wanted to `visit`.
    fn read(
        &self,
        batch: &RecordBatch,
        wanted: &[Split],
        counts: &mut RowCounts,
        visit: &mut impl FnMut(&LabelledRow<'_>) -> Result<(), HeadFault>,
    ) -> Result<(), Error> {
        let vectors = Vectors::of(batch, &self.column)?;
        let ids = Texts::of(batch, columns::ID)?;
        let sequences = Texts::of(batch, columns::SEQUENCE)?;
        let groups = match &self.group {
            Some(group) => Some(Texts::of(batch, group)?),
            None => None,
        };
        let traces = match self.labels {
            HeadLabels::Structure => Some(Traces::of(batch)?),
            HeadLabels::Given { .. } => None,
        };
        for row in 0..batch.num_rows() {
            let id = ids.get(row).unwrap_or_default();
            let Some(features) = vectors.get(row) else {
                counts.unencoded += 1;
                continue;
            };
            let sequence = sequences.get(row).unwrap_or_default();
            let found = match (&self.labels, &traces) {
                (HeadLabels::Given { letters, find, .. }, _) => find(id)
                    .map_err(Misfit::Source)
                    .and_then(|given| given.map(|g| of_given(g, letters, sequence)).transpose()),
                (HeadLabels::Structure, Some(traces)) => Ok(traces
                    .get(row)
                    .map(|(xyz, present)| of_structure(xyz, &present))),
                (HeadLabels::Structure, None) => Ok(None),
            };
            let residues = features.len() / self.spec.dim.get();
            let found = found.and_then(|found| match found {
                Some(row) if row.labels.len() != residues => {
                    Err(Misfit::Fault(HeadFault::Labels {
                        labels: row.labels.len(),
                        items: residues,
                    }))
                }
                found => Ok(found),
            });
            let RowLabels { labels, group } = match found {
                Ok(Some(labels)) => labels,
                Ok(None) => {
                    counts.unlabelled += 1;
                    continue;
                }
                Err(Misfit::Source(error)) => return Err(error.into()),
                Err(_) if self.skip_misfits => {
                    counts.misfits += 1;
                    continue;
                }
                Err(Misfit::Fault(fault)) => {
                    let id = id.to_owned();
                    return Err(Error::RowLabels { id, fault });
                }
                Err(Misfit::Sequence) => return Err(Error::LabelledSequence { id: id.to_owned() }),
            };
            let group = group.or_else(|| groups.as_ref()?.get(row).map(str::to_owned));
            let key = group.as_deref().unwrap_or(sequence);
            let split = self.splits.of(key.as_bytes());
            if !wanted.contains(&split) {
                continue;
            }
            let masked = labels.iter().filter(|label| **label == MASKED).count() as u64;
            let count = match split {
                Split::Train => &mut counts.training,
                Split::Validation => &mut counts.validation,
                Split::Test => &mut counts.test,
            };
            *count = SplitCounts {
                rows: count.rows + 1,
                residues: count.residues + labels.len() as u64 - masked,
                masked: count.masked + masked,
            };
            visit(&LabelledRow {
                split,
                features,
                labels: &labels,
            })
            .map_err(|fault| Error::RowLabels {
                id: id.to_owned(),
                fault,
            })?;
        }
        Ok(())
    }

    fn record(
        &self,
        request: &HeadRequest,
        version: u64,
        rows: RowCounts,
        trained: Trained,
        test: penstock_embed::head::Metrics,
        weights: &[u8],
    ) -> HeadRecord {
        let (labels, grouped) = match &self.labels {
            HeadLabels::Structure => (LabelSource::Structure, None),
            HeadLabels::Given {
                name,
                digest,
                letters,
                has_groups,
                ..
            } => (
                LabelSource::File {
                    name: name.clone(),
                    digest: digest.clone(),
                    mask_letters: letters.masked().to_owned(),
                },
                has_groups.then(|| format!("groups of {name}")),
            ),
        };
        let split_by = grouped.or_else(|| self.group.clone());
        HeadRecord {
            format: FORMAT,
            name: request.name.to_string(),
            shape: trained.head.shape().clone(),
            weights: record::digest(weights),
            encoder: self.spec.encoder.clone(),
            encoder_weights: self.spec.weights.clone(),
            licence: self.spec.licence.clone(),
            lineage: Lineage {
                table: request.table.to_string(),
                version,
                column: self.column.clone(),
                labels,
                split_by: split_by.unwrap_or_else(|| columns::SEQUENCE.to_owned()),
                validation: request.validation,
                test: request.test,
                split_seed: request.split_seed,
                rows,
            },
            options: request.options.clone(),
            epochs: trained.epochs,
            best_epoch: trained.best_epoch,
            validation: trained.validation,
            test,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created: Utc::now(),
            key: request.key.clone(),
        }
    }
}

/// One read of the table: every row of the wanted splits goes to `visit` with `state`, in the order
/// in which rows are stored. Reading and fitting are two threads with a short queue between.
async fn pass<S, F>(
    table: &Table,
    plan: &Arc<Plan>,
    wanted: &'static [Split],
    task: &Task,
    state: S,
    mut visit: F,
) -> Result<(S, RowCounts), Error>
where
    S: Send + 'static,
    F: FnMut(&mut S, &LabelledRow<'_>) -> Result<(), HeadFault> + Send + 'static,
{
    let mut scan = Scan::columns(plan.columns());
    scan.batch_bytes = Some(BATCH_BYTES);
    let total = table.count_rows(None).await?;
    task.progress.set_rows(0, total);
    let mut batches = table.scan(scan).await?;
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(QUEUE);
    let plan = Arc::clone(plan);
    let cancel = task.cancel_fn();
    let progress = Arc::clone(&task.progress);
    let worker = tokio::task::spawn_blocking(move || {
        let (mut state, mut counts, mut done) = (state, RowCounts::default(), 0);
        while let Some(batch) = receiver.blocking_recv() {
            plan.read(&batch, wanted, &mut counts, &mut |row| {
                visit(&mut state, row)
            })?;
            if cancel() {
                return Err(Error::Cancelled);
            }
            done += batch.num_rows() as u64;
            progress.set_rows(done, total);
        }
        Ok((state, counts))
    });
    let mut failed = None;
    loop {
        let next = match task.run(batches.next()).await {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(cancelled) => {
                failed = Some(cancelled);
                break;
            }
        };
        match next {
            Ok(batch) => {
                // A worker that has ended says why below.
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error.into());
                break;
            }
        }
    }
    drop(sender);
    let done = worker.await.map_err(Error::Worker)?;
    match failed {
        Some(error) => Err(error),
        None => done,
    }
}

/// The column of one vector per residue: the one that is named, else the only one.
fn residue_column(table: &Table, wanted: Option<&str>) -> Result<(String, FeatureSpec), Error> {
    let mut found: Vec<(String, FeatureSpec)> = table
        .features()
        .into_iter()
        .filter(|(_, spec)| spec.pooling == Pooling::None)
        .collect();
    let names = || table.features().into_iter().map(|(name, _)| name).collect();
    let at = match wanted {
        Some(wanted) => found.iter().position(|(name, _)| name == wanted),
        None if found.len() > 1 => {
            return Err(Error::AmbiguousColumn {
                table: table.name().clone(),
                columns: found.into_iter().map(|(name, _)| name).collect(),
            });
        }
        None => (found.len() == 1).then_some(0),
    };
    match (at, wanted) {
        (Some(at), _) => Ok(found.swap_remove(at)),
        (None, Some(wanted)) if table.feature(wanted).is_ok() => Err(Error::NotPerResidue {
            column: wanted.to_owned(),
        }),
        (None, Some(wanted)) => Err(Error::NoSuchColumn {
            table: table.name().clone(),
            column: wanted.to_owned(),
            columns: names(),
        }),
        (None, None) => Err(Error::NoResidueVectors {
            table: table.name().clone(),
        }),
    }
}

pub(super) fn of_fault(fault: HeadFault) -> Error {
    penstock_embed::EmbedError::from(fault).into()
}
