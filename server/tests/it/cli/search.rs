use super::{Place, has_keys};

#[test]
fn the_four_kinds_of_query_agree() {
    let place = Place::with_proteins();
    let by_id = place.json(&["search", "proteins", "--id", "beta", "-k", "2"]);
    has_keys(
        &by_id,
        &[
            "table",
            "version",
            "column",
            "k",
            "exact",
            "unindexed_rows",
            "hits",
        ],
    );
    assert_eq!(
        (&by_id["k"], &by_id["column"]),
        (&2.into(), &"protein_kmer_v1".into())
    );
    let hits = by_id["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 2);
    has_keys(&hits[0], &["id", "distance", "description", "length"]);
    assert_eq!(hits[0]["id"], "beta");
    assert!(hits[0]["distance"].as_f64().unwrap().abs() < 1e-6);

    let sequence = super::PROTEINS.lines().nth(3).unwrap();
    let by_text = place.json(&["search", "proteins", "--text", sequence, "-k", "2"]);
    place.file("query.fasta", format!(">query\n{sequence}\n"));
    let by_file = place.json(&["search", "proteins", "--file", "query.fasta", "-k", "2"]);
    let rows = place.json(&[
        "sql",
        "SELECT protein_kmer_v1 AS v FROM proteins WHERE id = 'beta'",
    ]);
    let vector = rows[0]["v"].to_string();
    let by_vector = place.json(&["search", "proteins", "--vector", &vector, "-k", "2"]);
    for other in [by_text, by_file, by_vector] {
        for (ours, theirs) in hits.iter().zip(other["hits"].as_array().unwrap()) {
            assert_eq!(ours["id"], theirs["id"]);
            let apart = ours["distance"].as_f64().unwrap() - theirs["distance"].as_f64().unwrap();
            assert!(apart.abs() < 1e-5);
        }
    }
}

#[test]
fn options_of_a_search_are_obeyed() {
    let place = Place::with_proteins();
    let search =
        |more: &[&str]| place.json(&[&["search", "proteins", "--id", "beta"], more].concat());
    assert_eq!(search(&["--exact"])["exact"], true);
    assert_eq!(search(&["--metric", "l2"])["metric"], "l2");
    let filtered = search(&["--where", "id <> 'beta'"]);
    assert_eq!(filtered["hits"].as_array().unwrap().len(), 2);
    let hit = &search(&["--columns", "length", "-k", "1"])["hits"][0];
    assert_eq!(super::keys(hit), ["distance", "id", "length"]);

    place.json(&["tag", "proteins", "first"]);
    place.json(&["delete", "proteins", "--where", "id = 'gamma'"]);
    assert_eq!(search(&[])["hits"].as_array().unwrap().len(), 2);
    for at in ["first", "1"] {
        let hits = search(&["--at", at])["hits"].as_array().unwrap().len();
        assert_eq!(hits, 3, "{at}");
    }
    let text = place.text(&["search", "proteins", "--id", "beta"]);
    assert!(
        text.contains("rank") && text.contains("0.000000") && text.contains("second protein"),
        "{text}"
    );
}

#[test]
fn wrong_queries_are_refused_with_their_reason() {
    let place = Place::with_proteins();
    place.fails(3, &["search", "nothing", "--id", "a"]);
    let text = place.fails(3, &["search", "proteins", "--id", "nobody"]);
    assert!(text.contains("nobody"), "{text}");
    place.fails(
        3,
        &["search", "proteins", "--id", "beta", "--column", "nothing"],
    );
    place.fails(3, &["search", "proteins", "--id", "beta", "--at", "99"]);
    place.fails(2, &["search", "proteins", "--vector", "[1, 2, 3]"]);
    place.fails(
        2,
        &[
            "search",
            "proteins",
            "--id",
            "beta",
            "--where",
            "no such thing",
        ],
    );
    place.file("cube.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n");
    place.fails(2, &["search", "proteins", "--file", "cube.off"]);
    place.fails(3, &["search", "proteins", "--file", "nowhere.fasta"]);
}

#[test]
fn an_index_is_built_when_asked_for() {
    let place = Place::new();
    let mut text = String::new();
    let mut state = 7_u64;
    for i in 0..600 {
        let residues: String = (0..60)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b"ACDEFGHIKLMNPQRSTVWY"[(state >> 33) as usize % 20] as char
            })
            .collect();
        text += &format!(">p{i}\n{residues}\n");
    }
    place.file("many.fasta", text);
    place.json(&["ingest", "many", "many.fasta"]);
    let outcome = place.json(&["index", "many", "protein_kmer_v1"]);
    has_keys(
        &outcome,
        &[
            "version",
            "column",
            "index_type",
            "metric",
            "rows",
            "seconds",
        ],
    );
    assert_eq!(outcome["rows"], 600);
    let found = place.json(&["search", "many", "--id", "p42", "-k", "3"]);
    assert_eq!(
        (&found["exact"], &found["unindexed_rows"]),
        (&false.into(), &0.into())
    );
    assert_eq!(found["hits"][0]["id"], "p42");
    place.file(
        "more.fasta",
        ">new\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPIL\n",
    );
    place.json(&["ingest", "many", "more.fasta"]);
    let found = place.json(&["search", "many", "--id", "new", "-k", "1"]);
    assert_eq!(
        (&found["unindexed_rows"], &found["hits"][0]["id"]),
        (&1.into(), &"new".into())
    );
    assert!(place.text(&["describe", "many"]).contains("Indexes"));
    place.fails(2, &["index", "many", "protein_kmer_v1", "--type", "magic"]);
    place.fails(3, &["index", "many", "no_such_column"]);
}

