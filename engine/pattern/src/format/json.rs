//! Patterns in JSON, which says all that a pattern can be. The README has an example.

use std::io::{Read, Write};

use serde_json::{Map, Value, json};

use crate::error::{Fault, PatternError, Result};
use crate::graph::Labels;
use crate::pattern::{Allowed, Near, Pattern, PatternEdge, PatternVertex};

/// Reads a pattern.
///
/// # Errors
/// What is no JSON, by line and column; members that are missing, unknown or wrong, by their
/// path; and what [`Pattern::new`] refuses.
pub fn read_pattern(reader: impl Read) -> Result<Pattern> {
    from_value(&serde_json::from_reader(reader)?)
}

/// A pattern from a JSON value that is already there.
///
/// # Errors
/// As [`read_pattern`].
pub fn from_value(value: &Value) -> Result<Pattern> {
    let pattern = object(value, "pattern", &["directed", "vertices", "edges"])?;
    let directed = match pattern.get("directed") {
        None => false,
        Some(Value::Bool(directed)) => *directed,
        Some(other) => return Err(wrong("directed", "it", other, "true or false")),
    };
    let (mut vertices, mut edges) = (Vec::new(), Vec::new());
    let mut names = Names::default();
    for (index, value) in array(pattern, "vertices")?.iter().enumerate() {
        let at = format!("vertices[{index}]");
        let vertex = object(value, &at, &["label", "near"])?;
        vertices.push(PatternVertex {
            labels: names.allowed(vertex.get("label"), &at)?,
            near: nears(vertex.get("near"), &at)?,
        });
    }
    let mut edge_names = Names::default();
    if pattern.contains_key("edges") {
        for (index, value) in array(pattern, "edges")?.iter().enumerate() {
            let at = format!("edges[{index}]");
            let edge = object(value, &at, &["from", "to", "label", "near"])?;
            edges.push(PatternEdge {
                from: whole(edge.get("from"), &at, "from")?,
                to: whole(edge.get("to"), &at, "to")?,
                labels: edge_names.allowed(edge.get("label"), &at)?,
                near: nears(edge.get("near"), &at)?,
            });
        }
    }
    Ok(Pattern::new(directed, vertices, edges)?.named(names.names, edge_names.names))
}

/// Labels are all numbers or all names.
#[derive(Default)]
struct Names {
    names: Option<Labels>,
    numbers: bool,
}

impl Names {
    fn allowed(&mut self, value: Option<&Value>, at: &str) -> Result<Allowed> {
        let one = match value {
            None => return Ok(Allowed::Any),
            Some(Value::String(name)) if name == "*" => return Ok(Allowed::Any),
            Some(Value::Array(many)) => {
                let labels: Vec<u32> = many
                    .iter()
                    .map(|label| self.label(label, at))
                    .collect::<Result<_>>()?;
                return Ok(Allowed::of(labels));
            }
            Some(one) => one,
        };
        Ok(Allowed::one(self.label(one, at)?))
    }

    fn label(&mut self, value: &Value, at: &str) -> Result<u32> {
        let number = match value {
            Value::String(name) if !self.numbers => {
                Some(self.names.get_or_insert_default().intern(name))
            }
            Value::Number(number) if self.names.is_none() => {
                self.numbers = true;
                number.as_u64().and_then(|n| u32::try_from(n).ok())
            }
            _ => None,
        };
        let wanted = "a number below 2^32 or a name, the same kind throughout,";
        number.ok_or_else(|| wrong(at, "a label", value, wanted))
    }
}

