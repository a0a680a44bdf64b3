//! What the figures were measured on, and what the kernel says of this process.

use std::fs;

/// One line: processor, cores, memory.
pub(crate) fn describe() -> String {
    let find = |file: &str, key: &str| -> String {
        fs::read_to_string(file)
            .unwrap_or_default()
            .lines()
            .find_map(|line| {
                Some(
                    line.strip_prefix(key)?
                        .trim_start_matches([':', ' ', '\t'])
                        .to_owned(),
                )
            })
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} / {cores} cores / memory {}",
        find("/proc/cpuinfo", "model name"),
        find("/proc/meminfo", "MemTotal")
    )
}

/// The most memory that this process has held, in megabytes (10^6); `None` off Linux.
pub(crate) fn peak_resident_megabytes() -> Option<f64> {
    status_megabytes("VmHWM:")
}

/// The memory that this process holds now, in megabytes (10^6); `None` off Linux.
pub(crate) fn resident_megabytes() -> Option<f64> {
    status_megabytes("VmRSS:")
}

fn status_megabytes(key: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// A table with aligned numbers.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_preset(comfy_table::presets::ASCII_MARKDOWN)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}
