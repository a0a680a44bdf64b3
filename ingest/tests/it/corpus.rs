//! Counts of files that nobody here wrote.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType, UInt8Type};
use penstock_ingest::{Format, Position, ReadOptions, Source, open};
use penstock_types::{Kind, columns};

use super::{corpus, read};

#[test]
fn sequence_files() {
    // Name, format, kind, records, letters of the records.
    let files = [
        (
            "protein/scope40.fasta",
            Format::Fasta,
            Kind::Protein,
            15_176,
            None,
        ),
        (
            "protein/globins45.fa",
            Format::Fasta,
            Kind::Protein,
            45,
            None,
        ),
        (
            "protein/mmseqs_query.fasta",
            Format::Fasta,
            Kind::Protein,
            500,
            None,
        ),
        (
            "dna/ecoli_k12_mg1655.fna.gz",
            Format::Fasta,
            Kind::Dna,
            1,
            Some(4_641_652),
        ),
        (
            "dna/lambda_virus.fa",
            Format::Fasta,
            Kind::Dna,
            1,
            Some(48_502),
        ),
        ("dna/mt_human.fa", Format::Fasta, Kind::Dna, 1, None),
        (
            "dna/lambda_reads_1k.fq",
            Format::Fastq,
            Kind::Dna,
            1_000,
            None,
        ),
        (
            "dna/fastq/longreads_original_sanger.fastq",
            Format::Fastq,
            Kind::Dna,
            10,
            None,
        ),
        (
            "dna/fastq/sanger_full_range_original_sanger.fastq",
            Format::Fastq,
            Kind::Dna,
            2,
            None,
        ),
        (
            "dna/NC_005816.gb",
            Format::GenBank,
            Kind::Dna,
            1,
            Some(9_609),
        ),
    ];
    for (name, format, kind, records, letters) in files {
        let Some(path) = corpus(name) else { continue };
        let options = ReadOptions::default();
        let reader = open(Source::path(&path), &options).unwrap();
        assert_eq!((reader.format(), reader.kind()), (format, kind), "{name}");
        let all = read(Source::path(&path), &options).unwrap();
        assert_eq!(all.report.records, records, "{name}");
        assert_eq!(all.report.skipped_count, 0, "{name}");
        let lengths = all.numbers(columns::LENGTH);
        for (length, sequence) in lengths.iter().zip(all.sequences()) {
            assert_eq!(length.unwrap() as usize, sequence.len());
        }
        if let Some(letters) = letters {
            assert_eq!(lengths[0], Some(letters), "{name}");
        }
        // Small batches hold the same rows.
        let options = ReadOptions {
            batch_bytes: 10_000,
            ..options
        };
        let small = read(Source::path(&path), &options).unwrap();
        assert!(small.batches.len() >= all.batches.len());
        assert_eq!(small.ids(), all.ids(), "{name}");
        assert_eq!(small.hashes(), all.hashes(), "{name}");
    }
}

#[test]
fn windows_of_a_genome() {
    let Some(path) = corpus("dna/ecoli_k12_mg1655.fna.gz") else {
        return;
    };
    let all = read(Source::path(&path), &ReadOptions::default()).unwrap();
    // One for each 1,024 bases up to the last one, which ends with the genome.
    assert_eq!(
        all.report.windows,
        (4_641_652_u64 - 2048).div_ceil(1024) + 1
    );
    let sequences = all.sequences();
    let (genome, windows) = sequences.split_first().unwrap();
    let starts = all.numbers(columns::START);
    let ends = all.numbers(columns::END);
    let parents = all.texts(columns::PARENT);
    let ids = all.ids();
    assert_eq!((starts[0], ends[0], &parents[0]), (None, None, &None));
    for (i, window) in windows.iter().enumerate() {
        let (start, end) = (starts[i + 1].unwrap(), ends[i + 1].unwrap());
        assert_eq!(&genome[start as usize..end as usize], window);
        assert_eq!(parents[i + 1].as_ref(), Some(&ids[0]));
        assert_eq!(ids[i + 1], format!("{}:{start}-{end}", ids[0]));
    }
    assert_eq!(ends.last().unwrap(), &Some(4_641_652));
    // GC of E. coli K-12, 50.8 % (Blattner et al. 1997).
    let gc = all.batches[0].column_by_name(columns::GC).unwrap();
    let gc = gc.as_primitive::<Float64Type>().value(0);
    assert!((gc - 0.508).abs() < 5e-4, "{gc}");
    let longest = all
        .batches
        .iter()
        .skip(1)
        .map(|b| b.get_array_memory_size())
        .max();
    assert!(longest.unwrap() < 2 * ReadOptions::default().batch_bytes);
}

