//! Rows of any columns, as JSON and as a table for people.

use std::fmt;

use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::record_batch::RecordBatch;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use super::error::CliError;
use super::table;
use super::ui::Ui;

/// Longest cell shown where no terminal sets the width.
const CELL: usize = 60;
/// Most columns that stand side by side on a terminal.
const WIDE: usize = 10;

/// A row whose columns keep their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row(pub(super) Vec<(String, Value)>);

impl Row {
    pub(super) fn get(&self, column: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of columns")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Row, M::Error> {
                let mut row = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    row.push(entry);
                }
                Ok(Row(row))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A batch's rows as JSON objects, one per line. Nulls are written, binary is hexadecimal.
pub(super) fn to_lines(batch: &RecordBatch) -> Result<Vec<u8>, CliError> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    writer
        .write(batch)
        .and_then(|()| writer.finish())
        .map_err(CliError::Arrow)?;
    Ok(writer.into_inner())
}

pub(super) fn from_batch(batch: &RecordBatch) -> Result<Vec<Row>, CliError> {
    let lines = to_lines(batch)?;
    serde_json::Deserializer::from_slice(&lines)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(CliError::Document)
}

/// Rows as a table. Columns in which every row is null are left out, and named by the caller's
/// wish only.
pub(super) fn show(ui: &Ui, rows: &[Row], leave_out_empty: bool) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let columns: Vec<&str> = first
        .0
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| {
            !leave_out_empty
                || rows
                    .iter()
                    .any(|row| row.get(name).is_some_and(|v| !v.is_null()))
        })
        .collect();
    if ui.out_is_terminal() && columns.len() > WIDE {
        return upright(ui, rows, &columns);
    }
    let heads: Vec<(&str, bool)> = columns
        .iter()
        .map(|name| {
            let is_number = rows
                .iter()
                .all(|row| row.get(name).is_none_or(|v| v.is_number() || v.is_null()));
            (*name, is_number)
        })
        .collect();
    let mut table = table::new(&heads);
    for row in rows {
        table.add_row(columns.iter().map(|name| {
            let text = row
                .get(name)
                .map(|value| cell(name, value))
                .unwrap_or_default();
            if ui.out_is_terminal() {
                text
            } else {
                table::shorten(&text, CELL)
            }
        }));
    }
    ui.table(&table)
}

/// One row below the other, a column on each line: more columns than a terminal has room for.
fn upright(ui: &Ui, rows: &[Row], columns: &[&str]) -> String {
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        text += &ui.dim(&format!("  row {}", i + 1));
        text.push('\n');
        let facts: Vec<(&str, String)> = columns
            .iter()
            .filter_map(|name| Some((*name, row.get(name)?)))
            .map(|(name, value)| (name, table::shorten(&cell(name, value), CELL)))
            .collect();
        text += &table::facts(&facts);
    }
    text
}

/// One value. Long lists are cut and say their length.
fn cell(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => table::shorten(&text.replace(['\n', '\t'], " "), 200),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) if is_count(column) => table::count(whole),
            (Some(whole), _) => whole.to_string(),
            (None, Some(value)) if number.is_f64() => decimal(column, value),
            _ => number.to_string(),
        },
        Value::Array(items) if items.len() > 4 => {
            let head: Vec<String> = items.iter().take(3).map(|item| cell("", item)).collect();
            format!(
                "[{}, … {} in all]",
                head.join(", "),
                table::count(items.len() as u64)
            )
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| cell("", item)).collect();
            format!("[{}]", items.join(", "))
        }
        other => table::shorten(&other.to_string(), 200),
    }
}

fn is_count(column: &str) -> bool {
    matches!(column, "length" | "start" | "end" | "rows") || column.ends_with("_count")
}

fn decimal(column: &str, value: f64) -> String {
    if column == "distance" {
        format!("{value:.6}")
    } else if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.4e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_order() {
        let text = r#"[{"z":1,"a":"x","m":[1,2,3,4,5]}]"#;
        let rows: Vec<Row> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&rows).unwrap(), text);
        assert_eq!(
            cell("m", rows[0].get("m").unwrap()),
            "[1, 2, 3, … 5 in all]"
        );
    }

    #[test]
    fn values_read_well() {
        let cell = |column: &str, value: Value| cell(column, &value);
        assert_eq!(cell("length", 4_641_652.into()), "4,641,652");
        assert_eq!(cell("version", 2024.into()), "2024");
        assert_eq!(cell("distance", 0.25.into()), "0.250000");
        assert_eq!(cell("gc", 0.5.into()), "0.5");
        assert_eq!(cell("x", 1.0e-9.into()), "1.0000e-9");
        assert_eq!(cell("x", Value::Null), "-");
    }
}
