//! Slow and plain: patterns as they are drawn, their text, and what they must find by the crate
//! `regex`.

use std::collections::BTreeMap;

use penstock_motif::{Alphabet, Hit, Strand};
use proptest::prelude::*;
use regex::Regex;

/// One element as drawn: a class, whether it is negated, and its repeat.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) letters: String,
    pub(crate) negated: bool,
    pub(crate) repeat: Option<(usize, usize)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) alphabet: Alphabet,
    pub(crate) parts: Vec<Part>,
    pub(crate) at_start: bool,
    pub(crate) at_end: bool,
    pub(crate) last_or_end: bool,
}

/// What a letter may be, written down once more.
fn may_be(alphabet: Alphabet, letter: char) -> String {
    let all = match alphabet {
        Alphabet::Protein => "ACDEFGHIKLMNPQRSTUVWYO",
        Alphabet::Dna => "ACGT",
    };
    let of = match (alphabet, letter) {
        (_, 'x' | 'X') => all,
        (Alphabet::Protein, 'B') => "DN",
        (Alphabet::Protein, 'Z') => "EQ",
        (Alphabet::Protein, 'J') => "IL",
        (Alphabet::Dna, 'N') => all,
        (Alphabet::Dna, 'U') => "T",
        (Alphabet::Dna, 'R') => "AG",
        (Alphabet::Dna, 'Y') => "CT",
        (Alphabet::Dna, 'S') => "CG",
        (Alphabet::Dna, 'W') => "AT",
        (Alphabet::Dna, 'K') => "GT",
        (Alphabet::Dna, 'M') => "AC",
        (Alphabet::Dna, 'B') => "CGT",
        (Alphabet::Dna, 'D') => "AGT",
        (Alphabet::Dna, 'H') => "ACT",
        (Alphabet::Dna, 'V') => "ACG",
        _ => return letter.to_string(),
    };
    of.to_owned()
}

pub(crate) fn stored_letters(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Protein => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        Alphabet::Dna => "ACGTURYSWKMBDHVN",
    }
}

impl Part {
    /// The stored letters that match, as a class of a regular expression.
    pub(crate) fn class(&self, alphabet: Alphabet) -> String {
        let named: String = self.letters.chars().map(|c| may_be(alphabet, c)).collect();
        let matching: String = stored_letters(alphabet)
            .chars()
            .filter(|stored| {
                let may = may_be(alphabet, *stored);
                may.chars().all(|one| named.contains(one) != self.negated)
            })
            .collect();
        format!("[{matching}]")
    }

    fn regex(&self, alphabet: Alphabet) -> String {
        let (min, max) = self.repeat.unwrap_or((1, 1));
        format!("{}{{{min},{max}}}", self.class(alphabet))
    }

    fn text(&self, or_end: bool) -> String {
        let class = match (self.negated, self.letters.len()) {
            _ if or_end => format!("[{}>]", self.letters),
            (true, _) => format!("{{{}}}", self.letters),
            (false, 1) => self.letters.clone(),
            (false, _) => format!("[{}]", self.letters),
        };
        match self.repeat {
            None => class,
            Some((min, max)) if min == max => format!("{class}({min})"),
            Some((min, max)) => format!("{class}({min},{max})"),
        }
    }
}

impl Drawn {
    pub(crate) fn text(&self) -> String {
        let count = self.parts.len();
        let parts: Vec<_> = self
            .parts
            .iter()
            .enumerate()
            .map(|(i, part)| part.text(self.last_or_end && i + 1 == count))
            .collect();
        let (start, end) = (self.at_start, self.at_end);
        format!(
            "{}{}{}",
            if start { "<" } else { "" },
            parts.join("-"),
            if end { ">" } else { "" }
        )
    }

