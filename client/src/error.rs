//! What can go wrong.

use std::io;

use penstock_openapi::Problem;
use penstock_types::ErrorCode;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no address of a server.
    #[error("`{url}` is no address of a server: it must look like http://127.0.0.1:7370")]
    Url {
        /// The text.
        url: String,
    },
    /// The server answered with a problem.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The server does not answer, or broke off.
    #[error("the server at {url} does not answer")]
    Transport {
        /// The server.
        url: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// What answers is no Penstock server, or one of another version.
    #[error("the answer of {url} cannot be read: status {status}, {reason}")]
    Answer {
        /// The server.
        url: String,
        /// The status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// A file to upload cannot be read.
    #[error("{file}: {error}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
}

impl Error {
    /// The code under which the failure is reported.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Url { .. } => ErrorCode::InvalidArgument,
            Self::Problem(problem) => ErrorCode::ALL
                .into_iter()
                .find(|code| code.as_str() == problem.code())
                .unwrap_or(ErrorCode::Internal),
            Self::Transport { .. } => ErrorCode::Unavailable,
            Self::Answer { .. } => ErrorCode::Unsupported,
            Self::File { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => ErrorCode::NotFound,
                _ => ErrorCode::InvalidArgument,
            },
        }
    }

    /// The server's problem, where it answered with one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the same request may succeed when it is repeated as it is.
    pub(crate) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Problem(problem) => {
                problem.retryable || matches!(problem.status, 408 | 429 | 502 | 503 | 504)
            }
            Self::Transport { source, .. } => !source.is_builder() && !source.is_redirect(),
            Self::Answer { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::Url { .. } | Self::File { .. } => false,
        }
    }
}
