//! Which graphs can hold a pattern at all, told by the column `dominance` without reading an edge.

use std::collections::{HashMap, HashSet};

use arrow::array::AsArray;
use arrow::datatypes::UInt16Type;
use futures::TryStreamExt;
use penstock_graph::rows::{RECIPE, number_of};
use penstock_pattern::dominance::dominates;
use penstock_pattern::{Allowed, Pattern};
use penstock_store::{Scan, Table};
use penstock_types::columns;

use crate::Error;

/// The graphs in which every vertex of the pattern has a candidate: a vertex whose label it allows
/// and whose row is nowhere below its own. 8 bytes and the id for each graph.
pub(super) async fn graphs(table: &Table, pattern: &Pattern) -> Result<HashSet<String>, Error> {
    let name = |names: Option<&penstock_pattern::Labels>, label: u32| -> String {
        let known = names.and_then(|names| names.name(label));
        known.map_or_else(|| label.to_string(), str::to_owned)
    };
    let hashed = pattern.relabelled(
        |label| number_of(&name(pattern.vertex_names(), label)),
        |label| number_of(&name(pattern.edge_names(), label)),
    );
    let rows = RECIPE.embed_pattern(&hashed)?;
    let wanted: Vec<(Option<HashSet<String>>, &[u16])> = pattern
        .vertices()
        .iter()
        .enumerate()
        .map(|(at, vertex)| {
            let labels = match &vertex.labels {
                Allowed::Any => None,
                Allowed::Only(labels) => Some(
                    labels
                        .iter()
                        .map(|label| name(pattern.vertex_names(), *label))
                        .collect(),
                ),
            };
            (labels, rows.row(at as u32))
        })
        .collect();
    let all = u64::MAX >> (64 - wanted.len());
    let mut found: HashMap<String, u64> = HashMap::new();
    let scan = Scan {
        filter: Some(format!("{} IS NOT NULL", columns::PARENT)),
        ordered: false,
        ..Scan::columns([columns::PARENT, columns::LABEL, columns::DOMINANCE])
    };
    let mut batches = table.scan(scan).await?;
    while let Some(batch) = batches.try_next().await? {
        let parents = batch.column(0).as_string_opt::<i32>();
        let labels = batch.column(1).as_string_opt::<i32>();
        let dominance = batch.column(2).as_fixed_size_list_opt();
        let (Some(parents), Some(labels), Some(dominance)) = (parents, labels, dominance) else {
            continue; // the contract gives these types
        };
        let Some(values) = dominance.values().as_primitive_opt::<UInt16Type>() else {
            continue;
        };
        let width = columns::DOMINANCE_WIDTH as usize;
        for row in 0..batch.num_rows() {
            let graph = match found.get_mut(parents.value(row)) {
                Some(graph) => graph,
                None => found.entry(parents.value(row).to_owned()).or_default(),
            };
            if *graph == all {
                continue;
            }
            let start = dominance.value_offset(row) as usize;
            let here = &values.values()[start..start + width];
            for (at, (allowed, own)) in wanted.iter().enumerate() {
                let fits = allowed
                    .as_ref()
                    .is_none_or(|allowed| allowed.contains(labels.value(row)));
                if fits && dominates(own, here) {
                    *graph |= 1 << at;
                }
            }
        }
    }
    Ok(found
        .into_iter()
        .filter(|(_, graph)| *graph == all)
        .map(|(id, _)| id)
        .collect())
}
