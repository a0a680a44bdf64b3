//! Reads files and says how fast: `cargo run --release --example read -- FILE...`

use std::path::Path;
use std::time::Instant;

use penstock_ingest::{OnError, ReadError, ReadOptions, Source, open};

fn main() {
    let mut options = ReadOptions::default();
    for path in std::env::args().skip(1) {
        if path == "--skip" {
            options.on_error = OnError::Skip;
            continue;
        }
        if let Err(error) = read(Path::new(&path), &options) {
            println!("{error}");
        }
    }
}

fn read(path: &Path, options: &ReadOptions) -> Result<(), ReadError> {
    let start = Instant::now();
    let mut reader = open(Source::path(path), options)?;
    let (mut batches, mut rows, mut largest) = (0, 0, 0);
    for batch in &mut reader {
        let batch = batch?;
        batches += 1;
        rows += batch.num_rows();
        largest = largest.max(batch.get_array_memory_size());
    }
    let seconds = start.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let report = reader.report();
    println!(
        "{}: {} {}, {} records, {} windows, {} skipped, {} warnings; {rows} rows in {batches} \
         batches of at most {:.1} MB; {seconds:.3} s, {:.0} MB/s of the file{}",
        path.display(),
        reader.format(),
        reader.kind(),
        report.records,
        report.windows,
        report.skipped_count,
        report.warning_count,
        largest as f64 / 1e6,
        bytes as f64 / 1e6 / seconds,
        peak_rss(),
    );
    for skipped in report.skipped.iter().take(5) {
        println!("  skipped: {}", skipped.reason);
    }
    for warning in report.warnings.iter().take(5) {
        let record = warning.record.as_deref().unwrap_or("-");
        println!(
            "  warning: {}: {record}: {}",
            warning.source, warning.message
        );
    }
    Ok(())
}

/// The most memory that this process has held, where the system tells it.
fn peak_rss() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(String::new, |peak| format!(", peak {}", peak.trim()))
}
