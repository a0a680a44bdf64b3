//! The feature table.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Default, Serialize)]
struct Feature {
    r#type: String,
    location: String,
    start: Option<u64>,
    end: Option<u64>,
    strand: Option<&'static str>,
    qualifiers: BTreeMap<String, Vec<String>>,
}

/// The features of a record, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Features {
    features: Vec<Feature>,
    open: Option<Open>,
}

/// A qualifier whose value goes on.
#[derive(Debug)]
struct Open {
    name: String,
    value: String,
    quoted: bool,
}

/// Key column of a feature; qualifiers stand further right.
const KEY_INDENT: usize = 16;

impl Features {
    pub(super) fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// A line of the table.
    pub(super) fn line(&mut self, text: &str) -> Result<(), &'static str> {
        let body = text.trim_start();
        let indent = text.len() - body.len();
        let body = body.trim_end();
        if body.is_empty() {
            return Ok(());
        }
        let quoted = self
            .open
            .as_ref()
            .is_some_and(|open| open.quoted && !is_closed(&open.value));
        if !quoted && indent < KEY_INDENT {
            self.close();
            let (key, location) = body.split_once(' ').unwrap_or((body, ""));
            self.features.push(Feature {
                r#type: key.to_owned(),
                location: location.trim().to_owned(),
                ..Feature::default()
            });
            return Ok(());
        }
        let Some(feature) = self.features.last_mut() else {
            return Err("a feature key before its qualifiers");
        };
        match &mut self.open {
            Some(open) if quoted || !body.starts_with('/') => {
                // Protein translations are one word; other text is broken at blanks.
                if open.name != "translation" {
                    open.value.push(' ');
                }
                open.value.push_str(body);
            }
            None if !body.starts_with('/') => feature.location.push_str(body),
            _ => {
                self.close();
                let (name, value) = match body[1..].split_once('=') {
                    Some((name, value)) => (name, value),
                    None => (&body[1..], ""),
                };
                self.open = Some(Open {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    quoted: value.starts_with('"'),
                });
            }
        }
        Ok(())
    }

    /// Puts the open qualifier into its feature.
    fn close(&mut self) {
        let (Some(open), Some(feature)) = (self.open.take(), self.features.last_mut()) else {
            return;
        };
        let values = feature.qualifiers.entry(open.name).or_default();
        if open.value.is_empty() {
            return;
        }
        values.push(match open.value.strip_prefix('"') {
            Some(inner) => inner
                .strip_suffix('"')
                .unwrap_or(inner)
                .replace("\"\"", "\""),
            None => open.value,
        });
    }

    /// The table is at its end.
    pub(super) fn finish(&mut self) {
        self.close();
        for feature in &mut self.features {
            (feature.start, feature.end, feature.strand) = bounds(&feature.location);
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys: this cannot fail.
        serde_json::to_string(&self.features).unwrap_or_default()
    }
}

/// Whether a value that began with a quote has its closing one: an odd count of quotes at its end.
fn is_closed(value: &str) -> bool {
    let inner = &value[1..];
    let quotes = inner.len() - inner.trim_end_matches('"').len();
    quotes % 2 == 1
}

/// The bounds of a location, from 0, and its strand. Parts on other records (`J00194.1:100..202`)
/// do not count.
fn bounds(location: &str) -> (Option<u64>, Option<u64>, Option<&'static str>) {
    let (mut low, mut high) = (None, None);
    let (mut plus, mut minus) = (false, false);
    let mut complements = Vec::new();
    let mut elsewhere = false;
    let mut rest = location;
    while let Some(first) = rest.chars().next() {
        let word_length = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')))
            .unwrap_or(rest.len());
        if !first.is_alphanumeric() {
            match first {
                ')' => {
                    complements.pop();
                }
                ',' => elsewhere = false,
                _ => {}
            }
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(word_length);
        rest = after;
        if after.starts_with('(') {
            complements.push(word == "complement");
        } else if after.starts_with(':') {
            elsewhere = true;
        } else if !elsewhere {
            for number in word.split('.').filter_map(|n| n.parse::<u64>().ok()) {
                low = Some(low.map_or(number, |l: u64| l.min(number)));
                high = Some(high.map_or(number, |h: u64| h.max(number)));
                let reverse = complements.iter().filter(|c| **c).count() % 2 == 1;
                plus |= !reverse;
                minus |= reverse;
            }
        }
    }
    let strand = match (plus, minus) {
        (true, false) => Some("+"),
        (false, true) => Some("-"),
        _ => None,
    };
    (low.map(|l| l.saturating_sub(1)), high, strand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        for (location, expected) in [
            ("1..9609", (Some(0), Some(9609), Some("+"))),
            ("complement(87..1109)", (Some(86), Some(1109), Some("-"))),
            ("join(1..5,complement(8..9))", (Some(0), Some(9), None)),
            ("complement(join(1..5,8..9))", (Some(0), Some(9), Some("-"))),
            ("<3..>7", (Some(2), Some(7), Some("+"))),
            (
                "join(J00194.1:100..202,3..7)",
                (Some(2), Some(7), Some("+")),
            ),
            ("102.110", (Some(101), Some(110), Some("+"))),
            ("12^13", (Some(11), Some(13), Some("+"))),
            ("", (None, None, None)),
        ] {
            assert_eq!(bounds(location), expected, "{location}");
        }
    }

    #[test]
    fn qualifiers_over_lines() {
        let mut features = Features::default();
        for line in [
            "     CDS             join(1..5,",
            "                     8..9)",
            "                     /note=\"says \"\"so\"\" and",
            "                     /goes on\"",
            "                     /pseudo",
            "                     /codon_start=1",
            "                     /translation=\"MK",
            "                     VL\"",
        ] {
            features.line(line).unwrap();
        }
        features.finish();
        let json: serde_json::Value = serde_json::from_str(&features.to_json()).unwrap();
        assert_eq!(json[0]["location"], "join(1..5,8..9)");
        let qualifiers = &json[0]["qualifiers"];
        assert_eq!(qualifiers["note"][0], "says \"so\" and /goes on");
        assert_eq!(qualifiers["pseudo"], serde_json::json!([]));
        assert_eq!(qualifiers["codon_start"][0], "1");
        assert_eq!(qualifiers["translation"][0], "MKVL");
    }
}
