//! Compressed data: every kind, several parts, and every way of being damaged.

use std::io::{Cursor, Write};

use penstock_ingest::{Compression, Limits, OnError, ReadError, ReadOptions, Source, detect};
use penstock_types::{ErrorCode, Kind};

use super::{Read, read, read_text};

fn fasta(records: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut state = 1u32;
    for i in 0..records {
        writeln!(text, ">r{i} a record").unwrap();
        let mut base = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"ACGT"[(state >> 30) as usize]
        };
        let line: Vec<u8> = (0..60).map(|_| base()).collect();
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Blocks of at most `size` bytes, and the empty block at the end.
fn bgzf(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for block in bytes.chunks(size).chain([&[][..]]) {
        let mut encoder = flate2::GzBuilder::new()
            .extra(b"BC\x02\x00\x00\x00".to_vec())
            .write(Vec::new(), flate2::Compression::default());
        encoder.write_all(block).unwrap();
        let mut packed = encoder.finish().unwrap();
        let length = (packed.len() - 1) as u16;
        packed[16..18].copy_from_slice(&length.to_le_bytes());
        out.extend(packed);
    }
    out
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

type Packing = (Compression, fn(&[u8]) -> Vec<u8>);

fn packings() -> Vec<Packing> {
    vec![
        (Compression::Gzip, gzip),
        (Compression::Bgzf, |bytes| bgzf(bytes, 1000)),
        (Compression::Bzip2, bzip2),
        (Compression::Zstd, zstd),
        (Compression::Zip, |bytes| {
            zip(&[("a.fa", bytes)], zip::CompressionMethod::Deflated)
        }),
    ]
}

#[test]
fn every_compression_is_seen_by_its_bytes() {
    let text = fasta(100);
    let plain = read_text("x.fa", text.clone()).unwrap();
    for (compression, pack) in packings() {
        let packed = pack(&text);
        // The name says nothing.
        let detected = detect(&packed, "upload").unwrap();
        assert_eq!(detected.compression, Some(compression));
        assert_eq!(detected.kind, Kind::Dna);
        let all = read_text("upload", packed).unwrap();
        assert_eq!(all.ids(), plain.ids());
        assert_eq!(all.hashes(), plain.hashes());
    }
}

#[test]
fn several_parts_are_one_file() {
    let (a, b) = (fasta(10), b">z\nACGTACGT\n".to_vec());
    for (compression, pack) in packings() {
        if matches!(compression, Compression::Zip | Compression::Bgzf) {
            continue;
        }
        let all = read_text("x", [pack(&a), pack(&b)].concat()).unwrap();
        assert_eq!(all.ids().len(), 11, "{compression}");
    }
}

/// At every length: an error, or (where two parts meet, or nothing is left) what it says.
#[test]
fn a_cut_is_never_a_shorter_file() {
    let text = fasta(40);
    for (compression, pack) in packings() {
        let packed = pack(&text);
        for length in 0..packed.len() {
            let error = match read_text("x.fa", packed[..length].to_vec()) {
                Err(error) => error,
                Ok(_) => panic!("{compression} cut at {length} of {} was read", packed.len()),
            };
            // What is left of the magic number is no compression yet.
            let known = length >= 10 && compression != Compression::Zip;
            if known && !(compression == Compression::Bgzf && length < 18) {
                let ReadError::Compressed { offset, .. } = error else {
                    panic!("{compression} cut at {length}: {error}")
                };
                assert!(offset <= length as u64, "{offset} of {length}");
            }
        }
    }
}

#[test]
fn what_follows_and_what_is_flipped_is_an_error() {
    let text = fasta(40);
    for (compression, pack) in packings() {
        let packed = pack(&text);
        if compression != Compression::Zip {
            for tail in [&b"\0"[..], b"garbage", b"\x1f", b"BZ", b"\x28"] {
                let error = read_text("x.fa", [&packed, tail].concat()).err().unwrap();
                assert_eq!(
                    error.code(),
                    ErrorCode::InvalidData,
                    "{compression}: {error}"
                );
                let message = error.to_string();
                assert!(message.contains("compressed byte"), "{message}");
            }
        }
        // Flips of header fields (time, name) are harmless; the letters must be the same then.
        let sequences = read_text("x.fa", text.clone()).unwrap().sequences();
        for at in (0..packed.len()).step_by(7) {
            let mut flipped = packed.clone();
            flipped[at] ^= 0x10;
            if let Ok(all) = read_text("x.fa", flipped) {
                assert_eq!(all.sequences(), sequences, "{compression}, byte {at}");
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_an_error_with_its_place() {
    let mut packed = gzip(&fasta(10));
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    let error = read_text("x.fa.gz", packed.clone())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("x.fa.gz, compressed byte"), "{error}");
    let mut archive = zip(&[("a.fa", &fasta(10))], zip::CompressionMethod::Stored);
    // A base of the first sequence.
    archive[30 + 4 + 20] ^= 2;
    let error = read_text("x.zip", archive).err().unwrap().to_string();
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn bombs_are_stopped() {
    let zeros = [b">a\n".to_vec(), vec![b'A'; 40 << 20]].concat();
    for (compression, pack) in packings() {
        let packed = pack(&zeros);
        if (packed.len() as u64) * 200 > zeros.len() as u64 {
            continue;
        }
        let error = read_text("x.fa", packed).err().unwrap();
        assert_eq!(
            error.code(),
            ErrorCode::LimitExceeded,
            "{compression}: {error}"
        );
    }
    let options = ReadOptions {
        limits: Limits {
            max_output_bytes: Some(1000),
            ..Limits::default()
        },
        ..ReadOptions::default()
    };
    for bytes in [fasta(100), gzip(&fasta(100))] {
        let error = read(Source::bytes("x.fa", bytes), &options).err().unwrap();
        assert_eq!(error.code(), ErrorCode::LimitExceeded);
    }
}

#[test]
fn members_of_an_archive() {
    use zip::CompressionMethod::{Bzip2, Deflated, Stored, Zstd};
    let members: [(&str, &[u8]); 4] = [
        ("one.fa", b">a\nACGT\n"),
        ("__MACOSX/._one.fa", b"baggage"),
        ("deep/two.fa", b">b\nGGTT\n"),
        ("three.fq", b"@c\nACGT\n+\nIIII\n"),
    ];
    for method in [Stored, Deflated, Bzip2, Zstd] {
        let all = read_text("dir/x.zip", zip(&members, method)).unwrap();
        assert_eq!(all.ids(), ["a", "b", "c"]);
        let sources: Vec<String> = all.texts("source").into_iter().flatten().collect();
        assert_eq!(
            sources,
            ["x.zip/one.fa", "x.zip/deep/two.fa", "x.zip/three.fq"]
        );
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), zip(&members, Deflated)).unwrap();
    let all = read(Source::path(file.path()), &ReadOptions::default()).unwrap();
    assert_eq!(all.ids(), ["a", "b", "c"]);
}

#[test]
fn mesh_members_keep_their_path() {
    let solid: &[u8] = b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n";
    let members = [("a/x.off", solid), ("b/x.off", solid)];
    let all = read_text("m.zip", zip(&members, zip::CompressionMethod::Stored)).unwrap();
    assert_eq!(all.ids(), ["a/x.off", "b/x.off"]);
    let single = read_text("dir/x.off.gz", gzip(solid)).unwrap();
    assert_eq!(single.ids(), ["x.off"]);
}

#[test]
fn bad_members_of_an_archive_are_named_and_skipped() {
    let inner = gzip(b">n\nACGT\n");
    let members: [(&str, &[u8]); 5] = [
        ("empty.fa", b""),
        ("one.fa", b">a\nACGT\n"),
        ("nested.fa.gz", &inner),
        ("notes.txt", b"hello"),
        ("two.fa", b">b\nACGT\n"),
    ];
    let archive = zip(&members, zip::CompressionMethod::Deflated);
    let error = read_text("x.zip", archive.clone()).err().unwrap();
    assert_eq!(error.file(), "x.zip/empty.fa");
    let options = ReadOptions {
        on_error: OnError::Skip,
        ..ReadOptions::default()
    };
    let all: Read = read(Source::bytes("x.zip", archive), &options).unwrap();
    assert_eq!(all.ids(), ["a", "b"]);
    let skipped: Vec<&str> = all.report.skipped.iter().map(|s| &*s.source).collect();
    assert_eq!(
        skipped,
        ["x.zip/empty.fa", "x.zip/nested.fa.gz", "x.zip/notes.txt"]
    );
}

#[test]
fn other_packings_are_named() {
    for (head, name) in [
        (&b"\xfd7zXZ\x00\x00\x04"[..], "xz"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\xff\xfe>\0a\0", "UTF-16"),
    ] {
        let error = read_text("x.fa", head).err().unwrap();
        assert_eq!(error.code(), ErrorCode::Unsupported);
        assert!(error.to_string().contains(name), "{error}");
    }
}
