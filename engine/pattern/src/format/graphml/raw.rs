//! Elements of a file, as arrays.

use std::collections::HashMap;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::LABEL;
use crate::error::{Fault, PatternError, Result};
use crate::format::lines::{text, whole};
use crate::graph::Labels;

/// What a file holds.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) directed: Option<bool>,
    pub(super) starts: Vec<u32>,
    pub(super) vertices: Side,
    pub(super) edges: Side,
    pub(super) ends: Vec<(u32, u32)>,
    /// The length of the file.
    pub(super) end: u64,
}

/// Data of the nodes, or of the edges.
#[derive(Default)]
pub(super) struct Side {
    /// Nothing where there is none, nothing within where it is the wildcard.
    pub(super) labels: Vec<Option<Option<u32>>>,
    pub(super) names: Option<Labels>,
    pub(super) columns: Vec<(String, Vec<f32>)>,
}

/// A declared kind of data.
struct Key {
    id: String,
    nodes: bool,
    edges: bool,
    name: String,
    kind: Kind,
    default: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    NumberedLabel,
    NamedLabel,
    Number,
    Other,
}

/// Which element is open.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Key,
    Default,
    Node,
    Edge,
    /// Data of a key, by its place.
    Data(usize),
    Other,
}

struct Parser {
    raw: Raw,
    keys: Vec<Key>,
    nodes: HashMap<String, u32>,
    open: Vec<Open>,
    graphs: usize,
    text: String,
    byte: u64,
}