#[test]
fn scores_of_reads() {
    let Some(path) = corpus("dna/fastq/sanger_full_range_original_sanger.fastq") else {
        return;
    };
    let all = read(Source::path(&path), &ReadOptions::default()).unwrap();
    let quality = all.batches[0].column_by_name(columns::QUALITY).unwrap();
    let quality = quality.as_list::<i32>();
    let scores = |row| {
        quality
            .value(row)
            .as_primitive::<UInt8Type>()
            .values()
            .to_vec()
    };
    // The file runs through every score there is, up and down.
    assert_eq!(scores(0), (0..=93).collect::<Vec<u8>>());
    assert_eq!(scores(1), (0..=93).rev().collect::<Vec<u8>>());
}

#[test]
fn every_damaged_fastq_is_refused_with_its_line() {
    // Where the fault is, read off the files by hand.
    let files = [
        ("error_diff_ids", 11),
        ("error_double_qual", 13),
        ("error_double_seq", 15),
        ("error_long_qual", 16),
        ("error_no_qual", 4),
        ("error_qual_del", 16),
        ("error_qual_escape", 20),
        ("error_short_qual", 12),
        ("error_spaces", 2),
        ("error_tabs", 2),
        ("error_trunc_at_plus", 19),
        ("error_trunc_at_seq", 18),
        ("error_trunc_in_qual", 20),
        ("error_trunc_in_title", 17),
    ];
    for (name, line) in files {
        let Some(path) = corpus(&format!("dna/fastq/{name}.fastq")) else {
            continue;
        };
        let error = read(Source::path(&path), &ReadOptions::default())
            .err()
            .unwrap();
        assert_eq!(error.position(), Some(Position::Line(line)), "{error}");
        let options = ReadOptions {
            on_error: penstock_ingest::OnError::Skip,
            ..ReadOptions::default()
        };
        let rest = read(Source::path(&path), &options).unwrap();
        let total = rest.report.records + rest.report.skipped_count;
        // The file with its scores twice has a header that is none, beside its five records.
        let expected = match name {
            "error_double_qual" | "error_double_seq" => 6,
            _ => 5,
        };
        assert_eq!(total, expected, "{name}: {:?}", rest.report.skipped);
        if !matches!(name, "error_no_qual" | "error_spaces" | "error_tabs") {
            assert_eq!(
                rest.report.skipped_count, 1,
                "{name}: {:?}",
                rest.report.skipped
            );
        }
    }
}

#[test]
fn genbank_annotations() {
    let Some(path) = corpus("dna/NC_005816.gb") else {
        return;
    };
    let all = read(Source::path(&path), &ReadOptions::default()).unwrap();
    assert_eq!(all.ids()[0], "NC_005816.1");
    assert_eq!(all.texts(columns::NAME)[0].as_deref(), Some("NC_005816"));
    let description = all.texts(columns::DESCRIPTION)[0].clone().unwrap();
    assert_eq!(
        description,
        "Yersinia pestis biovar Microtus str. 91001 plasmid pPCP1, complete sequence"
    );
    let time = all.batches[0].column_by_name(columns::EVENT_TIME).unwrap();
    let time = time.as_primitive::<TimestampMicrosecondType>().value(0);
    // 2008-07-21.
    assert_eq!(time, 14_081 * 86_400_000_000);
    let annotations = all.texts(columns::ANNOTATIONS)[0].clone().unwrap();
    let features: serde_json::Value = serde_json::from_str(&annotations).unwrap();
    let features = features.as_array().unwrap();
    // Biopython 1.88 counts as many.
    assert_eq!(features.len(), 41);
    let count = |kind: &str| features.iter().filter(|f| f["type"] == kind).count();
    assert_eq!((count("gene"), count("CDS"), count("source")), (10, 10, 1));
    let gene = features.iter().find(|f| f["type"] == "gene").unwrap();
    assert_eq!((&gene["start"], &gene["end"]), (&86.into(), &1109.into()));
    assert_eq!(gene["qualifiers"]["locus_tag"][0], "YP_pPCP01");
    let windows = all.batches[0].column_by_name(columns::ANNOTATIONS).unwrap();
    assert_eq!(windows.null_count(), all.batches[0].num_rows() - 1);
}
