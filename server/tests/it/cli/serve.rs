use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PROTEINS, Place, has_keys};

/// A server on free ports.
struct Server {
    child: Child,
    http: String,
}

impl Server {
    fn start(place: &Place) -> Self {
        Self::with(place, &[])
    }

    fn with(place: &Place, more: &[&str]) -> Self {
        let arguments = [
            "--json",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--flight",
            "127.0.0.1:0",
        ];
        let mut child = place
            .command(&[&arguments[..], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("`{line}`"));
        assert!(
            ready["flight"]
                .as_str()
                .unwrap()
                .starts_with("grpc://127.0.0.1:")
        );
        let http = ready["http"].as_str().unwrap().to_owned();
        assert!(!http.ends_with(":0"), "{http}");
        Self { child, http }
    }

    fn json(&self, place: &Place, arguments: &[&str]) -> Value {
        place.json(&[&["--server", &self.http], arguments].concat())
    }

    /// Ends it as an operator does, and answers its exit code.
    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "it does not end"
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The document without what may differ between two runs.
fn settled(mut document: Value) -> Value {
    if let Some(object) = document.as_object_mut() {
        object.remove("seconds");
    }
    document
}

#[test]
fn a_server_answers_as_the_store_does() {
    let (local, remote) = (Place::new(), Place::new());
    let server = Server::start(&remote);
    let both = |arguments: &[&str]| {
        let ours = settled(local.json(arguments));
        let theirs = settled(server.json(&remote, arguments));
        assert_eq!(ours, theirs, "{arguments:?}");
        ours
    };
    let broken = ">alpha first protein\nMKTAYIAKQRQISFVKSHFSRQ\n>broken\nMK1TT\n>delta\nMKTVRQER\n";
    for place in [&local, &remote] {
        place.file("proteins.fasta", PROTEINS);
        place.file("changed.fasta", broken);
    }
    let first = both(&["ingest", "proteins", "proteins.fasta"]);
    assert_eq!(first["rows_added"], 3);
    both(&["ingest", "proteins", "proteins.fasta"]);
    both(&["ingest", "proteins", "changed.fasta", "--on-error", "skip"]);
    both(&["tables"]);
    both(&["encoders"]);
    both(&["search", "proteins", "--id", "beta"]);
    both(&[
        "search",
        "proteins",
        "--file",
        "proteins.fasta",
        "-k",
        "2",
        "--columns",
        "length",
    ]);
    both(&[
        "search",
        "proteins",
        "--text",
        "MQIFVKTLTGKTITLEVEPSDTIENVK",
        "--where",
        "length > 50",
    ]);
    both(&["sql", "SELECT length, id FROM proteins ORDER BY id"]);
    both(&["sql", "SELECT id FROM proteins WHERE false"]);
    both(&["tag", "proteins", "first", "1"]);
    both(&[
        "snapshot",
        "create",
        "pinned",
        "--table",
        "proteins",
        "--version",
        "first",
        "--columns",
        "id,length",
    ]);
    both(&["snapshot", "show", "pinned"]);
    for format in ["zarr", "npy"] {
        both(&["export", "pinned", "--format", format, "--out", format]);
    }
    both(&["delete", "proteins", "--where", "id = 'gamma'"]);
    both(&["verify"]);
    both(&["compact", "proteins"]);
    let description = both(&["describe", "proteins", "--at", "first"]);
    assert_eq!(description["stats"]["rows"], 3);
    has_keys(
        &server.json(&remote, &["versions", "proteins"]),
        &["versions"],
    );
    both(&["encode", "proteins", "--encoder", "protein-kmer-v1"]);
    for place in [&local, &remote] {
        place.file("arcs.edges", "1 2\n2 3\n");
        place.file("arcs.metis", "3 2\n2\n1 3\n2\n");
        let path = r#"{"directed": true, "vertices": [{}, {}, {}],
            "edges": [{"from": 0, "to": 1}, {"from": 1, "to": 2}]}"#;
        place.file("path.json", path);
    }
    both(&["ingest", "arcs", "arcs.edges", "--directed"]);
    let found = server.json(&remote, &["match", "arcs", "--pattern", "path.json"]);
    assert_eq!(found["count"], 1, "{found}");

    // Errors too: same code, same words.
    for (code, arguments) in [
        (3, ["describe", "nothing"].as_slice()),
        (3, &["search", "proteins", "--id", "nobody"]),
        (4, &["ingest", "proteins", "changed.fasta"]),
        (2, &["sql", "SELEC 1"]),
        (2, &["ingest", "arcs", "arcs.metis", "--directed"]),
    ] {
        let ours = local.problem(code, arguments);
        let theirs = remote.problem(code, &[&["--server", &server.http], arguments].concat());
        for key in ["type", "detail", "line", "record"] {
            assert_eq!(ours.get(key), theirs.get(key), "{arguments:?}: {key}");
        }
    }
    let text = remote.text(&["--server", &server.http, "tables"]);
    assert!(text.contains("protein_kmer_v1"), "{text}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn only_this_machine_is_listened_to() {
    let place = Place::new();
    for arguments in [["--listen", "0.0.0.0:0"], ["--flight", "[::]:0"]] {
        let text = place.fails(2, &["serve", arguments[0], arguments[1]]);
        assert!(text.contains("--insecure"), "{text}");
    }
    assert!(!place.path().join("penstock-data").exists());
}

#[test]
fn a_taken_port_is_an_error_with_advice() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = place.fails(
        2,
        &["serve", "--listen", &address, "--flight", "127.0.0.1:0"],
    );
    assert!(text.contains(&address) && text.contains("hint:"), "{text}");
}

#[test]
fn indexes_are_brought_into_memory_at_the_start() {
    let place = Place::with_proteins();
    for (code, column) in [
        (3, "nothing.protein_kmer_v1"),
        (3, "proteins.no_such_column"),
        (2, "proteins"),
        (2, "proteins.protein_kmer_v1:hamming"),
    ] {
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--flight",
            "127.0.0.1:0",
        ];
        place.fails(code, &[&arguments[..], &["--warm", column]].concat());
    }
    place.fails(2, &["serve", "--memory", "much"]);
    let wanted = ["--warm", "proteins.protein_kmer_v1", "--memory", "64M"];
    let server = Server::with(&place, &wanted);
    // It answers from the beginning, and from memory as soon as the index is there.
    let found = loop {
        let asked = ["search", "proteins", "--id", "beta", "--explain"];
        let found = server.json(&place, &asked);
        if found["tier"] == "hot" {
            break found;
        }
        assert_eq!(found["tier"], "exact");
    };
    assert_eq!(found["hits"][0]["id"], "beta");
    assert_eq!(found["plan"]["index"], "hnsw_sq");
    let outcome = server.json(&place, &["warm", "proteins", "protein_kmer_v1"]);
    assert_eq!(
        (&outcome["how"], &outcome["rows"]),
        (&"kept".into(), &3.into())
    );
    assert_eq!(server.terminate(), Some(0));
}