fn nears(value: Option<&Value>, at: &str) -> Result<Vec<Near>> {
    let values = match value {
        None => return Ok(Vec::new()),
        Some(Value::Array(values)) => values,
        Some(other) => return Err(wrong(at, "`near`", other, "an array")),
    };
    let near = |(index, value): (usize, &Value)| {
        let at = format!("{at}.near[{index}]");
        let near = object(value, &at, &["attribute", "value", "tolerance", "period"])?;
        let float = |name: &'static str| -> Result<f32> {
            let value = near.get(name).ok_or_else(|| missing(&at, name))?;
            let number = value
                .as_f64()
                .ok_or_else(|| wrong(&at, name, value, "a number"))?;
            Ok(number as f32)
        };
        Ok(Near {
            column: match near.get("attribute") {
                Some(Value::String(name)) => name.clone(),
                Some(other) => return Err(wrong(&at, "`attribute`", other, "a name")),
                None => return Err(missing(&at, "attribute")),
            },
            value: float("value")?,
            tolerance: float("tolerance")?,
            period: near.get("period").map(|_| float("period")).transpose()?,
        })
    };
    values.iter().enumerate().map(near).collect()
}

fn object<'v>(value: &'v Value, at: &str, known: &[&str]) -> Result<&'v Map<String, Value>> {
    let Value::Object(members) = value else {
        return Err(wrong(at, "it", value, "an object"));
    };
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(members),
        Some(key) => Err(PatternError::Member {
            at: at.to_owned(),
            fault: Fault::Unknown {
                what: "member",
                text: key.clone(),
            },
        }),
    }
}

fn array<'v>(members: &'v Map<String, Value>, name: &'static str) -> Result<&'v [Value]> {
    match members.get(name) {
        Some(Value::Array(values)) => Ok(values),
        Some(other) => Err(wrong(name, "it", other, "an array")),
        None => Err(missing("pattern", name)),
    }
}

fn whole(value: Option<&Value>, at: &str, name: &'static str) -> Result<u32> {
    let value = value.ok_or_else(|| missing(at, name))?;
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| wrong(at, name, value, "the number of a vertex"))
}

fn missing(at: &str, what: &'static str) -> PatternError {
    PatternError::Member {
        at: at.to_owned(),
        fault: Fault::Missing { what },
    }
}

fn wrong(at: &str, what: &'static str, value: &Value, wanted: &'static str) -> PatternError {
    let text: String = value.to_string().chars().take(80).collect();
    PatternError::Member {
        at: at.to_owned(),
        fault: Fault::Field { what, text, wanted },
    }
}

/// A pattern as JSON.
pub fn to_value(pattern: &Pattern) -> Value {
    let vertices = pattern.vertices().iter().map(|vertex| {
        let label = label(&vertex.labels, pattern.vertex_names());
        json!({"label": label, "near": vertex.near.iter().map(near).collect::<Vec<_>>()})
    });
    let edges = pattern.edges().iter().map(|edge| {
        let label = label(&edge.labels, pattern.edge_names());
        let near: Vec<_> = edge.near.iter().map(near).collect();
        json!({"from": edge.from, "to": edge.to, "label": label, "near": near})
    });
    json!({
        "directed": pattern.is_directed(),
        "vertices": vertices.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}

fn label(allowed: &Allowed, names: Option<&Labels>) -> Value {
    let one = |&label: &u32| match names.and_then(|names| names.name(label)) {
        Some(name) => json!(name),
        None => json!(label),
    };
    match allowed {
        Allowed::Any => json!("*"),
        Allowed::Only(labels) => match &labels[..] {
            // A label that is called like the wildcard stays one in an array.
            [label] if one(label) != json!("*") => one(label),
            labels => labels.iter().map(one).collect(),
        },
    }
}

fn near(near: &Near) -> Value {
    let mut value = json!({
        "attribute": near.column,
        "value": near.value,
        "tolerance": near.tolerance,
    });
    if let Some(period) = near.period {
        value["period"] = json!(period);
    }
    value
}

/// Writes a pattern.
///
/// # Errors
/// What the writer says.
pub fn write_pattern(pattern: &Pattern, writer: &mut impl Write) -> Result<()> {
    serde_json::to_writer_pretty(writer, &to_value(pattern))?;
    Ok(())
}
