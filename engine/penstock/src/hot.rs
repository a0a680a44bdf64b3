//! Indexes in memory, and how well indexes find what is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use penstock_index::recall::Measured;
use penstock_index::{HotInfo, MeasureOptions, Tier, Warmed, Watch};
use penstock_types::{Metric, TableName};

use crate::{Engine, Error, Task};

/// What [`Engine::warm`] did.
#[derive(Debug, Clone, PartialEq)]
pub struct WarmOutcome {
    /// How the index came into memory.
    pub how: Warmed,
    /// The index.
    pub index: HotInfo,
    /// Time taken.
    pub seconds: f64,
}

/// Stops a build when it is dropped before it ended.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Brings the index of a feature column into memory: from where it was saved beside the table,
    /// or by building it; then measures how well it finds what is there, where that is not known.
    ///
    /// # Errors
    /// No such table or column; the index does not fit the memory that indexes may take; another
    /// process maintains the table; the task was cancelled.
    pub async fn warm(
        &self,
        name: &TableName,
        column: &str,
        metric: Metric,
        task: &Task,
    ) -> Result<WarmOutcome, Error> {
        let started = Instant::now();
        task.progress.set_stage("indexing");
        let stop = Stop(Arc::default());
        let progress = Arc::clone(&task.progress);
        let watch = Watch {
            cancel: Arc::clone(&stop.0),
            progress: Arc::new(move |done, all| progress.set_rows(done as u64, all as u64)),
        };
        let hot = self.searcher().hot();
        let warm = hot.warm(self.store(), name, column, metric, &watch);
        let (how, index) = task.run(warm).await??;
        let recalls = self.searcher().recalls();
        recalls
            .load(self.store().objects(), name, column, Tier::Hot)
            .await?;
        let known = recalls.get(name, column, Tier::Hot);
        if how == Warmed::Built || known.is_none_or(|known| known.points.is_empty()) {
            task.progress.set_stage("measuring");
            let options = MeasureOptions::default();
            let measure = self.measure(name, column, Tier::Hot, metric, &options);
            match task.run(measure).await? {
                Ok(_) => {}
                // Without it searches take the default effort.
                Err(error) => {
                    tracing::warn!(%error, table = %name, column, "an index was not measured")
                }
            }
        }
        Ok(WarmOutcome {
            how,
            index,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Lets indexes in memory go; answers how many. What is saved beside the table stays.
    #[must_use]
    pub fn cool(&self, name: &TableName, column: Option<&str>) -> usize {
        self.searcher().hot().cool(name, column)
    }

    /// Compares an index with the exact answer, at settings of growing effort.
    ///
    /// # Errors
    /// The tier has no index of the column; the store fails.
    pub async fn measure(
        &self,
        name: &TableName,
        column: &str,
        tier: Tier,
        metric: Metric,
        options: &MeasureOptions,
    ) -> Result<Measured, Error> {
        let measured = self
            .searcher()
            .measure(self.store(), name, column, (tier, metric), options)
            .await?;
        Ok(measured)
    }

    /// Sets the recall that searches of a column aim at where they ask for none.
    ///
    /// # Errors
    /// No such table or column; the recall is not from 0 to 1; the store cannot be written.
    pub async fn set_min_recall(
        &self,
        name: &TableName,
        column: &str,
        recall: f64,
    ) -> Result<(), Error> {
        let table = self.store().table(name).await?;
        table.feature(column)?;
        let recalls = self.searcher().recalls();
        for tier in [Tier::Hot, Tier::Cold] {
            recalls
                .set_min_recall(self.store(), name, column, tier, recall)
                .await?;
        }
        Ok(())
    }
}
