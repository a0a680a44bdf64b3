//! STL, ASCII and binary.
//!
//! A file is binary where its length is exactly what the count in byte 80 demands, or where it
//! does not begin with `solid`, or where its first bytes hold a zero; so a binary file whose
//! header begins with `solid` is read as what it is. Corners with equal positions become one
//! vertex ([`super::weld`]). A solid is a group. Normals are not kept, because they follow from
//! the order of the corners; where they contradict it, or are zero, a note says so.

use super::fault::{Fault, shown};
use super::geometry::normal;
use super::model::Mesh;
use super::scan::{self, Words};
use super::weld::Weld;
use crate::Position;

const HEADER: usize = 84;
const FACET: usize = 50;

/// Reads either form.
///
/// # Errors
/// The file is cut off, breaks the grammar, or holds no facet.
pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    if is_binary(bytes) {
        binary(bytes)
    } else {
        ascii(bytes)
    }
}

fn declared(bytes: &[u8]) -> Option<u64> {
    let count = bytes.get(HEADER - 4..HEADER)?.try_into().ok()?;
    Some(u64::from(u32::from_le_bytes(count)))
}

fn is_binary(bytes: &[u8]) -> bool {
    let fits = declared(bytes)
        .is_some_and(|count| bytes.len() as u64 == HEADER as u64 + count * FACET as u64);
    let begins = scan::word(&mut &bytes[..bytes.len().min(512)])
        .get(..5)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"solid"));
    fits || !begins || bytes[..bytes.len().min(512)].contains(&0)
}

fn binary(bytes: &[u8]) -> Result<Mesh, Fault> {
    let Some(count) = declared(bytes) else {
        return Err(Fault::byte(
            bytes.len(),
            "`solid`, or the 84 bytes that begin a binary STL",
            format!(
                "a file of {} bytes that begins {}",
                bytes.len(),
                shown(bytes)
            ),
        ));
    };
    let body = &bytes[HEADER..];
    if ((body.len() / FACET) as u64) < count {
        return Err(Fault::byte(
            HEADER - 4,
            format!("{count} facets of 50 bytes, as byte 80 says"),
            format!("{} bytes", body.len()),
        ));
    }
    if count == 0 {
        return Err(Fault::byte(HEADER - 4, "one facet or more", "0 facets"));
    }
    let count = count as usize;
    let mut mesh = Mesh {
        description: scan::text(&bytes[..HEADER - 4]),
        ..Mesh::default()
    };
    mesh.faces.reserve_exact(count);
    mesh.vertices.reserve(count / 2);
    let mut weld = Weld::new(count / 2);
    let mut normals = Normals::default();
    let mut attributes = 0usize;
    for (i, facet) in body.chunks_exact(FACET).take(count).enumerate() {
        let at = || Position::Byte((HEADER + i * FACET) as u64);
        let mut numbers = [[0.0; 3]; 4];
        for (slot, four) in numbers
            .as_flattened_mut()
            .iter_mut()
            .zip(facet.as_chunks().0)
        {
            *slot = f64::from(f32::from_le_bytes(*four));
        }
        let [given, corners @ ..] = numbers;
        normals.compare(given, corners);
        let mut face = [0; 3];
        for (slot, xyz) in face.iter_mut().zip(corners) {
            *slot = weld.vertex(&mut mesh, xyz, at)?;
        }
        mesh.faces.push(face);
        attributes += usize::from(facet[48] != 0 || facet[49] != 0);
    }
    mesh.polygon_sizes = vec![3; count];
    if attributes > 0 {
        mesh.note(format!(
            "the attribute bytes of {attributes} facets (often colours) are not kept"
        ));
    }
    let trailing = body.len() - count * FACET;
    if trailing > 0 {
        mesh.note(format!(
            "{trailing} bytes after the {count} facets that byte 80 declares were not read"
        ));
    }
    normals.tell(&mut mesh);
    mesh.finish(Position::Byte(bytes.len() as u64), "facets")
}