pub(super) fn read(reader: impl BufRead) -> Result<Raw> {
    let mut reader = Reader::from_reader(reader);
    let mut parser = Parser {
        raw: Raw::default(),
        keys: Vec::new(),
        nodes: HashMap::new(),
        open: Vec::new(),
        graphs: 0,
        text: String::new(),
        byte: 0,
    };
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        parser.byte = reader.buffer_position();
        let event = reader.read_event_into(&mut buffer);
        let byte = parser.byte;
        match event.map_err(|source| PatternError::Xml { byte, source })? {
            Event::Start(tag) => parser.start(&tag)?,
            Event::Empty(tag) => {
                parser.start(&tag)?;
                parser.stop()?;
            }
            Event::End(_) => parser.stop()?,
            Event::Text(piece) => parser.add(&piece)?,
            Event::CData(piece) => parser.add(&piece)?,
            Event::GeneralRef(name) => {
                let reference = format!("&{};", parser.utf8(&name)?);
                let meant = parser.unescaped(&reference)?;
                parser.text.push_str(&meant);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !parser.open.is_empty() || parser.raw.starts.is_empty() {
        return Err(parser.fault(Fault::Missing {
            what: match parser.raw.starts.is_empty() {
                true => "a <graph>",
                false => "the end of an element",
            },
        }));
    }
    parser.raw.end = parser.byte;
    let mut raw = parser.raw;
    for side in [&mut raw.vertices, &mut raw.edges] {
        let count = side.labels.len();
        side.columns
            .iter_mut()
            .for_each(|(_, v)| v.resize(count, f32::NAN));
    }
    Ok(raw)
}

impl Parser {
    fn fault(&self, fault: Fault) -> PatternError {
        let byte = self.byte;
        PatternError::Byte { byte, fault }
    }

    fn utf8<'b>(&self, bytes: &'b [u8]) -> Result<&'b str> {
        std::str::from_utf8(bytes).map_err(|_| {
            self.fault(Fault::Field {
                what: "the text",
                text: text(bytes),
                wanted: "UTF-8",
            })
        })
    }

    fn unescaped(&self, escaped: &str) -> Result<String> {
        let unescaped = unescape(escaped).map_err(|_| {
            self.fault(Fault::Field {
                what: "the text",
                text: text(escaped.as_bytes()),
                wanted: "text with the entities of XML",
            })
        });
        unescaped.map(std::borrow::Cow::into_owned)
    }

    fn add(&mut self, piece: &[u8]) -> Result<()> {
        if matches!(self.open.last(), Some(Open::Data(_) | Open::Default)) {
            let piece = self.utf8(piece)?.to_owned();
            self.text.push_str(&piece);
        }
        Ok(())
    }

    fn attribute(&self, tag: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
        let mut attributes = tag.attributes();
        let mut attributes = attributes.with_checks(false).flatten();
        match attributes.find(|a| a.key.as_ref() == name.as_bytes()) {
            None => Ok(None),
            Some(found) => self.unescaped(self.utf8(&found.value)?).map(Some),
        }
    }

    fn want(&self, tag: &BytesStart<'_>, what: &'static str) -> Result<String> {
        let found = self.attribute(tag, what)?;
        found.ok_or_else(|| self.fault(Fault::Missing { what }))
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<()> {
        self.text.clear();
        let open = match tag.local_name().as_ref() {
            b"key" => self.key(tag)?,
            b"default" if self.open.last() == Some(&Open::Key) => Open::Default,
            b"graph" => self.graph(tag)?,
            b"node" => {
                let id = self.want(tag, "id")?;
                let number = self.raw.vertices.labels.len() as u32;
                if self.nodes.insert(id.clone(), number).is_some() {
                    return Err(self.fault(Fault::Twice {
                        what: "node",
                        text: id,
                    }));
                }
                self.raw.vertices.labels.push(None);
                self.defaults(true)?;
                Open::Node
            }
            b"edge" => self.edge(tag)?,
            b"data" => {
                let id = self.want(tag, "key")?;
                let nodes = match self.open.last() {
                    Some(Open::Node) => Some(true),
                    Some(Open::Edge) => Some(false),
                    _ => None,
                };
                let fits = |key: &Key| match nodes {
                    Some(true) => key.nodes,
                    Some(false) => key.edges,
                    None => false,
                };
                match self.keys.iter().position(|key| key.id == id && fits(key)) {
                    Some(at) => Open::Data(at),
                    // Data of the graph itself.
                    None if nodes.is_none() => Open::Other,
                    None => {
                        return Err(self.fault(Fault::Unknown {
                            what: "key",
                            text: id,
                        }));
                    }
                }
            }
            b"hyperedge" => {
                let what = "a hyperedge";
                return Err(self.fault(Fault::Unsupported { what }));
            }
            _ => Open::Other,
        };
        self.open.push(open);
        Ok(())
    }

    fn key(&mut self, tag: &BytesStart<'_>) -> Result<Open> {
        let id = self.want(tag, "id")?;
        let domain = self.attribute(tag, "for")?.unwrap_or_default();
        let all = matches!(domain.as_str(), "" | "all");
        let name = self.attribute(tag, "attr.name")?;
        let name = name.unwrap_or_else(|| id.clone());
        let kind = self.attribute(tag, "attr.type")?.unwrap_or_default();
        let kind = match (name == LABEL, kind.as_str()) {
            (true, "int" | "long") => Kind::NumberedLabel,
            (true, _) => Kind::NamedLabel,
            (false, "int" | "long" | "float" | "double") => Kind::Number,
            (false, _) => Kind::Other,
        };
        self.keys.push(Key {
            id,
            nodes: all || domain == "node",
            edges: all || domain == "edge",
            name,
            kind,
            default: None,
        });
        Ok(Open::Key)
    }

    fn graph(&mut self, tag: &BytesStart<'_>) -> Result<Open> {
        if self.open.contains(&Open::Node) {
            let what = "a graph within a node";
            return Err(self.fault(Fault::Unsupported { what }));
        }
        let directed = match self.attribute(tag, "edgedefault")?.as_deref() {
            Some("directed") => Some(true),
            Some("undirected") => Some(false),
            _ => self.raw.directed,
        };
        if self.graphs > 0 && directed != self.raw.directed {
            let what = "a union of directed and undirected graphs";
            return Err(self.fault(Fault::Unsupported { what }));
        }
        self.raw.directed = directed;
        self.graphs += 1;
        self.nodes.clear();
        let start = self.raw.vertices.labels.len() as u32;
        self.raw.starts.push(start);
        Ok(Open::Other)
    }

    fn edge(&mut self, tag: &BytesStart<'_>) -> Result<Open> {
        if let Some(own) = self.attribute(tag, "directed")?
            && self
                .raw
                .directed
                .is_some_and(|directed| (own == "true") != directed)
        {
            let what = "an edge of another direction than the graph's";
            return Err(self.fault(Fault::Unsupported { what }));
        }
        let mut ends = [0; 2];
        for (end, name) in ends.iter_mut().zip(["source", "target"]) {
            let id = self.want(tag, name)?;
            let known = self.nodes.get(&id).copied();
            *end = known.ok_or_else(|| {
                self.fault(Fault::Unknown {
                    what: "node",
                    text: id,
                })
            })?;
        }
        self.raw.ends.push((ends[0], ends[1]));
        self.raw.edges.labels.push(None);
        self.defaults(false)?;
        Ok(Open::Edge)
    }

    fn defaults(&mut self, nodes: bool) -> Result<()> {
        for at in 0..self.keys.len() {
            let key = &self.keys[at];
            let fits = if nodes { key.nodes } else { key.edges };
            if let (true, Some(value)) = (fits, key.default.clone()) {
                self.set(at, nodes, &value)?;
            }
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let closed = self.open.pop();
        let text = std::mem::take(&mut self.text);
        match closed {
            Some(Open::Default) => {
                if let Some(key) = self.keys.last_mut() {
                    key.default = Some(text);
                }
            }
            Some(Open::Data(at)) => {
                let nodes = self.open.last() == Some(&Open::Node);
                self.set(at, nodes, &text)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives the node or edge at hand a value.
    fn set(&mut self, at: usize, nodes: bool, value: &str) -> Result<()> {
        let value = value.trim();
        let (name, kind) = (self.keys[at].name.clone(), self.keys[at].kind);
        let side = match nodes {
            true => &mut self.raw.vertices,
            false => &mut self.raw.edges,
        };
        let last = side.labels.len() - 1;
        let wanted = match kind {
            Kind::Other => return Ok(()),
            Kind::NamedLabel | Kind::NumberedLabel if value == "*" => {
                side.labels[last] = Some(None);
                return Ok(());
            }
            Kind::NamedLabel => {
                let number = side.names.get_or_insert_default().intern(value);
                side.labels[last] = Some(Some(number));
                return Ok(());
            }
            Kind::NumberedLabel => match whole(value.as_bytes()) {
                Some(number) => {
                    side.labels[last] = Some(Some(number));
                    return Ok(());
                }
                None => "a whole number below 2^32",
            },
            Kind::Number => match value.parse::<f32>() {
                Ok(number) => {
                    let column = match side.columns.iter().position(|(n, _)| *n == name) {
                        Some(column) => column,
                        None => {
                            side.columns.push((name, Vec::new()));
                            side.columns.len() - 1
                        }
                    };
                    let values = &mut side.columns[column].1;
                    values.resize(last + 1, f32::NAN);
                    values[last] = number;
                    return Ok(());
                }
                Err(_) => "a number",
            },
        };
        Err(self.fault(Fault::Field {
            what: "the data",
            text: text(value.as_bytes()),
            wanted,
        }))
    }
}
