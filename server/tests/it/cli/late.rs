//! `penstock late`.

use serde_json::Value;

use super::{PROTEINS, Place};

const BETA: &str = "GLSDGEWQLVLNVWGKVEADIPGHGQEVLIRLFKGHPETLEKFDKFKHLKSED";

fn ids(answer: &Value) -> Vec<&str> {
    let hits = answer["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["id"].as_str().unwrap()).collect()
}

#[test]
fn rows_are_found_by_their_residues() {
    let models = &super::embed::golden("");
    let place = Place::new();
    place.file("p.fasta", PROTEINS);
    place.json(&["ingest", "p", "p.fasta", "--no-encode"]);
    let error = place.fails(2, &["late", "p", "--id", "beta"]);
    assert!(error.contains("NAME:none"), "{error}");
    for encoder in ["esm2:none", "esm2"] {
        let arguments = ["--checkpoints", models, "encode", "p", "--encoder", encoder];
        place.json(&arguments);
    }
    let with = |more: &[&str]| {
        let arguments = [&["--checkpoints", models, "late", "p"], more].concat();
        place.json(&arguments)
    };
    let found = with(&["--id", "beta"]);
    assert_eq!(ids(&found)[0], "beta");
    assert_eq!(ids(&found).len(), 3);
    assert!(found["hits"][0]["distance"].as_f64().unwrap().abs() < 1e-6);
    assert_eq!(
        (&found["exact"], &found["vectors"], &found["candidates"]),
        (&true.into(), &53.into(), &3.into())
    );
    assert_eq!(with(&["--text", BETA])["hits"], found["hits"]);

    // What `embed` prints is a query: it says who made it.
    let embed = [
        "--checkpoints",
        models,
        "embed",
        "--encoder",
        "esm2:none",
        "--text",
        BETA,
    ];
    let mut printed = place.json(&embed);
    place.file("q.json", printed.to_string());
    let by_file = with(&["--vectors", "q.json"]);
    assert_eq!(by_file["hits"], found["hits"]);
    place.file("bare.json", printed["vectors"][0]["vector"].to_string());
    let bare = with(&["--vectors", "bare.json"]);
    assert_eq!(bare["hits"], found["hits"]);
    printed["encoder"] = "someone-else".into();
    place.file("q.json", printed.to_string());
    let arguments = ["late", "p", "--vectors", "q.json"];
    assert!(place.fails(2, &arguments).contains("someone-else"));
    let arguments = ["late", "p", "--vectors", "bare.json", "--encoder", "other"];
    assert!(place.fails(2, &arguments).contains("other"));
    place.file("broken.json", "[[1, 2");
    let error = place.fails(2, &["late", "p", "--vectors", "broken.json"]);
    assert!(
        error.contains("broken.json") && error.contains("column"),
        "{error}"
    );
    place.file("noise", "\u{1}noise");
    place.fails(2, &["late", "p", "--vectors", "noise"]);
    place.fails(3, &["late", "p", "--vectors", "nowhere.json"]);

    let some = with(&["--id", "beta", "-k", "2", "--candidates", "2", "--explain"]);
    assert_eq!((&some["exact"], ids(&some)[0]), (&false.into(), "beta"));
    assert_eq!(some["plan"]["rows"], 3);
    let text = place.text(&["late", "p", "--id", "beta", "-k", "1"]);
    assert!(
        text.contains("every row scored") && text.contains("53 vectors"),
        "{text}"
    );
    place.fails(2, &["late", "p", "--id", "beta", "--text", "MK"]);
    place.fails(
        2,
        &["late", "p", "--id", "a", "--candidates-column", "esm2"],
    );
}
