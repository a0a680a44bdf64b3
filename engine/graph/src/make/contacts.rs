//! Proteins with coordinates: residues, and edges between those that are close in space.

use std::sync::atomic::AtomicBool;

use arrow::datatypes::{Float32Type, Int32Type};
use arrow::record_batch::RecordBatch;
use penstock_pattern::{Columns, GraphBuilder, Labels};
use penstock_types::columns;

use super::take::{Heads, Lists, sequences};
use super::{Made, STRIDE, asked, refused, too_large};
use crate::error::{GraphError, Result};
use crate::named::Named;
use crate::space::{Grid, squared};

/// Label of edges between C-alpha atoms closer than the cutoff.
pub const CONTACT: &str = "contact";
/// Label of edges along the chain.
pub const BOND: &str = "bond";
/// Edge attribute: distance of the C-alpha atoms in angstrom.
pub const DISTANCE: &str = "distance";
/// Vertex attribute: position of the residue in its record, from 0; exact below 2^24.
pub const INDEX: &str = "index";
/// Vertex attribute: the author's residue number; exact between -2^24 and 2^24.
pub const NUMBER: &str = "number";

/// What residues are labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alphabet {
    /// Three-letter component names: `residue_name`, else the name of the letter, `UNK` for a
    /// letter of no single amino acid.
    #[default]
    Full,
    /// Ten classes of letters: `LVIM`, `C`, `A`, `G`, `ST`, `P`, `FYW`, `EDNQ`, `KR`, `H`; `X` for
    /// every other letter. L. R. Murphy, A. Wallqvist, R. M. Levy, Protein Engineering 13, 149
    /// (2000), doi:10.1093/protein/13.3.149.
    Reduced,
}

const CLASSES: [&str; 10] = ["LVIM", "C", "A", "G", "ST", "P", "FYW", "EDNQ", "KR", "H"];

/// The class of a residue's letter in [`Alphabet::Reduced`].
#[must_use]
pub fn reduced(letter: u8) -> &'static str {
    let letter = char::from(letter.to_ascii_uppercase());
    let class = CLASSES.iter().find(|class| class.contains(letter));
    class.copied().unwrap_or("X")
}

/// The three-letter name of a residue's letter.
#[must_use]
pub fn three_letters(letter: u8) -> &'static str {
    match letter.to_ascii_uppercase() {
        b'A' => "ALA",
        b'C' => "CYS",
        b'D' => "ASP",
        b'E' => "GLU",
        b'F' => "PHE",
        b'G' => "GLY",
        b'H' => "HIS",
        b'I' => "ILE",
        b'K' => "LYS",
        b'L' => "LEU",
        b'M' => "MET",
        b'N' => "ASN",
        b'O' => "PYL",
        b'P' => "PRO",
        b'Q' => "GLN",
        b'R' => "ARG",
        b'S' => "SER",
        b'T' => "THR",
        b'U' => "SEC",
        b'V' => "VAL",
        b'W' => "TRP",
        b'Y' => "TYR",
        _ => "UNK",
    }
}

/// How contact graphs are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContactOptions {
    /// C-alpha atoms closer than this are in contact.
    pub cutoff_angstrom: f32,
    /// Neighbours of a chain whose C-alpha atoms are further apart than this are not bonded: the
    /// chain is broken there. In a chain they are 3.8 angstrom apart, or 2.9 across a cis bond.
    pub bond_angstrom: f32,
    /// What residues are labelled with.
    pub alphabet: Alphabet,
    /// Edges that a graph may have, beside the bonds that the cutoff leaves out. The work takes
    /// about 64 bytes for each, and 200 per residue.
    pub max_edges: usize,
}

impl Default for ContactOptions {
    fn default() -> Self {
        Self {
            cutoff_angstrom: 8.0,
            bond_angstrom: 4.5,
            alphabet: Alphabet::Full,
            max_edges: 1 << 24,
        }
    }
}

