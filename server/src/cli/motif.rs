use penstock::store::VersionRef;
use penstock_openapi::{MotifAnswer, MotifHit, MotifRequest};
use penstock_types::TableName;

use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// Find the occurrences of a pattern in sequences
///
/// All of them, overlapping ones too. In the table that is printed, start and end count from 1 and
/// both letters belong to the occurrence, as in UniProt and GenBank. With --json they are as in
/// every column of a table: start counts from 0, and end is one past the last letter.
#[derive(Debug, clap::Args)]
#[command(after_help = help::MOTIF)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The pattern, as in PROSITE: A, x, [ST], {P}, x(2,4), < and > for the ends
    pattern: String,

    /// Search the reverse complement too; for DNA
    #[arg(long)]
    both_strands: bool,

    /// SQL predicate of the rows that are searched
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,

    /// Occurrences wanted
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,

    /// Letters shown on either side
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1_000))]
    context: u32,

    /// The column of sequences
    #[arg(long, value_name = "NAME", default_value = "sequence")]
    column: String,

    /// Search windows of contigs too
    #[arg(long)]
    windows: bool,

    /// Version, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let request = MotifRequest {
            pattern: self.pattern,
            column: Some(self.column),
            both_strands: self.both_strands,
            filter: self.filter,
            limit: Some(self.limit),
            context: Some(self.context),
            windows: self.windows,
            version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
        };
        let answer = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let request = wire::motif_request(request);
                let found = engine.motif(&self.table, &self.at, &request).await?;
                wire::motif_answer(&self.table, &found)
            }
            Target::Remote(client) => client.motif(&self.table, &request).await?,
        };
        context.ui.answer(&answer, show)
    }
}

fn show(ui: &Ui, answer: &MotifAnswer) -> String {
    let how = if answer.used_index {
        "narrowed down by the index"
    } else {
        "all read"
    };
    let mut text = format!(
        "{}, version {}: {} in {} searched, {how}\n\n",
        ui.bold(&answer.table),
        answer.version,
        table::counted(answer.hits.len() as u64, "occurrence"),
        table::counted(answer.candidates, "sequence"),
    );
    if answer.hits.is_empty() {
        return text + "  nothing found\n";
    }
    let mut rows = table::new(&[
        ("id", false),
        ("start", true),
        ("end", true),
        ("strand", false),
        ("before", true),
        ("match", false),
        ("after", false),
    ]);
    for hit in &answer.hits {
        let MotifHit {
            id,
            start,
            end,
            strand,
            text,
            before,
            after,
        } = hit;
        // From 1, and with the last letter: `end` is that number already.
        rows.add_row([
            id.clone(),
            table::count(start + 1),
            table::count(*end),
            strand.clone(),
            before.to_lowercase(),
            text.clone(),
            after.to_lowercase(),
        ]);
    }
    text += &ui.table(&rows);
    if !answer.complete {
        text += "\n  there are more; --limit asks for more\n";
    }
    text
}
