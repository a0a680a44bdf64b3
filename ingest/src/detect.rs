//! Which format, which kind: the content says it first, the name second.

use penstock_types::Kind;

use crate::input::{base_name, compression_of, first_member, peek_plain, uncompressed_name};
use crate::{Compression, Format};

/// What the first bytes of a file announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    /// The format; of the first member, for an archive.
    pub format: Format,
    /// The kind of data.
    pub kind: Kind,
    /// How the file is compressed.
    pub compression: Option<Compression>,
}

/// Tells format, kind and compression from the first bytes of a file and from its name. 64 KiB are
/// enough; fewer will do where the file is smaller. `None`: neither helps.
#[must_use]
pub fn detect(head: &[u8], name: &str) -> Option<Detected> {
    let compression = compression_of(head);
    let (format, kind) = match compression {
        None => plain(head, name)?,
        Some(Compression::Zip) => {
            let (member, head) = first_member(head)?;
            plain(&head, &member)?
        }
        Some(packed) => plain(&peek_plain(packed, head), name)?,
    };
    Some(Detected {
        format,
        kind,
        compression,
    })
}

/// The same for bytes that are not compressed.
pub(crate) fn plain(head: &[u8], name: &str) -> Option<(Format, Kind)> {
    let name = uncompressed_name(base_name(name)).to_ascii_lowercase();
    let format = of_content(head).or_else(|| of_name(&name))?;
    let kind = match format {
        Format::Fasta => fasta_kind(head).unwrap_or(match extension(&name) {
            "faa" | "pep" => Kind::Protein,
            _ => Kind::Dna,
        }),
        Format::GenBank => genbank_kind(head),
        Format::Fastq => Kind::Dna,
        Format::Pdb | Format::MmCif => Kind::Protein,
        Format::Stl
        | Format::Obj
        | Format::Ply
        | Format::Off
        | Format::LegacyVtk
        | Format::Vtu
        | Format::Vtp => Kind::Mesh,
        Format::Tve | Format::EdgeList | Format::GraphMl | Format::Metis => Kind::Graph,
    };
    Some((format, kind))
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn of_name(name: &str) -> Option<Format> {
    Some(match extension(name) {
        "fa" | "fasta" | "fna" | "ffn" | "faa" | "frn" | "fas" | "fsa" | "pep" => Format::Fasta,
        "fq" | "fastq" => Format::Fastq,
        "gb" | "gbk" | "gbff" | "genbank" | "gp" | "gpff" => Format::GenBank,
        "pdb" | "ent" => Format::Pdb,
        "cif" | "mmcif" => Format::MmCif,
        "stl" => Format::Stl,
        "obj" => Format::Obj,
        "ply" => Format::Ply,
        "off" => Format::Off,
        "vtk" => Format::LegacyVtk,
        "vtu" => Format::Vtu,
        "vtp" => Format::Vtp,
        "tve" => Format::Tve,
        "edges" | "edgelist" | "el" => Format::EdgeList,
        "graphml" => Format::GraphMl,
        "metis" | "graph" => Format::Metis,
        _ => return None,
    })
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|b| matches!(b, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty())
}

fn of_content(head: &[u8]) -> Option<Format> {
    if is_binary_stl(head) {
        return Some(Format::Stl);
    }
    let first = lines(head).next()?;
    let trimmed = first.trim_ascii_start();
    let word = trimmed
        .split(u8::is_ascii_whitespace)
        .next()
        .unwrap_or_default();
    match trimmed.first()? {
        b'>' => return Some(Format::Fasta),
        b'@' if !is_sam(first) => return Some(Format::Fastq),
        b'<' if is_graphml(head) => return Some(Format::GraphMl),
        b'<' => return vtk_xml(head),
        b't' if is_tve(trimmed) => return Some(Format::Tve),
        _ => {}
    }
    if first.starts_with(b"LOCUS  ") {
        Some(Format::GenBank)
    } else if first == b"ply" {
        Some(Format::Ply)
    } else if first.starts_with(b"# vtk DataFile") {
        Some(Format::LegacyVtk)
    } else if is_off(word) {
        Some(Format::Off)
    } else if is_pdb(first) {
        Some(Format::Pdb)
    } else if word.eq_ignore_ascii_case(b"solid") {
        Some(Format::Stl)
    } else if is_cif(head) {
        Some(Format::MmCif)
    } else if is_obj(head) {
        Some(Format::Obj)
    } else {
        None
    }
}

fn is_sam(line: &[u8]) -> bool {
    [b"@HD\t", b"@SQ\t", b"@RG\t", b"@PG\t", b"@CO\t"]
        .iter()
        .any(|tag| line.starts_with(*tag))
}

/// `OFF` with the prefixes of the Geomview manual.
fn is_off(word: &[u8]) -> bool {
    let Some(prefix) = word.strip_suffix(b"OFF") else {
        return false;
    };
    let prefix = prefix.strip_prefix(b"ST").unwrap_or(prefix);
    let prefix = prefix.strip_prefix(b"C").unwrap_or(prefix);
    let prefix = prefix.strip_prefix(b"N").unwrap_or(prefix);
    let prefix = prefix.strip_prefix(b"4").unwrap_or(prefix);
    let prefix = prefix.strip_prefix(b"n").unwrap_or(prefix);
    prefix.is_empty()
}

fn is_pdb(line: &[u8]) -> bool {
    const RECORDS: [&[u8; 6]; 18] = [
        b"HEADER", b"OBSLTE", b"TITLE ", b"SPLIT ", b"CAVEAT", b"COMPND", b"SOURCE", b"KEYWDS",
        b"EXPDTA", b"NUMMDL", b"AUTHOR", b"REMARK", b"DBREF ", b"SEQRES", b"CRYST1", b"MODEL ",
        b"ATOM  ", b"HETATM",
    ];
    let mut padded = [b' '; 6];
    let n = line.len().min(6);
    padded[..n].copy_from_slice(&line[..n]);
    RECORDS.iter().any(|record| **record == padded)
}

fn is_cif(head: &[u8]) -> bool {
    lines(head)
        .find(|line| !line.starts_with(b"#"))
        .is_some_and(|line| {
            line.get(..5)
                .is_some_and(|w| w.eq_ignore_ascii_case(b"data_"))
        })
}

fn is_obj(head: &[u8]) -> bool {
    const KEYS: [&[u8]; 15] = [
        b"v", b"vn", b"vt", b"vp", b"f", b"l", b"p", b"o", b"g", b"s", b"mtllib", b"usemtl",
        b"usemap", b"cstype", b"deg",
    ];
    let mut vertices = 0;
    for line in lines(head).filter(|line| !line.starts_with(b"#")).take(200) {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        let key = words.next().unwrap_or_default();
        if !KEYS.contains(&key) {
            // The head may end within a line.
            return vertices > 0;
        }
        vertices += usize::from(key == b"v" && words.count() >= 3);
    }
    vertices > 0
}

fn vtk_xml(head: &[u8]) -> Option<Format> {
    let at = memchr::memmem::find(head, b"<VTKFile")?;
    let tag = &head[at..];
    let tag = &tag[..memchr::memchr(b'>', tag).unwrap_or(tag.len())];
    if memchr::memmem::find(tag, b"PolyData").is_some() {
        Some(Format::Vtp)
    } else {
        // The reader says what it thinks of the other types.
        Some(Format::Vtu)
    }
}

/// A header of 80 bytes, a count, and triangles whose normals are unit vectors or zero. A header
/// that begins with `solid` is no proof of text.
fn is_binary_stl(head: &[u8]) -> bool {
    let Some(count) = head.get(80..84) else {
        return false;
    };
    let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]);
    let body = &head[84..];
    if body.len() as u64 == u64::from(count) * 50 && count > 0 {
        return true;
    }
    let mut facets = body
        .chunks_exact(50)
        .take(count.min(20) as usize)
        .peekable();
    facets.peek().is_some()
        && head[..84].contains(&0)
        && facets.all(|facet| {
            let mut numbers = facet[..48]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let normal: f32 = numbers.by_ref().take(3).map(|x| x * x).sum();
            (normal < 1.1) && numbers.all(|x| x.is_finite() && (x == 0.0 || x.abs() > 1e-30))
        })
}