/// Calls a function with all pairs of points, the lesser number first, that are closer than the
/// cutoff, and their squared distance. Points that are nowhere, or not finite, are close to none.
/// It breaks off where the function says `false`.
///
/// Points are sorted into cells as wide as the cutoff; each is compared with those of 27 cells.
pub fn contacts_of(
    points: &[Option<[f32; 3]>],
    cutoff: f64,
    mut visit: impl FnMut(u32, u32, f64) -> bool,
) {
    let placed = || (0..).zip(points).filter_map(|(n, p)| Some((n, (*p)?)));
    let grid = Grid::new(placed(), cutoff);
    let mut going = true;
    for (number, point) in placed() {
        let point = point.map(f64::from);
        if !going {
            return;
        }
        if !point.iter().all(|x| x.is_finite()) {
            continue;
        }
        grid.around(point, cutoff, |other, place| {
            let distance = squared(point, place);
            if other > number && distance < cutoff * cutoff && going {
                going = visit(number, other, distance);
            }
        });
    }
}

/// The contact graph of each row of a protein table: undirected, one vertex per residue with its
/// label, name (`A:GLY45`, insertion code at the end), position in angstrom and attributes
/// [`INDEX`] and, where residues are numbered, [`NUMBER`]; edges labelled [`BOND`] or [`CONTACT`]
/// with the attribute [`DISTANCE`].
///
/// Residues bond that follow each other in the record and in one chain; such a pair is no contact
/// beside. A residue without C-alpha has no position and no edge, as its distances are unknown.
/// Rows without coordinates are counted in [`Made::without`]. Needs the columns `id`, `sequence`,
/// `ca_xyz`, `ca_present`; uses `description`, `residue_chain`, `residue_number`,
/// `residue_insertion` and `residue_name` where they are.
///
/// # Errors
/// Options that make no sense; columns that lack or have another type; lists that are not as long
/// as the sequence; more edges than allowed; cancellation.
pub fn contacts(
    batch: &RecordBatch,
    options: &ContactOptions,
    cancelled: &AtomicBool,
) -> Result<Made> {
    let positive = |x: f32| x > 0.0 && x.is_finite();
    if !positive(options.cutoff_angstrom) || !positive(options.bond_angstrom) {
        return Err(GraphError::Option {
            option: "cutoff_angstrom or bond_angstrom",
            wanted: "positive and finite",
        });
    }
    let heads = Heads::of(batch)?;
    let sequences = sequences(batch)?;
    let xyz = Lists::of(batch, columns::CA_XYZ)?;
    let present = Lists::of(batch, columns::CA_PRESENT)?;
    let chains = Lists::maybe(batch, columns::RESIDUE_CHAIN)?;
    let numbers = Lists::maybe(batch, columns::RESIDUE_NUMBER)?;
    let insertions = Lists::maybe(batch, columns::RESIDUE_INSERTION)?;
    let names = Lists::maybe(batch, columns::RESIDUE_NAME)?;
    let mut made = Made::default();
    for row in 0..batch.num_rows() {
        asked(cancelled)?;
        let (Some(xyz), Some(present)) = (xyz.triples::<Float32Type>(row)?, present.flags(row)?)
        else {
            made.without += 1;
            continue;
        };
        let numbers = match &numbers {
            Some(lists) => lists.numbers::<Int32Type>(row)?,
            None => None,
        };
        let residues = Residues {
            letters: sequences.value(row).as_bytes(),
            xyz,
            present: &present,
            chains: words(chains.as_ref(), row)?,
            numbers,
            insertions: words(insertions.as_ref(), row)?,
            names: words(names.as_ref(), row)?,
        };
        let id = heads.id(row);
        residues.check(id)?;
        if !present.contains(&true) {
            made.without += 1;
            continue;
        }
        let mut graph = residues.graph(id, options, cancelled)?;
        graph.description = heads.description(row);
        made.graphs.push(graph);
    }
    Ok(made)
}

/// What a row says of its residues, each `[length]`.
struct Residues<'a> {
    letters: &'a [u8],
    xyz: &'a [[f32; 3]],
    present: &'a [bool],
    chains: Option<Vec<&'a str>>,
    numbers: Option<&'a [i32]>,
    insertions: Option<Vec<&'a str>>,
    names: Option<Vec<&'a str>>,
}

fn words<'a>(lists: Option<&Lists<'a>>, row: usize) -> Result<Option<Vec<&'a str>>> {
    match lists {
        Some(lists) => lists.words(row),
        None => Ok(None),
    }
}

