//! `penstock embed`, and checkpoints by folder and by name.

use std::path::Path;

use serde_json::Value;

use super::{PROTEINS, Place, corpus, keys};

pub(super) fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/reference/golden");
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_file_is_embedded_by_a_checkpoint() {
    let place = Place::new();
    place.file("proteins.fasta", PROTEINS);
    let esm2 = golden("esm2");
    let answer = place.json(&["embed", "--encoder", &esm2, "--file", "proteins.fasta"]);
    assert_eq!(keys(&answer), ["dim", "encoder", "pooling", "vectors"]);
    assert_eq!(
        (&answer["encoder"], &answer["dim"], &answer["pooling"]),
        (&"esm2".into(), &48.into(), &"mean".into())
    );
    let vectors = answer["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    assert_eq!(vectors[0]["id"], "alpha");
    assert_eq!(vectors[0]["vector"].as_array().unwrap().len(), 48);

    // By its name in a folder of models, and typed.
    let alpha = PROTEINS.lines().nth(1).unwrap();
    let named = ["--checkpoints", &golden(""), "embed", "--encoder", "esm2"];
    let typed = place.json(&[&named[..], &["--text", alpha]].concat());
    assert_eq!(typed["vectors"][0]["vector"], vectors[0]["vector"]);
    let each = place.json(&[
        "embed",
        "--encoder",
        &format!("{esm2}:none"),
        "--text",
        "MKV",
    ]);
    assert_eq!(each["vectors"][0]["vector"].as_array().unwrap().len(), 3);

    let text = place.text(&["embed", "--encoder", &esm2, "--file", "proteins.fasta"]);
    assert!(
        text.contains("alpha") && text.contains("3 records"),
        "{text}"
    );
}

#[test]
fn a_model_that_the_hubs_tools_downloaded() {
    let place = Place::new();
    let esm2 = std::path::PathBuf::from(golden("esm2"));
    let commit = "0123abcd";
    for file in ["config.json", "model.safetensors", "vocab.txt"] {
        let bytes = std::fs::read(esm2.join(file)).unwrap();
        let snapshot = format!("hub/models--lab--tiny/snapshots/{commit}/{file}");
        place.file(&snapshot, bytes);
    }
    place.file("hub/models--lab--tiny/refs/main", commit);
    let run = |name: &str| {
        let arguments = ["--json", "embed", "--encoder", name, "--text", "MKV"];
        let cache = place.path().join("hub");
        place
            .command(&arguments)
            .env("HF_HUB_CACHE", cache)
            .output()
            .unwrap()
    };
    for name in ["lab/tiny", "lab/tiny@0123abcd", "lab/tiny:max"] {
        let output = run(name);
        assert!(output.status.success(), "{}", super::stderr(&output));
        let encoder = super::document(&output)["encoder"].clone();
        assert_eq!(encoder, name.replace("lab/", "").replace("@0123abcd", ""));
    }
    // A column keeps the short name, by which the model is found again.
    let output = run("tiny");
    assert!(output.status.success(), "{}", super::stderr(&output));
    let output = run("lab/other@v2");
    assert_eq!(output.status.code(), Some(3));
    let error = super::stderr(&output);
    assert!(
        error.contains("hf download lab/other --revision v2"),
        "{error}"
    );
}

#[test]
fn models_that_are_not_here() {
    let place = Place::with_proteins();
    // A port that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env_remove("HF_HUB_OFFLINE");
        command.env("HF_ENDPOINT", format!("http://{address}"));
        let output = command.output().unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code(), super::stderr(&output))
    };
    let cache = place.path().join("huggingface/hub");
    let embed = ["embed", "--encoder", "lab/tiny@v2", "--text", "MKV"];
    let encode = ["encode", "proteins", "--encoder", "lab/tiny@v2"];
    let ingest = [
        "ingest",
        "new",
        "proteins.fasta",
        "--encoder",
        "lab/tiny@v2",
    ];
    for command in [&embed[..], &encode, &ingest] {
        let (code, text) = run(command);
        assert_eq!(code, Some(7), "{text}");
        for part in [
            format!("{address} cannot be reached"),
            cache.to_str().unwrap().to_owned(),
            "`hf download lab/tiny --revision v2`".to_owned(),
            "--offline".to_owned(),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        // Who wants to be offline is told so, and nobody is asked.
        let (code, text) = run(&[&["--offline"], command].concat());
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains("nothing is downloaded here"), "{text}");
        assert!(!text.contains("reached"), "{text}");
    }
    let (code, text) = run(&[&["--json"], &embed[..]].concat());
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &problem["status"]), (Some(7), &503.into()));
    // The variable says the same as the option.
    let text = place.fails(3, &embed);
    assert!(text.contains("nothing is downloaded here"), "{text}");
    let text = place.fails(2, &["serve", "--download"]);
    assert!(text.contains("exclude each other"), "{text}");
}

