use super::{PROTEINS, Place, document, has_keys, stderr};

#[test]
fn a_load_says_what_it_did() {
    let place = Place::new();
    place.file("proteins.fasta", PROTEINS);
    let first = place.json(&["ingest", "proteins", "proteins.fasta"]);
    has_keys(
        &first,
        &[
            "table",
            "version",
            "rows_added",
            "rows_updated",
            "rows_unchanged",
            "rows_skipped",
            "skipped",
            "seconds",
        ],
    );
    assert_eq!(first["table"], "proteins");
    assert_eq!(first["rows_added"], 3);
    assert_eq!(first["skipped"], serde_json::json!([]));

    let again = place.json(&["ingest", "proteins", "proteins.fasta"]);
    assert_eq!(
        (&again["rows_added"], &again["rows_unchanged"]),
        (&0.into(), &3.into())
    );

    place.file(
        "changed.fasta",
        ">alpha first protein\nMKTAYIAKQRQISFVKSHFSRQ\n>delta\nMKTVRQER\n",
    );
    let changed = place.json(&["ingest", "proteins", "changed.fasta"]);
    assert_eq!(
        (&changed["rows_added"], &changed["rows_updated"]),
        (&1.into(), &1.into())
    );
    let text = place.text(&["ingest", "proteins", "changed.fasta"]);
    assert!(text.contains("0 added, 0 updated, 2 unchanged"), "{text}");
}

#[test]
fn an_error_names_file_record_and_line_and_loads_nothing() {
    let place = Place::new();
    let reads = "@r1\nACGT\n+\nIIII\n@r2\nACGTACGT\n+\nIIII\n@r3\nACGT\n+\nIIII\n";
    place.file("reads.fastq", reads);
    let text = place.fails(4, &["ingest", "reads", "reads.fastq"]);
    assert!(
        text.contains("reads.fastq") && text.contains("line ") && text.contains("r2"),
        "{text}"
    );
    assert!(text.contains("--on-error skip"), "{text}");
    let problem = place.problem(4, &["ingest", "reads", "reads.fastq"]);
    assert_eq!(problem["type"], "urn:penstock:problem:invalid-data");
    assert_eq!(problem["record"], "r2");
    assert!(problem["line"].is_u64());
    assert_eq!(place.json(&["tables"])["tables"], serde_json::json!([]));

    let skipped = place.json(&["ingest", "reads", "reads.fastq", "--on-error", "skip"]);
    assert_eq!(
        (&skipped["rows_added"], &skipped["rows_skipped"]),
        (&2.into(), &1.into())
    );
    let entry = &skipped["skipped"][0];
    has_keys(entry, &["source", "record", "line", "reason"]);
    assert_eq!(entry["record"], "r2");
}

#[test]
fn a_folder_is_one_load_and_a_stranger_in_it_a_warning() {
    let place = Place::new();
    place.file("data/a.fasta", PROTEINS);
    place.file("data/deep/b.fasta", ">epsilon\nMKTVRQERLKSIVRILERSKEPVSG\n");
    place.file("data/README.txt", "Notes about these files.\n");
    let result = place.json(&["ingest", "proteins", "data"]);
    assert_eq!(
        (&result["rows_added"], &result["version"]),
        (&4.into(), &1.into())
    );
    assert_eq!(result["warning_count"], 1);
    assert!(
        result["warnings"][0]["source"]
            .as_str()
            .unwrap()
            .contains("README.txt")
    );
    // Named directly, the stranger is an error.
    let text = place.fails(11, &["ingest", "proteins", "data/README.txt"]);
    assert!(
        text.contains("README.txt") && text.contains("FASTA"),
        "{text}"
    );
    place.fails(3, &["ingest", "proteins", "nowhere.fasta"]);
}

#[test]
fn standard_input_is_read() {
    let place = Place::new();
    let output = place.run_with_input(&["--json", "ingest", "proteins", "-"], PROTEINS.as_bytes());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(document(&output)["rows_added"], 3);
}

#[test]
fn a_table_holds_one_kind() {
    let place = Place::with_proteins();
    place.file("cube.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n");
    let text = place.fails(2, &["ingest", "proteins", "cube.off"]);
    assert!(text.contains("protein") && text.contains("mesh"), "{text}");
    let text = place.fails(2, &["ingest", "both", "proteins.fasta", "cube.off"]);
    assert!(
        text.contains("proteins.fasta") && text.contains("cube.off"),
        "{text}"
    );
    let text = place.fails(2, &["ingest", "proteins", "cube.off", "--kind", "dna"]);
    assert!(text.contains("cube.off"), "{text}");
}

#[test]
fn the_kind_can_be_said() {
    let place = Place::new();
    place.file("poly.fasta", ">a\nACGTACGTAAGGTTACGACTAGCTAGCATCGATC\n");
    assert_eq!(
        place.json(&["ingest", "as_dna", "poly.fasta"])["kind"],
        "dna"
    );
    let result = place.json(&["ingest", "as_protein", "poly.fasta", "--kind", "protein"]);
    assert_eq!(result["kind"], "protein");
}

#[test]
fn long_contigs_have_windows_that_are_counted_apart() {
    let place = Place::new();
    let bases: String = (0..20_000_u64)
        .map(|i| ['A', 'C', 'G', 'T'][(i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61) as usize % 4])
        .collect();
    place.file("contig.fasta", format!(">contig\n{bases}\n"));
    let result = place.json(&["ingest", "genomes", "contig.fasta"]);
    assert_eq!(result["rows_added"], 1);
    assert!(result["windows_written"].as_u64().unwrap() > 10, "{result}");
    let again = place.json(&["ingest", "genomes", "contig.fasta"]);
    assert_eq!(
        (&again["rows_added"], &again["windows_written"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn encoders_are_chosen_by_name() {
    let place = Place::new();
    place.file("proteins.fasta", PROTEINS);
    place.json(&["ingest", "raw", "proteins.fasta", "--no-encode"]);
    assert_eq!(
        place.json(&["describe", "raw"])["features"],
        serde_json::json!([])
    );
    let text = place.fails(2, &["search", "raw", "--id", "alpha"]);
    assert!(text.contains("penstock encode"), "{text}");
    let outcome = place.json(&["encode", "raw", "--encoder", "protein-kmer-v1"]);
    assert_eq!(
        (&outcome["rows_encoded"], &outcome["column"]),
        (&3.into(), &"protein_kmer_v1".into())
    );
    place.json(&["search", "raw", "--id", "alpha"]);
    place.fails(
        3,
        &[
            "ingest",
            "raw",
            "proteins.fasta",
            "--encoder",
            "no-such-encoder",
        ],
    );
    place.fails(
        2,
        &[
            "ingest",
            "raw",
            "proteins.fasta",
            "--encoder",
            "dna-kmer-v1",
        ],
    );
    let encoders = place.json(&["encoders"]);
    assert!(encoders["encoders"].as_array().unwrap().len() >= 3);
    assert!(place.text(&["encoders"]).contains("mesh-shape-v1"));
}
