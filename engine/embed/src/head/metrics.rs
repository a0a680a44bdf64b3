//! How well a head does.

use serde::{Deserialize, Serialize};

use super::{HeadFault, MASKED, most_probable};

/// Counts of what a head said against what is so.
#[derive(Debug, Clone)]
pub struct Tally {
    names: Vec<String>,
    /// `[truth, predicted]`.
    confusion: Vec<u64>,
    loss: f64,
    record_accuracies: f64,
    records: u64,
}

/// What a [`Tally`] comes to. Shares are fractions between 0 and 1; masked residues count for
/// nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Records with at least one labelled residue.
    pub records: u64,
    /// Labelled residues.
    pub residues: u64,
    /// Share of residues whose class is right; with three classes this is Q3.
    pub q3: f64,
    /// The mean over records of each one's share.
    pub q3_per_record: f64,
    /// The share that the most frequent class of the training split would get.
    pub baseline_q3: f64,
    /// Mean cross-entropy, in nats; each residue counts the same.
    pub loss: f64,
    /// By class.
    pub classes: Vec<ClassMetrics>,
    /// Residues by true class (rows) and by predicted class.
    pub confusion: Vec<Vec<u64>>,
}

/// How well one class does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// Residues that have it.
    pub residues: u64,
    /// Share of those said to have it that do; none where it is never said.
    pub precision: Option<f64>,
    /// Share of those that have it and are said to; none where no residue has it.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
}

impl Tally {
    /// No counts of these classes.
    #[must_use]
    pub fn new(classes: &[String]) -> Self {
        Self {
            names: classes.to_vec(),
            confusion: vec![0; classes.len() * classes.len()],
            loss: 0.0,
            record_accuracies: 0.0,
            records: 0,
        }
    }

    /// Adds one record: its labels `[residues]` and what [`Head::log_probabilities`] gave.
    ///
    /// # Errors
    /// There are more or fewer labels than rows, or one is no class.
    ///
    /// [`Head::log_probabilities`]: super::Head::log_probabilities
    pub fn add(&mut self, labels: &[u8], log_probabilities: &[f32]) -> Result<(), HeadFault> {
        let classes = self.names.len();
        check(labels, log_probabilities.len() / classes, classes)?;
        let (mut counted, mut right) = (0u64, 0u64);
        for (label, row) in labels.iter().zip(log_probabilities.chunks_exact(classes)) {
            if *label == MASKED {
                continue;
            }
            let truth = usize::from(*label);
            let said = most_probable(row);
            self.confusion[truth * classes + said] += 1;
            self.loss -= f64::from(row[truth]);
            counted += 1;
            right += u64::from(said == truth);
        }
        if counted > 0 {
            self.records += 1;
            self.record_accuracies += right as f64 / counted as f64;
        }
        Ok(())
    }

    /// Labelled residues.
    #[must_use]
    pub fn residues(&self) -> u64 {
        self.confusion.iter().sum()
    }

    /// Mean cross-entropy, in nats.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss / self.residues() as f64
    }

    /// The metrics; `majority` is the most frequent class of the training split. `None` where
    /// nothing was counted.
    #[must_use]
    pub fn metrics(&self, majority: usize) -> Option<Metrics> {
        let classes = self.names.len();
        let residues = self.residues();
        if residues == 0 {
            return None;
        }
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let true_of = |class: usize| -> u64 {
            let from = class * classes;
            self.confusion[from..from + classes].iter().sum()
        };
        let by_class = self.names.iter().enumerate().map(|(class, name)| {
            let right = self.confusion[class * classes + class];
            let said: u64 = (0..classes)
                .map(|truth| self.confusion[truth * classes + class])
                .sum();
            ClassMetrics {
                class: name.clone(),
                residues: true_of(class),
                precision: share(right, said),
                recall: share(right, true_of(class)),
                // The harmonic mean, written so that it is there whenever one of both is.
                f1: share(2 * right, said + true_of(class)),
            }
        });
        let right: u64 = (0..classes)
            .map(|class| self.confusion[class * classes + class])
            .sum();
        Some(Metrics {
            records: self.records,
            residues,
            q3: right as f64 / residues as f64,
            q3_per_record: self.record_accuracies / self.records as f64,
            baseline_q3: true_of(majority) as f64 / residues as f64,
            loss: self.loss(),
            classes: by_class.collect(),
            confusion: self
                .confusion
                .chunks(classes)
                .map(<[u64]>::to_vec)
                .collect(),
        })
    }
}

/// Labels fit their residues and are classes.
pub(super) fn check(labels: &[u8], items: usize, classes: usize) -> Result<(), HeadFault> {
    if labels.len() != items {
        return Err(HeadFault::Labels {
            labels: labels.len(),
            items,
        });
    }
    match labels
        .iter()
        .find(|label| **label != MASKED && usize::from(**label) >= classes)
    {
        Some(label) => Err(HeadFault::Class {
            given: *label,
            classes,
        }),
        None => Ok(()),
    }
}
