//! From atoms to polymer chains, the same way for PDB and mmCIF.
//!
//! Atoms are not kept: of each residue its name, its number and its C-alpha are. A structure is one
//! record, so what is kept grows with the count of its residues; the text is bounded by
//! `Limits::max_record_bytes`.
//!
//! - A residue belongs to its chain's polymer when its atoms are `ATOM`; or when they are `HETATM`
//!   with a peptide backbone (C-alpha, and N or C), not after the chain's `TER` (PDB) or with a
//!   place in the sequence (mmCIF). So selenomethionine is a residue, and a free amino acid, a
//!   ligand, a terminal cap or water is none.
//! - Of alternate locations the one of highest occupancy counts, and the first among equals.
//! - A chain with more amino acids than nucleotides is a protein and becomes a row; the others are
//!   named in a warning.

use std::collections::{HashMap, VecDeque};

use crate::batch::{Head, Rows, Sink};
use crate::{Position, ReadContext, ReadError};

use super::component::Component;
use super::{Chain, Residue};

/// One line of coordinates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atom<'a> {
    pub(super) model: i32,
    pub(super) chain: &'a str,
    pub(super) number: i32,
    pub(super) insertion: &'a str,
    pub(super) component: &'a str,
    pub(super) name: &'a str,
    pub(super) element: &'a str,
    pub(super) occupancy: f32,
    pub(super) xyz: [f32; 3],
    pub(super) is_hetero: bool,
    /// Whether the file places the residue within its chain's polymer.
    pub(super) in_sequence: bool,
}

struct Draft {
    number: i32,
    insertion: Box<str>,
    name: Box<str>,
    kind: Component,
    is_hetero: bool,
    in_sequence: bool,
    has_n_or_c: bool,
    has_sugar: bool,
    /// Occupancy and place of the C-alpha, and its component where that is another one.
    ca: Option<(f32, [f32; 3])>,
    /// Highest occupancy met, which chooses among components at one place of the sequence.
    occupancy: f32,
}

impl Draft {
    fn is_polymer(&self) -> bool {
        !self.is_hetero || (self.in_sequence && self.ca.is_some() && self.has_n_or_c)
    }

    fn is_amino_acid(&self) -> bool {
        matches!(self.kind, Component::AminoAcid(_)) || self.ca.is_some()
    }

    fn is_nucleotide(&self) -> bool {
        self.kind == Component::Nucleotide || (self.has_sugar && self.ca.is_none())
    }
}

#[derive(Default)]
struct DraftChain {
    id: Box<str>,
    residues: Vec<Draft>,
    /// Residues of the chain by number, insertion code, and component where that is a `HETATM`.
    index: HashMap<(i32, Box<str>, Box<str>), usize>,
    waters: usize,
    last_water: Option<(i32, Box<str>)>,
}

struct Model {
    number: i32,
    chains: Vec<DraftChain>,
}

/// A structure that is being read, and then handed out chain by chain.
#[derive(Default)]
pub(super) struct Structure {
    pub(super) entry: String,
    pub(super) title: String,
    pub(super) event_time: Option<i64>,
    /// One-letter codes of modified residues, from the file.
    pub(super) parents: HashMap<String, u8>,
    models: Vec<Model>,
    finished: VecDeque<(i32, Box<str>, Vec<Residue>)>,
    first_model: i32,
}

impl Structure {
    pub(super) fn named(entry: String) -> Self {
        Self {
            entry,
            ..Self::default()
        }
    }

    /// Starts a model. False where there is one of that number already.
    pub(super) fn begin_model(&mut self, number: i32) -> bool {
        if self.models.iter().any(|model| model.number == number) {
            return false;
        }
        self.models.push(Model {
            number,
            chains: Vec::new(),
        });
        true
    }

    /// The parent of a modified residue, by the parent's three letters.
    pub(super) fn add_parent(&mut self, component: &str, parent: &str) {
        if let Component::AminoAcid(letter) = Component::of(parent) {
            self.parents.entry(component.to_owned()).or_insert(letter);
        }
    }

    pub(super) fn add(&mut self, atom: &Atom<'_>) {
        let last = self.models.last().is_some_and(|m| m.number == atom.model);
        let at = if last {
            self.models.len() - 1
        } else {
            self.begin_model(atom.model);
            let found = self.models.iter().position(|m| m.number == atom.model);
            found.unwrap_or_default()
        };
        let chains = &mut self.models[at].chains;
        let at = match chains.iter().rposition(|chain| *chain.id == *atom.chain) {
            Some(at) => at,
            None => {
                chains.push(DraftChain {
                    id: atom.chain.into(),
                    ..DraftChain::default()
                });
                chains.len() - 1
            }
        };
        chains[at].add(atom);
    }

    /// All atoms are read: makes the chains, and tells what became no row.
    pub(super) fn finish(
        &mut self,
        position: Position,
        ctx: &mut ReadContext,
    ) -> Result<(), ReadError> {
        let mut left_out = LeftOut::default();
        let models = std::mem::take(&mut self.models);
        self.first_model = models.first().map_or(1, |model| model.number);
        for (i, model) in models.into_iter().enumerate() {
            for chain in model.chains {
                let counts = (i == 0).then_some(&mut left_out);
                if let Some(residues) = chain.finish(&self.parents, counts) {
                    self.finished
                        .push_back((model.number, residues.0, residues.1));
                }
            }
        }
        if self.finished.is_empty() {
            let expected = "a protein chain in the coordinates";
            let found = left_out.to_string();
            let found = if found.is_empty() {
                "none".to_owned()
            } else {
                format!("only {found}")
            };
            return Err(ctx
                .malformed(position, expected, found)
                .in_record(&self.entry));
        }
        let message = left_out.to_string();
        if !message.is_empty() {
            ctx.warn(Some(&self.entry), format!("left out: {message}"));
        }
        Ok(())
    }

