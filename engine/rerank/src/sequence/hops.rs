//! Hits of hits.
//!
//! Two sequences that are both alike to a third are likely to be related where their own alignment
//! does not show it: search through an intermediate sequence (J. Park, S. A. Teichmann, T. Hubbard
//! and C. Chothia, J. Mol. Biol. 273, 349, 1997, doi:10.1006/jmbi.1997.1288). A path is as good as
//! its weaker half.

use std::collections::HashMap;

use super::rank::SequenceScore;

/// A hit, direct or through another sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HopScore {
    /// Position of the hit among the sequences.
    pub target: usize,
    /// Natural logarithm of the E-value of its alignment with the query or, where a path is better,
    /// of the weaker alignment on the way.
    pub log_evalue: f64,
    /// The sequence between, where it is not a direct hit that counts.
    pub through: Option<usize>,
}

/// How hits of hits are found.
#[derive(Debug, Clone, PartialEq)]
pub struct HopOptions {
    /// A path leads only through sequences with at most this E-value. Of 0.01, 0.1 and 1, the last
    /// finds most on every other SCOPe domain, and also on those between.
    pub evalue: f64,
    /// Hits kept per sequence.
    pub keep: usize,
}

impl Default for HopOptions {
    fn default() -> Self {
        Self {
            evalue: 1.0,
            keep: 100,
        }
    }
}

/// Ranks, for each sequence, its hits and the hits of its hits. `hits` is what
/// [`super::rerank_all`] gave: the more it kept, the more there is to find. Hits whose own alignment
/// is the better evidence keep their place relative to each other, so the first does not change.
#[must_use]
pub fn second_hop(hits: &[Vec<SequenceScore>], options: &HopOptions) -> Vec<Vec<HopScore>> {
    let bar = options.evalue.ln();
    let near = |list: &'_ [SequenceScore]| list.partition_point(|hit| hit.log_evalue <= bar);
    let mut found: HashMap<usize, HopScore> = HashMap::new();
    let mut ranked = Vec::with_capacity(hits.len());
    for (query, direct) in hits.iter().enumerate() {
        found.clear();
        for hit in direct {
            let hop = HopScore {
                target: hit.target,
                log_evalue: hit.log_evalue,
                through: None,
            };
            found.insert(hit.target, hop);
        }
        for hit in &direct[..near(direct)] {
            let Some(next) = hits.get(hit.target) else {
                continue;
            };
            for further in next.iter().filter(|further| further.target != query) {
                let log_evalue = further.log_evalue.max(hit.log_evalue);
                let hop = HopScore {
                    target: further.target,
                    log_evalue,
                    through: Some(hit.target),
                };
                let best = found.entry(further.target).or_insert(hop);
                if log_evalue < best.log_evalue {
                    *best = hop;
                }
            }
        }
        let mut list: Vec<_> = found.values().copied().collect();
        // Through equal weaker halves the direct hit comes first.
        list.sort_unstable_by(|a, b| {
            let order = a.log_evalue.total_cmp(&b.log_evalue);
            order
                .then(a.through.is_some().cmp(&b.through.is_some()))
                .then(a.target.cmp(&b.target))
        });
        list.truncate(options.keep);
        ranked.push(list);
    }
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(target: usize, log_evalue: f64) -> SequenceScore {
        SequenceScore {
            target,
            score: 0,
            bits: 0.0,
            evalue: log_evalue.exp(),
            log_evalue,
            reverse: false,
        }
    }

    #[test]
    fn a_path_is_as_good_as_its_weaker_half() {
        let hits = [
            vec![hit(1, -20.0), hit(3, 1.0), hit(2, 3.0)],
            vec![hit(2, -30.0), hit(0, -20.0)],
            vec![hit(1, -30.0)],
            vec![hit(4, -50.0)],
            vec![],
        ];
        let found = second_hop(&hits, &HopOptions::default());
        let first: Vec<_> = found[0]
            .iter()
            .map(|h| (h.target, h.log_evalue, h.through))
            .collect();
        // 3 is no basis for a path to 4.
        assert_eq!(
            first,
            [(1, -20.0, None), (2, -20.0, Some(1)), (3, 1.0, None)]
        );
        assert!(found[4].is_empty());
        let one = HopOptions {
            keep: 1,
            ..HopOptions::default()
        };
        assert_eq!(second_hop(&hits, &one)[0].len(), 1);
    }
}
