use std::io::Write;

use super::*;

fn number(codec: &Codec, value: u64) -> Vec<u8> {
    let mut bytes = value.to_le_bytes()[..codec.word].to_vec();
    if codec.big {
        bytes.reverse();
    }
    bytes
}

fn compress(compressor: Compressor, data: &[u8]) -> Vec<u8> {
    match compressor {
        Compressor::Zlib => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
        Compressor::Lz4 => lz4_flex::block::compress(data),
        Compressor::Lzma => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// Header and body, as VTK writes them.
fn encode(codec: &Codec, data: &[u8], block: usize) -> (Vec<u8>, Vec<u8>) {
    let Some(compressor) = codec.compressor else {
        return (number(codec, data.len() as u64), data.to_vec());
    };
    let blocks: Vec<Vec<u8>> = data
        .chunks(block)
        .map(|b| compress(compressor, b))
        .collect();
    let mut head = number(codec, blocks.len() as u64);
    head.extend(number(codec, block as u64));
    head.extend(number(codec, (data.len() % block) as u64));
    for block in &blocks {
        head.extend(number(codec, block.len() as u64));
    }
    (head, blocks.concat())
}

fn codecs() -> impl Iterator<Item = Codec> {
    [
        None,
        Some(Compressor::Zlib),
        Some(Compressor::Lz4),
        Some(Compressor::Lzma),
    ]
    .into_iter()
    .flat_map(|compressor| {
        [(false, 4), (false, 8), (true, 4), (true, 8)].map(|(big, word)| Codec {
            big,
            word,
            compressor,
        })
    })
}

#[test]
fn every_form_round_trips() {
    for codec in codecs() {
        for size in [0usize, 1, 2, 3, 64, 100, 128] {
            let data: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
            let (head, body) = encode(&codec, &data, 64);
            let raw = [&head[..], &body, b"what follows"].concat();
            let text = if codec.compressor.is_some() {
                STANDARD.encode(&head) + &STANDARD.encode(&body) + "AAAA"
            } else {
                STANDARD.encode([head, body].concat()) + "AAAA"
            };
            for encoded in [Encoded::Raw(&raw), Encoded::Base64(text.as_bytes())] {
                let found = codec.decode(encoded, 0, 1000).unwrap();
                assert_eq!(found, data, "{codec:?}, {size}");
            }
            for cut in 0..raw.len() - 12 {
                assert!(codec.decode(Encoded::Raw(&raw[..cut]), 0, 1000).is_err());
            }
            for cut in 0..text.len() - 4 {
                assert!(
                    codec
                        .decode(Encoded::Base64(&text.as_bytes()[..cut]), 0, 1000)
                        .is_err()
                );
            }
        }
    }
}

#[test]
fn a_length_with_its_own_padding() {
    let codec = Codec {
        big: false,
        word: 4,
        compressor: None,
    };
    let text = STANDARD.encode(5u32.to_le_bytes()) + &STANDARD.encode(b"hello");
    let found = codec
        .decode(Encoded::Base64(text.as_bytes()), 0, 1000)
        .unwrap();
    assert_eq!(found, b"hello");
}

#[test]
fn sizes_that_lie() {
    for codec in codecs().filter(|codec| codec.compressor.is_some()) {
        let lie = |count: u64, size: u64, last: u64, compressed: u64| {
            let mut raw = Vec::new();
            for value in [count, size, last, compressed] {
                raw.extend(number(&codec, value));
            }
            raw.extend(compress(codec.compressor.unwrap(), b"hello"));
            codec.decode(Encoded::Raw(&raw), 0, 1 << 30)
        };
        let good = compress(codec.compressor.unwrap(), b"hello").len() as u64;
        assert!(lie(1, 5, 0, good).is_ok());
        assert!(lie(1, 4, 0, good).is_err(), "longer than it says");
        assert!(lie(1, 6, 0, good).is_err(), "shorter than it says");
        assert!(lie(1, 1 << 29, 0, good).is_err(), "no such allocation");
        assert!(matches!(lie(1, 1 << 31, 0, good), Err(Fault::Limit { .. })));
        assert!(lie(u64::from(u32::MAX), u64::from(u32::MAX), 1, good).is_err());
        assert!(lie(1, 5, 0, good + 1).is_err());
    }
}
