//! Where output goes: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use comfy_table::Table;
use serde::Serialize;

use super::{CliError, Environment, error};

/// How to speak to whoever started the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ui {
    json: bool,
    out_is_terminal: bool,
    err_is_terminal: bool,
    no_color: bool,
}

impl Ui {
    pub(super) fn new(json: bool, environment: &Environment) -> Self {
        Self {
            json,
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            no_color: environment.no_color,
        }
    }

    /// For errors met before the options are known.
    pub(super) fn json() -> Self {
        Self {
            json: true,
            out_is_terminal: false,
            err_is_terminal: false,
            no_color: true,
        }
    }

    pub(super) fn wants_json(&self) -> bool {
        self.json
    }

    /// Whether somebody watches standard error: then progress is shown.
    pub(super) fn shows_progress(&self) -> bool {
        self.err_is_terminal
    }

    pub(super) fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Prints the answer: the document with `--json`, else what `show` makes of it.
    pub(super) fn answer<T: Serialize>(
        &self,
        document: &T,
        show: impl FnOnce(&Self, &T) -> String,
    ) -> Result<(), CliError> {
        if self.json {
            let mut text = serde_json::to_string_pretty(document).map_err(CliError::Document)?;
            text.push('\n');
            self.print(&text)
        } else {
            let text = show(self, document);
            self.print(&text)
        }
    }

    /// Prints to standard output.
    pub(super) fn print(&self, text: &str) -> Result<(), CliError> {
        self.print_bytes(text.as_bytes())?;
        io::stdout().flush().map_err(CliError::Output)
    }

    /// Prints bytes that are text, and leaves flushing to [`Self::print`].
    pub(super) fn print_bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        io::stdout().write_all(bytes).map_err(CliError::Output)
    }

    /// Says something that is not the answer.
    pub(super) fn note(&self, text: &str) {
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Warns. With `--json` the document carries the warnings.
    pub(super) fn warn(&self, text: &str) {
        if !self.json {
            self.note(&format!("{} {text}", self.paint_err("warning:", "33;1")));
        }
    }

    /// Says what a model's weights may not be used for. With `--json` the column's metadata and
    /// the list of encoders say it.
    pub(super) fn note_licence(&self, licence: Option<&str>) {
        if let Some(licence) = licence
            && licence.split('-').any(|part| part == "nc")
        {
            self.warn(&format!(
                "the weights' licence, {licence}, allows no commercial use"
            ));
        }
    }

    /// Prints the error and answers its exit code. A closed standard output is no error: whoever
    /// read it has seen enough.
    pub(super) fn fail(&self, error: &CliError) -> ExitCode {
        if let CliError::Output(cause) = error
            && cause.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        if self.json {
            self.note(&error.problem());
        } else {
            self.note(&format!("{} {error}", self.paint_err("error:", "31;1")));
            if let Some(cause) = error::root_cause(error) {
                self.note(&format!("  because: {cause}"));
            }
            if let Some(hint) = error.hint() {
                self.note(&format!("{} {hint}", self.paint_err(" hint:", "36;1")));
            }
        }
        ExitCode::from(error.exit_code())
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint_out(text, "1")
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.paint_out(text, "2")
    }

    pub(super) fn good(&self, text: &str) -> String {
        self.paint_out(text, "32;1")
    }

    pub(super) fn bad(&self, text: &str) -> String {
        self.paint_out(text, "31;1")
    }

    pub(super) fn accent(&self, text: &str) -> String {
        self.paint_out(text, "36")
    }

    pub(super) fn err_has_color(&self) -> bool {
        self.err_is_terminal && !self.no_color
    }

    fn paint_out(&self, text: &str, style: &str) -> String {
        paint(text, style, self.out_is_terminal && !self.no_color)
    }

    fn paint_err(&self, text: &str, style: &str) -> String {
        paint(text, style, self.err_has_color())
    }

    /// The table as text, as wide as the terminal, and as it comes elsewhere.
    pub(super) fn table(&self, table: &Table) -> String {
        super::table::to_text(
            table,
            self.out_is_terminal,
            self.out_is_terminal && !self.no_color,
        )
    }
}

fn paint(text: &str, style: &str, is_wanted: bool) -> String {
    if is_wanted {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
