//! The code map names what is there: every folder in the first column of its table exists, and
//! every member of the workspace is in it.

use std::path::Path;

#[test]
fn the_code_map_is_true() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mapped: Vec<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    for path in &mapped {
        assert!(root.join(path).is_dir(), "ARCHITECTURE.md names `{path}`");
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(members, _)| members)
        .unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(mapped.contains(&member), "`{member}` is not in the map");
    }
}
