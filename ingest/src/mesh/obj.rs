//! Wavefront OBJ.
//!
//! The vertices are the `v` lines, as they are: texture coordinates and normals split none of
//! them. Groups come from `g` where faces stand under one, else from `o`, else from `usemtl`;
//! what the chosen keyword does not keep is noted. `g a b` is one group, `a b`. Indices may be
//! negative, and may name a vertex further down; a line that ends in `\` goes on in the next.
//!
//! Own code: the crates for OBJ that are about triangulate while they split vertices by texture
//! coordinate, and keep no groups without material.

use std::collections::HashMap;

use super::fault::Fault;
use super::model::Mesh;
use super::scan::{self, Lines};
use crate::Position;

/// Reads a file.
///
/// # Errors
/// A line breaks the grammar, an index has no vertex, or there is no vertex.
pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut obj = Obj::default();
    let mut lines = Lines::new(bytes);
    let mut joined = Vec::new();
    while let Some(line) = lines.next() {
        if line.ends_with(b"\\") {
            let number = lines.number();
            joined.clear();
            let mut part = line;
            while let [head @ .., b'\\'] = part {
                joined.extend_from_slice(head);
                joined.push(b' ');
                part = lines.next().unwrap_or_default();
            }
            joined.extend_from_slice(part);
            obj.line(&joined, number)?;
        } else {
            obj.line(line, lines.number())?;
        }
    }
    obj.finish(lines.number())
}

/// Names that partition the faces, in runs.
#[derive(Default)]
struct Partition {
    names: Vec<String>,
    numbers: HashMap<Vec<u8>, i32>,
    /// First face of a run, and its group.
    runs: Vec<(usize, i32)>,
}

impl Partition {
    fn begin(&mut self, name: &[u8], face: usize) {
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = self.names.len() as i32;
                self.names.push(String::from_utf8_lossy(name).into_owned());
                self.numbers.insert(name.to_vec(), number);
                number
            }
        };
        self.runs.push((face, number));
    }

    /// Whether a face stands under one of the names.
    fn has_faces(&self, faces: usize) -> bool {
        self.runs.first().is_some_and(|(first, _)| *first < faces)
    }

    fn of_faces(&self, faces: usize) -> Vec<i32> {
        let mut groups = Vec::with_capacity(faces);
        let mut group = -1;
        for (first, number) in &self.runs {
            groups.resize(*first, group);
            group = *number;
        }
        groups.resize(faces, group);
        groups
    }
}

#[derive(Default)]
struct Obj {
    mesh: Mesh,
    groups: Partition,
    objects: Partition,
    materials: Partition,
    /// The highest index that ran ahead of the vertices, and its line.
    ahead: Option<(i32, u64)>,
    corners: Vec<i32>,
    comments: Vec<u8>,
    colours: bool,
    /// Vertices with a colour that is no finite number.
    bad_colours: u64,
    weights: bool,
    slashes: bool,
    texture: usize,
    normals: usize,
    libraries: usize,
    smoothing: bool,
    lines: usize,
    points: usize,
    free_form: usize,
    unknown: Option<(u64, String)>,
    unknowns: usize,
}

impl Obj {
    #[inline]
    fn line(&mut self, line: &[u8], number: u64) -> Result<(), Fault> {
        let mut rest = line;
        match scan::word(&mut rest) {
            b"v" => self.vertex(rest, number)?,
            b"f" => self.face(rest, number)?,
            b"" => {}
            b"vt" => self.texture += 1,
            b"vn" => self.normals += 1,
            b"g" => self.groups.begin(name(rest), self.mesh.faces.len()),
            b"o" => self.objects.begin(name(rest), self.mesh.faces.len()),
            b"usemtl" => self.materials.begin(name(rest), self.mesh.faces.len()),
            b"mtllib" => self.libraries += 1,
            b"s" => self.smoothing = true,
            b"l" => self.lines += 1,
            b"p" => self.points += 1,
            b"vp" | b"deg" | b"bmat" | b"step" | b"cstype" | b"curv" | b"curv2" | b"surf"
            | b"parm" | b"trim" | b"hole" | b"scrv" | b"sp" | b"end" | b"con" | b"mg" => {
                self.free_form += 1;
            }
            [b'#', ..] => self.comment(line),
            other => {
                self.unknowns += 1;
                let word = super::fault::shown(other);
                self.unknown.get_or_insert((number, word));
            }
        }
        Ok(())
    }

    #[inline]
    fn vertex(&mut self, mut rest: &[u8], line: u64) -> Result<(), Fault> {
        let xyz = scan::xyz(&mut rest, line)?;
        self.mesh.add_vertex(xyz, || Position::Line(line))?;
        if !rest.is_empty() {
            let mut more = 0;
            let mut first = &b""[..];
            let mut finite = true;
            loop {
                let word = scan::word(&mut rest);
                if word.is_empty() || word[0] == b'#' {
                    break;
                }
                first = if more == 0 { word } else { first };
                finite &= scan::float(word).is_some_and(f64::is_finite);
                more += 1;
            }
            self.colours |= more > 1;
            self.bad_colours += u64::from(more > 1 && !finite);
            self.weights |= more == 1 && scan::float(first) != Some(1.0);
        }
        Ok(())
    }

