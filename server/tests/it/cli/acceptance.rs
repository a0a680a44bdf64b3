//! The promises of the first page, on files that nobody here wrote.

use serde_json::Value;

use super::{Place, corpus};

fn ingest(place: &Place, table: &str, file: &str) -> Option<Value> {
    let path = corpus(file)?;
    Some(place.json(&["ingest", table, path.to_str().unwrap()]))
}

fn one(place: &Place, query: &str) -> Value {
    let rows = place.json(&["sql", query]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{query}");
    rows[0].clone()
}

#[test]
fn scope40_is_loaded_once_and_searched() {
    let place = Place::new();
    let Some(first) = ingest(&place, "proteins", "protein/scope40.fasta") else {
        return;
    };
    assert_eq!(
        (&first["rows_added"], &first["rows_skipped"]),
        (&15_176.into(), &0.into())
    );
    let again = ingest(&place, "proteins", "protein/scope40.fasta").unwrap();
    assert_eq!(
        (&again["rows_added"], &again["rows_updated"]),
        (&0.into(), &0.into())
    );
    assert_eq!(again["rows_unchanged"], 15_176);
    for id in ["d12asa_", "d2vb1a_", "d6q00a_"] {
        let found = place.json(&["search", "proteins", "--id", id, "--exact"]);
        assert_eq!(found["hits"][0]["id"], id);
        assert!(found["hits"][0]["distance"].as_f64().unwrap().abs() < 1e-6);
    }
}

#[test]
fn genomes_have_their_lengths_and_windows() {
    let place = Place::new();
    let Some(ecoli) = ingest(&place, "ecoli", "dna/ecoli_k12_mg1655.fna.gz") else {
        return;
    };
    assert_eq!(ecoli["rows_added"], 1);
    let windows = ecoli["windows_written"].as_u64().unwrap();
    assert!(windows > 4_000, "{windows}");
    let row = one(&place, "SELECT length FROM ecoli WHERE parent IS NULL");
    assert_eq!(row["length"], 4_641_652);
    let row = one(
        &place,
        "SELECT count(*) AS n FROM ecoli WHERE parent IS NOT NULL",
    );
    assert_eq!(row["n"], windows);

    ingest(&place, "lambda", "dna/lambda_virus.fa");
    let row = one(&place, "SELECT length FROM lambda WHERE parent IS NULL");
    assert_eq!(row["length"], 48_502);
    let reads = ingest(&place, "reads", "dna/lambda_reads_1k.fq").unwrap();
    assert_eq!(reads["rows_added"], 1_000);
}

#[test]
fn the_motorbike_is_whole() {
    let place = Place::new();
    let Some(loaded) = ingest(&place, "meshes", "mesh/cfd/motorBike.obj.gz") else {
        return;
    };
    assert_eq!(loaded["rows_added"], 1);
    let row = one(
        &place,
        "SELECT vertex_count, face_count, array_length(group_names) AS groups FROM meshes",
    );
    assert_eq!(row["vertex_count"], 132_871);
    assert_eq!(row["face_count"], 331_653);
    assert_eq!(row["groups"], 67);
}

#[test]
fn folders_of_good_files_are_read() {
    let place = Place::new();
    for (table, folder) in [
        ("models", "mesh/models"),
        ("meshes", "mesh/ok"),
        ("volumes", "mesh/vtk"),
        ("structures", "protein/structure"),
    ] {
        let Some(loaded) = ingest(&place, table, folder) else {
            return;
        };
        assert!(loaded["rows_added"].as_u64().unwrap() > 5, "{loaded}");
        let left_out = loaded["warnings"].as_array().unwrap();
        let left_out = left_out
            .iter()
            .filter(|w| w["message"].as_str().unwrap().starts_with("not read"));
        assert_eq!(left_out.count(), 0, "{loaded}");
    }
}

#[test]
fn broken_fastq_is_refused_with_its_line() {
    let place = Place::new();
    let Some(folder) = corpus("dna/fastq") else {
        return;
    };
    let mut refused = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("error_") {
            place.json(&["ingest", "good", path.to_str().unwrap()]);
            continue;
        }
        let text = place.fails(4, &["ingest", "reads", path.to_str().unwrap()]);
        assert!(
            text.contains(&name) && text.contains("line "),
            "{name}: {text}"
        );
        let problem = place.problem(4, &["ingest", "reads", path.to_str().unwrap()]);
        assert!(problem["line"].as_u64().unwrap() >= 1, "{name}: {problem}");
        refused += 1;
    }
    assert!(refused >= 14, "{refused}");
    assert_eq!(
        place.json(&["tables"])["tables"].as_array().unwrap().len(),
        1,
        "nothing of the broken files is there"
    );
}

#[test]
fn bad_meshes_are_refused_or_read_with_a_warning() {
    let place = Place::new();
    let Some(folder) = corpus("mesh/bad") else {
        return;
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder.join("emptyIO"))
        .unwrap()
        .chain(std::fs::read_dir(&folder).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_file() {
            paths.push(path);
        }
    }
    for path in paths {
        let output = place.run(&["--json", "ingest", "bad", path.to_str().unwrap()]);
        let said = super::stderr(&output);
        assert!(!said.contains("panicked"), "{}: {said}", path.display());
        if output.status.success() {
            let document = super::document(&output);
            assert!(
                document["warning_count"].as_u64().unwrap() > 0,
                "{}: {document}",
                path.display()
            );
        } else {
            assert!(
                matches!(output.status.code(), Some(4 | 11)),
                "{}: {said}",
                path.display()
            );
        }
    }
}

/// Every query over HPRD has exactly the published number of embeddings.
#[test]
fn hprd_queries_have_their_counts() {
    let place = Place::new();
    let Some(loaded) = ingest(&place, "hprd", "graph/HPRD.graph") else {
        return;
    };
    assert_eq!(
        (&loaded["kind"], &loaded["rows_added"]),
        (&"graph".into(), &1.into())
    );
    let expected = corpus("graph/expected_output.res").unwrap();
    let expected = std::fs::read_to_string(expected).unwrap();
    let mut searched = 0;
    // Every fourth: the matcher's own tests run them all.
    for line in expected.lines().step_by(4) {
        let (name, count) = line.split_once(':').unwrap();
        let file = corpus(&format!("graph/query/{name}.graph")).unwrap();
        let pattern = file.to_str().unwrap();
        let found = place.json(&["match", "hprd", "--pattern", pattern, "--count"]);
        assert_eq!(
            found["count"],
            count.trim().parse::<u64>().unwrap(),
            "{name}"
        );
        assert_eq!(
            (&found["complete"], &found["version"]),
            (&true.into(), &1.into())
        );
        searched += 1;
    }
    assert!(searched >= 25);
    let again = ingest(&place, "hprd", "graph/HPRD.graph").unwrap();
    assert_eq!(
        (&again["rows_added"], &again["version"]),
        (&0.into(), &1.into())
    );
}
