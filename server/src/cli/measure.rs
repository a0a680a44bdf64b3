//! What was measured of indexes, for people.

use penstock::Task;
use penstock_openapi::{MeasureRequest, VectorIndex, VectorIndexes};
use penstock_types::TableName;

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, remote, table};
use crate::wire;

/// Measures the indexes of a column, or sets the recall that its searches aim at, or both.
pub(super) async fn run(
    context: &Context<'_>,
    table: &TableName,
    request: MeasureRequest,
) -> Result<(), CliError> {
    let found: VectorIndexes = match context.target(Absent::Fail).await? {
        Target::Local(engine) => {
            let task = Task::default();
            let work = async {
                // What a server would have in memory lies beside the table here.
                engine.load_saved(table, &request.column, &task).await?;
                if let Some(recall) = request.min_recall {
                    engine
                        .set_min_recall(table, &request.column, recall)
                        .await?;
                }
                if request.measure {
                    engine.measure_indexes(table, &request.column, &task).await
                } else {
                    engine.indexes_of(table, &request.column).await
                }
            };
            let indexes = watch(context.ui, table.as_str(), &task, work).await?;
            wire::vector_indexes(&indexes, engine.searcher().hot().budget())
        }
        Target::Remote(client) => {
            let job = client.measure(table, &request).await?;
            remote::finish(context.ui, &client, job, table.as_str()).await?
        }
    };
    context.ui.answer(&found, show)
}

fn show(ui: &Ui, found: &VectorIndexes) -> String {
    if found.indexes.is_empty() {
        return "The column has no index yet; the recall that was set holds for those to come.\n"
            .to_owned();
    }
    let each = found.indexes.iter().map(|index| one(ui, index));
    each.collect::<Vec<_>>().join("\n")
}

fn one(ui: &Ui, index: &VectorIndex) -> String {
    let place = index.bytes.map_or_else(
        || "on the disk".to_owned(),
        |bytes| format!("{} in memory", table::bytes(bytes)),
    );
    let mut text = format!(
        "{}.{}, {}: {} ({}), {}, {place}; searches aim at a recall of {}\n",
        ui.bold(&index.table),
        index.column,
        index.tier,
        index.index_type,
        index.metric,
        table::counted(index.rows, "row"),
        index.min_recall,
    );
    let Some(measured) = &index.measured else {
        text += "  not measured; --measure does it\n";
        return text;
    };
    let recall = format!("recall@{}", measured.k);
    let mut rows = table::new(&[
        ("ef", true),
        ("nprobes", true),
        ("refine", true),
        (recall.as_str(), true),
        ("queries/s", true),
        ("", false),
    ]);
    let count = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), table::count);
    for point in &measured.points {
        rows.add_row([
            count(point.ef),
            count(point.nprobes),
            count(point.refine),
            format!("{:.4}", point.recall),
            // Rounded for people.
            table::count(point.queries_per_second.round() as u64),
            if point.chosen { "taken" } else { "" }.to_owned(),
        ]);
    }
    let queries = table::counted(measured.queries, "query");
    let whose = if measured.from_users {
        "of users"
    } else {
        "from stored rows"
    };
    text += &ui.table(&rows);
    text + &ui.dim(&format!("  {queries} {whose}, one after the other\n"))
}
