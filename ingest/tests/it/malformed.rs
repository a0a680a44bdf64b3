//! Damaged and odd sequence files: what is refused, where, and what is skipped.

use penstock_ingest::{Limits, OnError, Position, ReadOptions, Source, open};
use penstock_types::{ErrorCode, Kind};

use super::{read, read_skipping, read_text};

#[test]
fn fasta_faults_have_their_line() {
    let cases: [(&str, &[u8], u64, &str); 12] = [
        ("missing header", b"ACGT\nACGT\n", 1, "begins with `>`"),
        ("text before", b"\nhello\n>a\nACGT\n", 2, "begins with `>`"),
        (
            "empty record",
            b">a\n>b\nACGT\n",
            1,
            "sequence after the header",
        ),
        (
            "empty at the end",
            b">a\nACGT\n>b\n",
            3,
            "sequence after the header",
        ),
        (
            "only gaps",
            b">a\nACGT\n>b\n--\n",
            3,
            "sequence after the header",
        ),
        ("no name", b">a\nACGT\n>\nACGT\n", 3, "identifier"),
        ("NUL", b">a\nACGT\nAC\0T\n", 3, "byte 0x00"),
        ("NUL in a header", b">a\0b\nACGT\n", 1, "byte 0x00"),
        ("digit", b">a\r\nACGT\r\nAC1T\r\n", 3, "`1`"),
        (
            "another kind",
            b">a\nACGTACGTACGT\nACGE\n",
            3,
            "--kind protein",
        ),
        ("not ASCII", b">a\nACGT\nAC\xc3\xa9T\n", 3, "byte 0xc3"),
        ("CR only", b">a\rACGT\rAC!T\r", 3, "`!`"),
    ];
    for (what, text, line, expected) in cases {
        let options = ReadOptions {
            kind: Some(Kind::Dna),
            ..ReadOptions::default()
        };
        let source = Source::bytes("x.fa", text.to_vec());
        let error = read(source, &options).err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidData, "{what}");
        assert_eq!(
            error.position(),
            Some(Position::Line(line)),
            "{what}: {error}"
        );
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
}

#[test]
fn fasta_oddities_are_read() {
    let text = b"\xef\xbb\xbf; a comment\r\n\n>a  one  two \r\nacgt nry\r\nACGT\n\n\n;x\n>b\rAC-GT\rAC..\r>c\nA";
    let all = read_text("x.fa", text).unwrap();
    assert_eq!(all.ids(), ["a", "b", "c"]);
    assert_eq!(all.sequences(), ["ACGTNRYACGT", "ACGTAC", "A"]);
    assert_eq!(all.texts("description")[0].as_deref(), Some("one  two"));
    assert_eq!(all.texts("description")[1], None);
    assert_eq!(all.report.warnings.len(), 1);
    let warning = &all.report.warnings[0];
    assert_eq!(warning.record.as_deref(), Some("b"));
    assert!(warning.message.contains("3 gaps"), "{}", warning.message);

    let all = read_text("x.fa", ">p\nMKV*\n>q\nMK*V*\n").unwrap();
    assert_eq!(all.sequences(), ["MKV", "MKXV"]);
    assert_eq!(all.report.warnings.len(), 1);
}

#[test]
fn skipping_goes_on_with_the_next_record() {
    let all = read_skipping("x.fa", ">a\nACGT\n>b\nAC!T\nAAAA\n>c\n>d\nACGT\n").unwrap();
    assert_eq!(all.ids(), ["a", "d"]);
    let skipped = &all.report.skipped;
    assert_eq!(all.report.skipped_count, 2);
    assert_eq!(skipped[0].record.as_deref(), Some("b"));
    assert_eq!(skipped[0].position, Some(Position::Line(4)));
    assert_eq!(skipped[0].resumed, Some(Position::Line(6)));
    assert_eq!(skipped[1].record.as_deref(), Some("c"));
    assert!(skipped[1].reason.contains("sequence after the header"));
    // Nothing of the skipped record stays behind.
    assert_eq!(all.sequences(), ["ACGT", "ACGT"]);

    // The scores of the first record begin with `@`, as headers do.
    let text = "@a\nACGT\n+b\n@III\n@b\nAC\nGT\n+\nII\nII\n@c\nAC\n+\nIII\n@d\nA\n+\nI\n";
    let all = read_skipping("x.fq", text).unwrap();
    assert_eq!(all.ids(), ["b", "d"]);
    assert_eq!(all.report.skipped_count, 2);
}

