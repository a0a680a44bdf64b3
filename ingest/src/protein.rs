//! Proteins: rows, and the readers of structures.

mod component;
pub(crate) mod mmcif;
pub(crate) mod pdb;
mod structure;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, FixedSizeListBuilder, Float32Builder, Int32Builder, ListBuilder,
    StringBuilder,
};
use arrow::error::ArrowError;
use penstock_types::content::Payload;
use penstock_types::{Kind, columns};

use crate::ReadContext;
use crate::batch::{Common, Head, Sequences};
use crate::dna::lengths;

/// One residue of a chain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Residue {
    pub(crate) letter: u8,
    pub(crate) number: i32,
    pub(crate) insertion: Box<str>,
    pub(crate) name: Box<str>,
    /// C-alpha, angstrom.
    pub(crate) ca: Option<[f32; 3]>,
}

/// A polymer chain of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) structure: &'a str,
    pub(crate) model: i32,
    pub(crate) chain: &'a str,
    pub(crate) residues: &'a [Residue],
}

/// Rows of the kind `protein` that are being gathered.
pub(crate) struct ProteinRows {
    common: Common,
    pub(crate) sequence: Sequences,
    structure: StringBuilder,
    model: Int32Builder,
    chain: StringBuilder,
    residue_chain: ListBuilder<StringBuilder>,
    residue_number: ListBuilder<Int32Builder>,
    residue_insertion: ListBuilder<StringBuilder>,
    residue_name: ListBuilder<StringBuilder>,
    ca_xyz: ListBuilder<FixedSizeListBuilder<Float32Builder>>,
    ca_present: ListBuilder<BooleanBuilder>,
    residues: usize,
    blank: Payload,
}

impl Default for ProteinRows {
    fn default() -> Self {
        Self {
            common: Common::default(),
            sequence: Sequences::default(),
            structure: StringBuilder::new(),
            model: Int32Builder::new(),
            chain: StringBuilder::new(),
            residue_chain: ListBuilder::new(StringBuilder::new()),
            residue_number: ListBuilder::new(Int32Builder::new()),
            residue_insertion: ListBuilder::new(StringBuilder::new()),
            residue_name: ListBuilder::new(StringBuilder::new()),
            ca_xyz: ListBuilder::new(FixedSizeListBuilder::new(Float32Builder::new(), 3)),
            ca_present: ListBuilder::new(BooleanBuilder::new()),
            residues: 0,
            blank: Payload::new(Kind::Protein),
        }
    }
}

impl ProteinRows {
    pub(crate) fn rows(&self) -> usize {
        self.common.rows()
    }

    pub(crate) fn bytes(&self) -> usize {
        // A residue: chain, number, insertion, name with their offsets, and a position.
        self.common.bytes() + self.sequence.bytes() + self.residues * 36 + self.rows() * 40
    }

    /// Closes the open sequence as a row without a structure.
    pub(crate) fn push(&mut self, head: Head<'_>, ctx: &mut ReadContext) {
        let mut payload = self.blank.clone();
        payload.bytes(columns::SEQUENCE, self.sequence.open());
        self.sequence.close();
        self.common.push(head, &ctx.source, payload.finish());
        self.structure.append_null();
        self.model.append_null();
        self.chain.append_null();
        self.residue_chain.append(false);
        self.residue_number.append(false);
        self.residue_insertion.append(false);
        self.residue_name.append(false);
        self.ca_xyz.append(false);
        self.ca_present.append(false);
        ctx.report.records += 1;
    }

    /// A chain of a structure as a row.
    pub(crate) fn push_chain(&mut self, head: Head<'_>, chain: Chain<'_>, ctx: &mut ReadContext) {
        let letters = chain.residues.iter().map(|residue| residue.letter);
        self.sequence.values().extend(letters);
        let payload = self.chain_payload(chain);
        self.sequence.close();
        self.common.push(head, &ctx.source, payload.finish());
        self.structure.append_value(chain.structure);
        self.model.append_value(chain.model);
        self.chain.append_value(chain.chain);
        for residue in chain.residues {
            self.residue_chain.values().append_value(chain.chain);
            self.residue_number.values().append_value(residue.number);
            self.residue_insertion
                .values()
                .append_value(&residue.insertion);
            self.residue_name.values().append_value(&residue.name);
            let ca = residue.ca.unwrap_or_default();
            let xyz = self.ca_xyz.values();
            xyz.values().append_slice(&ca);
            xyz.append(true);
            self.ca_present.values().append_value(residue.ca.is_some());
        }
        self.residue_chain.append(true);
        self.residue_number.append(true);
        self.residue_insertion.append(true);
        self.residue_name.append(true);
        self.ca_xyz.append(true);
        self.ca_present.append(true);
        self.residues += chain.residues.len();
        ctx.report.records += 1;
    }

    /// Lists of words enter the payload joined with NUL, truth values as bytes.
    fn chain_payload(&self, chain: Chain<'_>) -> Payload {
        let residues = chain.residues;
        let words = |word: &dyn Fn(&Residue) -> String| {
            let words: Vec<String> = residues.iter().map(word).collect();
            words.join("\0")
        };
        let numbers: Vec<i32> = residues.iter().map(|r| r.number).collect();
        let xyz: Vec<f32> = residues
            .iter()
            .flat_map(|r| r.ca.unwrap_or_default())
            .collect();
        let present: Vec<u8> = residues.iter().map(|r| r.ca.is_some().into()).collect();
        let mut payload = self.blank.clone();
        payload
            .bytes(columns::SEQUENCE, self.sequence.open())
            .bytes(columns::STRUCTURE, chain.structure.as_bytes())
            .i32s(columns::MODEL, &[chain.model])
            .bytes(columns::CHAIN, chain.chain.as_bytes())
            .bytes(
                columns::RESIDUE_CHAIN,
                words(&|_| chain.chain.to_owned()).as_bytes(),
            )
            .i32s(columns::RESIDUE_NUMBER, &numbers)
            .bytes(
                columns::RESIDUE_INSERTION,
                words(&|r| r.insertion.to_string()).as_bytes(),
            )
            .bytes(
                columns::RESIDUE_NAME,
                words(&|r| r.name.to_string()).as_bytes(),
            )
            .f32s(columns::CA_XYZ, &xyz)
            .bytes(columns::CA_PRESENT, &present);
        payload
    }

    /// The columns in the order of the contract.
    pub(crate) fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.residues = 0;
        let (sequence, _) = self.sequence.finish()?;
        let lengths = lengths(&sequence);
        let mut columns = self.common.finish(Kind::Protein)?;
        columns.extend([
            Arc::new(sequence) as ArrayRef,
            lengths,
            Arc::new(self.structure.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.chain.finish()),
            Arc::new(self.residue_chain.finish()),
            Arc::new(self.residue_number.finish()),
            Arc::new(self.residue_insertion.finish()),
            Arc::new(self.residue_name.finish()),
            Arc::new(self.ca_xyz.finish()),
            Arc::new(self.ca_present.finish()),
        ]);
        Ok(columns)
    }
}
