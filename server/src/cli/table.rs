//! Tables and numbers for people.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

/// A table without lines: a bold head, then rows. `columns` says for each column its head and
/// whether it holds numbers, which stand to the right.
pub(super) fn new(columns: &[(&str, bool)]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_truncation_indicator("…");
    table.set_header(
        columns
            .iter()
            .map(|(head, _)| Cell::new(head).add_attribute(Attribute::Bold)),
    );
    for (i, (_, is_number)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(i) {
            column.set_padding((0, 2));
            if *is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// Two columns, keys and values, without a head.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    facts.iter().fold(String::new(), |text, (key, value)| {
        text + &format!("  {key:width$}  {value}\n")
    })
}

pub(super) fn to_text(table: &Table, fits_terminal: bool, has_style: bool) -> String {
    let mut table = table.clone();
    if fits_terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        for row in table.row_iter_mut() {
            row.max_height(1);
        }
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if !has_style {
        table.force_no_tty();
    }
    let text = table.to_string();
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        lines.push_str("  ");
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// `15176` as `15,176`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 row`, `15,176 rows`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with('x') => format!("{noun}es"),
        _ => format!("{noun}s"),
    };
    format!(
        "{} {}",
        count(number),
        if number == 1 { noun } else { &plural }
    )
}

/// Bytes in binary units, with one digit after the point.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Seconds, as precise as one wants to read them.
pub(super) fn seconds(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2} s")
    } else {
        format!("{value:.0} s")
    }
}

/// Cuts a text to so many characters.
pub(super) fn shorten(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => {
            let end = text
                .char_indices()
                .nth(characters.saturating_sub(1))
                .map_or(0, |(i, _)| i);
            format!("{}…", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(4_641_652), "4,641,652");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2, "index"), "2 indexes");
        assert_eq!(counted(3, "array"), "3 arrays");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(shorten("MKTAYIAK", 5), "MKTA…");
        assert_eq!(shorten("MKT", 5), "MKT");
    }

    #[test]
    fn tables_have_no_lines_and_no_trailing_blanks() {
        let mut table = new(&[("id", false), ("rows", true)]);
        table.add_row(["a", "7"]);
        table.add_row(["bcd", "15,176"]);
        assert_eq!(
            to_text(&table, false, false),
            "  id     rows\n  a         7\n  bcd  15,176\n"
        );
    }
}
