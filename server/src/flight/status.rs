//! The one mapping of error codes to gRPC statuses.

use penstock::types::ErrorCode;
use tonic::{Code, Status};

/// The status of an engine error. What is the server's own fault is logged, not told.
pub(super) fn of(error: &penstock::Error) -> Status {
    of_code(error.code(), &error.to_string())
}

/// The status of a code with a message.
pub(super) fn of_code(code: ErrorCode, message: &str) -> Status {
    if code == ErrorCode::Internal {
        tracing::error!(message, "flight call failed");
        return Status::internal("the server failed; its log has the reason");
    }
    Status::new(grpc(code), format!("{message} [{code}]"))
}

const fn grpc(code: ErrorCode) -> Code {
    match code {
        ErrorCode::InvalidArgument | ErrorCode::InvalidData | ErrorCode::EncoderMismatch => {
            Code::InvalidArgument
        }
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::AlreadyExists => Code::AlreadyExists,
        ErrorCode::Conflict => Code::Aborted,
        ErrorCode::LimitExceeded | ErrorCode::StorageFull => Code::ResourceExhausted,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::OutcomeUnknown => Code::Unknown,
        ErrorCode::Corrupt => Code::DataLoss,
        ErrorCode::Cancelled => Code::Cancelled,
        ErrorCode::Unsupported => Code::Unimplemented,
        ErrorCode::Internal => Code::Internal,
    }
}
