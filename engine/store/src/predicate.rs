//! Predicates that users give.
//!
//! Lance reads a predicate as the end of `SELECT 1 FROM t WHERE ...` and takes the condition out of
//! what it parsed. What follows the condition, a `LIMIT` or another statement, is then ignored in
//! silence: a deletion would take more rows than its author meant, a search would find others. So
//! it is refused here, for deletions, scans and searches alike.

use std::any::TypeId;

use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use crate::error::{Result, StoreError};

/// Lance's dialect: names are quoted with backticks.
#[derive(Debug)]
struct LanceDialect;

impl Dialect for LanceDialect {
    fn dialect(&self) -> TypeId {
        GenericDialect.dialect()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        GenericDialect.supports_bitwise_shift_operators()
    }
}

/// Checks that a predicate is one whole expression: nothing follows it, and no comment hides a part
/// of the text. Columns and types are not looked at. Recursive, to a depth of 50 levels; chains of
/// operators are not bounded.
///
/// # Errors
/// [`StoreError::Predicate`] says what is wrong.
pub fn check_predicate(predicate: &str) -> Result<()> {
    let bad = |problem: String| StoreError::Predicate {
        predicate: predicate.to_owned(),
        problem,
    };
    let mut tokens = Tokenizer::new(&LanceDialect, predicate)
        .tokenize()
        .map_err(|error| bad(error.to_string()))?;
    // Whoever puts a predicate into a larger one would lose what stands behind it.
    let hides = |token: &Token| {
        matches!(
            token,
            Token::Whitespace(
                Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)
            )
        )
    };
    if tokens.iter().any(hides) {
        return Err(bad("it holds a comment; leave the comment out".to_owned()));
    }
    // Lance takes `==` for `=`.
    tokens.dedup_by(|next, token| (&*next, &*token) == (&Token::Eq, &Token::Eq));
    let mut parser = Parser::new(&LanceDialect).with_tokens(tokens);
    parser
        .parse_expr()
        .map_err(|error| bad(error.to_string()))?;
    match parser.peek_token().token {
        Token::EOF => Ok(()),
        rest => Err(bad(format!("`{rest}` follows the condition"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_condition_and_nothing_else() {
        for good in [
            "id = 'a'",
            "id == 'a;b'",
            "id = 'a -- b /* c */'",
            "`end` > 3 AND NOT (gc IS NULL)",
            "name LIKE 'x%' OR length BETWEEN 1 AND 2",
            "event_time > timestamp '2020-01-01 00:00:00'",
            "true",
        ] {
            check_predicate(good).unwrap();
        }
        let deep = "(".repeat(5000) + "true" + &")".repeat(5000);
        for bad in [
            "",
            "id =",
            "id = 'a' LIMIT 1",
            "true; DROP TABLE t",
            "true UNION SELECT 1",
            "id = 'a') OR (true",
            "id = 'a';",
            "id = 'a' -- OR true",
            "id = 'a' /* OR true */",
            "true) --",
            &deep,
        ] {
            assert!(check_predicate(bad).is_err(), "{bad}");
        }
    }
}
