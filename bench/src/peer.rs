//! Other libraries on the very same vectors, in processes of their own.

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
        let floats = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Ok(Self {
            rows: write(folder, "rows.f32", floats(rows))?,
            queries: write(folder, "queries.f32", floats(queries))?,
            truth: write(folder, "truth.u32", hits.flat_map(u32::to_le_bytes).collect())?,
        })
    }
}

fn write(folder: &Path, name: &str, bytes: Vec<u8>) -> Result<PathBuf> {
    let at = folder.join(name);
    std::fs::write(&at, bytes)?;
    Ok(at)
}

/// What a script of `bench/reference` prints, one JSON object a line.
pub(crate) fn ask(
    python: &Path,
    script: &str,
    files: &Files,
    dim: usize,
    arguments: &[String],
) -> Result<Vec<Value>> {
    let output = Command::new(python)
        .arg(Path::new(REFERENCE).join(script))
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
