//! Recall as a promise: how well an index finds what is there, measured, and the settings chosen by
//! it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_store::{Objects, Store};
use penstock_types::TableName;
use serde::{Deserialize, Serialize};

use crate::kind::IndexKind;
use crate::plan::Tier;
use crate::{IndexError, Result, policy};

/// The recall that is aimed at where nobody asks for another.
pub const DEFAULT_RECALL: f64 = 0.95;

/// Queries that are remembered per index, to measure with.
const REMEMBERED: usize = 64;

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Against the default, which is 1: what a search costs grows about with it.
    pub effort: f64,
    /// Candidates that a walk through a graph keeps.
    pub ef: usize,
    /// Partitions that are searched, at least; 0 in memory.
    pub nprobes: usize,
    /// Candidates per hit that are re-ranked by exact distance; 0 in memory, where all are.
    pub refine: usize,
}

impl Setting {
    /// The settings that are tried of an index in memory, for `k` hits.
    pub(crate) fn hot_ladder(k: usize) -> Vec<Self> {
        [
            16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1_024, 2_048,
        ]
        .into_iter()
        .filter(|ef| *ef >= k)
        .map(|ef| Self {
            effort: ef as f64 / 96.0,
            ef,
            nprobes: 0,
            refine: 0,
        })
        .collect()
    }

    /// A setting of an index on the disk.
    pub(crate) fn cold(kind: IndexKind, indexed_rows: u64, k: usize, effort: f64) -> Self {
        let times = |count: usize| ((count as f64 * effort).ceil() as usize).max(1);
        let refine = times(kind.refine());
        let wanted = k.saturating_mul(refine);
        Self {
            effort,
            ef: times(policy::default_ef(wanted)).max(wanted),
            nprobes: times(policy::default_nprobes(kind, indexed_rows)),
            refine,
        }
    }

    /// The settings that are tried of an index on the disk.
    pub(crate) fn cold_ladder(kind: IndexKind, indexed_rows: u64, k: usize) -> Vec<Self> {
        [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
            .into_iter()
            .map(|effort| Self::cold(kind, indexed_rows, k, effort))
            .collect()
    }
}

/// One setting, measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The setting.
    pub setting: Setting,
    /// Share of the exact answer that it found.
    pub recall: f64,
    /// Queries per second, one after the other.
    pub queries_per_second: f64,
}

/// An index, measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Version of the table at the time.
    pub version: u64,
    /// Queries that were compared with their exact answers.
    pub queries: usize,
    /// Whether they were queries of users; else they were stored rows.
    pub from_users: bool,
    /// Hits per query.
    pub k: usize,
    /// From the least effort to the most.
    pub points: Vec<Point>,
    /// The recall that is wanted of this index, where it was set.
    pub min_recall: Option<f64>,
}

impl Measured {
    /// The cheapest setting whose recall is at least `wanted` by one standard deviation of the
    /// measurement; the dearest where none is; `None` where none was measured.
    #[must_use]
    pub fn setting(&self, wanted: f64) -> Option<Setting> {
        let found = self
            .points
            .iter()
            .find(|point| self.surely(point) >= wanted);
        found.or(self.points.last()).map(|point| point.setting)
    }

    /// A point's recall less the standard deviation of a share estimated on so many hits.
    fn surely(&self, point: &Point) -> f64 {
        let hits = (self.queries * self.k).max(1) as f64;
        point.recall - (point.recall * (1.0 - point.recall) / hits).sqrt()
    }

    /// The recall that was measured with so many candidates, or with the next fewer.
    #[must_use]
    pub fn recall_at(&self, ef: usize) -> Option<f64> {
        let known = self
            .points
            .iter()
            .rev()
            .find(|point| point.setting.ef <= ef);
        known.map(|point| point.recall)
    }

    /// The recall that was measured with this effort, or with the next lower.
    #[must_use]
    pub fn recall_of(&self, effort: f64) -> Option<f64> {
        let known = self
            .points
            .iter()
            .rev()
            .find(|point| point.setting.effort <= effort);
        known.map(|point| point.recall)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    table: TableName,
    column: String,
    tier: Tier,
}

/// What was measured of the indexes of one store, and the queries to measure with.
#[derive(Debug, Default)]
pub struct Recalls {
    measured: Mutex<HashMap<Key, Arc<Measured>>>,
    /// Where nothing was kept: one look is enough.
    unknown: Mutex<HashSet<Key>>,
    queries: Mutex<HashMap<(TableName, String), Queries>>,
}

/// Queries of users: each has the same chance to be among them.
#[derive(Debug, Default)]
struct Queries {
    seen: u64,
    /// How many had been seen when they were last measured with.
    measured: u64,
    kept: Vec<Vec<f32>>,
}

/// Where it is kept.
fn key_of(table: &TableName, column: &str, tier: Tier) -> String {
    format!("recall/{table}/{column}.{tier}.json")
}

impl Recalls {
    /// What was measured of a column's index.
    #[must_use]
    pub fn get(&self, table: &TableName, column: &str, tier: Tier) -> Option<Arc<Measured>> {
        let key = Key {
            table: table.clone(),
            column: column.to_owned(),
            tier,
        };
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.get(&key).cloned()
    }

    /// Everything measured: table, column, tier.
    #[must_use]
    pub fn list(&self) -> Vec<(TableName, String, Tier, Arc<Measured>)> {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = measured
            .iter()
            .map(|(key, measured)| {
                (
                    key.table.clone(),
                    key.column.clone(),
                    key.tier,
                    Arc::clone(measured),
                )
            })
            .collect();
        list.sort_by(|a, b| (&a.0, &a.1, a.2.as_str()).cmp(&(&b.0, &b.1, b.2.as_str())));
        list
    }

