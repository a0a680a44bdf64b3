//! PDBx/mmCIF files. Each data block is a structure.
//!
//! Chains, residue numbers and insertion codes are the author's, as users cite them; the place in
//! the sequence is the `label` one. The parser is our own, for the reasons given in
//! [`super::pdb`].

mod token;

use crate::batch::Sink;
use crate::letters::show_text;
use crate::lines::Lines;
use crate::reader::RecordReader;
use crate::{Position, ReadContext, ReadError, date};

use super::structure::{Atom, Structure};
use token::{Token, Tokens};

pub(crate) struct MmCif {
    tokens: Tokens,
    stem: String,
    structure: Option<Structure>,
    blocks: u64,
}

/// Columns that are read of `_atom_site`.
#[derive(Clone, Copy, PartialEq)]
enum Column {
    Group,
    Element,
    Atom,
    Component,
    LabelChain,
    LabelNumber,
    Insertion,
    X,
    Y,
    Z,
    Occupancy,
    AuthorNumber,
    AuthorChain,
    Model,
}

const COLUMNS: [(&str, Column); 14] = [
    ("group_pdb", Column::Group),
    ("type_symbol", Column::Element),
    ("label_atom_id", Column::Atom),
    ("label_comp_id", Column::Component),
    ("label_asym_id", Column::LabelChain),
    ("label_seq_id", Column::LabelNumber),
    ("pdbx_pdb_ins_code", Column::Insertion),
    ("cartn_x", Column::X),
    ("cartn_y", Column::Y),
    ("cartn_z", Column::Z),
    ("occupancy", Column::Occupancy),
    ("auth_seq_id", Column::AuthorNumber),
    ("auth_asym_id", Column::AuthorChain),
    ("pdbx_pdb_model_num", Column::Model),
];

/// A row of `_atom_site`: the texts of the columns that are read. Empty for `.`, `?` and absent.
#[derive(Default)]
struct Row {
    texts: [String; COLUMNS.len()],
    seen: bool,
}

impl Row {
    fn set(&mut self, column: Column, token: Token, text: &[u8]) {
        let slot = &mut self.texts[column as usize];
        slot.clear();
        if token == Token::Quoted || (text != b"." && text != b"?") {
            slot.push_str(&String::from_utf8_lossy(text));
        }
        self.seen = true;
    }

    fn get(&self, column: Column) -> &str {
        &self.texts[column as usize]
    }

    /// The first of two columns that says something.
    fn either(&self, first: Column, second: Column) -> &str {
        match self.get(first) {
            "" => self.get(second),
            text => text,
        }
    }

    fn number(
        &self,
        column: Column,
        otherwise: Option<f32>,
    ) -> Result<f32, (&'static str, String)> {
        let text = self.get(column);
        match (text, otherwise) {
            ("", Some(value)) => Ok(value),
            _ => text
                .parse::<f32>()
                .ok()
                .filter(|value| value.is_finite())
                .ok_or(("a finite number", show_text(text.as_bytes()))),
        }
    }

    fn add_to(&self, structure: &mut Structure) -> Result<(), (&'static str, String)> {
        let number = self.either(Column::AuthorNumber, Column::LabelNumber);
        let number = number
            .parse::<i32>()
            .map_err(|_| ("a residue number", show_text(number.as_bytes())))?;
        let model = match self.get(Column::Model) {
            "" => 1,
            text => text
                .parse::<i32>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or(("a model number above 0", show_text(text.as_bytes())))?,
        };
        let is_hetero = match self.get(Column::Group) {
            "" | "ATOM" => false,
            "HETATM" => true,
            other => return Err(("`ATOM` or `HETATM`", show_text(other.as_bytes()))),
        };
        let has_labels = !self.get(Column::LabelChain).is_empty();
        structure.add(&Atom {
            model,
            chain: self.either(Column::AuthorChain, Column::LabelChain),
            number,
            insertion: self.get(Column::Insertion),
            component: self.get(Column::Component),
            name: self.get(Column::Atom),
            element: self.get(Column::Element),
            occupancy: self.number(Column::Occupancy, Some(1.0))?,
            xyz: [
                self.number(Column::X, None)?,
                self.number(Column::Y, None)?,
                self.number(Column::Z, None)?,
            ],
            is_hetero,
            in_sequence: !has_labels || !self.get(Column::LabelNumber).is_empty(),
        });
        Ok(())
    }
}

