use super::{Place, has_keys};

#[test]
fn tables_are_listed_and_described() {
    let place = Place::with_proteins();
    let tables = place.json(&["tables"]);
    let table = &tables["tables"][0];
    has_keys(table, &["name", "kind", "version", "rows", "features"]);
    assert_eq!(
        (&table["name"], &table["kind"], &table["rows"]),
        (&"proteins".into(), &"protein".into(), &3.into())
    );
    assert!(place.text(&["tables"]).contains("protein_kmer_v1"));

    let description = place.json(&["describe", "proteins"]);
    has_keys(
        &description,
        &["columns", "features", "indexes", "stats", "tags"],
    );
    assert_eq!(description["features"][0]["dim"], 256);
    let text = place.text(&["describe", "proteins"]);
    assert!(
        text.contains("residues") && text.contains("protein-kmer-v1"),
        "{text}"
    );
    let text = place.fails(3, &["describe", "nothing"]);
    assert!(text.contains("nothing") && text.contains("hint:"), "{text}");
}

#[test]
fn versions_tags_and_deletion() {
    let place = Place::with_proteins();
    assert_eq!(place.json(&["tag", "proteins", "first"])["version"], 1);
    let deleted = place.json(&["delete", "proteins", "--where", "id = 'gamma'"]);
    assert_eq!(deleted["rows_deleted"], 1);
    let versions = place.json(&["versions", "proteins"]);
    let versions = versions["versions"].as_array().unwrap();
    assert!(versions.len() >= 2);
    assert_eq!(versions[0]["tags"], serde_json::json!(["first"]));
    assert!(place.text(&["versions", "proteins"]).contains("first"));
    // A name stays with its version.
    place.json(&["tag", "proteins", "first", "1"]);
    place.fails(5, &["tag", "proteins", "first"]);
    place.fails(3, &["tag", "proteins", "other", "99"]);
    place.fails(2, &["tag", "proteins", "-x"]);
    place.fails(2, &["delete", "proteins", "--where", "no such thing"]);
    assert_eq!(
        place.json(&["describe", "proteins", "--at", "first"])["stats"]["rows"],
        3
    );
}

#[test]
fn sql_answers_rows() {
    let place = Place::with_proteins();
    let rows = place.json(&["sql", "SELECT length, id FROM proteins ORDER BY id"]);
    assert_eq!(rows[0], serde_json::json!({"length": 53, "id": "alpha"}));
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(
        place.json(&["sql", "SELECT id FROM proteins WHERE false"]),
        serde_json::json!([])
    );
    let text = place.text(&["sql", "SELECT length, id FROM proteins ORDER BY id"]);
    assert!(
        text.contains("alpha") && text.contains("(3 rows)"),
        "{text}"
    );
    assert!(
        text.lines()
            .next()
            .unwrap()
            .trim_start()
            .starts_with("length"),
        "{text}"
    );
    let output = place.run_with_input(
        &["--json", "sql", "-"],
        b"SELECT count(*) AS n FROM proteins",
    );
    assert_eq!(super::document(&output)[0]["n"], 3);
    for wrong in [
        "SELEC 1",
        "SELECT nothing FROM proteins",
        "DROP TABLE proteins",
        "INSERT INTO proteins SELECT * FROM proteins",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    ] {
        let output = place.run(&["sql", wrong]);
        assert!(
            matches!(output.status.code(), Some(2 | 3 | 11)),
            "{wrong}: {output:?}"
        );
    }
}

#[test]
fn upkeep() {
    let place = Place::with_proteins();
    place.json(&["delete", "proteins", "--where", "id = 'gamma'"]);
    let verified = place.json(&["verify"]);
    assert_eq!(
        (&verified["ok"], &verified["tables"][0]["table"]),
        (&true.into(), &"proteins".into())
    );
    assert!(
        place
            .text(&["verify", "proteins", "--all-versions"])
            .contains("proteins")
    );
    assert_eq!(place.json(&["compact"])["tables"][0]["table"], "proteins");
    let collected = place.json(&["gc", "proteins", "--older-than", "0s"]);
    has_keys(
        &collected["tables"][0],
        &["versions_removed", "bytes_removed"],
    );
    assert_eq!(
        place
            .json(&["sql", "SELECT id FROM proteins"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    place.fails(3, &["verify", "nothing"]);
}

#[test]
fn verify_finds_a_flipped_bit() {
    let place = Place::with_proteins();
    let mut files = Vec::new();
    let mut folders = vec![place.path().join("penstock-data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "lance" => files.push(path),
                _ => {}
            }
        }
    }
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    let output = place.run(&["--json", "verify"]);
    assert_eq!(output.status.code(), Some(10));
    let document = super::document(&output);
    assert_eq!(document["ok"], false);
    assert_eq!(document["tables"][0]["problems"][0]["kind"], "changed");
}
