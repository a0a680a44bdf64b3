use super::{Place, stderr};

const COMMANDS: [&[&str]; 27] = [
    &["demo"],
    &["serve"],
    &["ingest"],
    &["encode"],
    &["encoders"],
    &["train-head"],
    &["predict"],
    &["heads"],
    &["index"],
    &["warm"],
    &["search"],
    &["motif"],
    &["sql"],
    &["tables"],
    &["describe"],
    &["versions"],
    &["tag"],
    &["snapshot"],
    &["snapshot", "create"],
    &["snapshot", "list"],
    &["snapshot", "show"],
    &["export"],
    &["delete"],
    &["verify"],
    &["compact"],
    &["gc"],
    &["openapi"],
];

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            let text = place.text(&[command, &[flag]].concat());
            assert!(
                text.contains("Usage: penstock"),
                "{command:?} {flag}: {text}"
            );
            assert!(text.contains("Examples:"), "{command:?} {flag}: {text}");
        }
    }
    let overview = place.text(&["--help"]);
    for command in COMMANDS {
        assert!(
            overview.contains(&format!("\n  {} ", command[0])),
            "{command:?}"
        );
    }
    assert!(overview.contains("Exit codes:"));
    assert!(place.text(&["--version"]).starts_with("penstock "));
}

#[test]
fn what_makes_no_sense_is_refused_with_exit_code_2() {
    let place = Place::new();
    let overview = place.fails(2, &[]);
    assert!(overview.contains("Usage:"));
    place.fails(2, &["frobnicate"]);
    place.fails(2, &["ingest", "proteins"]);
    place.fails(2, &["search", "proteins"]);
    place.fails(2, &["search", "proteins", "--id", "a", "--text", "MKT"]);
    place.fails(2, &["search", "proteins", "--id", "a", "-k", "0"]);
    place.fails(2, &["search", "proteins", "--vector", "[1, 2"]);
    place.fails(2, &["ingest", "_private", "x.fasta"]);
    place.fails(2, &["gc", "--older-than", "soon"]);
    place.fails(
        2,
        &[
            "export", "x", "--format", "zarr", "--out", "y", "--rank", "0",
        ],
    );
    place.fails(
        2,
        &["--store", "a", "--server", "http://127.0.0.1:1", "tables"],
    );
    let problem = place.problem(2, &["search", "proteins"]);
    assert_eq!(problem["type"], "urn:penstock:problem:invalid-argument");
    assert!(problem["detail"].as_str().unwrap().contains("--id"));
}

#[test]
fn a_store_that_is_not_there_is_no_empty_store() {
    let place = Place::new();
    let text = place.fails(3, &["tables"]);
    assert!(
        text.contains("./penstock-data") && text.contains("hint:"),
        "{text}"
    );
    assert!(!place.path().join("penstock-data").exists());
    assert_eq!(
        place.problem(3, &["tables"])["type"],
        "urn:penstock:problem:not-found"
    );
}

#[test]
fn a_server_that_does_not_answer_is_exit_code_7() {
    let place = Place::new();
    let text = place.fails(7, &["--server", "http://127.0.0.1:9", "tables"]);
    assert!(text.contains("hint:"), "{text}");
}

#[test]
fn the_store_comes_from_the_environment_too() {
    let place = Place::new();
    place.file("a.fasta", super::PROTEINS);
    let output = place
        .command(&["ingest", "t", "a.fasta"])
        .env("PENSTOCK_STORE", "elsewhere")
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(place.path().join("elsewhere").is_dir());
    assert!(!place.path().join("penstock-data").exists());
}

#[test]
fn the_openapi_document_is_the_committed_one() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/openapi.json");
    let committed = std::fs::read_to_string(committed).unwrap();
    assert_eq!(
        Place::new().text(&["openapi"]).trim_end(),
        committed.trim_end()
    );
}
