//! What errors look like from outside: the one mapping of error codes to HTTP statuses and to exit
//! codes, and the problems (RFC 9457) that the REST interface answers with.
//!
//! A problem never carries a path of this machine or the text of a store below: what is the
//! server's own fault is logged under the request's number, and the caller gets that number.

use std::error::Error as _;

use http::StatusCode;
use penstock::Error;
use penstock_ingest::{Position, ReadError};
use penstock_openapi::{Problem, TYPE_PREFIX};
use penstock_types::ErrorCode;

/// The HTTP status of a code.
#[must_use]
pub const fn http_status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorCode::InvalidData | ErrorCode::EncoderMismatch | ErrorCode::Unsupported => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::AlreadyExists | ErrorCode::Conflict | ErrorCode::Cancelled => {
            StatusCode::CONFLICT
        }
        ErrorCode::LimitExceeded => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::Unavailable | ErrorCode::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Corrupt | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The exit code of the command line for a code; 0 is success.
#[must_use]
pub const fn exit_code(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::Internal => 1,
        ErrorCode::InvalidArgument | ErrorCode::EncoderMismatch => 2,
        ErrorCode::NotFound => 3,
        ErrorCode::InvalidData => 4,
        ErrorCode::AlreadyExists | ErrorCode::Conflict => 5,
        ErrorCode::LimitExceeded | ErrorCode::StorageFull => 6,
        ErrorCode::Unavailable => 7,
        ErrorCode::OutcomeUnknown => 8,
        ErrorCode::Cancelled => 9,
        ErrorCode::Corrupt => 10,
        ErrorCode::Unsupported => 11,
    }
}

/// A code in words.
#[must_use]
pub const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidArgument => "The request makes no sense",
        ErrorCode::InvalidData => "The data break the rules of their format",
        ErrorCode::EncoderMismatch => "The vector was made by another encoder",
        ErrorCode::NotFound => "There is no such thing",
        ErrorCode::AlreadyExists => "It exists already, with other content",
        ErrorCode::Conflict => "Something else was faster",
        ErrorCode::LimitExceeded => "A limit was reached",
        ErrorCode::StorageFull => "The store is full",
        ErrorCode::Unavailable => "The service or its store does not answer",
        ErrorCode::OutcomeUnknown => "It is not known whether the change was made",
        ErrorCode::Corrupt => "Stored data are damaged",
        ErrorCode::Cancelled => "The work was cancelled",
        ErrorCode::Unsupported => "This is not supported",
        ErrorCode::Internal => "The server failed",
    }
}

/// The code that a problem's `type` ends with.
#[must_use]
pub fn code_of(problem: &Problem) -> Option<ErrorCode> {
    ErrorCode::ALL
        .into_iter()
        .find(|code| code.as_str() == problem.code())
}

/// A problem with the status of its code.
#[must_use]
pub fn problem(code: ErrorCode, detail: impl Into<String>) -> Problem {
    Problem {
        kind: format!("{TYPE_PREFIX}{code}"),
        title: title(code).to_owned(),
        status: http_status(code).as_u16(),
        detail: detail.into(),
        instance: None,
        request_id: None,
        retryable: code.is_retryable(),
        outcome: (code == ErrorCode::OutcomeUnknown).then(|| "unknown".to_owned()),
        file: None,
        record: None,
        line: None,
        byte: None,
    }
}

/// A problem with another status than its code's, where HTTP has a closer one.
#[must_use]
pub fn problem_with_status(
    code: ErrorCode,
    status: StatusCode,
    detail: impl Into<String>,
) -> Problem {
    Problem {
        status: status.as_u16(),
        ..problem(code, detail)
    }
}

/// The problem of an engine's error. What the caller must not or need not see is logged.
#[must_use]
pub fn of_error(error: &Error) -> Problem {
    let code = error.code();
    let mut problem = problem(code, detail(error, code));
    if let Error::Source(source) = error
        && let Some(read) = source.source.downcast_ref::<ReadError>()
    {
        problem.file = Some(read.file().to_owned());
        problem.record = read.record().map(str::to_owned);
        match read.position() {
            Some(Position::Line(line)) => problem.line = Some(line),
            Some(Position::Byte(byte)) => problem.byte = Some(byte),
            None => {}
        }
    }
    problem
}

fn detail(error: &Error, code: ErrorCode) -> String {
    match code {
        ErrorCode::Internal => {
            tracing::error!(error = chain(error), "the engine failed");
            "the server failed; its log has the reason under the request's number".to_owned()
        }
        ErrorCode::Unavailable | ErrorCode::StorageFull | ErrorCode::OutcomeUnknown => {
            tracing::warn!(error = chain(error), "the store failed");
            error.to_string()
        }
        ErrorCode::Corrupt => {
            tracing::error!(error = chain(error), "stored data are damaged");
            error.to_string()
        }
        _ => error.to_string(),
    }
}

/// An error with its causes, for the log.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_type_and_a_status_of_an_error() {
        for code in ErrorCode::ALL {
            let problem = problem(code, "x");
            assert_eq!(code_of(&problem), Some(code));
            assert!((400..600).contains(&problem.status));
            assert_eq!(problem.retryable, code.is_retryable());
            assert_ne!(exit_code(code), 0);
        }
    }

    #[test]
    fn an_unknown_outcome_says_so() {
        let problem = problem(ErrorCode::OutcomeUnknown, "x");
        assert_eq!(
            (problem.status, problem.outcome.as_deref()),
            (503, Some("unknown"))
        );
        assert!(!problem.retryable);
    }

    #[test]
    fn a_fault_in_a_file_has_its_place() {
        let read = ReadError::Malformed {
            file: "reads.fq".into(),
            record: Some("r7".into()),
            position: Position::Line(28),
            expected: "4 lines".into(),
            found: "the end".into(),
        };
        let problem = of_error(&crate::load::source_error(read).into());
        assert_eq!(problem.status, 422);
        assert_eq!(problem.file.as_deref(), Some("reads.fq"));
        assert_eq!(
            (problem.line, problem.record.as_deref()),
            (Some(28), Some("r7"))
        );
    }

    #[test]
    fn internal_causes_stay_inside() {
        let error = penstock::SourceError {
            code: ErrorCode::Internal,
            source: "secret /root/path".into(),
        };
        assert!(!of_error(&error.into()).detail.contains("secret"));
    }
}
