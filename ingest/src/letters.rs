//! Letters of sequences, as files write them.

use penstock_types::Kind;

/// Not a letter of the alphabet.
const BAD: u8 = 0;
/// White space inside a line.
const BLANK: u8 = 1;
/// `-` or `.`, which alignments are filled with.
const GAP: u8 = 2;
/// `*`, the end of a translation.
const STOP: u8 = 3;
/// Letters are above this.
const SPECIAL: u8 = 15;

/// What was met between the letters of one record.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Met {
    /// Gaps, left out.
    pub(crate) gaps: u64,
    /// Stops that were followed by a letter and became `X`.
    pub(crate) inner_stops: u64,
    /// A stop that nothing has followed yet.
    open_stop: bool,
}

/// Turns bytes into upper-case letters.
pub(crate) struct Alphabet {
    table: [u8; 256],
    kind: Kind,
}

impl Alphabet {
    pub(crate) fn new(kind: Kind) -> Self {
        let letters: &[u8] = match kind {
            Kind::Dna => b"ACGTURYSWKMBDHVN",
            Kind::Protein | Kind::Mesh | Kind::Graph => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        };
        let mut table = [BAD; 256];
        for letter in letters {
            table[usize::from(*letter)] = *letter;
            table[usize::from(letter.to_ascii_lowercase())] = *letter;
        }
        for blank in [b' ', b'\t', 0x0b, 0x0c] {
            table[usize::from(blank)] = BLANK;
        }
        table[usize::from(b'-')] = GAP;
        table[usize::from(b'.')] = GAP;
        if kind == Kind::Protein {
            table[usize::from(b'*')] = STOP;
        }
        Self { table, kind }
    }

    /// What the alphabet holds, for errors.
    pub(crate) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Dna => "nucleotide codes (ACGTU, N, RYSWKMBDHV)",
            Kind::Protein | Kind::Mesh | Kind::Graph => "amino-acid letters (A to Z, or `*`)",
        }
    }

    /// The letter that stands for this byte; `None` for anything else.
    pub(crate) fn letter(&self, byte: u8) -> Option<u8> {
        Some(self.table[usize::from(byte)]).filter(|code| *code > SPECIAL)
    }

    /// Appends the letters of a piece of a line. Blanks and gaps are left out; a stop counts only
    /// when a letter follows it, and is then an unknown residue.
    ///
    /// # Errors
    /// The first byte that has no place in a sequence.
    pub(crate) fn append(&self, piece: &[u8], out: &mut Vec<u8>, met: &mut Met) -> Result<(), u8> {
        let from = out.len();
        out.extend(piece.iter().map(|byte| self.table[usize::from(*byte)]));
        let lowest = out[from..].iter().copied().min().unwrap_or(SPECIAL + 1);
        if lowest > SPECIAL && !met.open_stop {
            return Ok(());
        }
        out.truncate(from);
        for byte in piece {
            match self.table[usize::from(*byte)] {
                BAD => return Err(*byte),
                BLANK => {}
                GAP => met.gaps += 1,
                STOP => {
                    if met.open_stop {
                        out.push(b'X');
                        met.inner_stops += 1;
                    }
                    met.open_stop = true;
                }
                letter => {
                    if std::mem::take(&mut met.open_stop) {
                        out.push(b'X');
                        met.inner_stops += 1;
                    }
                    out.push(letter);
                }
            }
        }
        Ok(())
    }
}

/// A byte as it is shown in an error.
pub(crate) fn show(byte: u8) -> String {
    match byte {
        b'!'..=b'~' => format!("`{}`", byte as char),
        b' ' => "a space".to_owned(),
        b'\t' => "a tab".to_owned(),
        _ => format!("byte 0x{byte:02x}"),
    }
}

/// Text as it is shown in an error: its beginning, without control characters.
pub(crate) fn show_text(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    if bytes.is_empty() {
        return "an empty line".to_owned();
    }
    let text: String = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)])
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let more = if bytes.len() > SHOWN { "..." } else { "" };
    format!("`{text}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_gaps_stops() {
        let cases: [(Kind, &[&str], &str, u64, u64); 7] = [
            (Kind::Protein, &["mkv", "LA"], "MKVLA", 0, 0),
            (Kind::Protein, &["MK-.V*"], "MKV", 2, 0),
            (Kind::Protein, &["MK*", "V*"], "MKXV", 0, 1),
            (Kind::Protein, &["MK**"], "MKX", 0, 1),
            (Kind::Protein, &["M K\tV"], "MKV", 0, 0),
            (Kind::Dna, &["acgtu nry"], "ACGTUNRY", 0, 0),
            (Kind::Dna, &["AC--GT"], "ACGT", 2, 0),
        ];
        for (kind, pieces, expected, gaps, inner_stops) in cases {
            let (mut out, mut met) = (Vec::new(), Met::default());
            for piece in pieces {
                Alphabet::new(kind)
                    .append(piece.as_bytes(), &mut out, &mut met)
                    .unwrap();
            }
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            assert_eq!(
                (met.gaps, met.inner_stops),
                (gaps, inner_stops),
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for (kind, text, bad) in [
            (Kind::Protein, &b"MK1"[..], b'1'),
            (Kind::Protein, b"MK\0", 0),
            (Kind::Dna, b"ACX", b'X'),
            (Kind::Dna, b"AC*", b'*'),
            (Kind::Protein, b"M\xc3\xa9", 0xc3),
        ] {
            let result = Alphabet::new(kind).append(text, &mut Vec::new(), &mut Met::default());
            assert_eq!(result, Err(bad));
        }
    }
}
