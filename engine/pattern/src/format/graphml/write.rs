//! Graphs and patterns as GraphML.

use std::io::Write;

use quick_xml::escape::escape;

use super::{LABEL, PERIOD, TOLERANCE};
use crate::error::{Fault, PatternError, Result};
use crate::graph::{Graph, Labels};
use crate::pattern::{Allowed, Near, Pattern};

/// Writes a graph, or each graph of a union, with labels, names and attributes.
///
/// # Errors
/// What the writer says.
pub fn write_graph(graph: &Graph, writer: &mut impl Write) -> Result<()> {
    let columns = |columns: &crate::graph::Columns| -> Vec<String> {
        columns.iter().map(|(name, _)| name.to_owned()).collect()
    };
    let (vertices, edges) = (
        columns(graph.vertex_columns()),
        columns(graph.edge_columns()),
    );
    let edge_labels = graph.has_edge_labels();
    head(
        writer,
        "node",
        true,
        graph.vertex_names().is_some(),
        &vertices,
    )?;
    head(
        writer,
        "edge",
        edge_labels,
        graph.edge_names().is_some(),
        &edges,
    )?;
    let ends = graph.starts().iter().skip(1).copied();
    let ends = ends.chain([graph.vertices() as u32]);
    let mut rest = graph.iter_edges().peekable();
    for (&start, end) in graph.starts().iter().zip(ends) {
        open(writer, graph.is_directed())?;
        for v in start..end {
            writeln!(writer, "<node id=\"n{v}\">")?;
            let label = graph.labels()[v as usize];
            data(writer, "node", LABEL, &named(label, graph.vertex_names()))?;
            for (at, (_, values)) in graph.vertex_columns().iter().enumerate() {
                number(writer, "node", at, values[v as usize])?;
            }
            writeln!(writer, "</node>")?;
        }
        while let Some(edge) = rest.next_if(|edge| edge.from < end) {
            writeln!(
                writer,
                "<edge source=\"n{}\" target=\"n{}\">",
                edge.from, edge.to
            )?;
            if edge_labels {
                data(
                    writer,
                    "edge",
                    LABEL,
                    &named(edge.label, graph.edge_names()),
                )?;
            }
            for (at, (_, values)) in graph.edge_columns().iter().enumerate() {
                number(writer, "edge", at, values[edge.row as usize])?;
            }
            writeln!(writer, "</edge>")?;
        }
        writeln!(writer, "</graph>")?;
    }
    writeln!(writer, "</graphml>")?;
    Ok(())
}

/// Writes a pattern.
///
/// # Errors
/// A set of several labels, or two conditions on one attribute of a vertex or edge, which the
/// format cannot say; and what the writer says.
pub fn write_pattern(pattern: &Pattern, writer: &mut impl Write) -> Result<()> {
    let attributes = |nears: &mut dyn Iterator<Item = &Near>| -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for near in nears {
            for name in ["", TOLERANCE, PERIOD].map(|end| format!("{}{end}", near.column)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    };
    let vertices = attributes(&mut pattern.vertices().iter().flat_map(|v| &v.near));
    let edges = attributes(&mut pattern.edges().iter().flat_map(|e| &e.near));
    head(
        writer,
        "node",
        true,
        pattern.vertex_names().is_some(),
        &vertices,
    )?;
    head(writer, "edge", true, pattern.edge_names().is_some(), &edges)?;
    open(writer, pattern.is_directed())?;
    for (u, vertex) in pattern.vertices().iter().enumerate() {
        writeln!(writer, "<node id=\"n{u}\">")?;
        condition(
            writer,
            "node",
            &vertex.labels,
            &vertex.near,
            pattern.vertex_names(),
            &vertices,
        )?;
        writeln!(writer, "</node>")?;
    }
    for edge in pattern.edges() {
        writeln!(
            writer,
            "<edge source=\"n{}\" target=\"n{}\">",
            edge.from, edge.to
        )?;
        condition(
            writer,
            "edge",
            &edge.labels,
            &edge.near,
            pattern.edge_names(),
            &edges,
        )?;
        writeln!(writer, "</edge>")?;
    }
    writeln!(writer, "</graph>\n</graphml>")?;
    Ok(())
}

fn condition(
    writer: &mut impl Write,
    domain: &str,
    labels: &Allowed,
    near: &[Near],
    names: Option<&Labels>,
    columns: &[String],
) -> Result<()> {
    let unsupported = |what| {
        let fault = Fault::Unsupported { what };
        Err(PatternError::Byte { byte: 0, fault })
    };
    match labels {
        Allowed::Any => {}
        Allowed::Only(labels) => match labels[..] {
            [label] => data(writer, domain, LABEL, &named(label, names))?,
            _ => return unsupported("a set of labels"),
        },
    }
    for (index, one) in near.iter().enumerate() {
        if near[..index].iter().any(|other| other.column == one.column) {
            return unsupported("a second condition on an attribute");
        }
        let at = |end: &str| {
            let name = format!("{}{end}", one.column);
            columns.iter().position(|column| *column == name)
        };
        let values = [
            ("", Some(one.value)),
            (TOLERANCE, Some(one.tolerance)),
            (PERIOD, one.period),
        ];
        for (end, value) in values {
            if let (Some(at), Some(value)) = (at(end), value) {
                number(writer, domain, at, value)?;
            }
        }
    }
    Ok(())
}

/// Declares keys; the first call opens the file.
fn head(
    writer: &mut impl Write,
    domain: &str,
    labels: bool,
    named: bool,
    columns: &[String],
) -> Result<()> {
    if domain == "node" {
        writeln!(writer, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            writer,
            "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">"
        )?;
    }
    if labels {
        let kind = if named { "string" } else { "long" };
        writeln!(
            writer,
            "<key id=\"{domain}.{LABEL}\" for=\"{domain}\" attr.name=\"{LABEL}\" attr.type=\"{kind}\"/>"
        )?;
    }
    for (at, name) in columns.iter().enumerate() {
        writeln!(
            writer,
            "<key id=\"{domain}.{at}\" for=\"{domain}\" attr.name=\"{}\" attr.type=\"float\"/>",
            escape(name.as_str())
        )?;
    }
    Ok(())
}

fn open(writer: &mut impl Write, directed: bool) -> Result<()> {
    let word = if directed { "directed" } else { "undirected" };
    writeln!(writer, "<graph edgedefault=\"{word}\">")?;
    Ok(())
}

fn named(label: u32, names: Option<&Labels>) -> String {
    match names.and_then(|names| names.name(label)) {
        Some(name) => name.to_owned(),
        None => label.to_string(),
    }
}

fn data(writer: &mut impl Write, domain: &str, key: &str, value: &str) -> Result<()> {
    writeln!(
        writer,
        "<data key=\"{domain}.{key}\">{}</data>",
        escape(value)
    )?;
    Ok(())
}

/// NaN is an absent value.
fn number(writer: &mut impl Write, domain: &str, at: usize, value: f32) -> Result<()> {
    if value.is_nan() {
        return Ok(());
    }
    data(writer, domain, &at.to_string(), &value.to_string())
}