fn word<'a>(words: &Option<Vec<&'a str>>, at: usize) -> &'a str {
    words.as_ref().map_or("", |words| words[at])
}

impl Residues<'_> {
    fn check(&self, id: &str) -> Result<()> {
        let len = self.letters.len();
        let words = [&self.chains, &self.insertions, &self.names];
        let fits = self.xyz.len() == len
            && self.present.len() == len
            && self.numbers.is_none_or(|n| n.len() == len)
            && words
                .iter()
                .all(|w| w.as_ref().is_none_or(|w| w.len() == len));
        match fits {
            true => Ok(()),
            false => Err(GraphError::Row {
                id: id.to_owned(),
                problem: "its lists of residues are not as long as its sequence",
            }),
        }
    }

    /// The three-letter name.
    fn residue(&self, at: usize) -> &str {
        match word(&self.names, at) {
            "" => three_letters(self.letters[at]),
            name => name,
        }
    }

    fn name(&self, at: usize) -> String {
        let chain = word(&self.chains, at);
        let colon = if chain.is_empty() { "" } else { ":" };
        let number = match self.numbers {
            Some(numbers) => i64::from(numbers[at]),
            None => at as i64 + 1,
        };
        let insertion = word(&self.insertions, at);
        format!("{chain}{colon}{}{number}{insertion}", self.residue(at))
    }

    fn graph(&self, id: &str, options: &ContactOptions, cancelled: &AtomicBool) -> Result<Named> {
        let len = self.letters.len();
        let positions: Vec<Option<[f32; 3]>> = (0..len)
            .map(|at| self.present[at].then_some(self.xyz[at]))
            .collect();
        let mut labels = Labels::default();
        let mut vertex_columns = Columns::default();
        vertex_columns.insert(INDEX, (0..len).map(|at| at as f32).collect());
        if let Some(numbers) = self.numbers {
            vertex_columns.insert(NUMBER, numbers.iter().map(|n| *n as f32).collect());
        }
        let mut builder = GraphBuilder {
            labels: (0..len)
                .map(|at| match options.alphabet {
                    Alphabet::Full => labels.intern(self.residue(at)),
                    Alphabet::Reduced => labels.intern(reduced(self.letters[at])),
                })
                .collect(),
            vertex_columns,
            edge_names: Some(Labels::from_iter([CONTACT, BOND])),
            ..GraphBuilder::default()
        };
        builder.vertex_names = Some(labels);
        let mut distances = Vec::new();
        let bond = f64::from(options.bond_angstrom);
        let bonded = |a: usize, b: usize, squared: f64| {
            b == a + 1 && word(&self.chains, a) == word(&self.chains, b) && squared <= bond * bond
        };
        let cutoff = f64::from(options.cutoff_angstrom);
        let mut stopped = None;
        contacts_of(&positions, cutoff, |a, b, squared| {
            if builder.edges.len() == options.max_edges {
                stopped = Some(too_large(id, "more edges than allowed"));
            } else if builder.edges.len().is_multiple_of(STRIDE) {
                stopped = asked(cancelled).err();
            }
            builder.edge(a, b);
            let is_bond = bonded(a as usize, b as usize, squared);
            builder.edge_labels.push(u32::from(is_bond));
            distances.push(squared.sqrt() as f32);
            stopped.is_none()
        });
        if let Some(error) = stopped {
            return Err(error);
        }
        // Bonds that a small cutoff left out.
        for at in 1..len {
            let (Some(a), Some(b)) = (positions[at - 1], positions[at]) else {
                continue;
            };
            let squared = squared(a.map(f64::from), b.map(f64::from));
            if squared >= cutoff * cutoff && bonded(at - 1, at, squared) {
                builder.edge(at as u32 - 1, at as u32);
                builder.edge_labels.push(1);
                distances.push(squared.sqrt() as f32);
            }
        }
        builder.edge_columns.insert(DISTANCE, distances);
        Ok(Named {
            id: id.to_owned(),
            description: None,
            graph: builder.build().map_err(refused(id))?,
            names: (0..len).map(|at| self.name(at)).collect(),
            positions,
        })
    }
}
