//! The nearest by vector, ranked again by local alignment.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use penstock_rerank::{
    AllOptions, HopOptions, SequenceOptions, SequenceScore, rerank_all, second_hop,
};

use super::{Groups, Score, line, nearest};

/// Hits kept for paths through other hits.
const KEEP: usize = 30;

pub(super) struct Run<'a> {
    pub(super) records: &'a [(String, String)],
    pub(super) vectors: &'a [f32],
    pub(super) embedding_secs: f64,
    pub(super) families: &'a Groups,
    pub(super) superfamilies: &'a Groups,
}

impl Run<'_> {
    /// The hits themselves, and with the hits of hits. Seconds are of the whole search: embedding,
    /// scan and alignment.
    pub(super) fn lines(&self, count: usize) -> Result<[Vec<String>; 2]> {
        let clock = Instant::now();
        let rows = self.records.len();
        let candidates = (count + 1 < rows).then(|| self.candidates(count));
        let sequences: Vec<&str> = self.records.iter().map(|(_, s)| s.as_str()).collect();
        let ranked = rerank_all(
            &sequences,
            candidates.as_deref(),
            &AllOptions { keep: KEEP },
            &SequenceOptions::default(),
            &AtomicBool::new(false),
            &|_, _| (),
        )?;
        let direct = self.embedding_secs + clock.elapsed().as_secs_f64();
        let hops = second_hop(
            &ranked,
            &HopOptions {
                keep: 10,
                ..HopOptions::default()
            },
        );
        let both = self.embedding_secs + clock.elapsed().as_secs_f64();
        let name = match candidates {
            Some(_) => format!("top {count} by Smith-Waterman"),
            None => "all pairs by Smith-Waterman".to_owned(),
        };
        let first = |list: &Vec<SequenceScore>| list.iter().take(10).map(|h| h.target).collect();
        let direct = self.line(&name, ranked.iter().map(first), direct);
        let hop = hops
            .iter()
            .map(|list| list.iter().map(|h| h.target).collect());
        Ok([
            direct,
            self.line(&format!("{name}, and hits of hits"), hop, both),
        ])
    }

    fn candidates(&self, count: usize) -> Vec<Vec<u32>> {
        let rows = self.records.len();
        let lists = Mutex::new(vec![Vec::new(); rows]);
        nearest(self.vectors, rows, count, |query, order| {
            let list: Vec<u32> = order.iter().map(|i| *i as u32).collect();
            // No thread panics while it holds the lock: a list is moved.
            if let Ok(mut lists) = lists.lock() {
                lists[query] = list;
            }
        });
        lists.into_inner().unwrap_or_default()
    }

    fn line(
        &self,
        name: &str,
        hits: impl Iterator<Item = Vec<usize>>,
        seconds: f64,
    ) -> Vec<String> {
        let (mut by_family, mut by_superfamily) = (Score::default(), Score::default());
        for (query, hits) in hits.enumerate() {
            by_family.add(query, &hits, self.families);
            by_superfamily.add(query, &hits, self.superfamilies);
        }
        line(name, &by_family, &by_superfamily, seconds)
    }
}
