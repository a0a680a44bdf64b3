//! Correction of scores for local composition.
//!
//! M. Hauser, M. Steinegger and J. Soeding (Bioinformatics 32, 1323, 2016,
//! doi:10.1093/bioinformatics/btw006) take from each residue's scores what it scores on the average
//! with its own neighbourhood, so that stretches of few amino acids do not look related. Here both
//! sequences give half of it, rounded to whole points, so that the score of a pair does not depend
//! on which of the two is the query.

use super::scoring::{Matrix, Scoring};

/// Residues on either side that count as the neighbourhood.
const REACH: usize = 20;

/// Frequencies of amino acids, in the order ARNDCQEGHILKMFPSTWYV: A. B. and L. R. Robinson, PNAS 88,
/// 8880 (1991), doi:10.1073/pnas.88.20.8880.
const AMINO_ACIDS: [f64; 20] = [
    0.07805, 0.05129, 0.04487, 0.05364, 0.01925, 0.04264, 0.06295, 0.07377, 0.02199, 0.05142,
    0.09019, 0.05744, 0.02243, 0.03856, 0.05203, 0.07120, 0.05841, 0.01330, 0.03216, 0.06441,
];

/// What is added to the scores of each residue.
pub(crate) fn bias(scoring: &Scoring, letters: &[u8]) -> Vec<i8> {
    let frequencies: &[f64] = match scoring.matrix() {
        Matrix::Nucleotide { .. } => &[0.25; 4],
        _ => &AMINO_ACIDS,
    };
    let expected: Vec<f64> = (0..scoring.letters() as u8)
        .map(|a| {
            let scores = (0_u8..).map(|b| f64::from(scoring.score(a, b)));
            frequencies.iter().zip(scores).map(|(f, s)| f * s).sum()
        })
        .collect();
    // How often each letter is in the neighbourhood.
    let mut counts = [0_i32; 32];
    for letter in letters.iter().take(REACH) {
        counts[usize::from(*letter)] += 1;
    }
    let mut bias = Vec::with_capacity(letters.len());
    for (at, letter) in letters.iter().enumerate() {
        if let Some(enters) = letters.get(at + REACH) {
            counts[usize::from(*enters)] += 1;
        }
        if let Some(leaves) = at.checked_sub(REACH + 1) {
            counts[usize::from(letters[leaves])] -= 1;
        }
        let neighbours = (at + REACH + 1).min(letters.len()) - at.saturating_sub(REACH) - 1;
        let own = scoring.score(*letter, *letter);
        let sum: i32 = (0..scoring.letters() as u8)
            .map(|b| counts[usize::from(b)] * scoring.score(*letter, b))
            .sum();
        let found = if neighbours == 0 {
            expected[usize::from(*letter)]
        } else {
            f64::from(sum - own) / neighbours as f64
        };
        let half = (expected[usize::from(*letter)] - found) / 2.0;
        // Both halves and a score must fit eight bits.
        bias.push(half.round().clamp(-15.0, 15.0) as i8);
    }
    bias
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_lose_and_lone_residues_do_not() {
        let scoring = Scoring::new(Matrix::Blosum62, 11, 1).unwrap();
        let repeat = bias(&scoring, &scoring.encode(&[b'Q'; 50]));
        assert!(repeat.iter().all(|b| *b <= -2), "{repeat:?}");
        assert_eq!(bias(&scoring, &scoring.encode(b"Q")), [0]);
        assert_eq!(bias(&scoring, &[]), [0_i8; 0]);
    }
}