    /// Writes the next chain as a row. False where there is none.
    pub(super) fn emit(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> bool {
        let Some((model, chain, residues)) = self.finished.pop_front() else {
            return false;
        };
        let shown = if chain.is_empty() { "_" } else { &*chain };
        let mut id = format!("{}:{shown}", self.entry);
        if model != self.first_model {
            id.push_str(&format!("@{model}"));
        }
        let head = Head {
            id: &id,
            name: Some(&self.entry),
            description: Some(self.title.as_str()).filter(|title| !title.is_empty()),
            event_time: self.event_time.unwrap_or(ctx.event_time),
        };
        let chain = Chain {
            structure: &self.entry,
            model,
            chain: &chain,
            residues: &residues,
        };
        if let Rows::Protein(rows) = &mut sink.rows {
            rows.push_chain(head, chain, ctx);
        }
        true
    }
}

impl DraftChain {
    fn add(&mut self, atom: &Atom<'_>) {
        let kind = Component::of(atom.component);
        if kind == Component::Water {
            let key = (atom.number, Box::from(atom.insertion));
            if self.last_water.as_ref() != Some(&key) {
                self.waters += 1;
                self.last_water = Some(key);
            }
            return;
        }
        let hetero = if atom.is_hetero { atom.component } else { "" };
        let is_same = |r: &Draft| {
            r.number == atom.number
                && *r.insertion == *atom.insertion
                && r.is_hetero == atom.is_hetero
                && (!atom.is_hetero || *r.name == *atom.component)
        };
        let at = match self.residues.last() {
            Some(last) if is_same(last) => self.residues.len() - 1,
            _ => {
                let key = (atom.number, atom.insertion.into(), hetero.into());
                *self.index.entry(key).or_insert_with(|| {
                    self.residues.push(Draft {
                        number: atom.number,
                        insertion: atom.insertion.into(),
                        name: atom.component.into(),
                        kind,
                        is_hetero: atom.is_hetero,
                        in_sequence: atom.in_sequence,
                        has_n_or_c: false,
                        has_sugar: false,
                        ca: None,
                        occupancy: atom.occupancy,
                    });
                    self.residues.len() - 1
                })
            }
        };
        self.residues[at].add(atom, kind);
    }

    fn finish(
        self,
        parents: &HashMap<String, u8>,
        left_out: Option<&mut LeftOut>,
    ) -> Option<(Box<str>, Vec<Residue>)> {
        let polymer = || self.residues.iter().filter(|r| r.is_polymer());
        let nucleotides = polymer().filter(|r| r.is_nucleotide()).count();
        let amino_acids = polymer().filter(|r| r.is_amino_acid()).count();
        let all = polymer().count();
        let is_protein = amino_acids > 0 && amino_acids >= nucleotides;
        if let Some(left_out) = left_out {
            left_out.waters += self.waters;
            left_out.ligands += self.residues.len() - all;
            if !is_protein && nucleotides > 0 {
                left_out.nucleic.push(self.id.to_string());
            } else if !is_protein && all > 0 {
                left_out.unknown.push(self.id.to_string());
            }
        }
        if !is_protein {
            return None;
        }
        let residues = self
            .residues
            .into_iter()
            .filter(Draft::is_polymer)
            .map(|draft| {
                let letter = match draft.kind {
                    Component::AminoAcid(letter) => letter,
                    _ => parents.get(&*draft.name).copied().unwrap_or(b'X'),
                };
                Residue {
                    letter,
                    number: draft.number,
                    insertion: draft.insertion,
                    name: draft.name,
                    ca: draft.ca.map(|(_, xyz)| xyz),
                }
            })
            .collect();
        Some((self.id, residues))
    }
}

impl Draft {
    fn add(&mut self, atom: &Atom<'_>, kind: Component) {
        if atom.occupancy > self.occupancy {
            self.occupancy = atom.occupancy;
            if *self.name != *atom.component {
                self.name = atom.component.into();
                self.kind = kind;
            }
        }
        self.in_sequence |= atom.in_sequence;
        match atom.name {
            // Calcium is called CA as well.
            "CA" if atom.element.eq_ignore_ascii_case("CA") || atom.component == "CA" => {}
            "CA" => {
                let best = self
                    .ca
                    .map_or(f32::NEG_INFINITY, |(occupancy, _)| occupancy);
                if atom.occupancy > best {
                    self.ca = Some((atom.occupancy, atom.xyz));
                }
            }
            "N" | "C" => self.has_n_or_c = true,
            "C1'" | "C1*" => self.has_sugar = true,
            _ => {}
        }
    }
}

/// What a structure holds beside protein chains, in its first model.
#[derive(Default)]
struct LeftOut {
    nucleic: Vec<String>,
    unknown: Vec<String>,
    ligands: usize,
    waters: usize,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        for (what, chains) in [
            ("nucleic acid", &self.nucleic),
            ("unknown residues", &self.unknown),
        ] {
            if !chains.is_empty() {
                parts.push(format!(
                    "{} chains of {what} ({})",
                    chains.len(),
                    chains.join(", ")
                ));
            }
        }
        for (what, count) in [("hetero groups", self.ligands), ("waters", self.waters)] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        f.write_str(&parts.join(", "))
    }
}
