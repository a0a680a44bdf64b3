//! Contact maps for people: the most probable pairs.

use arrow::array::AsArray as _;
use arrow::datatypes::Float32Type;
use arrow::record_batch::RecordBatch;
use penstock_types::columns;

use super::super::ui::Ui;
use super::super::{CliError, table};

/// Pairs shown of a map.
const SHOWN: usize = 20;

/// Residues nearer to each other along the chain are in contact for no reason but that.
const APART: usize = 6;

/// Shows the maps of a batch of `id` and `contacts`.
pub(super) fn show(ui: &Ui, batch: &RecordBatch) -> Result<(), CliError> {
    let ids = batch
        .column_by_name(columns::ID)
        .and_then(|ids| ids.as_string_opt::<i32>());
    let maps = batch
        .column_by_name(penstock::CONTACTS)
        .and_then(|maps| maps.as_list_opt::<i32>());
    let Some(maps) = maps else {
        return Ok(());
    };
    for row in 0..batch.num_rows() {
        let map = maps.value(row);
        let map = map.as_list::<i32>();
        let values = map.values().as_primitive::<Float32Type>().values();
        let offsets = map.value_offsets();
        let rows: Vec<&[f32]> = offsets
            .windows(2)
            .map(|range| &values[range[0] as usize..range[1] as usize])
            .collect();
        show_map(ui, ids.map_or("", |ids| ids.value(row)), &rows)?;
    }
    Ok(())
}

/// Shows the most probable pairs of one map.
pub(super) fn show_map(ui: &Ui, id: &str, map: &[&[f32]]) -> Result<(), CliError> {
    let mut pairs: Vec<(usize, usize, f32)> = map
        .iter()
        .enumerate()
        .flat_map(|(i, row)| {
            let pairs = row.iter().enumerate().skip(i + APART);
            pairs.map(move |(j, p)| (i, j, *p))
        })
        .collect();
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut rows = table::new(&[("residue", true), ("residue", true), ("probability", true)]);
    for (i, j, p) in pairs.iter().take(SHOWN) {
        rows.add_row([(i + 1).to_string(), (j + 1).to_string(), format!("{p:.3}")]);
    }
    let note = format!(
        "  ({} residues; pairs at least {APART} apart, the most probable first; --json prints the \
         whole map)",
        map.len()
    );
    ui.print(&format!(
        "{}\n{}{}\n",
        ui.bold(id),
        ui.table(&rows),
        ui.dim(&note)
    ))
}
