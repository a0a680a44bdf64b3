//! Motifs: exact occurrences of a pattern in sequences.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for the occurrences of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MotifRequest {
    /// The pattern, in PROSITE's syntax; amino acids in a table of proteins, nucleotide codes in
    /// one of DNA.
    #[schema(example = "[AG]-x(4)-G-K-[ST]")]
    pub pattern: String,
    /// The column of sequences; `sequence` where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Whether the reverse complement is searched too; without effect for proteins.
    #[serde(default)]
    pub both_strands: bool,
    /// SQL predicate of the rows that are searched.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    #[schema(example = "length < 500")]
    pub filter: Option<String>,
    /// Occurrences wanted, at most 100,000; 1,000 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000)]
    pub limit: Option<u32>,
    /// Letters that are answered on either side of an occurrence; 10 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1000)]
    pub context: Option<u32>,
    /// Whether windows of contigs are searched too; theirs are those of the contig once more.
    #[serde(default)]
    pub windows: bool,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The occurrences, in the order of the table and then of the sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MotifAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// The column searched.
    pub column: String,
    /// Whether these are all; else there are more than the limit.
    pub complete: bool,
    /// Whether an index of substrings narrowed the rows down.
    pub used_index: bool,
    /// Rows that no such index covers; they were read.
    pub unindexed_rows: u64,
    /// Sequences that were read and searched.
    pub candidates: u64,
    /// Letters of these sequences.
    pub scanned: u64,
    /// The occurrences.
    pub hits: Vec<MotifHit>,
}

/// An occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MotifHit {
    /// The row.
    pub id: String,
    /// The first letter of it in the stored sequence, counted from 0.
    pub start: u64,
    /// One past the last letter of it.
    pub end: u64,
    /// `+`, or `-` where the reverse complement matches.
    #[schema(example = "+")]
    pub strand: String,
    /// Its letters, as that strand reads.
    #[schema(example = "GPPGTGKS")]
    pub text: String,
    /// Letters before it on that strand.
    pub before: String,
    /// Letters after it on that strand.
    pub after: String,
}
