//! Progress bars, on a terminal only, and Ctrl-C.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use penstock::{ProgressSnapshot, Task};

use super::ui::Ui;

const TICK: Duration = Duration::from_millis(100);

/// A bar for bytes where the total is known, else for rows, else a spinner.
pub(super) struct Bar {
    bar: ProgressBar,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Spinner,
    Bytes,
    Rows,
}

impl Bar {
    pub(super) fn new(ui: &Ui, title: &str) -> Self {
        let bar = if ui.shows_progress() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_prefix(title.to_owned());
        let this = Self {
            bar,
            shape: Shape::Spinner,
        };
        this.restyle();
        this
    }

    fn restyle(&self) {
        let template = match self.shape {
            Shape::Spinner => "{spinner:.cyan} {prefix} {msg} {elapsed:.dim}",
            Shape::Bytes => {
                "{spinner:.cyan} {prefix} {bar:24.cyan/dim} {bytes}/{total_bytes} {msg} {eta:.dim} left"
            }
            Shape::Rows => {
                "{spinner:.cyan} {prefix} {bar:24.cyan/dim} {human_pos}/{human_len} rows {msg} {eta:.dim} left"
            }
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("━━╌"));
        }
    }

    pub(super) fn show(&mut self, now: &ProgressSnapshot) {
        let shape = if now.total_bytes > 0 && now.bytes < now.total_bytes {
            Shape::Bytes
        } else if now.total_rows > 0 {
            Shape::Rows
        } else {
            Shape::Spinner
        };
        if shape != self.shape {
            self.shape = shape;
            self.restyle();
        }
        match shape {
            Shape::Bytes => {
                self.bar.set_length(now.total_bytes);
                self.bar.set_position(now.bytes);
            }
            Shape::Rows => {
                self.bar.set_length(now.total_rows);
                self.bar.set_position(now.rows);
            }
            Shape::Spinner => self.bar.tick(),
        }
        let seconds = self.bar.elapsed().as_secs_f64();
        let mut message = now.stage.to_owned();
        if now.items > 0 && seconds > 0.0 {
            let rate = super::table::count((now.items as f64 / seconds) as u64);
            message = format!("{message} {rate} {}/s", now.item);
        } else if now.rows > 0 && seconds > 0.0 {
            let rate = super::table::count((now.rows as f64 / seconds) as u64);
            message = format!("{message} {rate} rows/s");
        }
        if !now.note.is_empty() {
            message = format!("{message} {}", now.note);
        }
        self.bar.set_message(message);
    }

    pub(super) fn clear(self) {
        self.bar.finish_and_clear();
    }
}

/// Runs the work with a bar. Ctrl-C asks it to stop, and it then leaves nothing behind; a second
/// Ctrl-C ends the program at once.
pub(super) async fn watch<T>(
    ui: &Ui,
    title: &str,
    task: &Task,
    work: impl Future<Output = T>,
) -> T {
    let mut bar = Bar::new(ui, title);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut interrupts = 0;
    tokio::pin!(work);
    loop {
        tokio::select! {
            answer = &mut work => {
                bar.clear();
                return answer;
            }
            _ = ticks.tick() => bar.show(&task.progress.snapshot()),
            Ok(()) = tokio::signal::ctrl_c() => {
                interrupts += 1;
                task.cancel.cancel();
                if interrupts > 1 {
                    std::process::exit(i32::from(super::error::CANCELLED));
                }
            }
        }
    }
}