#[test]
fn contact_maps() {
    let place = Place::new();
    place.file("proteins.fasta", PROTEINS);
    let esm2 = golden("esm2");
    let ask = [
        "embed",
        "--contacts",
        "--file",
        "proteins.fasta",
        "--encoder",
    ];
    let answer = place.json(&[&ask[..], &[&esm2]].concat());
    let maps = answer["contacts"].as_array().unwrap();
    assert_eq!((maps.len(), &maps[1]["id"]), (3, &"beta".into()));
    let map: Vec<Vec<f64>> = serde_json::from_value(maps[1]["contacts"].clone()).unwrap();
    assert_eq!((map.len(), map[0].len()), (53, 53));
    for (i, row) in map.iter().enumerate() {
        for (j, x) in row.iter().enumerate() {
            assert!((0.0..=1.0).contains(x) && (x - map[j][i]).abs() < 1e-5);
        }
    }
    let text = place.text(&[&ask[..], &[&esm2]].concat());
    assert!(
        text.contains("gamma") && text.contains("probability"),
        "{text}"
    );
    let error = place.fails(2, &[&ask[..], &[&golden("esmc")]].concat());
    assert!(error.contains("no contacts"), "{error}");
}

#[test]
fn a_column_of_a_checkpoint_is_filled_and_searched() {
    let place = Place::with_proteins();
    let esm2 = golden("esm2");
    let outcome = place.json(&["encode", "proteins", "--encoder", &esm2]);
    assert_eq!(outcome["column"], "esm2");
    let beta = PROTEINS.lines().nth(3).unwrap();
    let search = ["search", "proteins", "--text", beta, "--column", "esm2"];
    let found = place.json(&[&["--checkpoints", &golden("")], &search[..]].concat());
    assert_eq!(found["hits"][0]["id"], "beta");
    // Without the model there is no vector to search with, and the error says where to put it.
    let text = place.fails(3, &search);
    assert!(text.contains("PENSTOCK_CHECKPOINTS"), "{text}");
    // A second run has nothing to do.
    let again = place.json(&["encode", "proteins", "--encoder", &esm2]);
    assert_eq!(again["rows_encoded"], 0);
}

#[test]
fn a_checkpoint_that_cannot_be_used_says_why() {
    let place = Place::new();
    let esm2 = std::path::PathBuf::from(golden("esm2"));
    let copy = |name: &str, files: &[&str]| {
        for file in files {
            let bytes = std::fs::read(esm2.join(file)).unwrap();
            place.file(&format!("{name}/{file}"), bytes);
        }
    };
    let fails = |code: i32, name: &str, text: &str| {
        let error = place.fails(code, &["embed", "--encoder", name, "--text", "MK"]);
        assert!(error.contains(text), "{error}");
    };
    fails(3, "./nothing", "there is no encoder");
    copy("empty", &["vocab.txt"]);
    fails(4, "empty", "config.json");
    copy("bare", &["config.json"]);
    fails(4, "bare", "safetensors");
    place.file("bare/pytorch_model.bin", "x");
    fails(4, "bare", "weights_only=True");
    copy("other", &["config.json", "model.safetensors"]);
    let config = std::fs::read_to_string(esm2.join("config.json")).unwrap();
    let wider = config.replace("\"intermediate_size\": 192", "\"intermediate_size\": 200");
    assert_ne!(wider, config);
    place.file("other/config.json", &wider);
    fails(4, "other", "[192, 48], expected [200, 48]");
    let deeper = config.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
    place.file("other/config.json", &deeper);
    fails(4, "other", "missing `encoder.layer.3.");
    let shallower = config.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    place.file("other/config.json", &shallower);
    fails(4, "other", "not part of the model `encoder.layer.2.");
    place.file("other/config.json", config.replace("\"esm\"", "\"gpt2\""));
    fails(4, "other", "`gpt2`");
    place.file("other/config.json", &config);
    let weights = std::fs::read(esm2.join("model.safetensors")).unwrap();
    place.file("other/model.safetensors", &weights[..weights.len() / 2]);
    fails(4, "other", "weights cannot be read");
}

#[test]
fn a_genome_is_embedded_in_windows() {
    let place = Place::new();
    let Some(lambda) = corpus("dna/lambda_virus.fa") else {
        return;
    };
    let encoder = golden("nucleotide-v2");
    let answer: Value = place.json(&[
        "embed",
        "--encoder",
        &encoder,
        "--file",
        lambda.to_str().unwrap(),
    ]);
    let vector = answer["vectors"][0]["vector"].as_array().unwrap();
    assert_eq!(vector.len(), 24);
    assert!(vector.iter().all(|x| x.as_f64().unwrap().is_finite()));
}
