use penstock_openapi::{Head, HeadLabels, HeadMetrics, Heads};
use penstock_types::HeadName;

use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// List the heads
///
/// With a name: what that head was fitted on, and how it does.
#[derive(Debug, clap::Args)]
#[command(after_help = help::HEADS)]
pub(super) struct Args {
    /// A head
    name: Option<HeadName>,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let mut heads = match context.target(Absent::Fail).await? {
            Target::Local(engine) => Heads {
                heads: engine.heads().await?.iter().map(wire::head).collect(),
            },
            Target::Remote(client) => client.heads().await?,
        };
        let Some(name) = self.name else {
            return context.ui.answer(&heads, show_all);
        };
        heads.heads.retain(|head| head.name == name.as_str());
        match heads.heads.pop() {
            Some(head) => context.ui.answer(&head, show_one),
            None => Err(CliError::Engine(penstock::Error::NoSuchHead { name })),
        }
    }
}

fn show_all(ui: &Ui, heads: &Heads) -> String {
    if heads.heads.is_empty() {
        return "there are no heads yet; `penstock train-head` makes one\n".to_owned();
    }
    let mut rows = table::new(&[
        ("head", false),
        ("encoder", false),
        ("form", false),
        ("fitted on", false),
        ("test Q3", true),
        ("baseline", true),
    ]);
    for head in &heads.heads {
        rows.add_row([
            head.name.clone(),
            head.encoder.clone(),
            form(head),
            format!("{}@{}", head.lineage.table, head.lineage.version),
            format!("{:.3}", head.test.q3),
            format!("{:.3}", head.test.baseline_q3),
        ]);
    }
    ui.table(&rows)
}

fn form(head: &Head) -> String {
    let (dim, classes) = (head.dim, head.classes.len());
    match head.hidden {
        Some(hidden) => format!("{dim} → {hidden} → {classes}, {}", head.activation),
        None => format!("{dim} → {classes}"),
    }
}

/// One head with its measures.
pub(super) fn show_one(ui: &Ui, head: &Head) -> String {
    let lineage = &head.lineage;
    let mut text = format!(
        "{} reads {} ({}); epoch {} of {}\n",
        ui.bold(&head.name),
        head.encoder,
        form(head),
        head.best_epoch,
        head.epochs.len()
    );
    text += &format!(
        "  fitted on {} version {}, column {}; labels: {}; split by {}\n",
        lineage.table,
        lineage.version,
        lineage.column,
        match &lineage.labels {
            HeadLabels::Structure => "by structure (P-SEA)".to_owned(),
            HeadLabels::File { name, .. } => name.clone(),
        },
        lineage.split_by
    );
    let mut rows = table::new(&[
        ("split", false),
        ("records", true),
        ("residues", true),
        ("masked", true),
        ("Q3", true),
        ("by record", true),
        ("baseline", true),
    ]);
    let counts = &lineage.rows;
    let splits = [
        ("training", &counts.training, None),
        ("validation", &counts.validation, Some(&head.validation)),
        ("test", &counts.test, Some(&head.test)),
    ];
    for (split, counts, metrics) in splits {
        let share = |of: fn(&HeadMetrics) -> f64| match metrics {
            Some(metrics) => format!("{:.3}", of(metrics)),
            None => "-".to_owned(),
        };
        rows.add_row([
            split.to_owned(),
            table::count(counts.rows),
            table::count(counts.residues),
            table::count(counts.masked),
            share(|metrics| metrics.q3),
            share(|metrics| metrics.q3_per_record),
            share(|metrics| metrics.baseline_q3),
        ]);
    }
    text += &ui.table(&rows);
    let mut rows = table::new(&[
        ("test", false),
        ("residues", true),
        ("precision", true),
        ("recall", true),
        ("F1", true),
    ]);
    let share = |share: Option<f64>| match share {
        Some(share) => format!("{share:.3}"),
        None => "-".to_owned(),
    };
    for class in &head.test.classes {
        rows.add_row([
            class.class.clone(),
            table::count(class.residues),
            share(class.precision),
            share(class.recall),
            share(class.f1),
        ]);
    }
    text += &ui.table(&rows);
    for (rows, what) in [
        (counts.unencoded, "no vectors"),
        (counts.unlabelled, "no labels"),
        (counts.misfits, "labels that do not fit"),
    ] {
        if rows > 0 {
            text += &format!("  {} with {what}\n", table::counted(rows, "row"));
        }
    }
    text
}
