use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::psea::assign;
use super::states::{COIL, HELIX, Letters, STATES, STRAND};
use super::*;

/// A record: vectors and labels.
type Record = (Vec<f32>, Vec<u8>);

const CLASSES: [&str; 2] = ["no", "yes"];

/// Records of 20 residues in the plane, labelled by a rule.
fn records(n: usize, seed: u64, rule: impl Fn(f32, f32) -> bool) -> Vec<Record> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|_| {
            let points: Vec<f32> = (0..40).map(|_| rng.random_range(-1.0..1.0)).collect();
            let labels = points
                .chunks_exact(2)
                .map(|p| u8::from(rule(p[0], p[1])))
                .collect();
            (points, labels)
        })
        .collect()
}

fn options(hidden: Option<usize>) -> HeadOptions {
    HeadOptions {
        hidden,
        epochs: 60,
        learning_rate: 0.02,
        weight_decay: 0.0,
        batch: 64,
        seed: 7,
        ..HeadOptions::default()
    }
}

fn fit(train: &[Record], validation: &[Record], options: HeadOptions) -> Trained {
    let mut trainer = HeadTrainer::new(2, &CLASSES, options).unwrap();
    for (features, labels) in train {
        trainer.look(features, labels).unwrap();
    }
    let mut training = trainer.start().unwrap();
    while !training.is_done() {
        for (features, labels) in train {
            training.train(features, labels).unwrap();
        }
        for (features, labels) in validation {
            training.validate(features, labels).unwrap();
        }
        training.end_pass().unwrap();
    }
    training.finish().unwrap()
}

fn accuracy(trained: &Trained, records: &[Record]) -> f64 {
    let mut tally = Tally::new(&trained.head.shape().classes);
    for (features, labels) in records {
        let scores = trained.head.log_probabilities(features).unwrap();
        tally.add(labels, &scores).unwrap();
    }
    tally.metrics(trained.majority).unwrap().q3
}

fn bytes(trained: &Trained) -> Vec<u8> {
    trained.head.to_safetensors().unwrap()
}

#[test]
fn a_line_is_learned_by_a_linear_head() {
    let rule = |x: f32, y: f32| x + 0.5 * y > 0.2;
    let (train, validation, test) = (
        records(40, 1, rule),
        records(8, 2, rule),
        records(8, 3, rule),
    );
    let trained = fit(&train, &validation, options(None));
    assert!(accuracy(&trained, &test) > 0.97);
    let best = &trained.epochs[trained.best_epoch - 1];
    assert_eq!(best.validation_q3, trained.validation.q3);
    assert!(
        trained
            .epochs
            .iter()
            .all(|epoch| best.validation_loss <= epoch.validation_loss)
    );
}

#[test]
fn exclusive_or_needs_two_layers() {
    let rule = |x: f32, y: f32| (x > 0.0) != (y > 0.0);
    let (train, validation, test) = (
        records(60, 1, rule),
        records(8, 2, rule),
        records(8, 3, rule),
    );
    let linear = fit(&train, &validation, options(None));
    assert!(accuracy(&linear, &test) < 0.75);
    for activation in [HeadActivation::Relu, HeadActivation::Gelu] {
        let options = HeadOptions {
            activation,
            ..options(Some(16))
        };
        let deep = fit(&train, &validation, options);
        assert!(accuracy(&deep, &test) > 0.93, "{activation:?}");
    }
}

#[test]
fn one_seed_gives_the_same_bits_and_another_others() {
    let rule = |x: f32, y: f32| (x > 0.0) != (y > 0.0);
    let (train, validation) = (records(20, 1, rule), records(5, 2, rule));
    let options = HeadOptions {
        epochs: 4,
        ..options(Some(8))
    };
    let first = fit(&train, &validation, options.clone());
    assert_eq!(
        bytes(&first),
        bytes(&fit(&train, &validation, options.clone()))
    );
    let other = HeadOptions { seed: 8, ..options };
    assert_ne!(bytes(&first), bytes(&fit(&train, &validation, other)));
}

