//! What can go wrong while a checkpoint is downloaded.

use std::io::ErrorKind;
use std::path::PathBuf;

use penstock_types::ErrorCode;

/// Why a checkpoint cannot be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubFault {
    /// The endpoint is no address.
    #[error("`{given}` (HF_ENDPOINT) is no address of a hub, such as https://huggingface.co")]
    Endpoint {
        /// What was given.
        given: String,
    },
    /// The token cannot be sent.
    #[error("the token (HF_TOKEN) has characters that no token has")]
    Token,
    /// Nobody answers.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// The host, with its port where that is not the usual one.
        host: String,
        /// The reason.
        #[source]
        source: reqwest::Error,
    },
    /// The hub has no such model, or hides it from whoever asks.
    #[error(
        "{host} has no such model, or it is a private one: look at the name again, and set \
         HF_TOKEN if only some may read it"
    )]
    NoModel {
        /// The host.
        host: String,
    },
    /// The model has no such branch, tag or commit.
    #[error("the model has no branch, tag or commit `{revision}` at {host}")]
    NoRevision {
        /// The host.
        host: String,
        /// What was asked for.
        revision: String,
    },
    /// The model is gated, or the token is not accepted.
    #[error(
        "{host} refuses it ({status}), {}. Accept the model's licence at {page}, and set HF_TOKEN \
         to a token of that account",
        if *has_token { "though a token was sent" } else { "and no token was sent" }
    )]
    Refused {
        /// The host.
        host: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        has_token: bool,
        /// The model's page.
        page: String,
    },
    /// The hub answers with an error of its own.
    #[error("{host} answers {status} to the request for {what}")]
    Status {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// The answer is not what the hub's protocol says.
    #[error("{host} does not answer as a hub does: {reason}")]
    Answer {
        /// The host.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The index of the shards names a file that the repository's folder does not have.
    #[error("the index of its weights names `{name}`, which is no file of the model's folder")]
    Shard {
        /// The name.
        name: String,
    },
    /// The index of the shards is no index.
    #[error("the index of its weights cannot be read")]
    Index(#[source] serde_json::Error),
    /// The connection broke, or was silent for too long.
    #[error("`{file}` stopped after {given} of {expected} bytes; the same command goes on there")]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that are here.
        given: u64,
        /// Bytes that it has.
        expected: u64,
        /// The reason, where the connection did not just end.
        #[source]
        source: Option<std::io::Error>,
    },
    /// The bytes are not those that the hub promised.
    #[error("`{file}` came with the digest {given}, and the hub says {expected}; it was removed")]
    Damaged {
        /// The file.
        file: String,
        /// Digest of what came.
        given: String,
        /// Digest that the hub names.
        expected: String,
    },
    /// The cache cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl HubFault {
    /// The code under which it is reported.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Endpoint { .. } | Self::Token => ErrorCode::InvalidArgument,
            Self::Unreachable { .. } | Self::Status { .. } | Self::Interrupted { .. } => {
                ErrorCode::Unavailable
            }
            // The hub answers alike for what is missing and for what somebody may not see.
            Self::NoModel { .. } | Self::NoRevision { .. } | Self::Refused { .. } => {
                ErrorCode::NotFound
            }
            Self::Answer { .. } | Self::Shard { .. } | Self::Index(_) | Self::Damaged { .. } => {
                ErrorCode::InvalidData
            }
            Self::Disk { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::StorageFull,
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    ErrorCode::InvalidArgument
                }
                _ => ErrorCode::Unavailable,
            },
        }
    }
}
