//! The sample of `penstock demo`: well-known protein and DNA sequences, wings and solids.
//!
//! The sequences are the published ones; a test compares them with independent copies where those
//! are at hand. The meshes are computed.

mod solids;
mod surface;
mod wing;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wing::Section;

/// Mature chains of proteins that every textbook shows.
pub(crate) const PROTEINS: &str = include_str!("demo/proteins.fasta");
/// The first bases of five genomes.
pub(crate) const GENOMES: &str = include_str!("demo/genomes.fasta");

/// Where the files of the sample were written.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// 16 proteins.
    pub(crate) proteins: PathBuf,
    /// Five stretches of DNA.
    pub(crate) genomes: PathBuf,
    /// A folder with six meshes in four formats.
    pub(crate) meshes: PathBuf,
    /// The reverse complement of one of the five, to search with.
    pub(crate) reverse: PathBuf,
}

/// Writes the files below a folder. Files that are there with the same content are left alone, so
/// that their times do not change.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(folder: &Path) -> io::Result<Files> {
    let files = Files {
        proteins: folder.join("proteins.fasta"),
        genomes: folder.join("genomes.fasta"),
        meshes: folder.join("meshes"),
        reverse: folder.join("phiX174-reverse.fasta"),
    };
    put(&files.proteins, PROTEINS.as_bytes())?;
    put(&files.genomes, GENOMES.as_bytes())?;
    put(&files.reverse, reverse_of("phiX174").as_bytes())?;
    for (name, bytes) in meshes() {
        put(&files.meshes.join(name), &bytes)?;
    }
    Ok(files)
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

fn meshes() -> [(&'static str, Vec<u8>); 6] {
    let wing = |section| wing::wing(section, 3.0, 40, 24);
    let torus = || solids::torus(1.0, 0.35, 64, 32);
    // A turn about two axes and a shift.
    let turned = torus().map(|[x, y, z]| {
        let (sin, cos) = 0.7_f64.sin_cos();
        let [x, y, z] = [x * cos - y * sin, x * sin + y * cos, z];
        let [x, y, z] = [x, y * cos - z * sin, y * sin + z * cos];
        [x + 5.0, y - 2.0, z + 1.0]
    });
    [
        (
            "wing-naca2412.obj",
            wing(Section::NACA_2412).to_obj("NACA 2412, chord 1, span 3"),
        ),
        (
            "wing-naca0012.obj",
            wing(Section::NACA_0012).to_obj("NACA 0012, chord 1, span 3"),
        ),
        ("cube.off", solids::cube().to_off()),
        (
            "sphere.ply",
            solids::icosphere(3).to_ply("icosphere of radius 1"),
        ),
        ("torus.stl", torus().to_stl("torus, radii 1 and 0.35")),
        (
            "torus-turned.stl",
            turned.to_stl("the same torus, turned and moved"),
        ),
    ]
}

/// The records of FASTA text: id and sequence.
fn records(text: &str) -> impl Iterator<Item = (&str, String)> {
    text.split('>').skip(1).map(|record| {
        let (head, lines) = record.split_once('\n').unwrap_or((record, ""));
        (
            head.split(' ').next().unwrap_or(head),
            lines.split_whitespace().collect(),
        )
    })
}

/// One of the genomes, read from the other strand, as FASTA text.
fn reverse_of(wanted: &str) -> String {
    let sequence: String = records(GENOMES)
        .find(|(id, _)| *id == wanted)
        .map(|(_, sequence)| sequence)
        .unwrap_or_default()
        .chars()
        .rev()
        .map(|base| match base {
            'A' => 'T',
            'C' => 'G',
            'G' => 'C',
            'T' => 'A',
            other => other,
        })
        .collect();
    format!(">{wanted}-reverse the other strand of {wanted}\n{sequence}\n")
}

#[cfg(test)]
mod tests;
