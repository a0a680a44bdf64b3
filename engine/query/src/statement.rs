//! The statement before it is planned: its size, its kind, and the tables that it names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::TableReference;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, Query, Statement as SqlStatement, TableFactor,
    Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use penstock_store::VersionRef;

use crate::functions::{AT, MATCH_PATTERN, VECTOR_SEARCH};
use crate::limits::{MAX_BYTES, MAX_COPIES, MAX_DEPTH, MAX_NESTING, MAX_OPERATORS, MAX_RELATIONS};
use crate::{QueryError, Result};

/// A statement that may run, and what must be looked up before it is planned.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    /// Tables named in `FROM`.
    pub(crate) tables: BTreeSet<String>,
    /// Tables named in `at` and `vector_search`, with their versions.
    pub(crate) pinned: BTreeMap<(String, String), VersionRef>,
    /// Names of table functions that are called: no tables.
    pub(crate) functions: BTreeSet<String>,
    /// Whether the statement asks what tables there are.
    pub(crate) lists_tables: bool,
    /// Whether the statement reads `information_schema`.
    pub(crate) reads_information_schema: bool,
}

/// Parses and checks one statement. Runs on the planner's thread: the parser recurses.
pub(crate) fn parse(sql: &str) -> Result<Parsed> {
    check_size(sql)?;
    let syntax = |error| QueryError::from_datafusion(error, 0);
    let mut statements = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(MAX_NESTING)
        .build()
        .map_err(syntax)?
        .parse_statements()
        .map_err(syntax)?;
    let found = statements.len();
    let statement = match statements.pop_front() {
        Some(statement) if found == 1 => statement,
        _ => return Err(QueryError::Count { found }),
    };
    let Statement::Statement(inner) = &statement else {
        return Err(read_only(sql));
    };
    let lists_tables = match inner.as_ref() {
        SqlStatement::Query(_) => false,
        SqlStatement::ShowTables { .. } | SqlStatement::ShowColumns { .. } => true,
        SqlStatement::ExplainTable { table_name, .. } => return describe(&last_part(table_name)),
        _ => return Err(read_only(sql)),
    };

    let mut survey = Survey::default();
    if let ControlFlow::Break(error) = inner.visit(&mut survey) {
        return Err(*error);
    }
    survey.check_copies()?;

    let (references, _) = resolve_table_references(&statement, true).map_err(syntax)?;
    let mut parsed = Parsed {
        statement,
        tables: BTreeSet::new(),
        pinned: survey.pinned,
        functions: survey.functions,
        lists_tables,
        reads_information_schema: lists_tables,
    };
    for reference in references {
        match &reference {
            TableReference::Partial { schema, .. } | TableReference::Full { schema, .. }
                if schema.as_ref() == "information_schema" =>
            {
                parsed.lists_tables = true;
                parsed.reads_information_schema = true;
            }
            _ => {
                parsed.tables.insert(reference.table().to_owned());
            }
        }
    }
    Ok(parsed)
}

/// `DESCRIBE` is no plan of its own in the engine; it is this query.
fn describe(table: &str) -> Result<Parsed> {
    let mut parsed = parse(&format!(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns \
         WHERE table_name = '{}' ORDER BY ordinal_position",
        table.replace('\'', "''")
    ))?;
    parsed.lists_tables = false;
    parsed.tables.insert(table.to_owned());
    Ok(parsed)
}

fn read_only(sql: &str) -> QueryError {
    let words: Vec<_> = sql.split_whitespace().take(2).collect();
    QueryError::ReadOnly {
        statement: words.join(" ").chars().take(40).collect(),
    }
}

fn bounded(what: &'static str, given: usize, max: usize) -> Result<()> {
    if given > max {
        return Err(QueryError::Size { what, given, max });
    }
    Ok(())
}

/// Bounds what the parser's and the visitor's recursion can come to, before they run: a chain of
/// binary operators is parsed in a loop, but is a tree as deep as it is long.
fn check_size(sql: &str) -> Result<()> {
    bounded("bytes", sql.len(), MAX_BYTES)?;
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|error| QueryError::Syntax {
            reason: error.to_string(),
        })?;
    let mut operators = 0;
    let mut relations = 0;
    let mut in_list = false;
    for token in tokens {
        match &token {
            Token::Whitespace(_) => continue,
            Token::Minus if in_list => {}
            Token::Word(word) => match word.keyword {
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::JOIN => {
                    relations += 1;
                }
                Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::AT => operators += 1,
                _ => {}
            },
            Token::Comma
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::LParen
            | Token::RParen
            | Token::LBracket
            | Token::RBracket
            | Token::SemiColon
            | Token::EOF => {}
            _ => operators += 1,
        }
        in_list = matches!(token, Token::Comma | Token::LBracket | Token::LParen);
    }
    bounded("operators", operators, MAX_OPERATORS)?;
    bounded("joins and set operations", relations, MAX_RELATIONS)
}

