//! OFF: the Object File Format of Geomview, ASCII.
//!
//! `OFF`, `COFF`, `NOFF`, `STOFF` and their combinations; the counts may follow the keyword
//! directly. Each vertex and each face has its own line. What follows the coordinates of a vertex
//! or the corners of a face (colours, normals, texture coordinates) is not kept, and noted. The
//! count of edges is not looked at.

use super::fault::{Fault, shown};
use super::model::{self, Mesh};
use super::scan::{self, Lines};
use crate::Position;

/// Reads a file.
///
/// # Errors
/// A line breaks the grammar, lines are missing, or an index has no vertex.
pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut lines = Content(Lines::new(bytes));
    let mut rest = header(&mut lines)?;
    if rest.is_empty() {
        rest = lines.next().unwrap_or_default();
    }
    let mut count = |what: &str| {
        let word = scan::word(&mut rest);
        scan::integer(word)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| scan::wanted(what, word, lines.0.number()))
    };
    let vertices = count("the count of vertices")?;
    let faces = count("the count of faces")?;

    let mut mesh = Mesh::default();
    let mut more = false;
    // A vertex takes six bytes or more, the last one five.
    mesh.vertices
        .reserve(vertices.min(lines.0.rest().len() / 6 + 1));
    for i in 0..vertices {
        let Some(mut rest) = lines.next() else {
            return Err(missing(&lines, vertices, "vertices", i));
        };
        let line = lines.0.number();
        let xyz = scan::xyz(&mut rest, line)?;
        mesh.add_vertex(xyz, || Position::Line(line))?;
        more |= !scan::trim(rest).is_empty();
    }
    if more {
        mesh.note("colours, normals or texture coordinates of the vertices are not kept");
    }
    let mut coloured = false;
    let mut corners = Vec::new();
    for i in 0..faces {
        let Some(mut rest) = lines.next() else {
            return Err(missing(&lines, faces, "faces", i));
        };
        face(&mut rest, lines.0.number(), vertices, &mut corners)?;
        mesh.add_polygon(&corners);
        coloured |= !scan::trim(rest).is_empty();
    }
    if coloured {
        mesh.note("colours of the faces are not kept");
    }
    if lines.next().is_some() {
        let line = lines.0.number();
        mesh.note(format!(
            "the lines from {line} on, after the {faces} faces that were announced, were not read"
        ));
    }
    mesh.finish(Position::Line(lines.0.number()), "one vertex or more")
}

/// The keyword; gives what follows it on its line.
fn header<'a>(lines: &mut Content<'a>) -> Result<&'a [u8], Fault> {
    let line = lines.next().unwrap_or_default();
    let number = lines.0.number().max(1);
    let Some(at) = line.windows(3).position(|three| three == b"OFF") else {
        return Err(Fault::line(number, "the keyword OFF", shown(line)));
    };
    match &line[..at] {
        b"" | b"C" | b"N" | b"CN" | b"ST" | b"STC" | b"STN" | b"STCN" => {}
        [.., b'4' | b'n'] => {
            return Err(Fault::unsupported(
                format!(
                    "OFF of more than three dimensions ({})",
                    shown(&line[..at + 3])
                ),
                "write three coordinates for each vertex",
            ));
        }
        _ => return Err(Fault::line(number, "the keyword OFF", shown(line))),
    }
    let rest = scan::trim(&line[at + 3..]);
    if rest.starts_with(b"BINARY") {
        return Err(Fault::unsupported("binary OFF", "write it as ASCII"));
    }
    Ok(rest)
}

fn face(rest: &mut &[u8], line: u64, vertices: usize, corners: &mut Vec<i32>) -> Result<(), Fault> {
    let word = scan::word(rest);
    let size = scan::integer(word)
        .filter(|n| *n >= 3)
        .ok_or_else(|| scan::wanted("three corners or more in a face", word, line))?;
    corners.clear();
    for _ in 0..size {
        let word = scan::word(rest);
        let given =
            scan::integer(word).ok_or_else(|| scan::wanted("a vertex index", word, line))?;
        corners.push(model::index(given, vertices, || Position::Line(line))?);
    }
    Ok(())
}

fn missing(lines: &Content<'_>, wanted: usize, what: &str, found: usize) -> Fault {
    Fault::line(
        lines.0.number(),
        format!("{wanted} {what}, as the file says"),
        format!("the end of the file after {found}"),
    )
}

/// Lines without their comments, and without those that are empty then.
struct Content<'a>(Lines<'a>);

impl<'a> Iterator for Content<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let line = self.0.next()?;
            let end = memchr::memchr(b'#', line).unwrap_or(line.len());
            let line = scan::trim(&line[..end]);
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_anywhere_after_the_keyword() {
        for head in [
            "OFF\n3 1 3",
            "OFF3 1 3",
            "# c\n\n  COFF # c\n\n3 1",
            "OFF 3 1 0 # c",
        ] {
            let text = format!("{head}\n0 0 0\n1 0 0 # c\n\n0 1 0\n3 0 1 2\n");
            let mesh = read(text.as_bytes()).unwrap();
            assert_eq!(mesh.faces, [[0, 1, 2]], "{head}");
            assert!(mesh.notes.is_empty());
        }
    }

    #[test]
    fn what_is_left_out_is_named() {
        let mesh =
            read(b"OFF 3 1 0\n0 0 0 255 0 0\n1 0 0\n0 1 0\n3 0 1 2 0.5 0 0\nmore\n").unwrap();
        assert_eq!(mesh.notes.len(), 3, "{:?}", mesh.notes);
    }

    #[test]
    fn errors_have_lines() {
        for (text, words) in [
            ("", "keyword OFF"),
            ("4OFF\n", "more than three dimensions"),
            ("OFF BINARY\n", "binary OFF"),
            ("OFF\n", "count of vertices"),
            ("OFF\n-1 0 0\n", "count of vertices"),
            ("OFF 0 0 0", "one vertex"),
            ("OFF 9999999999 1 1\n0 0 0\n", "after 1"),
            ("OFF 1 0 0\n0 0\n", "a coordinate"),
            ("OFF 1 1 0\n0 0 0\n3 0 0 1\n", "Line(3)"),
            ("OFF 1 1 0\n0 0 0\n2 0 0\n", "three corners"),
            ("OFF 1 1 0\n0 0 0\n99999999 0 0\n", "a vertex index"),
            ("OFF 1 1 0\n0 0 inf\n", "finite"),
        ] {
            let fault = format!("{:?}", read(text.as_bytes()).unwrap_err());
            assert!(fault.contains(words), "{text:?}: {fault}");
        }
    }
}