#[test]
fn genbank_faults_have_their_line() {
    let good = "LOCUS       X 4 bp DNA linear SYN 01-JAN-2000\nVERSION     X.1\nORIGIN\n        1 acgt\n//\n";
    assert_eq!(read_text("x.gb", good).unwrap().sequences(), ["ACGT"]);
    assert_eq!(read_text("x.gb", good.repeat(3)).unwrap().ids().len(), 3);
    let cases = [
        (good.replace("4 bp", "5 bp"), 5, "a sequence of 5"),
        (good.replace("acgt", "ac!t"), 4, "`!`"),
        (good.replace("//\n", ""), 4, "`//`"),
        (good.replace("4 bp", "four"), 1, "LOCUS name length"),
        (
            good.replace("ORIGIN\n        1 acgt\n", ""),
            3,
            "a sequence of 4",
        ),
        (good.replace("//\n", "") + good, 5, "before the next record"),
    ];
    for (text, line, expected) in &cases {
        let error = read_text("x.gb", text.as_str()).err().unwrap();
        assert_eq!(error.position(), Some(Position::Line(*line)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let many: String = cases.iter().map(|(text, ..)| text.as_str()).collect();
    let all = read_skipping("x.gb", format!("{good}{many}{good}")).unwrap();
    assert!(all.report.skipped_count >= 5);
    assert!(all.ids().len() >= 2);

    let protein = good.replace("4 bp DNA", "4 aa").replace("acgt", "mkvl");
    let source = Source::bytes("x.gp", protein);
    assert_eq!(
        open(source, &ReadOptions::default()).unwrap().kind(),
        Kind::Protein
    );
}

#[test]
fn limits_hold() {
    let options = ReadOptions {
        limits: Limits {
            max_record_bytes: 1000,
            ..Limits::default()
        },
        on_error: OnError::Skip,
        ..ReadOptions::default()
    };
    let long = "A".repeat(5000);
    let header = "h".repeat(3 << 20);
    let text = format!(">a\nACGT\n>b\n{long}\n>c {header}\nACGT\n>d\nACGT\n");
    let all = read(Source::bytes("x.fa", text), &options).unwrap();
    assert_eq!(all.ids(), ["a", "d"]);
    assert_eq!(all.report.skipped_count, 2);
}

#[test]
fn kinds_and_formats() {
    let cases: [(&str, &[u8], Option<Kind>); 9] = [
        ("x", b">a\nACGTN\n", Some(Kind::Dna)),
        ("x", b">a\nACGTUNNNNNNNNNNNNNNNNNNNNR\n", Some(Kind::Dna)),
        ("x", b">a\nRYSWKM\n", Some(Kind::Protein)),
        ("x", b">a\nMKVLA\n", Some(Kind::Protein)),
        ("x.faa", b">a\n", Some(Kind::Protein)),
        ("x", b"@a\nACGT\n+\nIIII\n", Some(Kind::Dna)),
        ("x.stl", b"solid x\nendsolid x\n", Some(Kind::Mesh)),
        ("x", b"@HD\tVN:1.6\n", None),
        ("x.txt", b"hello", None),
    ];
    for (name, text, kind) in cases {
        let found = penstock_ingest::detect(text, name).map(|d| d.kind);
        assert_eq!(found, kind, "{}", String::from_utf8_lossy(text));
    }
    let wrong = ReadOptions {
        kind: Some(Kind::Mesh),
        ..ReadOptions::default()
    };
    let error = open(Source::bytes("x.fa", b">a\nACGT\n"), &wrong)
        .err()
        .unwrap();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    let protein = ReadOptions {
        kind: Some(Kind::Protein),
        ..ReadOptions::default()
    };
    let reader = open(Source::bytes("x.fa", b">a\nACGT\n"), &protein).unwrap();
    assert_eq!(reader.kind(), Kind::Protein);
    for (text, code) in [
        (&b""[..], ErrorCode::InvalidData),
        (b" \n", ErrorCode::InvalidData),
    ] {
        assert_eq!(read_text("x.fa", text).err().unwrap().code(), code);
    }
    let missing = Source::path(std::path::Path::new("/nowhere/x.fa"));
    let error = open(missing, &ReadOptions::default()).err().unwrap();
    assert_eq!(error.code(), ErrorCode::NotFound);
}
