//! What a command fails with, and what to do next.

use std::error::Error as _;
use std::io;

use penstock_openapi::Problem;
use penstock_types::ErrorCode;
use serde::Serialize;

use crate::load::LoadError;
use crate::problem;

/// Exit code of a command line that makes no sense.
pub(super) const USAGE: u8 = problem::exit_code(ErrorCode::InvalidArgument);
/// Exit code of cancelled work.
pub(super) const CANCELLED: u8 = problem::exit_code(ErrorCode::Cancelled);

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] penstock::Error),
    /// The server refused, failed, or does not answer.
    #[error(transparent)]
    Client(#[from] penstock_client::Error),
    /// The files cannot be loaded together.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The server's job failed.
    #[error("{}", .0.detail)]
    Job(Box<Problem>),
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// The store's folder is not there.
    #[error("there is no store at `{uri}`")]
    NoStore {
        /// The folder.
        uri: String,
    },
    /// An address that others can reach was asked for.
    #[error("{address} can be reached from other machines, and there is no authentication yet")]
    OpenToAll {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// An address cannot be listened on.
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A file of this machine cannot be read or written.
    #[error("{file}: {error}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Standard output cannot be written to.
    #[error("the answer cannot be written: {0}")]
    Output(#[source] io::Error),
    /// Rows cannot be written as JSON.
    #[error("rows cannot be shown: {0}")]
    Arrow(#[source] arrow::error::ArrowError),
    /// A JSON document cannot be written or read.
    #[error("no JSON as expected: {0}")]
    Document(#[source] serde_json::Error),
}

impl CliError {
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(super) fn file(file: impl Into<String>, error: io::Error) -> Self {
        Self::File {
            file: file.into(),
            error,
        }
    }

    /// The code under which the failure is reported.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Engine(error) => error.code(),
            Self::Client(error) => error.code(),
            Self::Load(error) => error.code(),
            Self::Job(problem) => problem::code_of(problem).unwrap_or(ErrorCode::Internal),
            Self::Usage(_) | Self::OpenToAll { .. } | Self::Listen { .. } => {
                ErrorCode::InvalidArgument
            }
            Self::NoStore { .. } => ErrorCode::NotFound,
            Self::File { error, .. } | Self::Output(error) => match error.kind() {
                io::ErrorKind::NotFound => ErrorCode::NotFound,
                io::ErrorKind::StorageFull => ErrorCode::StorageFull,
                _ => ErrorCode::InvalidArgument,
            },
            Self::Arrow(_) | Self::Document(_) => ErrorCode::Internal,
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        problem::exit_code(self.code())
    }

    /// What to do next, where there is more to say than the message says.
    pub(super) fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoStore { .. } => {
                "name one with --store or PENSTOCK_STORE; `penstock ingest` and `penstock serve` \
                 make one, and `penstock demo` fills one with a sample"
            }
            Self::OpenToAll { .. } => {
                "listen on 127.0.0.1, put a proxy with TLS and authentication before it, or say \
                 --insecure if every machine that reaches it may read and write everything"
            }
            Self::Listen { .. } => "another port: --listen 127.0.0.1:0 takes any that is free",
            Self::Usage(_) => "`penstock --help` and `penstock COMMAND --help` have examples",
            Self::Engine(penstock::Error::Source(source)) => {
                return source_hint(source.code).map(str::to_owned);
            }
            Self::Job(_) if self.code() == ErrorCode::InvalidData => {
                return source_hint(self.code()).map(str::to_owned);
            }
            Self::Engine(penstock::Error::NoSuchRow { table, .. }) => {
                return Some(format!(
                    "`penstock sql \"SELECT id FROM {table} LIMIT 10\"` shows some ids"
                ));
            }
            // The message says what to do.
            Self::Engine(penstock::Error::Embed(error)) if is_of_the_hub(error) => return None,
            // The message lists the columns that there are.
            Self::Engine(penstock::Error::NoSuchColumn { .. }) => return None,
            _ => match self.code() {
                ErrorCode::NotFound => {
                    "`penstock tables`, `describe TABLE`, `versions TABLE`, `encoders` and \
                     `snapshot list` show what there is"
                }
                ErrorCode::Conflict => "the same command may succeed now",
                ErrorCode::Unavailable if matches!(self, Self::Client(_)) => {
                    "is the server running? `penstock serve` starts one"
                }
                ErrorCode::Unavailable => "the same command may succeed later",
                ErrorCode::OutcomeUnknown => {
                    "look at `penstock versions TABLE` before repeating it; loading the same files \
                     again adds nothing twice"
                }
                ErrorCode::StorageFull => "free some space; `penstock gc` removes old versions",
                ErrorCode::Corrupt => {
                    "`penstock verify` lists every damaged file; load the records again, or restore \
                     the files from a copy"
                }
                ErrorCode::Internal => {
                    "this is a defect of Penstock: please report it with the command and its input"
                }
                _ => return None,
            },
        };
        Some(text.to_owned())
    }

    /// The problem document of `--json`, as one line.
    pub(super) fn problem(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            #[serde(flatten)]
            problem: &'a Problem,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<String>,
            exit_code: u8,
        }
        let problem = match self {
            Self::Engine(error) => {
                // On the command line nothing needs to be kept from the user.
                Problem {
                    detail: error.to_string(),
                    ..problem::of_error(error)
                }
            }
            Self::Job(problem) => (**problem).clone(),
            Self::Client(error) => match error.problem() {
                Some(problem) => problem.clone(),
                None => problem::problem(self.code(), self.to_string()),
            },
            _ => problem::problem(self.code(), self.to_string()),
        };
        let document = Document {
            problem: &problem,
            hint: self.hint(),
            exit_code: self.exit_code(),
        };
        serde_json::to_string(&document).unwrap_or_else(|_| self.to_string())
    }
}

const fn is_of_the_hub(error: &penstock::encoding::EmbedError) -> bool {
    use penstock::encoding::EmbedError::{Hub, NotCached};
    matches!(error, Hub { .. } | NotCached { .. })
}

fn source_hint(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidData => Some(
            "nothing was loaded; `--on-error skip` loads the records that can be read and lists \
             the others",
        ),
        ErrorCode::Unsupported => Some("`--kind` says what it is, where the content does not tell"),
        ErrorCode::NotFound => Some("is the path right?"),
        _ => None,
    }
}

/// Where the error began, unless its message says so already.
pub(super) fn root_cause(error: &CliError) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    (!error.to_string().contains(&text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_json() {
        let error = CliError::NoStore {
            uri: "./nowhere".to_owned(),
        };
        let document: serde_json::Value = serde_json::from_str(&error.problem()).unwrap();
        assert_eq!(document["type"], "urn:penstock:problem:not-found");
        assert_eq!(document["exit_code"], 3);
        assert!(document["hint"].as_str().unwrap().contains("--store"));
    }

    #[test]
    fn the_exit_codes_are_documented() {
        let help = super::super::help::ROOT_AFTER_LONG;
        for code in ErrorCode::ALL {
            let line = format!("\n  {:2}  ", problem::exit_code(code));
            assert!(help.contains(&line), "{code}");
        }
    }
}
