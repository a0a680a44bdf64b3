//! `penstock match --similar`.

use penstock::Task;
use penstock::pattern::format::json;
use penstock::store::VersionRef;
use penstock_openapi::{SimilarAnswer, SimilarRequest};

use super::{Args, SHOWN, read};
use crate::cli::progress::watch;
use crate::cli::target::{Absent, Target};
use crate::cli::ui::Ui;
use crate::cli::{CliError, Context, table};
use crate::wire;

/// How places that resemble a pattern are looked for.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Similar places")]
pub(super) struct Options {
    /// Find what resembles the pattern, or the part of --of: ranked approximately, by vectors
    #[arg(long, conflicts_with_all = ["induced", "count", "keep", "tolerance", "max_rmsd", "any_label"])]
    pub(super) similar: bool,

    /// Vertices of the pattern whose nearest rows are looked for
    #[arg(long, value_name = "N", requires = "similar", default_value_t = 4)]
    anchors: u64,

    /// Nearest rows of each of them, from which places grow
    #[arg(long, value_name = "K", requires = "similar", default_value_t = 200)]
    neighbours: u64,

    /// Partial mappings that are followed at a time, from each row
    #[arg(long, value_name = "W", requires = "similar", default_value_t = 8)]
    beam: u64,

    /// Neighbours of one vertex that are looked at in a step
    #[arg(long, value_name = "N", requires = "similar", default_value_t = 256)]
    scan: u64,

    /// What a vertex with a wrong label counts, from 0 to less than 1
    #[arg(
        long,
        value_name = "SHARE",
        requires = "similar",
        default_value_t = 0.0
    )]
    mismatch: f64,

    /// Leave out places below this score, from 0 to 1
    #[arg(
        long,
        value_name = "SCORE",
        requires = "similar",
        default_value_t = 0.5
    )]
    min_score: f64,

    /// The feature column; may be left out where the table has only one
    #[arg(long, value_name = "COLUMN", requires = "similar")]
    column: Option<String>,

    /// SQL predicate of the rows of vertices from which places grow
    #[arg(long = "where", value_name = "SQL", requires = "similar")]
    filter: Option<String>,

    /// Compare vectors with every row, even where there is an index
    #[arg(long, requires = "similar")]
    exact: bool,
}

impl Args {
    pub(super) async fn resembling(self, context: &Context<'_>) -> Result<(), CliError> {
        let pattern = self.pattern.as_deref().map(read).transpose()?;
        let options = self.similar;
        let defaults = SimilarRequest::default();
        let request = SimilarRequest {
            pattern: pattern.as_ref().map(json::to_value),
            graph: self.of,
            vertices: self.vertices,
            residues: self.residues,
            column: options.column,
            anchors: options.anchors,
            neighbours: options.neighbours,
            beam: options.beam,
            scan: options.scan,
            mismatch: options.mismatch,
            min_score: options.min_score,
            limit: self.limit.unwrap_or(defaults.limit),
            filter: options.filter,
            graphs: (!self.graphs.is_empty()).then_some(self.graphs),
            exact: options.exact,
            deadline_secs: self.deadline,
            version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
            ..defaults
        };
        if request.graph.is_some() && request.vertices.is_none() && request.residues.is_none() {
            return Err(CliError::usage("give --residues or --vertices with --of"));
        }
        let answer = match context.target(Absent::Fail).await? {
            Target::Remote(client) => client.find_similar(&self.table, &request).await?,
            Target::Local(engine) => {
                let title = self.table.to_string();
                let ask = wire::similar_request(self.table, request)
                    .map_err(|fault| CliError::usage(fault.to_string()))?;
                let task = Task::default();
                let work = engine.match_similar(ask, &task);
                wire::similar_answer(&watch(context.ui, &title, &task, work).await?)
            }
        };
        context.ui.answer(&answer, show)
    }
}

fn show(ui: &Ui, answer: &SimilarAnswer) -> String {
    let count = table::counted(answer.matches.len() as u64, "place");
    let mut text = format!(
        "{} in {}, version {}, ranked approximately\n",
        ui.bold(&count),
        answer.table,
        answer.version,
    );
    let anchors: Vec<String> = answer.anchors.iter().map(u32::to_string).collect();
    text += &ui.dim(&format!(
        "{} near vertices {} by {} ({} search, {}), grown in {} ({})",
        table::counted(answer.candidates, "row"),
        anchors.join(", "),
        answer.column,
        answer.plan.tier,
        table::seconds(answer.search_seconds),
        table::counted(answer.graphs_searched, "graph"),
        table::seconds(answer.grow_seconds),
    ));
    if answer.load_seconds > 0.001 {
        let reading = table::seconds(answer.load_seconds);
        text += &ui.dim(&format!(" after {reading} of reading"));
    }
    text += "\n";
    if answer.stopped.is_some() {
        text += "stopped at the deadline: not all rows were grown\n";
    }
    if answer.matches.is_empty() {
        return text;
    }
    let mut rows = table::new(&[
        ("score", true),
        ("matched vertices", true),
        ("edges", true),
        ("distance", true),
        ("graph", false),
        ("vertices", false),
    ]);
    for found in answer.matches.iter().take(SHOWN) {
        let vertices: Vec<String> = found
            .vertices
            .iter()
            .map(|vertex| vertex.map_or_else(|| "-".to_owned(), |vertex| vertex.to_string()))
            .collect();
        rows.add_row([
            format!("{:.3}", found.score),
            format!("{} / {}", found.vertices_matched, answer.pattern_vertices),
            format!("{} / {}", found.edges_matched, answer.pattern_edges),
            format!("{:.3}", found.distance),
            found.graph.clone(),
            vertices.join(" "),
        ]);
    }
    text += "\n";
    text += &ui.table(&rows);
    let more = answer.matches.len().saturating_sub(SHOWN);
    if more > 0 {
        text += &format!("and {more} more; --json has them\n");
    }
    text
}
