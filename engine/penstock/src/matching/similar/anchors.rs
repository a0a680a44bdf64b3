//! Which vertices of a pattern are looked for.

use penstock_pattern::Pattern;

/// What a vertex counts that lies so many edges away: farther ones are beyond the encoder's reach.
const REACH: [f64; 3] = [1.0, 0.75, 0.5];

/// The vertices in whose surroundings most is known: those from which most of the pattern is within
/// reach, each vertex counted by the information that its label carries. Frequencies are how many
/// vertices of the graphs each may be, and of how many; all count the same where they are unknown.
/// Of every part of the pattern there is one, before there is a second of any.
pub(super) fn choose(
    pattern: &Pattern,
    frequencies: Option<&(Vec<usize>, usize)>,
    count: usize,
    usable: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let vertices = pattern.vertices().len();
    let mut near = vec![0_u64; vertices];
    for edge in pattern.edges() {
        near[edge.from as usize] |= 1 << edge.to;
        near[edge.to as usize] |= 1 << edge.from;
    }
    let information = |u: usize| match frequencies {
        None => 1.0,
        // A label that no vertex has leads nowhere.
        Some((of, _)) if of[u] == 0 => 0.0,
        Some((of, all)) => (*all as f64 / of[u] as f64).ln() + 0.1,
    };
    let mut left: Vec<(usize, u64, f64)> = (0..vertices)
        .filter(|&u| usable(u))
        .map(|u| {
            let mut seen = 0_u64;
            let mut ring = 1_u64 << u;
            let mut value = 0.0;
            for weight in REACH {
                value += bits(ring).map(|w| weight * information(w)).sum::<f64>();
                seen |= ring;
                ring = bits(ring).fold(0, |next, w| next | near[w]) & !seen;
            }
            // The label of the vertex itself decides first which rows are near.
            if information(u) == 0.0 {
                value *= 1e-3;
            }
            (u, part(&near, u), value)
        })
        .collect();
    left.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
    let mut chosen = Vec::new();
    while chosen.len() < count.max(1) && !left.is_empty() {
        // One of each part, and again from the start.
        let mut taken = 0_u64;
        let mut rest = Vec::new();
        for (u, part, value) in left {
            if taken & part == 0 && chosen.len() < count.max(1) {
                taken |= part;
                chosen.push(u);
            } else {
                rest.push((u, part, value));
            }
        }
        left = rest;
    }
    chosen
}

fn part(near: &[u64], u: usize) -> u64 {
    let mut part = 1_u64 << u;
    loop {
        let more = bits(part).fold(part, |bits, w| bits | near[w]);
        if more == part {
            return part;
        }
        part = more;
    }
}

fn bits(word: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| word >> bit & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use penstock_pattern::{Allowed, PatternEdge, PatternVertex};

    fn pattern(labels: &[u32], edges: &[(u32, u32)]) -> Pattern {
        let vertices = labels.iter().map(|&label| PatternVertex {
            labels: Allowed::one(label),
            ..PatternVertex::default()
        });
        let edges = edges.iter().map(|&(from, to)| PatternEdge {
            from,
            to,
            ..PatternEdge::default()
        });
        Pattern::new(false, vertices.collect(), edges.collect()).unwrap()
    }

    #[test]
    fn the_middle_and_what_is_rare_come_first() {
        let path = pattern(&[0; 7], &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]);
        let everywhere = |_| true;
        assert_eq!(choose(&path, None, 1, everywhere), [2]);
        assert_eq!(choose(&path, None, 3, everywhere), [2, 3, 4]);
        assert_eq!(choose(&path, None, 9, everywhere).len(), 7);
        // A rare label at the end draws them there; one that nobody has does not.
        let rare = (vec![900, 900, 900, 900, 900, 900, 1], 1_000);
        assert_eq!(choose(&path, Some(&rare), 2, everywhere), [6, 5]);
        let unknown = (vec![900, 900, 900, 0, 900, 900, 900], 1_000);
        let chosen = choose(&path, Some(&unknown), 6, everywhere);
        assert!(!chosen.contains(&3), "{chosen:?}");
        assert_eq!(choose(&path, None, 2, |u| u == 6), [6]);
    }

    #[test]
    fn every_part_has_one() {
        let apart = pattern(&[0; 6], &[(0, 1), (1, 2), (2, 3), (4, 5)]);
        let chosen = choose(&apart, None, 2, |_| true);
        assert_eq!(chosen, [1, 4]);
        let chosen = choose(&apart, None, 4, |_| true);
        assert_eq!(chosen, [1, 4, 2, 5]);
    }
}
