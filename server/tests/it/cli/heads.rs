//! `penstock train-head`, `heads` and `predict`.

use std::fmt::Write as _;
use std::path::Path;

use penstock::encoding::head::{Split, Splits};
use serde_json::Value;

use super::{Place, corpus, keys};
use crate::structures::{Chain, states, structures};

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/reference/golden");
    folder.join(name).to_str().unwrap().to_owned()
}

const SHARES: [&str; 4] = ["--validation", "0.2", "--test", "0.2"];

/// A place with a table `chains` whose residues have vectors.
fn place() -> (Place, Vec<Chain>) {
    let place = Place::new();
    let (text, chains) = structures();
    place.file("made.pdb", text);
    let added = place.json(&["ingest", "chains", "made.pdb", "--no-encode"]);
    assert_eq!(added["rows_added"], chains.len());
    let encoder = format!("{}:none:f16", golden("esm2"));
    place.json(&["encode", "chains", "--encoder", &encoder]);
    (place, chains)
}

fn train(place: &Place, more: &[&str]) -> Value {
    place.json(
        &[
            &["train-head", "chains", "--learning-rate", "0.01"],
            &SHARES[..],
            more,
        ]
        .concat(),
    )
}

fn split_of(sequence: &str) -> Split {
    Splits::new(0.2, 0.2, 0).unwrap().of(sequence.as_bytes())
}

/// Labels as a file: each chain's sequence and a line of letters.
fn labels(chains: &[Chain], line: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (chain, sequence) in chains {
        writeln!(text, ">9ABC:{chain}\n{sequence}\n{}", line(sequence)).unwrap();
    }
    text
}

#[test]
fn a_head_by_structure_is_fitted_stored_and_used() {
    let (place, chains) = place();
    let head = train(&place, &["--name", "ss3", "--labels", "structure"]);
    assert_eq!(head["classes"], serde_json::json!(["H", "E", "C"]));
    assert_eq!(
        (&head["encoder"], &head["dim"]),
        (&"esm2:none:f16".into(), &48.into())
    );
    let lineage = &head["lineage"];
    assert_eq!(
        (&lineage["table"], &lineage["version"], &lineage["column"]),
        (&"chains".into(), &2.into(), &"esm2_none_f16".into())
    );
    assert_eq!(lineage["labels"]["from"], "structure");
    let mut counts = [0, 0, 0];
    for (_, sequence) in &chains {
        counts[split_of(sequence) as usize] += 1;
    }
    for (at, split) in ["training", "validation", "test"].iter().enumerate() {
        assert_eq!(lineage["rows"][split]["rows"], counts[at], "{split}");
        assert_eq!(lineage["rows"][split]["residues"], 29 * counts[at]);
        assert_eq!(lineage["rows"][split]["masked"], counts[at]);
    }
    let measure = |name: &str| head["test"][name].as_f64().unwrap();
    assert!(
        measure("q3") > measure("baseline_q3") + 0.2,
        "{}",
        head["test"]
    );
    assert_eq!(head["test"]["records"], counts[2]);

    // A name is taken once, and the same work has the same bits.
    let again = [
        &[
            "train-head",
            "chains",
            "--name",
            "ss3",
            "--labels",
            "structure",
        ],
        &SHARES[..],
    ];
    assert!(place.fails(5, &again.concat()).contains("--replace"));
    let more = ["--name", "ss3", "--labels", "structure", "--replace"];
    assert_eq!(train(&place, &more)["weights"], head["weights"]);
    let more = [&more[..], &["--hidden", "16", "--seed", "3"]].concat();
    let deep = train(&place, &more);
    assert_ne!(deep["weights"], head["weights"]);
    assert_eq!(deep["hidden"], 16);
    let heads = place.json(&["heads"]);
    assert_eq!(keys(&heads), ["heads"]);
    assert_eq!(heads["heads"].as_array().unwrap().len(), 1);
    assert_eq!(place.json(&["heads", "ss3"]), deep);
    // What was replaced is gone.
    let files = std::fs::read_dir(place.path().join("penstock-data/_penstock/heads")).unwrap();
    assert_eq!(files.count(), 2);
    assert!(place.text(&["heads"]).contains("esm2:none:f16"));
    assert!(place.text(&["heads", "ss3"]).contains("P-SEA"));

    // A table's own vectors, and those made now, give the same.
    let stored = place.json(&["predict", "--head", "ss3", "chains"]);
    assert_eq!(keys(&stored), ["classes", "encoder", "head", "predictions"]);
    let models = ["--checkpoints", &golden("")];
    let mut fasta = String::new();
    for (chain, sequence) in &chains {
        writeln!(fasta, ">9ABC:{chain}\n{sequence}").unwrap();
    }
    place.file("chains.fasta", fasta);
    let made = [
        &models[..],
        &["predict", "--head", "ss3", "--file", "chains.fasta"],
    ]
    .concat();
    assert_eq!(place.json(&made), stored);
    place.json(&["ingest", "bare", "chains.fasta", "--no-encode"]);
    let bare = [&models[..], &["predict", "--head", "ss3", "bare"]].concat();
    assert_eq!(place.json(&bare), stored);

    let mut right = 0;
    for found in stored["predictions"].as_array().unwrap() {
        let said = found["states"].as_str().unwrap();
        right += said
            .chars()
            .zip(states().chars())
            .filter(|(a, b)| a == b)
            .count();
        let rows = found["probabilities"].as_array().unwrap();
        assert_eq!(rows.len(), 30);
        for (row, letter) in rows.iter().zip(said.chars()) {
            let row: Vec<f64> = serde_json::from_value(row.clone()).unwrap();
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-4);
            let at = "HEC".find(letter).unwrap();
            assert!(row.iter().all(|p| *p <= row[at]));
        }
    }
    assert!(right > 700, "{right} of 1200");
    let text = place.text(&["predict", "--head", "ss3", "chains"]);
    assert_eq!(text.lines().count(), 80);
    // What is printed is a file of labels.
    place.file("said.ss", text);
    let named = ["--name", "copy", "--labels", "said.ss"];
    assert_eq!(train(&place, &named)["lineage"]["rows"]["unlabelled"], 0);
}