#[test]
fn a_stored_head_gives_the_same_bits() {
    let rule = |x: f32, y: f32| x > y;
    let (train, validation) = (records(20, 1, rule), records(5, 2, rule));
    for hidden in [None, Some(5)] {
        let options = HeadOptions {
            epochs: 2,
            ..options(hidden)
        };
        let trained = fit(&train, &validation, options);
        let shape: HeadShape =
            serde_json::from_str(&serde_json::to_string(trained.head.shape()).unwrap()).unwrap();
        let bytes = bytes(&trained);
        let read = Head::from_safetensors(shape.clone(), &bytes).unwrap();
        // More residues than one thread takes, and each alone.
        let many: Vec<f32> = train
            .iter()
            .flat_map(|(features, _)| features)
            .copied()
            .collect();
        let together = read.apply(&many).unwrap();
        assert_eq!(together, trained.head.apply(&many).unwrap());
        for (row, alone) in many.chunks(2).zip(together.chunks(2)) {
            assert_eq!(read.apply(row).unwrap(), alone);
            assert!((alone.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }

        assert!(matches!(
            Head::from_safetensors(shape.clone(), &bytes[..bytes.len() - 1]),
            Err(HeadFault::File { .. })
        ));
        let wider = HeadShape { dim: 3, ..shape };
        let error = Head::from_safetensors(wider, &bytes).unwrap_err();
        assert!(error.to_string().contains("`mean`"), "{error}");
    }
}

#[test]
fn masked_residues_are_not_looked_at() {
    let rule = |x: f32, y: f32| x > y;
    let (mut train, mut validation) = (records(20, 1, rule), records(5, 2, rule));
    let options = HeadOptions {
        epochs: 3,
        ..options(Some(4))
    };
    for (_, labels) in train.iter_mut().chain(&mut validation) {
        labels[3] = MASKED;
        labels[19] = MASKED;
    }
    let clean = fit(&train, &validation, options.clone());
    for (at, poison) in [(3, f32::MAX), (19, f32::NAN)] {
        for (features, _) in train.iter_mut().chain(&mut validation) {
            features[2 * at] = poison;
            features[2 * at + 1] = -poison;
        }
    }
    let poisoned = fit(&train, &validation, options);
    assert_eq!(bytes(&clean), bytes(&poisoned));
    assert_eq!(clean.epochs, poisoned.epochs);
    assert_eq!(clean.validation, poisoned.validation);
    assert_eq!(clean.validation.residues, 5 * 18);
}

#[test]
fn it_ends_early_and_keeps_the_best_epoch() {
    // Labels without a rule: what is learned soon hurts on other records.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut noise = |n: usize| -> Vec<Record> {
        let mut made = records(n, rng.random(), |_, _| true);
        for (_, labels) in &mut made {
            labels
                .iter_mut()
                .for_each(|label| *label = rng.random_range(0..2));
        }
        made
    };
    let (train, validation) = (noise(3), noise(3));
    let options = HeadOptions {
        epochs: 500,
        patience: 4,
        ..options(Some(32))
    };
    let trained = fit(&train, &validation, options);
    assert!(trained.epochs.len() < 500);
    assert_eq!(trained.epochs.len(), trained.best_epoch + 4);
}

#[test]
fn balance_finds_the_rare_class() {
    let rule = |x: f32, y: f32| x > 0.7 && y > 0.2;
    let (train, validation, test) = (
        records(60, 1, rule),
        records(10, 2, rule),
        records(20, 3, rule),
    );
    let recall = |balanced| {
        let options = HeadOptions {
            balanced,
            epochs: 15,
            ..options(None)
        };
        let trained = fit(&train, &validation, options);
        let mut tally = Tally::new(&trained.head.shape().classes);
        for (features, labels) in &test {
            let scores = trained.head.log_probabilities(features).unwrap();
            tally.add(labels, &scores).unwrap();
        }
        tally.metrics(trained.majority).unwrap().classes[1]
            .recall
            .unwrap()
    };
    assert!(recall(true) > recall(false) + 0.1);
}

#[test]
fn metrics_are_as_counted_by_hand() {
    let classes = STATES.map(str::to_owned);
    let mut tally = Tally::new(&classes);
    let row = |class: usize| {
        let mut row = [0.25f32.ln(); 3];
        row[class] = 0.5f32.ln();
        row
    };
    let said = |classes: &[usize]| {
        classes
            .iter()
            .flat_map(|&class| row(class))
            .collect::<Vec<_>>()
    };
    tally.add(&[0, 0, 1, MASKED], &said(&[0, 1, 1, 2])).unwrap();
    tally.add(&[2, 0], &said(&[2, 0])).unwrap();
    tally.add(&[MASKED], &said(&[0])).unwrap();
    let metrics = tally.metrics(0).unwrap();
    assert_eq!((metrics.records, metrics.residues), (2, 5));
    assert!((metrics.q3 - 0.8).abs() < 1e-12);
    assert!((metrics.q3_per_record - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
    assert!((metrics.baseline_q3 - 0.6).abs() < 1e-12);
    assert_eq!(metrics.confusion, [[2, 1, 0], [0, 1, 0], [0, 0, 1]]);
    let helix = &metrics.classes[0];
    assert_eq!(
        (helix.precision, helix.recall),
        (Some(1.0), Some(2.0 / 3.0))
    );
    assert!((helix.f1.unwrap() - 0.8).abs() < 1e-12);
    let loss = (4.0 * 2f64.ln() + 4f64.ln()) / 5.0;
    assert!((metrics.loss - loss).abs() < 1e-6);
    assert_eq!(Tally::new(&classes).metrics(0), None);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let fails = |change: fn(&mut HeadOptions)| {
        let mut options = HeadOptions::default();
        change(&mut options);
        options.check().unwrap_err().to_string()
    };
    assert!(fails(|o| o.epochs = 0).contains("epochs"));
    assert!(fails(|o| o.hidden = Some(0)).contains("hidden"));
    assert!(fails(|o| o.learning_rate = f64::NAN).contains("learning rate"));
    assert!(fails(|o| o.weight_decay = -1.0).contains("weight decay"));
    let mut trainer = HeadTrainer::new(2, &CLASSES, HeadOptions::default()).unwrap();
    assert!(matches!(
        trainer.look(&[0.0; 4], &[0]),
        Err(HeadFault::Labels { .. })
    ));
    assert!(matches!(
        trainer.look(&[0.0; 3], &[0]),
        Err(HeadFault::Width { .. })
    ));
    assert!(matches!(
        trainer.look(&[0.0; 2], &[2]),
        Err(HeadFault::Class { given: 2, .. })
    ));
    trainer.look(&[0.0; 4], &[0, MASKED]).unwrap();
    assert!(matches!(trainer.start(), Err(HeadFault::NoExample { .. })));
    let none = HeadTrainer::new(2, &CLASSES, HeadOptions::default()).unwrap();
    assert!(matches!(
        none.start(),
        Err(HeadFault::Empty { split: "training" })
    ));
}

proptest! {
    #[test]
    fn splits_are_disjoint_and_of_their_size(seed: u64, validation in 0.05..0.45f64, test in 0.05..0.45f64) {
        let splits = Splits::new(validation, test, seed).unwrap();
        let mut counts = std::collections::HashMap::new();
        for n in 0..2000u32 {
            let key = n.to_le_bytes();
            let split = splits.of(&key);
            // A record with an equal key goes where the first went.
            prop_assert_eq!(split, splits.of(&key));
            *counts.entry(split).or_insert(0) += 1;
        }
        for (split, share) in [(Split::Validation, validation), (Split::Test, test)] {
            let found = f64::from(counts[&split]) / 2000.0;
            prop_assert!((found - share).abs() < 0.06, "{:?}: {} of {}", split, found, share);
        }
        // The test split is the same whatever the validation's share is.
        let others = Splits::new(0.5 - test, test, seed).unwrap();
        for n in 0..200u32 {
            let key = n.to_le_bytes();
            prop_assert_eq!(splits.of(&key) == Split::Test, others.of(&key) == Split::Test);
        }
    }
}

#[test]
fn shares_that_leave_nothing_are_refused() {
    for (validation, test) in [
        (0.0, 0.1),
        (0.1, 0.0),
        (0.5, 0.5),
        (f64::NAN, 0.1),
        (-0.1, 0.1),
    ] {
        assert!(
            Splits::new(validation, test, 0).is_err(),
            "{validation} {test}"
        );
    }
}

#[test]
fn letters() {
    let letters = Letters::default();
    assert_eq!(letters.read("HGI EB").unwrap(), [0, 0, 0, 2, 1, 1]);
    assert_eq!(letters.read("CLTSP~ ").unwrap(), [2; 7]);
    assert_eq!(letters.read("-.?*X").unwrap(), [MASKED; 5]);
    assert_eq!(Letters::new("C").read("-C.").unwrap(), [2, MASKED, 2]);
    let error = letters.read("HHQ").unwrap_err();
    assert!(error.to_string().contains("`Q` at residue 3"), "{error}");
    assert!(Letters::new("").read("?").is_err());
    let mut labels = [0, 1, 2, 0, 1];
    super::states::mask(&mut labels, "0X1- ").unwrap();
    assert_eq!(labels, [MASKED, MASKED, 2, 0, 1]);
    assert!(super::states::mask(&mut labels, "01").is_err());
    assert!(super::states::mask(&mut labels, "0101D").is_err());
}

/// C-alpha atoms of a helix: `radius`, `rise` and `turn` (degrees) of each residue.
fn coil_of(n: usize, radius: f64, rise: f64, turn: f64) -> Vec<f32> {
    (0..n)
        .flat_map(|i| {
            let angle = (turn * i as f64).to_radians();
            [radius * angle.cos(), radius * angle.sin(), rise * i as f64]
        })
        .map(|x| x as f32)
        .collect()
}

#[test]
fn ideal_helices_and_strands() {
    // Alpha helix: 2.3 angstrom, 1.5 angstrom and 100 degrees a residue, right-handed.
    let helix = coil_of(20, 2.3, 1.5, 100.0);
    let labels = assign(&helix, &[true; 20]);
    assert!(
        labels[1..17].iter().all(|label| *label == HELIX),
        "{labels:?}"
    );
    // Its mirror image has the distances, which suffice.
    // Beta strand: 0.9 angstrom, 3.3 angstrom and nearly half a turn.
    let strand = coil_of(12, 0.9, 3.3, -170.0);
    let labels = assign(&strand, &[true; 12]);
    assert!(
        labels[1..9].iter().all(|label| *label == STRAND),
        "{labels:?}"
    );
    // A line is neither.
    let line = coil_of(12, 0.0, 3.8, 0.0);
    assert_eq!(assign(&line, &[true; 12]), [COIL; 12]);
    assert!(assign(&[], &[]).is_empty());
}

#[test]
fn a_gap_ends_what_is_on_both_sides() {
    let helix = coil_of(20, 2.3, 1.5, 100.0);
    let mut present = [true; 20];
    present[9] = false;
    let labels = assign(&helix, &present);
    assert_eq!(labels[9], MASKED);
    // Each side is judged as if the other were not there.
    let (left, right) = (
        assign(&helix[..27], &[true; 9]),
        assign(&helix[30..], &[true; 10]),
    );
    assert_eq!(labels[..9], left);
    assert_eq!(labels[10..], right);
    // So is a chain whose numbering goes on over a gap.
    let mut torn = helix.clone();
    torn[30..].iter_mut().for_each(|x| *x += 50.0);
    let labels = assign(&torn, &[true; 20]);
    assert_eq!(labels[..10], assign(&helix[..30], &[true; 10]));
}

/// The first model of a chain in a PDB file: C-alpha atoms, and the states of the file's own
/// HELIX and SHEET records.
fn chain_of(path: &Path, chain: char) -> (Vec<f32>, Vec<u8>) {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut ranges, mut numbers, mut xyz) = (Vec::new(), Vec::new(), Vec::new());
    let number = |line: &str, from: usize| line[from..from + 4].trim().parse::<i32>().unwrap();
    for line in text.lines() {
        if line.starts_with("ENDMDL") {
            break;
        }
        let is_of = |at: usize| line.chars().nth(at) == Some(chain);
        if line.starts_with("HELIX") && is_of(19) {
            ranges.push((number(line, 21), number(line, 33), HELIX));
        } else if line.starts_with("SHEET") && is_of(21) {
            ranges.push((number(line, 22), number(line, 33), STRAND));
        } else if (line.starts_with("ATOM") || line.starts_with("HETATM"))
            && &line[12..16] == " CA "
            && is_of(21)
            && matches!(&line[16..17], " " | "A")
        {
            numbers.push(number(line, 22));
            xyz.extend([30, 38, 46].map(|at| line[at..at + 8].trim().parse::<f32>().unwrap()));
        }
    }
    let labels = numbers
        .iter()
        .map(|number| {
            let range = ranges
                .iter()
                .find(|(from, to, _)| (from..=to).contains(&number));
            range.map_or(COIL, |range| range.2)
        })
        .collect();
    (xyz, labels)
}

#[test]
fn states_agree_with_those_that_files_give() {
    let root = std::env::var("PENSTOCK_CORPUS").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let folder = root.join("protein/structure");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let (mut right, mut all) = (0, 0);
    for (file, chains) in [("1A8O.pdb", "A"), ("1LCD.pdb", "A"), ("2BEG.pdb", "ABCDE")] {
        for chain in chains.chars() {
            let (xyz, given) = chain_of(&folder.join(file), chain);
            let found = assign(&xyz, &vec![true; given.len()]);
            let same = found.iter().zip(&given).filter(|(a, b)| a == b).count();
            let mut shown = String::new();
            for labels in [&given, &found] {
                let letters = labels.iter().map(|label| STATES[usize::from(*label)]);
                writeln!(shown, "  {}", letters.collect::<String>()).unwrap();
            }
            println!("{file} {chain}: {same} of {} agree\n{shown}", given.len());
            assert!(same as f64 >= 0.6 * given.len() as f64, "{file} {chain}");
            right += same;
            all += given.len();
        }
    }
    println!("together: {right} of {all}");
    assert!(right as f64 >= 0.75 * f64::from(all as u32));
}
