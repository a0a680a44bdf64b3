//! The sorted set of a sequence's k-mers, and how to walk along it.

/// A k-mer on one strand: its place in the sorted set, and whether it is read as written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strand {
    pub(super) place: u32,
    pub(super) forward: bool,
}

impl Strand {
    pub(super) const fn flip(self) -> Self {
        Self {
            place: self.place,
            forward: !self.forward,
        }
    }
}

const fn code(letter: u8) -> Option<u64> {
    match letter {
        b'A' | b'a' => Some(0),
        b'C' | b'c' => Some(1),
        b'G' | b'g' => Some(2),
        b'T' | b't' | b'U' | b'u' => Some(3),
        _ => None,
    }
}

/// The reverse complement of `k` bases, two bits each.
pub(super) fn reverse(kmer: u64, k: usize) -> u64 {
    // Complement, then swap pairs of bits, then nibbles, then bytes.
    let mut x = !kmer;
    x = ((x >> 2) & 0x3333_3333_3333_3333) | ((x & 0x3333_3333_3333_3333) << 2);
    x = ((x >> 4) & 0x0f0f_0f0f_0f0f_0f0f) | ((x & 0x0f0f_0f0f_0f0f_0f0f) << 4);
    x.swap_bytes() >> (64 - 2 * k)
}

/// The k-mers of a sequence, each as the lesser of its strands.
fn canonical(sequence: &[u8], k: usize) -> Vec<u64> {
    let mask = (1_u64 << (2 * k)) - 1;
    let (mut kmer, mut other, mut known) = (0_u64, 0_u64, 0);
    let mut all = Vec::with_capacity(sequence.len().saturating_sub(k - 1));
    for letter in sequence {
        match code(*letter) {
            None => known = 0,
            Some(base) => {
                kmer = ((kmer << 2) | base) & mask;
                other = (other >> 2) | ((3 - base) << (2 * (k - 1)));
                known += 1;
                if known >= k {
                    all.push(kmer.min(other));
                }
            }
        }
    }
    all
}

/// The set of k-mers. It takes 12 bytes per k-mer and up to 8 for the table of beginnings; making
/// it takes 8 more per base.
pub(super) struct Set {
    k: usize,
    /// Ascending.
    kmers: Vec<u64>,
    counts: Vec<u32>,
    /// Where the k-mers of each beginning start: `[2^bits + 1]`.
    starts: Vec<u32>,
    /// `2 k` less the bits of a beginning.
    shift: usize,
}

impl Set {
    /// A sequence of less than 2^31 bases.
    pub(super) fn new(sequence: &[u8], k: usize) -> Self {
        let mut all = canonical(sequence, k);
        all.sort_unstable();
        let (mut kmers, mut counts) = (Vec::new(), Vec::new());
        for run in all.chunk_by(|a, b| a == b) {
            kmers.push(run[0]);
            counts.push(run.len() as u32);
        }
        drop(all);
        let bits = (kmers.len().max(2).ilog2() as usize).min(2 * k);
        let shift = 2 * k - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for kmer in &kmers {
            starts[(kmer >> shift) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Self {
            k,
            kmers,
            counts,
            starts,
            shift,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kmers.len()
    }

    pub(super) fn count(&self, at: Strand) -> u32 {
        self.counts[at.place as usize]
    }

    /// The bases of a k-mer, two bits each.
    pub(super) fn read(&self, at: Strand) -> u64 {
        let kmer = self.kmers[at.place as usize];
        match at.forward {
            true => kmer,
            false => reverse(kmer, self.k),
        }
    }

    fn place(&self, kmer: u64) -> Option<u32> {
        let beginning = (kmer >> self.shift) as usize;
        let first = self.starts[beginning];
        let range = first as usize..self.starts[beginning + 1] as usize;
        let at = self.kmers[range].binary_search(&kmer).ok()?;
        Some(first + at as u32)
    }

    /// The k-mers that may follow, by their last base.
    pub(super) fn following(&self, at: Strand) -> impl Iterator<Item = Strand> {
        let mask = (1_u64 << (2 * self.k)) - 1;
        let stem = (self.read(at) << 2) & mask;
        (0..4).filter_map(move |base| {
            let next = stem | base;
            let lesser = next.min(reverse(next, self.k));
            Some(Strand {
                place: self.place(lesser)?,
                forward: lesser == next,
            })
        })
    }

    fn only(&self, at: Strand) -> Option<Strand> {
        let mut following = self.following(at);
        let only = following.next()?;
        following.next().is_none().then_some(only)
    }

    /// The next k-mer of the same unitig: neither side has another choice.
    pub(super) fn next(&self, at: Strand) -> Option<Strand> {
        let next = self.only(at)?;
        // Turning back on the other strand would write the same k-mer twice.
        (next.place != at.place && self.only(next.flip()) == Some(at.flip())).then_some(next)
    }
}