/// Columns of the categories that name the parents of modified residues.
const PARENTS: [(&str, &[&str], &str); 2] = [
    (
        "_pdbx_struct_mod_residue.",
        &["label_comp_id", "auth_comp_id"],
        "parent_comp_id",
    ),
    ("_chem_comp.", &["id"], "mon_nstd_parent_comp_id"),
];

/// When the entry was deposited, in this version of the dictionary and in older ones.
const DEPOSITED: &str = "_pdbx_database_status.recvd_initial_deposition_date";
const DEPOSITED_BEFORE_2014: &str = "_database_pdb_rev.date_original";

/// Items that are read of loops other than `_atom_site`.
fn is_wanted(name: &str) -> bool {
    name == DEPOSITED_BEFORE_2014
        || PARENTS
            .iter()
            .any(|(category, ..)| name.starts_with(category))
}

impl MmCif {
    pub(crate) fn new(lines: Lines, stem: String) -> Self {
        Self {
            tokens: Tokens::new(lines),
            stem,
            structure: None,
            blocks: 0,
        }
    }

    fn expect(&self, expected: &str, token: Option<Token>, ctx: &ReadContext) -> ReadError {
        let found = match token {
            Some(Token::Loop) => "`loop_`".to_owned(),
            Some(_) => show_text(self.tokens.text()),
            None => "the end of the file".to_owned(),
        };
        ctx.malformed(self.tokens.position(), expected, found)
    }

    /// The start of a data block. `None` at the end of the file.
    fn block(&mut self, ctx: &ReadContext) -> Result<Option<Structure>, ReadError> {
        self.tokens.reset_size();
        match self.tokens.next(ctx)? {
            None => Ok(None),
            Some(Token::Data) => {
                let name = self.tokens.string();
                self.blocks += 1;
                // `_entry.id` replaces it.
                let is_file = name.is_empty() || self.blocks == 1;
                let entry = if is_file { self.stem.clone() } else { name };
                Ok(Some(Structure::named(entry)))
            }
            token => Err(self.expect("`data_` and a name", token, ctx)),
        }
    }

    fn body(&mut self, structure: &mut Structure, ctx: &ReadContext) -> Result<(), ReadError> {
        let mut single = Row::default();
        let mut pair = [String::new(), String::new()];
        loop {
            match self.tokens.next(ctx)? {
                None => break,
                Some(Token::Data) => {
                    self.tokens.put_back(Token::Data);
                    break;
                }
                Some(Token::Loop) => self.table(structure, ctx)?,
                Some(Token::Name) => {
                    let name = self.tokens.string();
                    match self.tokens.next(ctx)? {
                        Some(token @ (Token::Value | Token::Quoted)) => {
                            self.item(&name, token, structure, &mut single, &mut pair);
                        }
                        token => {
                            let expected = format!("a value of `{name}`");
                            return Err(self.expect(&expected, token, ctx));
                        }
                    }
                }
                token => {
                    return Err(self.expect("a name that begins with `_`, or `loop_`", token, ctx));
                }
            }
        }
        if single.seen {
            self.atom(&single, structure, ctx)?;
        }
        Ok(())
    }

