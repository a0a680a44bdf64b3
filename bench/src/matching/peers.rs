//! Other matchers on the published queries.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::matching::{Query, row};

/// RapidsAtHKUST/SubgraphMatching: GraphQL's filter and order, intersections (LFTJ).
pub(super) fn subgraph_matching(
    binary: &Path,
    host: &Path,
    queries: &[Query],
) -> Result<Vec<String>> {
    let mut seconds = Vec::new();
    for query in queries {
        let output = Command::new(binary)
            .arg("-d")
            .arg(host)
            .arg("-q")
            .arg(&query.file)
            .args([
                "-filter", "GQL", "-order", "GQL", "-engine", "LFTJ", "-num", "MAX",
            ])
            .output()
            .with_context(|| binary.display().to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let number = |key: &str| -> Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let number = line.with_context(|| format!("{} says no `{key}`", binary.display()))?;
            Ok(number.trim().parse()?)
        };
        let count = number("#Embeddings:")?;
        ensure!(count == query.count as f64, "{}: {count}", query.name);
        // Its total rounds each part to a tenth of a millisecond.
        seconds.push(number("Total time (seconds):")?);
    }
    Ok(row("SubgraphMatching", &seconds, "as it says itself"))
}

/// rustworkx, by `reference/matching.py`: every tenth query, 5 s for each.
pub(super) fn rustworkx(host: &Path, queries: &[Query]) -> Result<Vec<String>> {
    const LIMIT_SECS: &str = "5";
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/matching.py");
    let some: Vec<&Query> = queries.iter().step_by(10).collect();
    let output = Command::new("python3")
        .arg(script)
        .arg(host)
        .arg(LIMIT_SECS)
        .args(some.iter().map(|query| &query.file))
        .output()?;
    ensure!(
        output.status.success(),
        "matching.py: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let (mut seconds, mut late) = (Vec::new(), 0);
    for (line, query) in text.lines().zip(&some) {
        let (time, count) = line.split_once(' ').context("matching.py: two numbers")?;
        match count {
            "late" => late += 1,
            count => ensure!(count.parse() == Ok(query.count), "{}: {count}", query.name),
        }
        seconds.push(time.parse()?);
    }
    let note = format!("every tenth query; {late} of them cut at {LIMIT_SECS} s");
    Ok(row("rustworkx", &seconds, &note))
}