/// `t`, the count of vertices, the count of edges.
fn is_tve(first: &[u8]) -> bool {
    let mut words = first
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let is_count = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    words.next() == Some(b"t")
        && words.next().is_some_and(is_count)
        && words.next().is_some_and(is_count)
}

fn is_graphml(head: &[u8]) -> bool {
    head.windows(8).any(|bytes| bytes == b"<graphml")
}

/// A sequence of A, C, G, T, U and N is DNA. So is one with other nucleotide codes, if nine letters
/// of ten are among those six.
fn fasta_kind(head: &[u8]) -> Option<Kind> {
    let mut counts = [0u64; 256];
    for line in lines(head).filter(|line| !matches!(line.first(), Some(b'>' | b';'))) {
        for byte in line {
            counts[usize::from(byte.to_ascii_uppercase())] += 1;
        }
    }
    let sum = |letters: &[u8]| letters.iter().map(|b| counts[usize::from(*b)]).sum::<u64>();
    let letters: u64 = (b'A'..=b'Z').map(|b| counts[usize::from(b)]).sum();
    let plain = sum(b"ACGTUN");
    let codes = plain + sum(b"RYSWKMBDHV");
    match letters {
        0 => None,
        _ if codes == letters && plain * 10 >= letters * 9 => Some(Kind::Dna),
        _ => Some(Kind::Protein),
    }
}

/// The locus line gives the length in `bp` or in `aa`.
fn genbank_kind(head: &[u8]) -> Kind {
    let locus = lines(head).next().unwrap_or_default();
    let protein = locus
        .split(u8::is_ascii_whitespace)
        .any(|word| word == b"aa");
    if protein { Kind::Protein } else { Kind::Dna }
}