fn ascii(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut mesh = Mesh::default();
    let mut weld = Weld::new(bytes.len() / 512);
    let mut normals = Normals::default();
    let mut words = Words::new(bytes, 0);
    loop {
        let keyword = words.next();
        if keyword.is_empty() {
            break;
        }
        if !keyword.eq_ignore_ascii_case(b"solid") {
            return Err(scan::wanted("`solid` or the end", keyword, words.line()));
        }
        let name = String::from_utf8_lossy(words.rest_of_line()).into_owned();
        mesh.group_names.push(name);
        solid(&mut words, &mut mesh, &mut weld, &mut normals)?;
    }
    if let [name] = &mesh.group_names[..]
        && !name.is_empty()
    {
        mesh.name = Some(name.clone());
    }
    normals.tell(&mut mesh);
    mesh.finish(Position::Line(words.line()), "facets")
}

/// The facets of one solid, up to and with `endsolid`.
fn solid(
    words: &mut Words<'_>,
    mesh: &mut Mesh,
    weld: &mut Weld,
    normals: &mut Normals,
) -> Result<(), Fault> {
    let group = mesh.group_names.len() as i32 - 1;
    loop {
        let keyword = words.next();
        if keyword.eq_ignore_ascii_case(b"endsolid") {
            words.rest_of_line();
            return Ok(());
        }
        if !keyword.eq_ignore_ascii_case(b"facet") {
            return Err(scan::wanted("`facet` or `endsolid`", keyword, words.line()));
        }
        expect(words, "normal")?;
        let mut given = [0.0; 3];
        for component in &mut given {
            *component = of_normal(words)?;
        }
        expect(words, "outer")?;
        expect(words, "loop")?;
        let mut corners = [[0.0; 3]; 3];
        for corner in &mut corners {
            expect(words, "vertex")?;
            *corner = xyz(words, "a coordinate")?;
        }
        expect(words, "endloop")?;
        expect(words, "endfacet")?;
        normals.compare(given, corners);
        let mut face = [0; 3];
        for (slot, xyz) in face.iter_mut().zip(corners) {
            *slot = weld.vertex(mesh, xyz, || Position::Line(words.line()))?;
        }
        mesh.add_triangle(face);
        mesh.face_group.push(group);
    }
}

fn expect(words: &mut Words<'_>, keyword: &str) -> Result<(), Fault> {
    let word = words.next();
    if word.eq_ignore_ascii_case(keyword.as_bytes()) {
        Ok(())
    } else {
        Err(scan::wanted(&format!("`{keyword}`"), word, words.line()))
    }
}

fn xyz(words: &mut Words<'_>, what: &str) -> Result<[f64; 3], Fault> {
    Ok([words.float(what)?, words.float(what)?, words.float(what)?])
}

/// A component of a normal. Some programs print what C makes of a missing one, such as `-1.#IND`.
fn of_normal(words: &mut Words<'_>) -> Result<f64, Fault> {
    let word = words.next();
    match (scan::float(word), word) {
        (Some(number), _) => Ok(number),
        (None, [b'-' | b'+' | b'0'..=b'9', ..]) => Ok(f64::NAN),
        _ => Err(scan::wanted("a component of a normal", word, words.line())),
    }
}

/// Facets whose normal is zero, or points against the order of the corners.
#[derive(Default)]
struct Normals {
    zero: usize,
    contrary: usize,
}

impl Normals {
    fn compare(&mut self, given: [f64; 3], corners: [[f64; 3]; 3]) {
        if given == [0.0; 3] {
            self.zero += 1;
            return;
        }
        let by_order = normal(corners);
        let along: f64 = (0..3).map(|axis| given[axis] * by_order[axis]).sum();
        let length = |v: [f64; 3]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Beyond 120 degrees; nearer to a right angle it is rounding in a sliver.
        if along < -0.5 * length(given) * length(by_order) {
            self.contrary += 1;
        }
    }

    fn tell(&self, mesh: &mut Mesh) {
        if self.zero > 0 {
            mesh.note(format!(
                "the normals of {} facets are zero; the order of their corners gives them",
                self.zero
            ));
        }
        if self.contrary > 0 {
            mesh.note(format!(
                "the normals of {} facets point against the order of their corners, which was kept",
                self.contrary
            ));
        }
    }
}

#[cfg(test)]
mod tests;