    fn set(&self, table: &TableName, column: &str, tier: Tier, measured: Measured) {
        let key = Key {
            table: table.clone(),
            column: column.to_owned(),
            tier,
        };
        let mut all = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key, Arc::new(measured));
    }

    /// Reads what was kept of a column's index, where this process knows nothing of it yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(
        &self,
        objects: &Objects,
        table: &TableName,
        column: &str,
        tier: Tier,
    ) -> Result<()> {
        let key = Key {
            table: table.clone(),
            column: column.to_owned(),
            tier,
        };
        let is_unknown = {
            let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.contains(&key)
        };
        if is_unknown || self.get(table, column, tier).is_some() {
            return Ok(());
        }
        let kept = objects.get_opt(&key_of(table, column, tier)).await?;
        match kept.map(|bytes| serde_json::from_slice::<Measured>(&bytes)) {
            Some(Ok(measured)) => self.set(table, column, tier, measured),
            _ => {
                let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
                unknown.insert(key);
            }
        }
        Ok(())
    }

    /// Keeps what was measured.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn keep(
        &self,
        store: &Store,
        table: &TableName,
        column: &str,
        tier: Tier,
        mut measured: Measured,
    ) -> Result<()> {
        if measured.min_recall.is_none() {
            measured.min_recall = self
                .get(table, column, tier)
                .and_then(|before| before.min_recall);
        }
        let bytes = serde_json::to_vec(&measured).map_err(|_| IndexError::Invariant {
            what: "what was measured of an index is no JSON",
        })?;
        store
            .objects()
            .put(&key_of(table, column, tier), bytes.into())
            .await?;
        self.set(table, column, tier, measured);
        Ok(())
    }

    /// Sets the recall that is wanted of an index, measured yet or not.
    ///
    /// # Errors
    /// It is not from 0 to 1, or the store cannot be written.
    pub async fn set_min_recall(
        &self,
        store: &Store,
        table: &TableName,
        column: &str,
        tier: Tier,
        recall: f64,
    ) -> Result<()> {
        if !(0.0..=1.0).contains(&recall) {
            return Err(IndexError::Number {
                option: "min_recall",
                given: recall,
                expected: "from 0 to 1",
            });
        }
        self.load(store.objects(), table, column, tier).await?;
        let mut measured = self
            .get(table, column, tier)
            .map_or_else(Measured::default, |known| (*known).clone());
        measured.min_recall = Some(recall);
        self.keep(store, table, column, tier, measured).await
    }

    /// Remembers a user's query, with the chance that makes all queries equally likely to be
    /// remembered (reservoir sampling).
    pub(crate) fn remember(&self, table: &TableName, column: &str, vector: &[f32]) {
        // A search that would have to wait leaves its query out.
        let Ok(mut queries) = self.queries.try_lock() else {
            return;
        };
        let queries = queries
            .entry((table.clone(), column.to_owned()))
            .or_default();
        queries.seen += 1;
        if queries.kept.len() < REMEMBERED {
            queries.kept.push(vector.to_vec());
            return;
        }
        // Multiplicative hashing of the count: as good as chance here.
        let draw = (queries.seen.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % queries.seen;
        if let Some(slot) = queries.kept.get_mut(draw as usize) {
            vector.clone_into(slot);
        }
    }

    /// Whether there came twice as many queries of users as when an index of the column was last
    /// measured, and enough to measure with.
    #[must_use]
    pub fn has_new_queries(&self, table: &TableName, column: &str) -> bool {
        let queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let of = queries.get(&(table.clone(), column.to_owned()));
        of.is_some_and(|of| of.kept.len() >= REMEMBERED && of.seen >= 2 * of.measured)
    }

    /// The queries remembered of a column, now measured with.
    #[must_use]
    pub(crate) fn remembered(&self, table: &TableName, column: &str) -> Vec<Vec<f32>> {
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = queries.get_mut(&(table.clone(), column.to_owned())) else {
            return Vec::new();
        };
        of.measured = of.seen.max(1);
        of.kept.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(recalls: &[f64]) -> Measured {
        let ladder = Setting::hot_ladder(10);
        let points = ladder
            .into_iter()
            .zip(recalls)
            .map(|(setting, recall)| Point {
                setting,
                recall: *recall,
                queries_per_second: 1.0,
            });
        Measured {
            queries: 64,
            k: 10,
            points: points.collect(),
            ..Measured::default()
        }
    }

    #[test]
    fn the_promise_chooses_the_effort() {
        let measured = measured(&[0.90, 0.951, 0.97, 0.995, 1.0]);
        let ef = |wanted| measured.setting(wanted).unwrap().ef;
        assert_eq!(ef(0.5), 16);
        // 0.951 on 640 hits may well be 0.945.
        assert_eq!(ef(0.95), 32);
        assert_eq!(ef(0.99), 48);
        assert_eq!(ef(1.0), 64);
        assert_eq!(measured.recall_at(50), Some(0.995));
        assert_eq!(measured.recall_at(8), None);
        assert_eq!(Measured::default().setting(0.9), None);
    }

    #[test]
    fn every_query_is_as_likely_to_be_remembered() {
        let recalls = Recalls::default();
        let table = TableName::new("t").unwrap();
        for query in 0..10_000 {
            recalls.remember(&table, "c", &[query as f32]);
        }
        assert!(recalls.has_new_queries(&table, "c"));
        let kept = recalls.remembered(&table, "c");
        assert_eq!(kept.len(), REMEMBERED);
        let mean = kept.concat().iter().sum::<f32>() / REMEMBERED as f32;
        assert!((3_500.0..6_500.0).contains(&mean), "{mean}");
        assert!(!recalls.has_new_queries(&table, "c"));
    }
}