    #[inline]
    fn face(&mut self, mut rest: &[u8], line: u64) -> Result<(), Fault> {
        self.corners.clear();
        let count = self.mesh.vertices.len() as i64;
        loop {
            let word = scan::word(&mut rest);
            if word.is_empty() || word[0] == b'#' {
                break;
            }
            let (given, used) = lexical_core::parse_partial::<i64>(word).unwrap_or((0, 0));
            let tail = &word[used..];
            if used == 0 || !matches!(tail, [] | [b'/', ..]) {
                return Err(scan::wanted("a corner such as 1, 1/2 or 1/2/3", word, line));
            }
            self.slashes |= tail.len() > 2;
            let index = match given {
                1.. => given - 1,
                0 => -1,
                _ => count + given,
            };
            if index < 0 || index >= i64::from(i32::MAX) {
                return Err(Fault::line(
                    line,
                    format!("a vertex number from 1 to {count} or from -{count} to -1"),
                    given.to_string(),
                ));
            }
            let index = index as i32;
            if i64::from(index) >= count && self.ahead.is_none_or(|(highest, _)| highest < index) {
                self.ahead = Some((index, line));
            }
            self.corners.push(index);
        }
        if self.corners.len() < 3 {
            return Err(Fault::line(
                line,
                "three corners or more in a face",
                self.corners.len().to_string(),
            ));
        }
        self.mesh.add_polygon(&self.corners);
        Ok(())
    }

    /// The comments that begin the file are its description.
    fn comment(&mut self, line: &[u8]) {
        if self.mesh.vertices.is_empty() && self.comments.len() < 4096 {
            let text = scan::trim(line);
            let start = text.iter().position(|b| *b != b'#').unwrap_or(text.len());
            self.comments.extend_from_slice(scan::trim(&text[start..]));
            self.comments.push(b'\n');
        }
    }

    fn finish(mut self, line: u64) -> Result<Mesh, Fault> {
        let count = self.mesh.vertices.len();
        if let Some((index, line)) = self.ahead
            && index as usize >= count
        {
            return Err(Fault::line(
                line,
                format!("a vertex number from 1 to {count}"),
                (i64::from(index) + 1).to_string(),
            ));
        }
        self.mesh.description = scan::text(&self.comments);
        if let [name] = &self.objects.names[..] {
            self.mesh.name = Some(name.clone());
        }
        self.tell();
        self.take_groups();
        self.mesh.finish(
            Position::Line(line),
            "`v` lines, the vertices of an OBJ file",
        )
    }

    fn take_groups(&mut self) {
        let faces = self.mesh.faces.len();
        let mut taken = None;
        for (partition, word) in [
            (&mut self.groups, "g"),
            (&mut self.objects, "o"),
            (&mut self.materials, "usemtl"),
        ] {
            if partition.runs.is_empty() {
                continue;
            }
            match taken {
                None if partition.has_faces(faces) => {
                    self.mesh.face_group = partition.of_faces(faces);
                    self.mesh.group_names = std::mem::take(&mut partition.names);
                    taken = Some(word);
                }
                // One object is the mesh's name.
                _ if word == "o" && partition.names.len() == 1 => {}
                _ => self.mesh.notes.push(format!(
                    "`{word}` lines ({} names) are not kept{}",
                    partition.names.len(),
                    taken.map_or(String::new(), |word| format!(
                        ": the groups are those of `{word}`"
                    )),
                )),
            }
        }
    }

    /// Says what is left out.
    fn tell(&mut self) {
        let mesh = &mut self.mesh;
        let mut left_out = |there: bool, what: String| {
            if there {
                mesh.note(format!("{what} not kept"));
            }
        };
        let n = self.texture;
        left_out(n > 0, format!("{n} texture coordinates (vt) are"));
        let n = self.normals;
        left_out(n > 0, format!("{n} normals (vn) are"));
        left_out(
            self.slashes && self.texture + self.normals == 0,
            "texture and normal numbers of the corners are".into(),
        );
        left_out(
            self.colours,
            match self.bad_colours {
                0 => "colours of the vertices are".into(),
                n => {
                    format!("colours of the vertices ({n} of them not finite: NaN or infinity) are")
                }
            },
        );
        left_out(self.weights, "weights of the vertices are".into());
        left_out(self.libraries > 0, "material libraries (mtllib) are".into());
        left_out(self.smoothing, "smoothing groups (s) are".into());
        let n = self.lines;
        left_out(n > 0, format!("{n} lines (l) are"));
        let n = self.points;
        left_out(n > 0, format!("{n} points (p) are"));
        let n = self.free_form;
        left_out(n > 0, format!("{n} lines of free-form geometry are"));
        if let Some((line, word)) = &self.unknown {
            let n = self.unknowns;
            mesh.note(format!(
                "{n} lines with unknown keywords were passed over, the first is line {line}: {word}"
            ));
        }
    }
}

/// A name to the end of the line; `default` where there is none, as the format says of `g`.
fn name(rest: &[u8]) -> &[u8] {
    match scan::trim(rest) {
        [] => b"default",
        name => name,
    }
}

#[cfg(test)]
mod tests;
