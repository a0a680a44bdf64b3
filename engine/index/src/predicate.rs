//! SQL predicates: their bounds, before any parser sees them, that they are one whole expression, and
//! the rows for which they hold.
//!
//! Lance parses a predicate and walks its tree recursively on whatever thread asks. A chain of
//! `AND` is a tree as deep as the chain is long, so an unbounded predicate could end the process.

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use futures::TryStreamExt;
use lance_table::format::Fragment;
use penstock_store::{StoreError, Table};

use crate::exact::set_filter;
use crate::{IndexError, Result};

/// The longest predicate, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most operators (`AND`, `OR`, `=`, `+`, ...) of a predicate.
pub const MAX_OPERATORS: usize = 256;

/// Checks that a predicate is small enough to be parsed on any thread, and that it is one whole
/// expression with nothing after it ([`penstock_store::check_predicate`]). Lists (`IN (...)`) may be
/// long; chains of operators and nesting may not.
///
/// # Errors
/// The predicate is too long, has too many operators, is empty, is not made of SQL tokens, is no
/// expression, holds a comment, or goes on after the expression.
pub fn check_predicate(predicate: &str) -> Result<()> {
    let bounded = |what, given, max| {
        if given > max {
            return Err(IndexError::PredicateSize { what, given, max });
        }
        Ok(())
    };
    bounded("bytes", predicate.len(), MAX_BYTES)?;
    let tokens = Tokenizer::new(&GenericDialect {}, predicate)
        .tokenize()
        .map_err(|error| IndexError::Predicate {
            reason: error.to_string(),
        })?;
    let mut significant = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .peekable();
    if significant.peek().is_none() {
        return Err(IndexError::Predicate {
            reason: "it is empty; leave it out to have all rows".to_owned(),
        });
    }
    bounded(
        "operators",
        significant.filter(|token| deepens(token)).count(),
        MAX_OPERATORS,
    )?;
    penstock_store::check_predicate(predicate).map_err(|error| match error {
        StoreError::Predicate { problem, .. } => IndexError::Predicate { reason: problem },
        other => IndexError::Store(other),
    })
}

/// How many rows satisfy a predicate: counted on fragments from all over the table that hold at
/// least `sample` rows, and raised to all of it.
///
/// # Errors
/// The predicate is wrong, or reading fails.
pub(crate) async fn estimate(table: &Table, predicate: &str, sample: u64) -> Result<u64> {
    // Of an empty table nothing is read that would check it.
    check_predicate(predicate)?;
    let rows = |fragment: &Fragment| fragment.num_rows().unwrap_or_default() as u64;
    let all = table.dataset().fragments();
    let total: u64 = all.iter().map(rows).sum();
    let share = (sample as f64 / total.max(1) as f64).min(1.0);
    // Every n-th fragment, until there are rows enough.
    let step = ((1.0 / share.max(1e-9)) as usize).clamp(1, all.len().max(1));
    let mut chosen: Vec<Fragment> = Vec::new();
    let mut held = 0;
    for start in 0..step {
        for fragment in all.iter().skip(start).step_by(step) {
            if held < sample {
                held += rows(fragment);
                chosen.push(fragment.clone());
            }
        }
    }
    if held == 0 {
        return Ok(0);
    }
    let mut scan = table.dataset().scan();
    scan.with_fragments(chosen);
    set_filter(&mut scan, table, Some(predicate))?;
    let found = scan.count_rows().await.map_err(IndexError::read(table))?;
    Ok((found as f64 * total as f64 / held as f64).round() as u64)
}

/// Hands on, some at a time, where the rows are for which a predicate holds: of these fragments, or
/// of all where there are none named. Those of a fragment come together and ascend.
pub(crate) async fn matching(
    table: &Table,
    predicate: &str,
    fragments: Option<Vec<Fragment>>,
    mut each: impl FnMut(&[u64]) + Send,
) -> Result<()> {
    let failed = IndexError::read(table);
    let mut scan = table.dataset().scan();
    scan.empty_project().map_err(&failed)?;
    scan.with_row_address().scan_in_order(true);
    if let Some(fragments) = fragments {
        scan.with_fragments(fragments);
    }
    set_filter(&mut scan, table, Some(predicate))?;
    let mut batches = scan.try_into_stream().await.map_err(&failed)?;
    while let Some(batch) = batches.try_next().await.map_err(&failed)? {
        let column = batch
            .column_by_name("_rowaddr")
            .ok_or(IndexError::Invariant {
                what: "a scan left out the addresses of its rows",
            })?;
        each(column.as_primitive::<UInt64Type>().values());
    }
    Ok(())
}

/// Whether a token can make the expression's tree one deeper.
fn deepens(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::CASE
                | Keyword::CAST
                | Keyword::IN
        ),
        Token::Comma
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::RParen
        | Token::RBracket
        | Token::SemiColon
        | Token::Period
        | Token::Whitespace(_)
        | Token::EOF => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use penstock_types::ErrorCode;

    use super::*;

    #[test]
    fn bounds() {
        for good in [
            "length > 100 AND kind = 'protein'",
            "name LIKE '%kinase%' OR description IS NULL",
        ] {
            check_predicate(good).unwrap();
        }
        let list = (0..2000).map(|i| format!("'id{i}'")).collect::<Vec<_>>();
        check_predicate(&format!("id IN ({})", list.join(", "))).unwrap();

        let chain = vec!["length = 1"; 5000].join(" OR ");
        assert_eq!(
            check_predicate(&chain).unwrap_err().code(),
            ErrorCode::LimitExceeded
        );
        let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(
            check_predicate(&nested).unwrap_err().code(),
            ErrorCode::LimitExceeded
        );
        for bad in [
            "",
            "  ",
            "name = 'open",
            "id = 'a') OR (true",
            "id = 'a';",
            "true; DELETE FROM t",
            "id = 'a' LIMIT 1",
            "id = 'a' -- AND false",
            "id = 'a' /* AND false */",
        ] {
            assert_eq!(
                check_predicate(bad).unwrap_err().code(),
                ErrorCode::InvalidArgument,
                "{bad}"
            );
        }
    }
}
