//! Records in random layouts read back as they are, and random bytes never panic.

use std::io::Write;

use penstock_ingest::{OnError, ReadOptions, Source, Windows};
use penstock_types::Kind;
use proptest::prelude::*;

use super::read;

#[derive(Debug, Clone)]
struct Record {
    id: String,
    description: String,
    sequence: String,
}

fn records(letters: &'static str) -> impl Strategy<Value = Vec<Record>> {
    let record = ("[!-;=-~]{1,12}", "[a-z]{0,8}( [a-z]{1,5}){0,2}", letters);
    let record = record.prop_map(|(id, description, sequence)| Record {
        id,
        description,
        sequence,
    });
    proptest::collection::vec(record, 1..12)
}

#[derive(Debug, Clone)]
struct Layout {
    width: usize,
    end: &'static str,
    blank: bool,
    lower: bool,
    last_end: bool,
    batch: usize,
    piece: usize,
}

fn layout() -> impl Strategy<Value = Layout> {
    (
        1usize..90,
        prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        1usize..5000,
        1usize..50,
    )
        .prop_map(
            |(width, end, blank, lower, last_end, batch, piece)| Layout {
                width,
                end,
                blank,
                lower,
                last_end,
                batch,
                piece,
            },
        )
}

/// A stream that gives a few bytes at a time.
struct Drip(std::io::Cursor<Vec<u8>>, usize);

impl std::io::Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(self.1);
        self.0.read(&mut buffer[..n])
    }
}

fn lines(out: &mut Vec<u8>, text: &str, layout: &Layout) {
    for line in text.as_bytes().chunks(layout.width) {
        out.extend_from_slice(line);
        out.extend_from_slice(layout.end.as_bytes());
    }
}

fn cased(text: &str, layout: &Layout) -> String {
    if layout.lower {
        text.to_lowercase()
    } else {
        text.to_owned()
    }
}

fn check(
    text: Vec<u8>,
    name: &str,
    kind: Kind,
    layout: &Layout,
    records: &[Record],
) -> Result<(), TestCaseError> {
    let options = ReadOptions {
        kind: Some(kind),
        batch_bytes: layout.batch,
        windows: None,
        ..ReadOptions::default()
    };
    let stream = Drip(std::io::Cursor::new(text), layout.piece);
    let all = read(Source::reader(name, Box::new(stream)), &options)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let ids: Vec<_> = records.iter().map(|r| r.id.clone()).collect();
    let sequences: Vec<_> = records.iter().map(|r| r.sequence.clone()).collect();
    let descriptions: Vec<_> = records
        .iter()
        .map(|r| Some(r.description.trim().to_owned()).filter(|d| !d.is_empty()))
        .collect();
    prop_assert_eq!(all.ids(), ids);
    prop_assert_eq!(all.sequences(), sequences);
    prop_assert_eq!(all.texts("description"), descriptions);
    Ok(())
}

proptest! {
    #[test]
    fn fasta(records in records("[A-Z]{1,300}"), layout in layout()) {
        let mut text = Vec::new();
        for record in &records {
            write!(text, ">{} {}{}", record.id, record.description, layout.end).unwrap();
            lines(&mut text, &cased(&record.sequence, &layout), &layout);
            if layout.blank {
                text.extend_from_slice(layout.end.as_bytes());
            }
        }
        if !layout.last_end {
            while text.last().is_some_and(u8::is_ascii_whitespace) {
                text.pop();
            }
        }
        check(text, "x.fa", Kind::Protein, &layout, &records)?;
    }

    #[test]
    fn fastq(records in records("[ACGTN]{1,300}"), layout in layout(), wrapped: bool, seed: u8) {
        let mut text = Vec::new();
        let layout = Layout { width: if wrapped { layout.width } else { 1000 }, ..layout };
        for record in &records {
            let title = format!("{} {}", record.id, record.description);
            write!(text, "@{title}{}", layout.end).unwrap();
            lines(&mut text, &cased(&record.sequence, &layout), &layout);
            let title = if layout.blank { &*title } else { "" };
            write!(text, "+{title}{}", layout.end).unwrap();
            let scores: String = (0..record.sequence.len())
                .map(|i| char::from(b'!' + ((i * 31 + usize::from(seed)) % 94) as u8))
                .collect();
            lines(&mut text, &scores, &layout);
        }
        check(text, "x.fq", Kind::Dna, &layout, &records)?;
    }

    #[test]
    fn windows_cover_every_base(
        length in 1usize..400,
        window in 1usize..50,
        stride in 1usize..50,
        min_contig in 0usize..200,
        batch in 1usize..4000,
    ) {
        let sequence: String = (0..length).map(|i| char::from(b"ACGT"[i * i % 4])).collect();
        let options = ReadOptions {
            kind: Some(Kind::Dna),
            batch_bytes: batch,
            windows: Some(Windows { min_contig, length: window, stride }),
            ..ReadOptions::default()
        };
        let text = format!(">a\n{sequence}\n>b\nACGT\n");
        let all = read(Source::bytes("x.fa", text), &options).unwrap();
        let mut covered = vec![false; length];
        let starts = all.numbers("start");
        let parents = all.texts("parent");
        for (i, letters) in all.sequences().iter().enumerate() {
            if parents[i].as_deref() != Some("a") {
                continue;
            }
            let start = starts[i].unwrap() as usize;
            prop_assert_eq!(letters, &sequence[start..start + window]);
            covered[start..start + window].fill(true);
        }
        let has_windows = length >= min_contig.max(window);
        let expected = has_windows && stride <= window;
        prop_assert!(!expected || covered.iter().all(|c| *c));
        prop_assert!(has_windows || !covered.contains(&true));
        prop_assert_eq!(all.ids().remove(0), "a");
    }

    /// Bytes of every kind, begun so that each reader gets its share.
    #[test]
    fn anything_is_read_or_refused(
        head in proptest::sample::select(vec![
            "", ">a\n", "@a\nACGT\n+\nIIII\n", "LOCUS  X 4 bp\nORIGIN\n", "HEADER\n",
            "data_x\nloop_\n_atom_site.Cartn_x\n", "ATOM      2  CA  MET A  25      51.216",
            "LOCUS  X 4 bp\nFEATURES\n     gene   1..4\n                     /a=\"",
            "\u{1f}", "PK\u{3}\u{4}", "BZh91AY&SY",
        ]),
        tail in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(b"\n\r>@+;_'\"#/ ACGT10.".to_vec())],
            0..600,
        ),
        name in proptest::sample::select(vec!["x", "x.fa", "x.fq", "x.gb", "x.pdb", "x.cif"]),
        skip: bool,
    ) {
        let options = ReadOptions {
            on_error: if skip { OnError::Skip } else { OnError::Fail },
            ..ReadOptions::default()
        };
        let bytes = [head.as_bytes(), &tail].concat();
        if let Err(error) = read(Source::bytes(name, bytes), &options) {
            prop_assert!(error.to_string().contains(name));
        }
    }
}
