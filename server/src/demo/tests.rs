use std::io::Read as _;

use super::*;

fn corpus(file: &str) -> Option<String> {
    let root = std::env::var("PENSTOCK_CORPUS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus").to_owned());
    let path = Path::new(&root).join(file);
    let Ok(bytes) = fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    if file.ends_with(".gz") {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        return Some(text);
    }
    Some(String::from_utf8(bytes).unwrap())
}

fn of(text: &str, wanted: &str) -> String {
    records(text)
        .find(|(id, _)| *id == wanted)
        .unwrap_or_else(|| panic!("no record `{wanted}`"))
        .1
        .to_uppercase()
}

#[test]
fn proteins_agree_with_independent_copies() {
    if let Some(text) = corpus("protein/scope40.fasta") {
        for (ours, theirs) in [
            ("UBIQ_HUMAN", "d6q00a_"),
            ("LYSC_CHICK", "d2vb1a_"),
            ("CRAM_CRAAB", "d3nira_"),
            ("RNAS1_BOVIN", "d1kf3a_"),
        ] {
            assert_eq!(of(PROTEINS, ours), of(&text, theirs), "{ours}");
        }
        let insulin = of(PROTEINS, "INSA_HUMAN") + &of(PROTEINS, "INSB_HUMAN");
        assert_eq!(insulin, of(&text, "d1mso.1"));
    }
    if let Some(text) = corpus("protein/globins45.fa") {
        assert_eq!(of(PROTEINS, "MYG_HORSE"), of(&text, "MYG_HORSE"));
    }
}

#[test]
fn genomes_agree_with_independent_copies() {
    for (ours, file) in [
        ("lambda", "dna/lambda_virus.fa"),
        ("ecoli", "dna/ecoli_k12_mg1655.fna.gz"),
        ("mt_human", "dna/mt_human.fa"),
    ] {
        if let Some(text) = corpus(file) {
            let whole = records(&text).next().unwrap().1.to_uppercase();
            assert!(whole.starts_with(&of(GENOMES, ours)), "{ours}");
        }
    }
    if let Some(text) = corpus("dna/NC_005816.gb") {
        let (_, origin) = text.split_once("ORIGIN").unwrap();
        let whole: String = origin.chars().filter(char::is_ascii_alphabetic).collect();
        assert!(whole.to_uppercase().starts_with(&of(GENOMES, "pPCP1")));
    }
}

/// Lengths of the mature chains as UniProt gives them.
#[test]
fn proteins_have_their_lengths() {
    let expected = [
        ("HBA_HUMAN", 141),
        ("HBB_HUMAN", 146),
        ("MYG_HUMAN", 153),
        ("MYG_HORSE", 153),
        ("MYG_PHYMC", 153),
        ("CYC_HUMAN", 104),
        ("CYC_HORSE", 104),
        ("LYSC_CHICK", 129),
        ("LYSC_HUMAN", 130),
        ("UBIQ_HUMAN", 76),
        ("RNAS1_BOVIN", 124),
        ("INSA_HUMAN", 21),
        ("INSB_HUMAN", 30),
        ("CRAM_CRAAB", 46),
        ("BPT1_BOVIN", 58),
        ("GFP_AEQVI", 238),
    ];
    let found: Vec<_> = records(PROTEINS)
        .map(|(id, sequence)| (id, sequence.len()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_other_strand_of_the_other_strand_is_the_first() {
    let reverse = reverse_of("phiX174");
    let sequence = records(&reverse).next().unwrap().1;
    assert_eq!(sequence.len(), 280);
    assert!(sequence.ends_with("GGAAGCGATAAAACTC"));
}

#[test]
fn files_that_are_there_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path()).unwrap();
    let time = || fs::metadata(&files.proteins).unwrap().modified().unwrap();
    let before = time();
    write(folder.path()).unwrap();
    assert_eq!(time(), before);
    assert_eq!(fs::read_dir(&files.meshes).unwrap().count(), 6);
}
