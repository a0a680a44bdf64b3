use std::path::{Path, PathBuf};

use penstock::encoding::head::states::{Letters, MASK_LETTERS};
use penstock::encoding::head::{HeadActivation, HeadOptions};
use penstock::store::VersionRef;
use penstock::{Engine, HeadLabels, HeadRequest, Task};
use penstock_openapi::{Head, TrainHeadRequest};
use penstock_types::{HeadName, TableName};

use super::progress::watch;
use super::target::{Absent, Target};
use super::{CliError, Context, heads, help, remote};
use crate::labels::{self, LabelOptions};
use crate::wire;

/// The word for labels that are made of stored structures.
const STRUCTURE: &str = "structure";

/// Fit a small head that says the secondary structure of residues
///
/// It reads a stored column with a vector for each residue (`encode` with `:none`) and learns the
/// state of each: helix (H), strand (E) or coil (C). Records are sorted into training, validation
/// and test by a hash of their sequence, so that equal sequences are never in two of them, or of a
/// group. The validation split chooses the epoch; the test split is looked at once, at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = help::TRAIN_HEAD)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The name of the head
    #[arg(long, value_name = "NAME")]
    name: HeadName,

    /// A file of labels, or `structure`: by the C-alpha traces that are stored (P-SEA)
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,

    /// The column of labels in a file with columns; `labels` where left out
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,

    /// The column of masks in a file with columns
    #[arg(long, value_name = "NAME")]
    mask_column: Option<String>,

    /// Letters that stand for residues that are not observed
    #[arg(long, value_name = "LETTERS", default_value = MASK_LETTERS, allow_hyphen_values = true)]
    mask_letters: String,

    /// Column, of the file of labels or of the table, of groups that are not to be in two splits
    #[arg(long, value_name = "NAME")]
    group: Option<String>,

    /// Leave out rows whose labels do not fit, and count them
    #[arg(long)]
    skip_misfits: bool,

    /// The column of vectors; may be left out where there is one
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Version of the table, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,

    /// The share of records that choose the epoch
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    validation: f64,

    /// The share of records that judge the head
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    test: f64,

    /// Seed of the splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    split_seed: u64,

    #[command(flatten)]
    fit: Fit,

    /// Put it in the place of a head of this name
    #[arg(long)]
    replace: bool,
}

/// How it is fitted.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Fitting")]
struct Fit {
    /// Width of a layer between; without one the head is linear
    #[arg(long, value_name = "N")]
    hidden: Option<usize>,

    /// The function after that layer: relu or gelu
    #[arg(long, value_name = "WORD", default_value_t = HeadOptions::default().activation)]
    activation: HeadActivation,

    /// Epochs at most
    #[arg(long, value_name = "N", default_value_t = HeadOptions::default().epochs)]
    epochs: usize,

    /// Epochs without a lower validation loss after which it ends
    #[arg(long, value_name = "N", default_value_t = HeadOptions::default().patience)]
    patience: usize,

    /// Step length of AdamW
    #[arg(long, value_name = "X", default_value_t = HeadOptions::default().learning_rate)]
    learning_rate: f64,

    /// Decay of the weights
    #[arg(long, value_name = "X", default_value_t = HeadOptions::default().weight_decay)]
    weight_decay: f64,

    /// Residues per step
    #[arg(long, value_name = "N", default_value_t = HeadOptions::default().batch)]
    batch: usize,

    /// Let each class weigh the same, however rare it is
    #[arg(long)]
    balanced: bool,

    /// Decides the first weights and the order of residues
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Fit {
    fn options(&self) -> HeadOptions {
        HeadOptions {
            hidden: self.hidden,
            activation: self.activation,
            epochs: self.epochs,
            patience: self.patience,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            batch: self.batch,
            balanced: self.balanced,
            seed: self.seed,
        }
    }
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let by_structure = self.labels == Path::new(STRUCTURE);
        if by_structure && (self.label_column.is_some() || self.mask_column.is_some()) {
            return Err(CliError::usage(
                "--label-column and --mask-column name columns of a file, and --labels names none",
            ));
        }
        let head = match context.target(Absent::Fail).await? {
            Target::Local(engine) => self.local(context, &engine, by_structure).await?,
            Target::Remote(client) => {
                if !by_structure {
                    return Err(CliError::usage(
                        "a server fits heads on its structures only: say --labels structure, or \
                         use --store where the store is",
                    ));
                }
                if self.skip_misfits {
                    return Err(CliError::usage(
                        "--skip-misfits is for labels from a file, which a server does not take",
                    ));
                }
                let request = TrainHeadRequest {
                    name: self.name.to_string(),
                    column: self.column.clone(),
                    version: Some(self.at.to_string()),
                    group: self.group.clone(),
                    validation: Some(self.validation),
                    test: Some(self.test),
                    split_seed: Some(self.split_seed),
                    options: wire::head_options_of(&self.fit.options()),
                    replace: self.replace,
                };
                let job = client.train_head(&self.table, &request).await?;
                remote::finish::<Head>(context.ui, &client, job, self.name.as_str()).await?
            }
        };
        context.ui.answer(&head, heads::show_one)
    }

    async fn local(
        self,
        context: &Context<'_>,
        engine: &Engine,
        by_structure: bool,
    ) -> Result<Head, CliError> {
        let labels = if by_structure {
            HeadLabels::Structure
        } else {
            let options = LabelOptions {
                labels: self.label_column.clone(),
                mask: self.mask_column.clone(),
                group: self.group.clone(),
                letters: Letters::new(&self.mask_letters),
            };
            let path = self.labels.clone();
            tokio::task::spawn_blocking(move || labels::read(&path, &options))
                .await
                .map_err(penstock::Error::Worker)?
                .map_err(penstock::Error::from)?
        };
        let in_file = matches!(
            labels,
            HeadLabels::Given {
                has_groups: true,
                ..
            }
        );
        let request = HeadRequest {
            version: self.at.clone(),
            column: self.column.clone(),
            labels,
            group: self.group.clone().filter(|_| !in_file),
            validation: self.validation,
            test: self.test,
            split_seed: self.split_seed,
            options: self.fit.options(),
            skip_misfits: self.skip_misfits,
            replace: self.replace,
            ..HeadRequest::new(self.name.clone(), self.table.clone())
        };
        let task = Task::default();
        let work = engine.train_head(&request, &task);
        let record = watch(context.ui, self.name.as_str(), &task, work).await?;
        context.ui.note_licence(record.licence.as_deref());
        Ok(wire::head(&record))
    }
}
