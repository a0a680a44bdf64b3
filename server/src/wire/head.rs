//! Heads.

use penstock::encoding::head::{Epoch, HeadActivation, HeadOptions, Metrics};
use penstock::{HeadRecord, LabelSource, Lineage, SplitCounts};
use penstock_openapi as wire;

/// A head, and how it came to be.
#[must_use]
pub fn head(record: &HeadRecord) -> wire::Head {
    wire::Head {
        name: record.name.clone(),
        classes: record.shape.classes.clone(),
        dim: record.shape.dim as u64,
        hidden: record.shape.hidden.map(|hidden| hidden as u64),
        activation: record.shape.activation.to_string(),
        weights: record.weights.clone(),
        encoder: record.encoder.clone(),
        encoder_weights: record.encoder_weights.clone(),
        licence: record.licence.clone(),
        lineage: lineage(&record.lineage),
        options: head_options_of(&record.options),
        epochs: record.epochs.iter().map(epoch).collect(),
        best_epoch: record.best_epoch as u64,
        validation: metrics(&record.validation),
        test: metrics(&record.test),
        program: record.program.clone(),
        created: super::moment(record.created),
    }
}

fn lineage(lineage: &Lineage) -> wire::HeadLineage {
    let rows = &lineage.rows;
    wire::HeadLineage {
        table: lineage.table.clone(),
        version: lineage.version,
        column: lineage.column.clone(),
        labels: match &lineage.labels {
            LabelSource::Structure => wire::HeadLabels::Structure,
            LabelSource::File {
                name,
                digest,
                mask_letters,
            } => wire::HeadLabels::File {
                name: name.clone(),
                digest: digest.clone(),
                mask_letters: mask_letters.clone(),
            },
        },
        split_by: lineage.split_by.clone(),
        validation: lineage.validation,
        test: lineage.test,
        split_seed: lineage.split_seed,
        rows: wire::HeadRows {
            training: split(rows.training),
            validation: split(rows.validation),
            test: split(rows.test),
            unencoded: rows.unencoded,
            unlabelled: rows.unlabelled,
            misfits: rows.misfits,
        },
    }
}

fn split(counts: SplitCounts) -> wire::HeadSplit {
    wire::HeadSplit {
        rows: counts.rows,
        residues: counts.residues,
        masked: counts.masked,
    }
}

/// How a head is fitted.
#[must_use]
pub fn head_options_of(options: &HeadOptions) -> wire::HeadOptions {
    wire::HeadOptions {
        hidden: options.hidden.map(|hidden| hidden as u64),
        activation: options.activation.to_string(),
        epochs: options.epochs as u64,
        patience: options.patience as u64,
        learning_rate: options.learning_rate,
        weight_decay: options.weight_decay,
        batch: options.batch as u64,
        balanced: options.balanced,
        seed: options.seed,
    }
}

/// The options that a request asks for.
///
/// # Errors
/// A word is none, or a number makes no sense.
pub fn head_options(wanted: &wire::HeadOptions) -> Result<HeadOptions, penstock::Error> {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let activation: HeadActivation = wanted
        .activation
        .parse()
        .map_err(penstock::encoding::EmbedError::from)?;
    let options = HeadOptions {
        hidden: wanted.hidden.map(number),
        activation,
        epochs: number(wanted.epochs),
        patience: number(wanted.patience),
        learning_rate: wanted.learning_rate,
        weight_decay: wanted.weight_decay,
        batch: number(wanted.batch),
        balanced: wanted.balanced,
        seed: wanted.seed,
    };
    options
        .check()
        .map_err(penstock::encoding::EmbedError::from)?;
    Ok(options)
}

fn epoch(epoch: &Epoch) -> wire::HeadEpoch {
    wire::HeadEpoch {
        epoch: epoch.epoch as u64,
        training_loss: epoch.training_loss,
        validation_loss: epoch.validation_loss,
        validation_q3: epoch.validation_q3,
    }
}

fn metrics(metrics: &Metrics) -> wire::HeadMetrics {
    let class = |class: &penstock::encoding::head::ClassMetrics| wire::HeadClass {
        class: class.class.clone(),
        residues: class.residues,
        precision: class.precision,
        recall: class.recall,
        f1: class.f1,
    };
    wire::HeadMetrics {
        records: metrics.records,
        residues: metrics.residues,
        q3: metrics.q3,
        q3_per_record: metrics.q3_per_record,
        baseline_q3: metrics.baseline_q3,
        loss: metrics.loss,
        classes: metrics.classes.iter().map(class).collect(),
        confusion: metrics.confusion.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_leaves_out_is_what_the_engine_would_take() {
        let wanted: wire::HeadOptions = serde_json::from_str("{}").unwrap();
        assert_eq!(head_options(&wanted).unwrap(), HeadOptions::default());
        assert_eq!(head_options_of(&HeadOptions::default()), wanted);
        let wrong = wire::HeadOptions {
            activation: "tanh".to_owned(),
            ..wanted
        };
        assert!(
            head_options(&wrong)
                .unwrap_err()
                .to_string()
                .contains("relu or gelu")
        );
    }
}
