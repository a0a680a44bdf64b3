//! What is shown while a model is downloaded.

use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use penstock::encoding::hub::{Report, Step};

use super::table;
use super::ui::Ui;

/// A bar on a terminal, lines elsewhere, and nothing with `--json`.
pub(super) fn shown(ui: Ui) -> Option<Report> {
    if ui.wants_json() {
        return None;
    }
    let bar: Mutex<Option<ProgressBar>> = Mutex::new(None);
    Some(Arc::new(move |step| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        show(ui, &mut bar, step);
    }))
}

fn show(ui: Ui, bar: &mut Option<ProgressBar>, step: Step<'_>) {
    match step {
        Step::Begins {
            model,
            commit,
            files,
            bytes,
        } => {
            ui.note(&format!(
                "downloading {model} at commit {commit}: {}, {}",
                table::counted(files as u64, "file"),
                table::bytes(bytes)
            ));
            *bar = ui.shows_progress().then(|| new_bar(bytes));
        }
        Step::File { name, bytes } => match bar {
            Some(bar) => bar.set_message(name.to_owned()),
            None => ui.note(&format!("  {name}, {}", table::bytes(bytes))),
        },
        Step::Waits { name } => match bar {
            Some(bar) => bar.set_message(format!("{name}, which another process downloads")),
            None => ui.note(&format!(
                "  waiting for another process, which downloads {name}"
            )),
        },
        Step::Bytes(bytes) => {
            if let Some(bar) = bar {
                bar.inc(bytes);
            }
        }
        Step::Again(bytes) => {
            if let Some(bar) = bar {
                bar.dec(bytes);
            }
        }
        Step::Ends { folder, .. } => {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            ui.note(&format!("downloaded to {}", folder.display()));
        }
        _ => {}
    }
}

fn new_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let template = "{bar:24.cyan/dim} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta:.dim} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━━╌"));
    }
    bar
}

/// Lines in a server's log.
pub(super) fn logged() -> Report {
    Arc::new(|step| match step {
        Step::Begins {
            model,
            commit,
            files,
            bytes,
        } => tracing::info!(model, commit, files, bytes, "downloading a model"),
        Step::Ends { model, commit, .. } => tracing::info!(model, commit, "downloaded a model"),
        _ => {}
    })
}
