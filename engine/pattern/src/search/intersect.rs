//! Intersections of ascending lists.

/// What makes looking up each item of the short list cheaper than walking through the long one.
const SKEW: usize = 16;

/// The numbers that both lists have, ascending.
pub(super) fn intersect(a: &[u32], b: &[u32], into: &mut Vec<u32>) {
    into.clear();
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() * SKEW < long.len() {
        gallop(short, long, into);
    } else {
        merge(short, long, into);
    }
}

/// Leaves the numbers that the list has, too.
pub(super) fn retain(kept: &mut Vec<u32>, list: &[u32]) {
    if kept.len() * SKEW < list.len() {
        let mut rest = list;
        kept.retain(|&item| {
            rest = &rest[seek(rest, item)..];
            rest.first() == Some(&item)
        });
        return;
    }
    let (mut length, mut i, mut j) = (0, 0, 0);
    while i < kept.len() && j < list.len() {
        let (x, y) = (kept[i], list[j]);
        kept[length] = x;
        length += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    kept.truncate(length);
}

/// Both indices move without a branch that could be mispredicted.
fn merge(a: &[u32], b: &[u32], into: &mut Vec<u32>) {
    into.resize(a.len(), 0);
    let (mut length, mut i, mut j) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        into[length] = x;
        length += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    into.truncate(length);
}

fn gallop(short: &[u32], long: &[u32], into: &mut Vec<u32>) {
    let mut rest = long;
    for &item in short {
        rest = &rest[seek(rest, item)..];
        match rest.first() {
            None => return,
            Some(&first) if first == item => into.push(item),
            Some(_) => {}
        }
    }
}

/// Where the first number that is not below `item` stands: doubling steps, then halving ones.
fn seek(list: &[u32], item: u32) -> usize {
    let mut step = 1;
    while step < list.len() && list[step] < item {
        step *= 2;
    }
    let start = step / 2;
    let end = (step + 1).min(list.len());
    start + list[start..end].partition_point(|&x| x < item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dominance::mix;

    fn list(seed: u64, length: usize, range: u64) -> Vec<u32> {
        let numbers = (0..length as u64).map(|i| (mix(seed << 32 | i) % range) as u32);
        let mut list: Vec<u32> = numbers.collect();
        list.sort_unstable();
        list.dedup();
        list
    }

    #[test]
    fn all_ways_agree_with_a_plain_search() {
        for seed in 0..300 {
            let lengths = [0, 1, 3, 17, 300, 2000];
            let a = list(2 * seed, lengths[seed as usize % 6], 3000);
            let b = list(2 * seed + 1, lengths[seed as usize / 6 % 6], 3000);
            let both = a.iter().filter(|x| b.contains(x));
            let expected: Vec<u32> = both.copied().collect();
            let mut found = vec![7];
            intersect(&a, &b, &mut found);
            assert_eq!(found, expected);
            let mut kept = a.clone();
            retain(&mut kept, &b);
            assert_eq!(kept, expected);
            gallop(&a, &b, {
                found.clear();
                &mut found
            });
            assert_eq!(found, expected);
            merge(&a, &b, &mut found);
            assert_eq!(found, expected);
        }
    }
}
