use penstock_types::Metric;

use super::{clustered, index, options};
use crate::{Control, Hnsw, HnswError, Scratch};

const ALLOWED: u64 = 1 << 30;

fn sample(metric: Metric) -> (Hnsw, Vec<f32>, Vec<u8>) {
    let (rows, _) = clustered(1_200, 20, 12, 3);
    let mut index = index(&rows, 20, metric);
    index
        .set_labels((0..1_200).map(|row| row * 7 + 5).collect())
        .unwrap();
    index.set_metadata(b"of the caller".to_vec());
    let mut bytes = Vec::new();
    index.write_to(&mut bytes).unwrap();
    (index, rows, bytes)
}

#[test]
fn what_was_written_answers_the_same() {
    for metric in Metric::ALL {
        let (index, rows, bytes) = sample(metric);
        let read = Hnsw::read_from(&bytes[..], ALLOWED).unwrap();
        assert_eq!(read.labels(), index.labels());
        assert_eq!(read.metadata(), b"of the caller");
        assert_eq!(read.options(), index.options());
        let (mut a, mut b) = (Scratch::new(), Scratch::new());
        for query in rows.chunks_exact(20).step_by(37) {
            assert_eq!(
                read.search(query, 10, 40, None, &mut a).unwrap(),
                index.search(query, 10, 40, None, &mut b).unwrap()
            );
        }
        let mut again = Vec::new();
        read.write_to(&mut again).unwrap();
        assert!(again == bytes);
    }
}

#[test]
fn an_empty_index_is_a_file_too() {
    let index = Hnsw::build(&[], 4, &options(Metric::L2, 1), &Control::default()).unwrap();
    let mut bytes = Vec::new();
    index.write_to(&mut bytes).unwrap();
    assert!(Hnsw::read_from(&bytes[..], ALLOWED).unwrap().is_empty());
}

/// Version 1 had the row of each vertex where version 2 has the vertex of each row.
#[test]
fn the_version_before_is_read() {
    let (index, rows, bytes) = sample(Metric::L2);
    let mut old = Vec::new();
    index.write_as(1, &mut old).unwrap();
    assert_eq!(old[8..12], [1, 0, 0, 0]);
    let read = Hnsw::read_from(&old[..], ALLOWED).unwrap();
    let mut scratch = Scratch::new();
    let found = read.search(&rows[..20], 1, 40, None, &mut scratch).unwrap();
    assert_eq!(found.hits[0].row, 0);
    let mut again = Vec::new();
    read.write_to(&mut again).unwrap();
    assert!(again == bytes);
}

#[test]
fn rows_that_share_a_vertex_are_written() {
    let (mut rows, _) = clustered(300, 6, 5, 3);
    rows.extend_from_within(60..120);
    // One that differs by less than the codes tell.
    rows.extend_from_within(..6);
    rows[1_860] += 1e-6;
    let index = index(&rows, 6, Metric::L2);
    let mut bytes = Vec::new();
    index.write_to(&mut bytes).unwrap();
    let read = Hnsw::read_from(&bytes[..], ALLOWED).unwrap();
    assert_eq!(read.places, index.places);
    assert_eq!((read.len(), read.places.vectors()), (311, 301));
    assert_eq!(read.places.vertices(), 300);
}

/// The layout of version 2: a change of any of these is another version.
#[test]
fn header_layout() {
    let (index, _, bytes) = sample(Metric::L2);
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!(&bytes[..16], b"PENSHNSW\x02\0\0\0\x01\0\0\0");
    let fields: Vec<u64> = (16..72).step_by(8).map(number).collect();
    assert_eq!(fields, [20, 1_200, 1_200, 16, 200, 0, 2]);
    assert_eq!(bytes[72..76], index.quantiser.scale.to_le_bytes());
    assert_eq!(usize::from(bytes[76]), index.upper.len());
    let upper: u64 = index.upper.iter().map(|links| 4 * links.len() as u64).sum();
    assert_eq!(number(576), 1_200);
    let lengths = [
        80,
        1_200 * 128,
        1_200 * 64,
        4_800,
        1_200 * 128,
        upper,
        9_600,
        9_600,
        13,
    ];
    let mut offset = 640;
    for (i, length) in lengths.into_iter().enumerate() {
        assert_eq!(
            (number(144 + 48 * i), number(152 + 48 * i)),
            (offset, length),
            "{i}"
        );
        offset = (offset + length).next_multiple_of(64);
    }
    assert_eq!(bytes[608..640], *blake3::hash(&bytes[..608]).as_bytes());
}

#[test]
fn damage_is_found_wherever_it_is() {
    let (_, _, bytes) = sample(Metric::Cosine);
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    for (i, name) in super::super::file::SECTIONS.into_iter().enumerate() {
        let (offset, length) = (number(144 + 48 * i), number(152 + 48 * i));
        for at in [offset, offset + length / 2, offset + length - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            match Hnsw::read_from(&damaged[..], ALLOWED) {
                Err(HnswError::Digest {
                    section,
                    offset: said,
                }) => {
                    assert_eq!((section, said), (name, offset as u64));
                }
                other => panic!("{name} at {at}: {other:?}"),
            }
            match Hnsw::read_from(&bytes[..at], ALLOWED) {
                Err(HnswError::Read { source, .. }) => {
                    assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
                }
                other => panic!("{name} cut at {at}: {other:?}"),
            }
        }
    }
    for at in 0..640 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let error = Hnsw::read_from(&damaged[..], ALLOWED).unwrap_err();
        match at {
            0..8 => assert!(matches!(error, HnswError::Foreign)),
            8..12 => assert!(matches!(error, HnswError::Version { .. })),
            _ => assert!(matches!(
                error,
                HnswError::Digest {
                    section: "header",
                    ..
                }
            )),
        }
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(
        Hnsw::read_from(&longer[..], ALLOWED),
        Err(HnswError::Malformed {
            section: "metadata",
            ..
        })
    ));
    assert!(matches!(
        Hnsw::read_from(&bytes[..], 1_000),
        Err(HnswError::Memory { .. })
    ));
}

/// A file whose digests are right but whose links are not must not be believed.
#[test]
fn links_to_no_vertex_are_refused() {
    let (_, _, mut bytes) = sample(Metric::L2);
    let at = 144 + 48 * 4;
    let offset = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let length = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap()) as usize;
    bytes[offset + 4..offset + 8].copy_from_slice(&1_200_u32.to_le_bytes());
    let digest = blake3::hash(&bytes[offset..offset + length]);
    bytes[at + 16..at + 48].copy_from_slice(digest.as_bytes());
    let digest = blake3::hash(&bytes[..608]);
    bytes[608..640].copy_from_slice(digest.as_bytes());
    match Hnsw::read_from(&bytes[..], ALLOWED) {
        Err(HnswError::Malformed {
            section: "base",
            offset: said,
            ..
        }) => {
            assert_eq!(said, offset as u64 + 4);
        }
        other => panic!("{other:?}"),
    }
}
