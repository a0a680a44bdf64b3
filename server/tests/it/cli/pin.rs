use super::{Place, has_keys};

#[test]
fn a_snapshot_never_changes() {
    let place = Place::with_proteins();
    let create = [
        "snapshot",
        "create",
        "pinned",
        "--table",
        "proteins",
        "--columns",
        "id,protein_kmer_v1",
    ];
    let created = place.json(&create);
    has_keys(&created, &["name", "digest", "arrays"]);
    assert_eq!(created["digest"].as_str().unwrap().len(), 64);
    let arrays = created["arrays"].as_array().unwrap();
    let vectors = arrays
        .iter()
        .find(|array| array["name"] == "protein_kmer_v1")
        .unwrap();
    assert_eq!(
        (&vectors["shape"], &vectors["dtype"]),
        (&serde_json::json!([3, 256]), &"float32".into())
    );
    assert_eq!(place.json(&create)["digest"], created["digest"]);

    place.json(&["delete", "proteins", "--where", "id = 'gamma'"]);
    place.json(&["gc", "--older-than", "0s"]);
    place.fails(5, &create);
    let shown = place.json(&["snapshot", "show", "pinned"]);
    assert_eq!(
        (&shown["digest"], &shown["rows"]),
        (&created["digest"], &3.into())
    );
    let by_digest = place.json(&["snapshot", "show", created["digest"].as_str().unwrap()]);
    assert_eq!(by_digest["arrays"], created["arrays"]);
    let listed = place.json(&["snapshot", "list"]);
    assert_eq!(listed["snapshots"][0]["digest"], created["digest"]);
    assert!(place.text(&["snapshot", "list"]).contains("pinned"));
    assert!(
        place
            .text(&["snapshot", "show", "pinned"])
            .contains("protein_kmer_v1")
    );
    place.fails(3, &["snapshot", "show", "nothing"]);
    place.fails(3, &["snapshot", "create", "x", "--table", "nothing"]);
    let filtered = place.json(&[
        "snapshot",
        "create",
        "some",
        "--table",
        "proteins",
        "--where",
        "id = 'beta'",
        "--version",
        "1",
    ]);
    assert_eq!(filtered["rows"], 1);
}

#[test]
fn exports_are_files() {
    let place = Place::with_proteins();
    place.json(&[
        "snapshot",
        "create",
        "pinned",
        "--table",
        "proteins",
        "--columns",
        "id,protein_kmer_v1",
    ]);
    for format in ["zarr", "parquet", "npy"] {
        let written = place.json(&["export", "pinned", "--format", format, "--out", format]);
        assert_eq!(
            (&written["rows"], &written["row_offset"]),
            (&3.into(), &0.into())
        );
        assert!(written["files"].as_u64().unwrap() > 0);
        assert!(place.path().join(format).is_dir());
    }
    assert!(place.path().join("zarr/zarr.json").is_file());
    assert!(place.path().join("npy/protein_kmer_v1.npy").is_file());
    let rank = |rank: &str| {
        place.json(&[
            "export", "pinned", "--format", "npy", "--out", "ranks", "--rank", rank, "--of", "2",
        ])
    };
    assert_eq!(
        (rank("0")["rows"].clone(), rank("1")["row_offset"].clone()),
        (2.into(), 2.into())
    );
    place.fails(2, &["export", "pinned", "--format", "hdf5", "--out", "x"]);
    place.fails(3, &["export", "nothing", "--format", "zarr", "--out", "x"]);
    // The same export again goes over itself.
    place.json(&["export", "pinned", "--format", "zarr", "--out", "zarr"]);
}

#[test]
fn the_demo_runs_and_runs_again() {
    let place = Place::new();
    let first = place.json(&["demo"]);
    let steps = first["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 10, "{first}");
    let added = |steps: &[serde_json::Value]| -> u64 {
        steps
            .iter()
            .filter_map(|step| step["result"]["rows_added"].as_u64())
            .sum()
    };
    assert_eq!(added(steps), 16 + 5 + 6);
    let hits = |i: usize| -> Vec<&str> {
        let hits = steps[i]["result"]["hits"].as_array().unwrap();
        hits.iter().map(|hit| hit["id"].as_str().unwrap()).collect()
    };
    // Myoglobins are near myoglobins, the other strand is the same genome, a turned torus a torus,
    // and a wing is near a wing.
    assert_eq!(hits(3)[0], "MYG_HUMAN");
    assert!(
        hits(3)[1..3].iter().all(|id| id.starts_with("MYG_")),
        "{:?}",
        hits(3)
    );
    assert_eq!(hits(4)[0], "phiX174");
    assert!(
        steps[4]["result"]["hits"][0]["distance"]
            .as_f64()
            .unwrap()
            .abs()
            < 1e-6
    );
    assert_eq!(hits(5)[..2], ["torus.stl", "torus-turned.stl"]);
    assert_eq!(hits(6)[..2], ["wing-naca2412.obj", "wing-naca0012.obj"]);
    for row in steps[7]["result"].as_array().unwrap() {
        assert_eq!(row["watertight"], true, "{row}");
    }
    let again = place.json(&["demo"]);
    let again = again["steps"].as_array().unwrap();
    assert_eq!(added(again), 0);
    assert_eq!(steps[8]["result"]["digest"], again[8]["result"]["digest"]);

    // Each command that it shows works when pasted.
    for step in steps {
        let command = step["command"].as_str().unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let text = place.text(&["demo"]);
    assert!(
        text.contains("serve") && text.contains("ingest mytable"),
        "{text}"
    );
}