/// Walks the statement once and keeps what the checks and the look-up need.
#[derive(Debug, Default)]
struct Survey {
    depth: usize,
    relations: usize,
    ctes: HashMap<String, usize>,
    references: Vec<String>,
    pinned: BTreeMap<(String, String), VersionRef>,
    functions: BTreeSet<String>,
}

impl Survey {
    fn bounded(
        &self,
        what: &'static str,
        given: usize,
        max: usize,
    ) -> ControlFlow<Box<QueryError>> {
        match bounded(what, given, max) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }

    /// A `WITH` query that is named n times is planned n times over, and so are those inside it.
    fn check_copies(&mut self) -> Result<()> {
        for reference in &self.references {
            if let Some(count) = self.ctes.get_mut(reference) {
                *count += 1;
            }
        }
        let copies = self.ctes.values().fold(1_usize, |product, count| {
            product.saturating_mul((*count).max(1))
        });
        bounded("copies of its WITH queries", copies, MAX_COPIES)
    }

    fn call(&mut self, name: &ObjectName, args: &[FunctionArg]) -> Result<()> {
        let name = last_part(name);
        self.functions.insert(name.clone());
        let text = |i: usize| args.get(i).and_then(literal);
        let (table, version) = match name.as_str() {
            AT => {
                let (Some(table), Some(version)) = (text(0), text(1)) else {
                    return Err(QueryError::Call {
                        function: AT,
                        reason: "write at('table', version), with a number or 'tag'".to_owned(),
                    });
                };
                (table, version)
            }
            VECTOR_SEARCH => {
                let Some(table) = text(0) else {
                    return Err(QueryError::Call {
                        function: VECTOR_SEARCH,
                        reason: "write vector_search('table', 'column', query, k [, 'predicate'])"
                            .to_owned(),
                    });
                };
                match table.split_once('@') {
                    Some((table, version)) => (table.to_owned(), version.to_owned()),
                    None => (table, VersionRef::Latest.to_string()),
                }
            }
            MATCH_PATTERN => {
                let Some(table) = text(0) else {
                    return Err(QueryError::Call {
                        function: MATCH_PATTERN,
                        reason: "write match_pattern('table', 'pattern' [, limit])".to_owned(),
                    });
                };
                match table.split_once('@') {
                    Some((table, version)) => (table.to_owned(), version.to_owned()),
                    None => (table, VersionRef::Latest.to_string()),
                }
            }
            _ => return Ok(()),
        };
        let at = version
            .parse::<VersionRef>()
            .map_err(|error| QueryError::Plan {
                reason: error.to_string(),
            })?;
        self.pinned.insert((table, at.to_string()), at);
        Ok(())
    }
}

fn last_part(name: &ObjectName) -> String {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .map(|ident| match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_ascii_lowercase(),
        })
        .unwrap_or_default()
}

fn literal(arg: &FunctionArg) -> Option<String> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = arg else {
        return None;
    };
    match &value.value {
        Value::SingleQuotedString(text) | Value::Number(text, _) => Some(text.clone()),
        _ => None,
    }
}

impl Visitor for Survey {
    type Break = Box<QueryError>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.relations += 1;
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = &cte.alias.name;
            let name = match name.quote_style {
                Some(_) => name.value.clone(),
                None => name.value.to_ascii_lowercase(),
            };
            self.ctes.entry(name).or_insert(0);
        }
        self.bounded("tables and subqueries", self.relations, 2 * MAX_RELATIONS)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        self.references.push(last_part(relation));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        self.relations += 1;
        let called = match factor {
            TableFactor::Table {
                name,
                args: Some(args),
                ..
            } => self.call(name, &args.args),
            TableFactor::Function { name, args, .. } => self.call(name, args),
            _ => Ok(()),
        };
        match called {
            Ok(()) => self.bounded("tables and subqueries", self.relations, 2 * MAX_RELATIONS),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }

    fn pre_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<Self::Break> {
        self.depth += 1;
        self.bounded("levels of nested expressions", self.depth, MAX_DEPTH)
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
