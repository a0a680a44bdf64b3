//! What a sequence must contain for a pattern to match at all.

use crate::pattern::{End, Pattern, Position};

/// Literals of which every sequence with a match contains at least one. An index of substrings
/// narrows the sequences down by them.
#[derive(Debug, Clone, PartialEq)]
pub struct Required {
    /// The literals, of one length for each strand, sorted, each once.
    pub literals: Vec<String>,
    /// About how often one of them occurs per letter, by the letters' shares in all sequences.
    pub share: f64,
}

impl Required {
    pub(crate) fn or(mut self, other: Self) -> Self {
        self.literals.extend(other.literals);
        self.literals.sort_unstable();
        self.literals.dedup();
        self.share += other.share;
        self
    }
}

/// The stretch of consecutive positions that is rarest, among those that stand for at most
/// `max_alternatives` literals.
pub(crate) fn required(pattern: &Pattern, max_alternatives: usize) -> Option<Required> {
    let mut positions = pattern.positions();
    if pattern.end == End::LastOrEnd {
        // The end of the sequence may stand in the last one's stead.
        positions.pop();
    }
    let share = |position: &Position| pattern.alphabet.share(position.letters);
    let mut best: Option<(f64, &[Position])> = None;
    for run in positions.chunk_by(|a, b| !a.optional && !b.optional) {
        if run[0].optional {
            continue;
        }
        for from in 0..run.len() {
            let (mut alternatives, mut rarity, mut to) = (1_usize, 1.0, from);
            for position in &run[from..] {
                alternatives = alternatives.saturating_mul(position.letters.len());
                if alternatives > max_alternatives {
                    break;
                }
                rarity *= share(position);
                to += 1;
            }
            if to > from && best.is_none_or(|(least, _)| rarity < least) {
                best = Some((rarity, &run[from..to]));
            }
        }
    }
    let (share, stretch) = best?;
    let mut literals = vec![String::with_capacity(stretch.len())];
    for position in stretch {
        literals = literals
            .iter()
            .flat_map(|literal| {
                let longer = move |letter| format!("{literal}{}", char::from(letter));
                position.letters.iter().map(longer)
            })
            .collect();
    }
    literals.sort_unstable();
    Some(Required { literals, share })
}
