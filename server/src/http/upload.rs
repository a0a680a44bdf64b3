//! Request bodies of any size: streamed to files, never held in memory.

use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::StatusCode;
use penstock_types::ErrorCode;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::error::{ApiError, Result};

/// What is left of an upload's bounds.
pub(super) struct Budget {
    left: u64,
    limit: u64,
    silence: Duration,
}

impl Budget {
    pub(super) fn new(limit: u64, silence: Duration) -> Self {
        Self {
            left: limit,
            limit,
            silence,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes as u64).ok_or_else(|| {
            ApiError::new(
                ErrorCode::LimitExceeded,
                format!(
                    "the upload is larger than the limit of {} bytes",
                    self.limit
                ),
            )
        })?;
        Ok(())
    }

    /// Waits for what comes next, but not for ever.
    pub(super) async fn patient<F: Future>(&self, next: F) -> Result<F::Output> {
        tokio::time::timeout(self.silence, next).await.map_err(|_| {
            ApiError::with_status(
                ErrorCode::InvalidArgument,
                StatusCode::REQUEST_TIMEOUT,
                "the upload stopped halfway",
            )
        })
    }
}

/// A short part of a form.
pub(super) async fn short(mut field: Field<'_>, limit: usize) -> Result<Bytes> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| form_error(&error))? {
        if bytes.len() + chunk.len() > limit {
            return Err(ApiError::new(
                ErrorCode::LimitExceeded,
                format!("the part `request` is larger than the limit of {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Writes a body to a file.
pub(super) async fn save_body(body: Body, path: &Path, budget: &mut Budget) -> Result<()> {
    let chunks = body
        .into_data_stream()
        .map(|chunk| chunk.map_err(|_| cut()));
    save(chunks, path, budget).await
}

/// Writes a part of a form to a file.
pub(super) async fn save_field(field: Field<'_>, path: &Path, budget: &mut Budget) -> Result<()> {
    save(
        field.map(|chunk| chunk.map_err(|error| form_error(&error))),
        path,
        budget,
    )
    .await
}

async fn save(
    chunks: impl Stream<Item = Result<Bytes>>,
    path: &Path,
    budget: &mut Budget,
) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).await.map_err(spool)?);
    let mut chunks = std::pin::pin!(chunks);
    while let Some(chunk) = budget.patient(chunks.next()).await? {
        let chunk = chunk?;
        budget.take(chunk.len())?;
        file.write_all(&chunk).await.map_err(spool)?;
    }
    file.flush().await.map_err(spool)?;
    // The caller is told that the job will be done: its input must survive a loss of power.
    file.get_ref().sync_all().await.map_err(spool)
}

/// The name of a file as its owner gave it, without folders and what is no text.
pub(super) fn file_name(given: &str) -> Option<String> {
    let name = given.rsplit(['/', '\\']).next().unwrap_or(given).trim();
    let is_fit = (1..=255).contains(&name.len())
        && !name.chars().any(char::is_control)
        && !matches!(name, "." | "..");
    is_fit.then(|| name.to_owned())
}

/// The body ended before its end.
fn cut() -> ApiError {
    ApiError::new(ErrorCode::InvalidArgument, "the upload was cut off")
}

pub(super) fn form_error(error: &MultipartError) -> ApiError {
    ApiError::with_status(
        ErrorCode::InvalidArgument,
        error.status(),
        error.body_text(),
    )
}

/// The spool's disk failed.
pub(super) fn spool(error: std::io::Error) -> ApiError {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ErrorCode::StorageFull
        }
        _ => ErrorCode::Unavailable,
    };
    tracing::error!(%error, "an upload could not be written");
    ApiError::new(code, "the upload could not be written to the server's disk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        assert_eq!(file_name("a.fasta").as_deref(), Some("a.fasta"));
        assert_eq!(file_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(file_name("C:\\data\\b.stl").as_deref(), Some("b.stl"));
        for bad in ["", "..", "a/", "a\nb", &"x".repeat(256)] {
            assert_eq!(file_name(bad), None, "{bad:?}");
        }
    }
}
