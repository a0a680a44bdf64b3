//! Megabytes per second of the matcher and of the crate `regex`, one thread.
//!
//! `cargo run --release -p penstock-motif --example speed -- FASTA protein|dna`

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use penstock_motif::{Alphabet, MatchOptions, Motif, Overlaps, Pattern, Scratch};

const PROTEIN: [(&str, &str); 8] = [
    ("RGD", "RGD"),
    ("GKST", "GKST"),
    ("[AG]-x(4)-G-K-[ST]", "[AG].{4}GK[ST]"),
    ("N-{P}-[ST]-{P}", "N[^PBXZJ][ST][^PX]"),
    (
        "C-x(2,4)-C-x(3)-[LIVMFYWC]-x(8)-H-x(3,5)-H",
        "C.{2,4}C.{3}[LIVMFYWC].{8}H.{3,5}H",
    ),
    (
        "[LIVMFYC]-x-[HY]-x-D-[LIVMFY]-K-x(2)-N-[LIVMFYCT](3)",
        "[LIVMFYC].[HY].D[LIVMFY]K.{2}N[LIVMFYCT]{3}",
    ),
    ("[ILVM]-x(1,2)-[ILVM]", "[ILVMJ].{1,2}[ILVMJ]"),
    ("x(200,300)-W-x(10)-W", ".{200,300}W.{10}W"),
];

const DNA: [(&str, &str); 5] = [
    ("GAATTC", "GAATTC"),
    ("GGNCC", "GG.CC"),
    ("TATAWAWR", "TATA[ATW]A[ATW][AGR]"),
    ("TTGACA-N(15,19)-TATAAT", "TTGACA.{15,19}TATAAT"),
    ("RRRYYY", "[AGR]{3}[CTY]{3}"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(kind)) = (arguments.next(), arguments.next()) else {
        return Err("usage: speed FASTA protein|dna".into());
    };
    let text = std::fs::read_to_string(file)?;
    let sequences: Vec<String> = text
        .split('>')
        .skip(1)
        .map(|record| {
            let letters = record.lines().skip(1).collect::<String>();
            letters.to_ascii_uppercase()
        })
        .collect();
    let bytes: usize = sequences.iter().map(String::len).sum();
    let (alphabet, patterns) = match kind.as_str() {
        "protein" => (Alphabet::Protein, &PROTEIN[..]),
        _ => (Alphabet::Dna, &DNA[..]),
    };
    println!(
        "{} sequences, {:.2} MB",
        sequences.len(),
        bytes as f64 / 1e6
    );
    println!(
        "{:52} {:>9} {:>9} {:>8} {:>8}",
        "pattern", "MB/s", "regex", "hits", "regex"
    );
    for (pattern, expression) in patterns {
        let options = MatchOptions {
            overlaps: Overlaps::Every,
            ..MatchOptions::default()
        };
        let motif = Motif::new(Pattern::parse(pattern, alphabet)?, options);
        let regex = regex::bytes::RegexBuilder::new(expression)
            .unicode(false)
            .build()?;
        let mut scratch = Scratch::default();
        let (mut hits, mut theirs) = (0_usize, 0_usize);
        let ours_rate = rate(bytes, || {
            hits = 0;
            for sequence in &sequences {
                let never = AtomicBool::new(false);
                let done = motif.find(sequence.as_bytes(), &mut scratch, &never, |hit| {
                    black_box(hit);
                    hits += 1;
                    ControlFlow::Continue(())
                });
                black_box(done.is_continue());
            }
        });
        let regex_rate = rate(bytes, || {
            // Disjoint hits, which is less work.
            theirs = sequences
                .iter()
                .map(|one| regex.find_iter(one.as_bytes()).count())
                .sum();
        });
        println!("{pattern:52} {ours_rate:9.0} {regex_rate:9.0} {hits:8} {theirs:8}");
    }
    Ok(())
}

/// The best of as many runs as fit into half a second, at least three.
fn rate(bytes: usize, mut run: impl FnMut()) -> f64 {
    let (began, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    while runs < 3 || began.elapsed().as_secs_f64() < 0.5 {
        let started = Instant::now();
        run();
        best = best.min(started.elapsed().as_secs_f64());
        runs += 1;
    }
    bytes as f64 / best / 1e6
}