    fn item(
        &self,
        name: &str,
        token: Token,
        structure: &mut Structure,
        single: &mut Row,
        pair: &mut [String; 2],
    ) {
        if let Some(item) = name.strip_prefix("_atom_site.") {
            if let Some((_, column)) = COLUMNS.iter().find(|(known, _)| *known == item) {
                single.set(*column, token, self.tokens.text());
            }
            return;
        }
        let text = self.tokens.string();
        if token == Token::Value && matches!(&*text, "." | "?") {
            return;
        }
        match name {
            "_entry.id" => structure.entry = text,
            "_struct.title" => {
                structure.title = text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            DEPOSITED | DEPOSITED_BEFORE_2014 => {
                structure.event_time = structure.event_time.or_else(|| date::iso(&text));
            }
            _ => {
                for (category, components, parent) in PARENTS {
                    let Some(item) = name.strip_prefix(category) else {
                        continue;
                    };
                    if components.contains(&item) {
                        pair[0].clone_from(&text);
                    } else if item == parent {
                        pair[1].clone_from(&text);
                    }
                    if pair.iter().all(|text| !text.is_empty()) {
                        structure.add_parent(&pair[0], &pair[1]);
                        *pair = [String::new(), String::new()];
                    }
                }
            }
        }
    }

    /// A loop: names, then rows.
    fn table(&mut self, structure: &mut Structure, ctx: &ReadContext) -> Result<(), ReadError> {
        let mut names = Vec::new();
        let mut token = self.tokens.next(ctx)?;
        while token == Some(Token::Name) {
            names.push(self.tokens.string());
            token = self.tokens.next(ctx)?;
        }
        if names.is_empty() {
            return Err(self.expect("a name after `loop_`", token, ctx));
        }
        let columns: Vec<Option<Column>> = names
            .iter()
            .map(|name| {
                let item = name.strip_prefix("_atom_site.")?;
                let found = COLUMNS.iter().find(|(known, _)| *known == item);
                found.map(|(_, column)| *column)
            })
            .collect();
        let wanted: Vec<bool> = names.iter().map(|name| is_wanted(name)).collect();
        let is_atoms = columns.iter().any(Option::is_some);
        if is_atoms {
            for needed in [
                "cartn_x",
                "cartn_y",
                "cartn_z",
                "label_atom_id",
                "label_comp_id",
            ] {
                let is_needed = |name: &String| name.strip_prefix("_atom_site.") == Some(needed);
                if !names.iter().any(is_needed) {
                    let expected = format!("a column `{needed}` in `_atom_site`");
                    return Err(ctx.malformed(self.tokens.position(), expected, "none"));
                }
            }
        }
        let mut row = Row::default();
        let mut pair = [String::new(), String::new()];
        let mut at = 0;
        while let Some(kind @ (Token::Value | Token::Quoted)) = token {
            if is_atoms {
                if let Some(column) = columns[at] {
                    row.set(column, kind, self.tokens.text());
                }
            } else if wanted[at] {
                let mut none = Row::default();
                self.item(&names[at], kind, structure, &mut none, &mut pair);
            }
            at += 1;
            if at == names.len() {
                at = 0;
                pair = [String::new(), String::new()];
                if is_atoms {
                    self.atom(&row, structure, ctx)?;
                }
            }
            token = self.tokens.next(ctx)?;
        }
        if at != 0 {
            let expected = format!(
                "a value of `{}`: the loop has {} columns, and its last row has {at} values",
                names[at],
                names.len()
            );
            return Err(self.expect(&expected, token, ctx));
        }
        if let Some(token) = token {
            self.tokens.put_back(token);
        }
        Ok(())
    }

    fn atom(
        &self,
        row: &Row,
        structure: &mut Structure,
        ctx: &ReadContext,
    ) -> Result<(), ReadError> {
        row.add_to(structure).map_err(|(expected, found)| {
            let expected = format!("{expected} in `_atom_site`");
            ctx.malformed(self.tokens.position(), expected, found)
        })
    }
}

impl RecordReader for MmCif {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        loop {
            if let Some(structure) = &mut self.structure {
                if structure.emit(ctx, sink) {
                    return Ok(true);
                }
                self.structure = None;
            }
            let Some(mut structure) = self.block(ctx)? else {
                return Ok(false);
            };
            self.body(&mut structure, ctx)
                .map_err(|error| error.in_record(&structure.entry))?;
            structure.finish(self.tokens.position(), ctx)?;
            self.structure = Some(structure);
        }
    }

    fn resynchronise(&mut self, ctx: &ReadContext) -> Result<Option<Position>, ReadError> {
        self.tokens.skip_to_data(ctx)
    }
}
