//! Other libraries on the very same vectors, in processes of their own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use penstock_hnsw::Hit;
use serde_json::Value;

use crate::embed::REFERENCE;

/// Vectors as the scripts read them: raw, little-endian.
pub(crate) struct Files {
    pub(crate) rows: PathBuf,
    pub(crate) queries: PathBuf,
    /// True rows, as many of each query.
    pub(crate) truth: PathBuf,
}

impl Files {
    pub(crate) fn write(
        folder: &Path,
        rows: &[f32],
        queries: &[f32],
        truth: &[Vec<Hit>],
    ) -> Result<Self> {
        let hits = truth.iter().flatten().map(|hit| hit.row);
        Ok(Self {
            rows: write(folder, "rows.f32", rows.iter().map(|x| x.to_le_bytes()))?,
            queries: write(
                folder,
                "queries.f32",
                queries.iter().map(|x| x.to_le_bytes()),
            )?,
            truth: write(folder, "truth.u32", hits.map(u32::to_le_bytes))?,
        })
    }
}

fn write(folder: &Path, name: &str, values: impl Iterator<Item = [u8; 4]>) -> Result<PathBuf> {
    let at = folder.join(name);
    let mut file = BufWriter::new(File::create(&at)?);
    for value in values {
        file.write_all(&value)?;
    }
    file.flush()?;
    Ok(at)
}

/// A script of `bench/reference`.
pub(crate) fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(REFERENCE).join(name));
    command
}

/// What a program prints of the files, one JSON object a line.
pub(crate) fn ask(
    mut program: Command,
    files: &Files,
    dim: usize,
    arguments: &[String],
) -> Result<Vec<Value>> {
    let output = program
        .arg(dim.to_string())
        .args([&files.rows, &files.queries, &files.truth])
        .args(arguments)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)?
        .lines()
        .map(|text| Ok(serde_json::from_str(text)?))
        .collect()
}