    /// Furthest end of each start, among the slices that the regular expression matches whole.
    fn furthest(&self, sequence: &str) -> Vec<(usize, usize)> {
        let regex = |parts: &[Part]| {
            let all: String = parts.iter().map(|part| part.regex(self.alphabet)).collect();
            Regex::new(&format!("^(?:{all})$")).unwrap()
        };
        let whole = regex(&self.parts);
        let body = regex(&self.parts[..self.parts.len() - 1]);
        let mut found = BTreeMap::new();
        for start in 0..sequence.len() {
            for end in start..=sequence.len() {
                let here = &sequence[start..end];
                let at_end = end == sequence.len();
                let is = (whole.is_match(here) && (!self.at_end || at_end))
                    || (self.last_or_end && at_end && body.is_match(here));
                if is && (!self.at_start || start == 0) {
                    found.insert(start, end);
                }
            }
        }
        found.into_iter().collect()
    }

    fn reversed(&self) -> Self {
        let pairs = |letter: char| match letter {
            'A' => 'T',
            'C' => 'G',
            'G' => 'C',
            'T' | 'U' => 'A',
            'R' => 'Y',
            'Y' => 'R',
            'K' => 'M',
            'M' => 'K',
            'B' => 'V',
            'V' => 'B',
            'D' => 'H',
            'H' => 'D',
            same => same,
        };
        Self {
            parts: self
                .parts
                .iter()
                .rev()
                .map(|part| Part {
                    letters: part.letters.chars().map(pairs).collect(),
                    ..part.clone()
                })
                .collect(),
            at_start: self.at_end,
            at_end: self.at_start,
            ..self.clone()
        }
    }

    /// Whether the reverse complement is the same pattern: class by class.
    fn palindromic(&self) -> bool {
        let shape = |drawn: &Self| {
            let parts = drawn
                .parts
                .iter()
                .filter(|part| part.repeat != Some((0, 0)));
            let parts: Vec<_> = parts
                .map(|part| (part.class(drawn.alphabet), part.repeat.unwrap_or((1, 1))))
                .collect();
            (parts, drawn.at_start, drawn.at_end)
        };
        shape(self) == shape(&self.reversed())
    }

    pub(crate) fn hits(&self, sequence: &str, both_strands: bool) -> Vec<Hit> {
        let hit = |strand| move |(start, end)| Hit { start, end, strand };
        let plus = self.furthest(sequence);
        let mut hits: Vec<_> = plus.iter().copied().map(hit(Strand::Plus)).collect();
        if both_strands && self.alphabet == Alphabet::Dna && !self.palindromic() {
            let minus = self.reversed().furthest(sequence);
            let minus = minus.into_iter().filter(|found| !plus.contains(found));
            hits.extend(minus.map(hit(Strand::Minus)));
        }
        hits.sort_by_key(|hit| (hit.start, hit.end, hit.strand));
        hits
    }
}

/// Patterns over few letters, so that they often match.
pub(crate) fn drawn(alphabet: Alphabet) -> impl Strategy<Value = Drawn> {
    let letters = match alphabet {
        Alphabet::Protein => "ACDENXBZJx",
        Alphabet::Dna => "ACGTRYSWKMBDHVNUx",
    };
    let class = proptest::collection::vec(proptest::sample::select(letters.as_bytes()), 1..4);
    let repeat = proptest::option::weighted(0.4, (0_usize..4, 0_usize..4));
    let part =
        (class, proptest::bool::weighted(0.2), repeat).prop_map(|(letters, negated, n)| Part {
            letters: letters.into_iter().map(char::from).collect(),
            negated,
            repeat: n.map(|(min, more)| (min, min + more)),
        });
    let flags = (
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.15),
        proptest::bool::weighted(0.15),
    );
    (proptest::collection::vec(part, 1..7), flags).prop_map(
        move |(mut parts, (at_start, at_end, last_or_end))| {
            let last_or_end = last_or_end && alphabet == Alphabet::Protein;
            if last_or_end && let Some(last) = parts.last_mut() {
                last.negated = false;
                last.repeat = None;
            }
            Drawn {
                alphabet,
                parts,
                at_start,
                at_end: at_end && !last_or_end,
                last_or_end,
            }
        },
    )
}