#[test]
fn labels_of_a_file_and_what_is_masked() {
    let (place, chains) = place();
    // Eight states, the ends not observed.
    let eight = |_: &str| format!("--{}{}{}--", "G".repeat(10), "B".repeat(10), "T".repeat(6));
    place.file("eight.ss", labels(&chains, eight));
    let head = train(&place, &["--name", "eight", "--labels", "eight.ss"]);
    let rows = &head["lineage"]["rows"];
    let training = rows["training"]["rows"].as_u64().unwrap();
    assert_eq!(rows["training"]["masked"], 4 * training);
    assert_eq!(rows["training"]["residues"], 26 * training);
    assert_eq!(head["lineage"]["labels"]["name"], "eight.ss");
    assert!(head["test"]["q3"].as_f64() > Some(0.8));

    // What stands under the mask decides nothing.
    let other = |_: &str| format!("--{}{}{}--", "G".repeat(10), "B".repeat(10), "T".repeat(6));
    let mut table = "id\tss\tseen\tfamily\n".to_owned();
    for (at, (chain, sequence)) in chains.iter().enumerate() {
        let letters = other(sequence).replace('-', if at % 2 == 0 { "H" } else { "E" });
        let seen = format!("00{}00", "1".repeat(26));
        writeln!(table, "9ABC:{chain}\t{letters}\t{seen}\tf{}", at % 20).unwrap();
    }
    place.file("t.tsv", table);
    let named = [
        "--labels",
        "t.tsv",
        "--label-column",
        "ss",
        "--mask-column",
        "seen",
    ];
    let masked = train(&place, &[&named[..], &["--name", "masked"]].concat());
    assert_eq!(masked["weights"], head["weights"]);
    assert_eq!(masked["test"], head["test"]);

    // Groups decide about splits where there are some.
    let grouped = train(
        &place,
        &[&named[..], &["--name", "g", "--group", "family"]].concat(),
    );
    assert_eq!(grouped["lineage"]["split_by"], "groups of t.tsv");
    let by_column = ["--name", "h", "--labels", "eight.ss", "--group", "chain"];
    assert_eq!(train(&place, &by_column)["lineage"]["split_by"], "chain");

    // Labels that do not fit.
    let wrong = |sequence: &str| match sequence == chains[3].1 {
        true => "HHH".to_owned(),
        false => eight(sequence),
    };
    let text = labels(&chains, wrong).replacen(&format!("\n{}\nHHH", chains[3].1), "\nHHH", 1);
    place.file("wrong.ss", text);
    let ask = [
        &[
            "train-head",
            "chains",
            "--name",
            "w",
            "--labels",
            "wrong.ss",
        ],
        &SHARES[..],
    ];
    let error = place.fails(4, &ask.concat());
    assert!(
        error.contains("`9ABC:D`: 3 labels for 30 residues"),
        "{error}"
    );
    let skipped = train(
        &place,
        &["--name", "w", "--labels", "wrong.ss", "--skip-misfits"],
    );
    assert_eq!(skipped["lineage"]["rows"]["misfits"], 1);
    place.file("few.ss", labels(&chains[..1], eight));
    let ask = [
        &["train-head", "chains", "--name", "f", "--labels", "few.ss"],
        &SHARES[..],
    ];
    assert!(
        place
            .fails(4, &ask.concat())
            .contains("split has no labelled residue")
    );
    // What failed left nothing.
    let heads = place.json(&["heads"]);
    let names: Vec<&Value> = heads["heads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| &h["name"])
        .collect();
    assert_eq!(names, ["eight", "g", "h", "masked", "w"]);
}

#[test]
fn the_test_split_teaches_nothing() {
    let (place, chains) = place();
    let with_test = |test: &str| {
        labels(&chains, |sequence| match split_of(sequence) {
            Split::Test => test.repeat(30),
            _ => states(),
        })
    };
    place.file("h.ss", with_test("H"));
    place.file("e.ss", with_test("E"));
    let one = train(
        &place,
        &["--name", "one", "--labels", "h.ss", "--hidden", "8"],
    );
    let two = train(
        &place,
        &["--name", "two", "--labels", "e.ss", "--hidden", "8"],
    );
    assert_eq!(one["weights"], two["weights"]);
    assert_eq!(one["epochs"], two["epochs"]);
    assert_eq!(one["validation"], two["validation"]);
    assert_ne!(one["test"], two["test"]);
    // The validation split is another one: its labels do decide, about the epoch.
    let validated = labels(&chains, |sequence| match split_of(sequence) {
        Split::Validation => "E".repeat(30),
        _ => states(),
    });
    place.file("v.ss", validated);
    let three = train(
        &place,
        &["--name", "three", "--labels", "v.ss", "--hidden", "8"],
    );
    assert_ne!(three["validation"], one["validation"]);
}

#[test]
fn what_cannot_be_done_says_why() {
    let (place, _) = place();
    let structure = ["--labels", "structure"];
    let bare = [&["train-head", "nothing", "--name", "x"], &structure[..]].concat();
    place.fails(3, &bare);
    place.file("p.fasta", super::PROTEINS);
    place.json(&["ingest", "proteins", "p.fasta"]);
    let pooled = [&["train-head", "proteins", "--name", "x"], &structure[..]].concat();
    let error = place.fails(2, &pooled);
    assert!(error.contains(":none:f16"), "{error}");
    let chains = [&["train-head", "chains", "--name", "x"], &structure[..]].concat();
    for (more, text) in [
        (&["--epochs", "0"][..], "epochs"),
        (&["--validation", "0"], "validation"),
        (&["--test", "0.95"], "test"),
        (&["--label-column", "ss"], "--label-column"),
        (&["--activation", "tanh"], "relu or gelu"),
    ] {
        let error = place.fails(2, &[&chains[..], more].concat());
        assert!(error.contains(text), "{error}");
    }
    let error = place.fails(3, &[&chains[..], &["--column", "nobody"]].concat());
    assert!(error.contains("esm2_none_f16"), "{error}");
    let error = place.fails(3, &["predict", "--head", "ss3", "--text", "MK"]);
    assert!(error.contains("there is no head `ss3`"), "{error}");

    // The model of that name is another one by now.
    train(&place, &["--name", "ss3", "--labels", "structure"]);
    for file in ["config.json", "model.safetensors", "vocab.txt"] {
        let bytes = std::fs::read(Path::new(&golden("esm2-plain")).join(file)).unwrap();
        place.file(&format!("models/esm2/{file}"), bytes);
    }
    let predict = ["predict", "--head", "ss3", "--text", "MK"];
    let error = place.fails(2, &[&["--checkpoints", "models"], &predict[..]].concat());
    assert!(error.contains("weights"), "{error}");
    // Damage is found.
    let folder = place.path().join("penstock-data/_penstock/heads");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "safetensors") {
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let error = place.fails(10, &predict);
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn real_structures() {
    let files = ["1A7G.cif", "1A8O.pdb", "1LCD.pdb", "2BEG.pdb", "3JQH.cif"];
    let paths: Option<Vec<_>> = files
        .iter()
        .map(|file| corpus(&format!("protein/structure/{file}")))
        .collect();
    let Some(paths) = paths else {
        return;
    };
    let place = Place::new();
    let paths: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    place.json(&[&["ingest", "real", "--no-encode"], &paths[..]].concat());
    let encoder = format!("{}:none", golden("esm2"));
    place.json(&["encode", "real", "--encoder", &encoder]);
    // Five different sequences: most seeds leave a split empty, or teach no strand.
    let head = (0..64).find_map(|seed| {
        let seed = seed.to_string();
        let ask = [
            "--json",
            "train-head",
            "real",
            "--name",
            "real",
            "--labels",
            "structure",
        ];
        let more = [
            "--validation",
            "0.3",
            "--test",
            "0.3",
            "--split-seed",
            &seed,
        ];
        let output = place.run(&[&ask[..], &more].concat());
        output.status.success().then(|| super::document(&output))
    });
    let head = head.expect("a seed with which every split has labels");
    println!("{}", head["test"]);
    let rows = &head["lineage"]["rows"];
    let splits = ["training", "validation", "test"].map(|split| rows[split]["rows"].as_u64());
    assert!(splits.iter().all(|rows| *rows > Some(0)), "{rows}");
}