#[test]
fn a_search_explains_itself() {
    let place = Place::with_proteins();
    let arguments = ["search", "proteins", "--id", "beta", "--explain"];
    let more = [
        "--where",
        "length > 10",
        "--min-recall",
        "0.9",
        "--ef",
        "50",
    ];
    let text = place.text(&[&arguments[..], &more].concat());
    for part in [
        "exact: the column has no index for this metric",
        "3, of which 3 meet the predicate",
        "compared  3 vectors",
        "recall",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let plan = &place.json(&arguments)["plan"];
    has_keys(
        plan,
        &[
            "tier",
            "reason",
            "rows",
            "matching",
            "unindexed_rows",
            "recall",
        ],
    );
    let found = place.json(&["search", "proteins", "--id", "beta", "--radius", "0.0001"]);
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
    let text = place.text(&[
        "search", "proteins", "--id", "beta", "--radius", "2", "-k", "2",
    ]);
    assert!(
        text.contains("more rows may lie within the radius"),
        "{text}"
    );
    let text = place.fails(3, &["search", "proteins", "--id", "beta", "--tier", "hot"]);
    assert!(text.contains("memory"), "{text}");
    place.fails(
        2,
        &["search", "proteins", "--id", "beta", "--tier", "tepid"],
    );
    place.fails(
        2,
        &[
            "search", "proteins", "--id", "beta", "--tier", "hot", "--exact",
        ],
    );
    place.fails(
        2,
        &["search", "proteins", "--id", "beta", "--min-recall", "2"],
    );
}

#[test]
fn an_index_is_saved_and_measured_without_a_server() {
    let place = Place::with_proteins();
    let column = "protein_kmer_v1";
    place.fails(3, &["index", "proteins", column, "--measure"]);
    place.fails(3, &["warm", "proteins", "no_such_column"]);
    let outcome = place.json(&["warm", "proteins", column]);
    has_keys(
        &outcome,
        &["how", "version", "rows", "bytes", "segments", "seconds"],
    );
    assert_eq!(
        (&outcome["how"], &outcome["rows"]),
        (&"built".into(), &3.into())
    );
    let text = place.text(&["warm", "proteins", column]);
    assert!(
        text.contains("read in") && text.contains("saved beside"),
        "{text}"
    );
    let found = place.json(&["search", "proteins", "--id", "beta", "--tier", "hot"]);
    assert_eq!(
        (&found["tier"], &found["hits"][0]["id"]),
        (&"hot".into(), &"beta".into())
    );

    place.json(&["index", "proteins", column, "--type", "ivf_flat"]);
    let text = place.text(&["index", "proteins", column, "--measure"]);
    for part in [
        "hot: hnsw_sq",
        "cold: ivf_flat",
        "recall@10",
        "queries/s",
        "taken",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = place.json(&["index", "proteins", column, "--min-recall", "0.75"]);
    let indexes = found["indexes"].as_array().unwrap();
    assert_eq!(indexes.len(), 2, "{found}");
    for index in indexes {
        assert_eq!(index["min_recall"], 0.75);
        assert!(!index["measured"]["points"].as_array().unwrap().is_empty());
    }
    place.fails(2, &["index", "proteins", column, "--min-recall", "7"]);
    place.fails(
        2,
        &["index", "proteins", column, "--measure", "--type", "ivf_pq"],
    );
}

#[test]
fn candidates_are_ranked_again() {
    let place = Place::with_proteins();
    let arguments = [
        "search",
        "proteins",
        "--id",
        "beta",
        "--rerank",
        "alignment",
    ];
    let text = place.text(&[&arguments[..], &["-k", "2", "--candidates", "3"]].concat());
    assert!(text.contains("chosen from 3 candidates"), "{text}");
    assert!(
        text.contains("evalue") && text.contains("alignment_bits"),
        "{text}"
    );
    let more = [
        "--group-by",
        "kind",
        "--group-size",
        "1",
        "--diversity",
        "0.5",
    ];
    let found = place.json(&[&arguments[..], &more].concat());
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
    assert_eq!(found["hits"][0]["id"], "beta");
    let text = place.fails(
        2,
        &["search", "proteins", "--id", "beta", "--rerank", "chamfer"],
    );
    assert!(text.contains("holds protein"), "{text}");
    for wrong in [
        ["--candidates", "9"],
        ["--group-size", "2"],
        ["--rerank", "magic"],
    ] {
        place.fails(
            2,
            &[&["search", "proteins", "--id", "beta"][..], &wrong].concat(),
        );
    }
    place.fails(
        2,
        &["search", "proteins", "--id", "beta", "--words", "protein"],
    );
}

#[test]
fn motifs_are_printed_with_their_places() {
    let place = Place::new();
    place.file("t.fasta", ">one\nMAGPPGTGKSTLAKALA\n>two\nMKKLLA\n");
    place.json(&["ingest", "t", "t.fasta"]);
    let pattern = "[AG]-x(4)-G-K-[ST]";
    let text = place.text(&["motif", "t", pattern, "--context", "2"]);
    let line = text.lines().find(|line| line.contains("GPPGTGKS")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells, ["one", "3", "10", "+", "ma", "GPPGTGKS", "tl"]);
    let found = place.json(&["motif", "t", pattern, "--where", "length > 3"]);
    let hit = &found["hits"][0];
    assert_eq!((&hit["start"], &hit["end"]), (&2.into(), &10.into()));
    assert!(
        place
            .text(&["motif", "t", "WWWW"])
            .contains("nothing found")
    );
    let text = place.text(&["motif", "t", "A", "--limit", "1"]);
    assert!(text.contains("there are more"), "{text}");
    place.fails(2, &["motif", "t", "[AG"]);
    place.fails(2, &["motif", "t", "A", "--limit", "0"]);
    place.fails(3, &["motif", "nothing", "A"]);

    let outcome = place.json(&["index", "t", "sequence", "--type", "substrings"]);
    assert_eq!(outcome["index_type"], "substrings");
    let text = place.text(&["index", "t", "description", "--type", "words"]);
    assert!(text.contains("words over 2 rows"), "{text}");
    place.fails(
        2,
        &[
            "index", "t", "sequence", "--type", "words", "--metric", "l2",
        ],
    );
}
