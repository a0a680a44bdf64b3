//! From letters to the numbers that a model reads.

use std::collections::HashMap;

use crate::checkpoint::CheckpointFault;

/// Turns a sequence into tokens.
pub(crate) enum Tokenizer {
    /// One token per letter.
    Letters(Letters),
    /// Six bases per token where they are A, C, G or T, else one.
    SixMers(SixMers),
    /// Byte-pair pieces, by the checkpoint's own `tokenizer.json`.
    Pieces(Box<tokenizers::Tokenizer>, Specials),
}

/// Tokens put before and after every window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Specials {
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

/// A table of letters.
#[derive(Debug, Clone)]
pub(crate) struct Letters {
    table: Box<[u32; 256]>,
    specials: Specials,
}

impl Letters {
    /// `id` gives the token of an upper-case letter; all others become `unknown`.
    pub(crate) fn new(unknown: u32, specials: Specials, id: impl Fn(u8) -> Option<u32>) -> Self {
        let mut table = Box::new([unknown; 256]);
        for byte in 0..=u8::MAX {
            if let Some(token) = id(byte.to_ascii_uppercase()) {
                table[usize::from(byte)] = token;
            }
        }
        Self { table, specials }
    }
}

/// The k-mer vocabulary of the Nucleotide Transformers.
#[derive(Debug, Clone)]
pub(crate) struct SixMers {
    k: usize,
    kmers: HashMap<Vec<u8>, u32>,
    letters: Letters,
}

impl SixMers {
    pub(crate) fn new(kmers: HashMap<Vec<u8>, u32>, letters: Letters) -> Self {
        let k = kmers.keys().map(Vec::len).max().unwrap_or(1);
        Self { k, kmers, letters }
    }

    fn encode(&self, sequence: &[u8]) -> Vec<u32> {
        let upper = sequence.to_ascii_uppercase();
        let mut tokens = Vec::with_capacity(upper.len() / self.k + self.k);
        let mut at = 0;
        while at < upper.len() {
            let kmer = upper.get(at..at + self.k);
            if let Some(token) = kmer.and_then(|kmer| self.kmers.get(kmer)) {
                tokens.push(*token);
                at += self.k;
            } else {
                tokens.push(self.letters.table[usize::from(upper[at])]);
                at += 1;
            }
        }
        tokens
    }
}

impl Tokenizer {
    /// Tokens of a sequence, without the special ones.
    pub(crate) fn encode(&self, sequence: &[u8]) -> Vec<u32> {
        match self {
            Self::Letters(letters) => sequence
                .iter()
                .map(|byte| letters.table[usize::from(*byte)])
                .collect(),
            Self::SixMers(six_mers) => six_mers.encode(sequence),
            Self::Pieces(pieces, _) => {
                let text = String::from_utf8_lossy(sequence).to_ascii_uppercase();
                // Refused only for text that the tokenizer's normaliser cannot take; letters are
                // always taken, and anything else has no meaning for the model.
                pieces
                    .encode(text, false)
                    .map(|encoding| encoding.get_ids().to_vec())
                    .unwrap_or_default()
            }
        }
    }

    /// Tokens put before and after every window.
    pub(crate) const fn specials(&self) -> &Specials {
        match self {
            Self::Letters(letters) => &letters.specials,
            Self::SixMers(six_mers) => &six_mers.letters.specials,
            Self::Pieces(_, specials) => specials,
        }
    }
}

/// A vocabulary file: a token a line, numbered from 0.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    tokens: HashMap<String, u32>,
}

impl Vocabulary {
    /// Reads `vocab.txt`. Line ends of either kind; blank lines at the end do not count.
    pub(crate) fn parse(text: &str) -> Self {
        let tokens = text
            .trim_end()
            .lines()
            .enumerate()
            .map(|(id, token)| (token.trim().to_owned(), id as u32))
            .collect();
        Self { tokens }
    }

    pub(crate) fn of(tokens: &[&str]) -> Self {
        Self::from_tokens(tokens.iter().map(|token| (*token).to_owned()))
    }

    pub(crate) fn from_tokens(tokens: impl Iterator<Item = String>) -> Self {
        Self {
            tokens: tokens.zip(0..).collect(),
        }
    }

    pub(crate) fn get(&self, token: &str) -> Option<u32> {
        self.tokens.get(token).copied()
    }

    /// A token without which sequences cannot be written.
    pub(crate) fn need(&self, token: &str) -> Result<u32, CheckpointFault> {
        self.get(token).ok_or_else(|| CheckpointFault::Vocabulary {
            reason: format!("it has no `{token}`"),
        })
    }

    pub(crate) fn letter(&self, letter: u8) -> Option<u32> {
        self.get(std::str::from_utf8(&[letter]).ok()?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.tokens.iter().map(|(token, id)| (token.as_str(), *id))
    }

    /// Refuses ids that the embedding has no row for.
    pub(crate) fn fits(self, rows: usize) -> Result<Self, CheckpointFault> {
        match self.tokens.values().max() {
            Some(last) if *last as usize >= rows => Err(CheckpointFault::Vocabulary {
                reason: format!(
                    "it has {} tokens, and the embedding {rows} rows",
                    *last as usize + 1
                ),
            }),
            _ => Ok(self),
        }
    }
}
