//! The published counts of the HPRD graph.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use penstock_pattern::format::{ReadOptions, tve};
use penstock_pattern::{DominanceRecipe, Host, HostOptions, MatchOptions, Pattern};

fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("PENSTOCK_CORPUS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| {
        let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        repository.join("../shared/corpus")
    });
    let folder = root.join("graph");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there is no corpus at {}", root.display());
    None
}

/// Every pattern with its expected count.
fn patterns(folder: &std::path::Path) -> Vec<(String, Pattern, u64)> {
    let expected = std::fs::read_to_string(folder.join("expected_output.res")).unwrap();
    let lines = expected.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, count) = line.trim().split_once(':').unwrap();
            let file = File::open(folder.join(format!("query/{name}.graph"))).unwrap();
            let pattern = tve::read_pattern(BufReader::new(file), &ReadOptions::default()).unwrap();
            (name.to_owned(), pattern, count.trim().parse().unwrap())
        })
        .collect()
}

fn hprd(folder: &std::path::Path) -> penstock_pattern::Graph {
    let file = BufReader::new(File::open(folder.join("HPRD.graph")).unwrap());
    tve::read_graph(file, &ReadOptions::default()).unwrap()
}

#[test]
fn every_published_count_comes_out() {
    let Some(folder) = folder() else { return };
    let graph = hprd(&folder);
    assert_eq!((graph.vertices(), graph.edges()), (9460, 34998));
    let patterns = patterns(&folder);
    assert_eq!(patterns.len(), 100);
    for dominance in [None, Some(DominanceRecipe::default())] {
        let host = Host::with(graph.clone(), &HostOptions { dominance }).unwrap();
        for threads in [1, 3] {
            let options = MatchOptions {
                threads,
                ..MatchOptions::default()
            };
            let mut seconds = 0.0;
            let mut steps = 0;
            for (name, pattern, expected) in &patterns {
                let outcome = host.count(pattern, &options).unwrap();
                assert_eq!(outcome.count, *expected, "{name}");
                assert!(outcome.complete);
                seconds += outcome.seconds;
                steps += outcome.steps;
            }
            println!(
                "{} threads: {:.3} ms, {steps} steps",
                threads,
                seconds * 1e3
            );
        }
        for (name, pattern, expected) in patterns.iter().take(20) {
            let found = host.find(pattern, &MatchOptions::default()).unwrap();
            assert_eq!(found.count, *expected, "{name}");
            for mapping in found.matches.iter() {
                for edge in pattern.edges() {
                    let ends = [edge.from, edge.to].map(|u| mapping[u as usize]);
                    assert!(graph.joins(ends[0], ends[1]), "{name}: {mapping:?}");
                }
            }
        }
    }
}

#[test]
fn the_graph_survives_a_round_trip() {
    let Some(folder) = folder() else { return };
    let graph = hprd(&folder);
    let mut text = Vec::new();
    tve::write_graph(&graph, &mut text).unwrap();
    let again = tve::read_graph(text.as_slice(), &ReadOptions::default()).unwrap();
    assert_eq!(graph, again);
}
