//! The exact scan: every row that satisfies the predicate is compared.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::ExprSchemable;
use lance::dataset::scanner::Scanner;
use lance_table::format::Fragment;
use penstock_store::Table;
use penstock_types::columns::ID;

use crate::nearest::{Found, Target, nearest};
use crate::{IndexError, Result, check_predicate};

/// Bytes of vectors per batch: small enough for several batches in flight, large enough that the
/// work outweighs handing it to a thread.
const BATCH_BYTES: usize = 1 << 20;

pub(crate) async fn scan(
    table: &Table,
    target: &Arc<Target>,
    filter: Option<&str>,
) -> Result<Found> {
    scan_some(table, target, filter, None).await
}

/// As [`scan`], of some fragments.
pub(crate) async fn scan_fragments(
    table: &Table,
    target: &Arc<Target>,
    filter: Option<&str>,
    fragments: Vec<Fragment>,
) -> Result<Found> {
    scan_some(table, target, filter, Some(fragments)).await
}

async fn scan_some(
    table: &Table,
    target: &Arc<Target>,
    filter: Option<&str>,
    fragments: Option<Vec<Fragment>>,
) -> Result<Found> {
    let failed = IndexError::read(table);
    let mut scan = scanner(table, &target.column, target.vector.len(), filter)?;
    if let Some(fragments) = fragments {
        scan.with_fragments(fragments);
    }
    let batches = scan.try_into_stream().await.map_err(&failed)?;
    nearest(batches, Arc::clone(target), failed).await
}

/// A scan of the ids and vectors of the rows that satisfy a predicate, in batches that suit the
/// comparison.
pub(crate) fn scanner(
    table: &Table,
    column: &str,
    dim: usize,
    filter: Option<&str>,
) -> Result<Scanner> {
    let failed = IndexError::read(table);
    let mut scan = table.dataset().scan();
    scan.project(&[ID, column]).map_err(&failed)?;
    scan.with_row_id().scan_in_order(false);
    scan.batch_size((BATCH_BYTES / (4 * dim).max(1)).clamp(128, 8192));
    set_filter(&mut scan, table, filter)?;
    Ok(scan)
}

/// Gives the scanner its predicate, after checks of its size, its columns and its type.
pub(crate) fn set_filter(scan: &mut Scanner, table: &Table, filter: Option<&str>) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    check_predicate(filter)?;
    let wrong = |error: lance::Error| IndexError::Predicate {
        reason: plain(&error.to_string()),
    };
    scan.filter(filter).map_err(wrong)?;
    let Some(expr) = scan.get_expr_filter().map_err(wrong)? else {
        return Ok(());
    };
    let wrong = |reason: String| IndexError::Predicate { reason };
    let schema = DFSchema::try_from(table.schema()).map_err(|e| wrong(e.to_string()))?;
    match expr.get_type(&schema) {
        Ok(DataType::Boolean) => Ok(()),
        Ok(other) => Err(wrong(format!(
            "it must be true or false for a row, but is of type {other}"
        ))),
        // Columns that Lance adds (`_rowid`) are not in the table's schema; Lance knows them.
        Err(_) => Ok(()),
    }
}

/// Lance's messages without their prefix, and without the place in Lance's source they end in.
fn plain(message: &str) -> String {
    let mut text = message;
    while let Some((head, tail)) = text.rsplit_once(", ") {
        if !tail.contains(".rs:") {
            break;
        }
        text = head;
    }
    loop {
        let stripped = [
            "Invalid user input: ",
            "LanceError(Schema): ",
            "LanceError(Arrow): ",
        ]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
        match stripped {
            Some(rest) => text = rest,
            None => return text.trim().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn messages_carry_no_source_place() {
        let message = "Invalid user input: No field named foo, bar., /x/lance/src/scanner.rs:1:2";
        assert_eq!(super::plain(message), "No field named foo, bar.");
    }
}
