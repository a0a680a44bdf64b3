//! Forms with files (RFC 7578), streamed.
//!
//! Written here because reqwest's own forms are a feature that the rest of the workspace does not
//! build, and because a form must be sent again when the first attempt fails.

use std::path::PathBuf;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::fs::File;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::{Error, Result};

/// Bytes read from a file at once.
const PIECE: usize = 256 << 10;

/// One part.
pub(crate) struct Part {
    head: String,
    content: Content,
}

enum Content {
    Text(Vec<u8>),
    File(PathBuf),
}

impl Part {
    pub(crate) fn text(field: &str, text: Vec<u8>) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"{field}\"\r\n\r\n");
        Self {
            head,
            content: Content::Text(text),
        }
    }

    pub(crate) fn file(field: &str, name: String, path: PathBuf) -> Self {
        let name = quoted(&name);
        let head = format!(
            "Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        Self {
            head,
            content: Content::File(path),
        }
    }
}

/// A name as browsers write it in the head of a part.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A form. It can be sent more than once.
pub(crate) struct Form {
    boundary: String,
    parts: Vec<Part>,
}

impl Form {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self {
            boundary: format!("penstock-{}", Uuid::new_v4().simple()),
            parts,
        }
    }

    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The body. Every file is looked at before a byte is sent, and read as it is sent.
    ///
    /// # Errors
    /// A file is not there, or is a folder.
    pub(crate) async fn body(&self) -> Result<reqwest::Body> {
        let mut pieces = Vec::new();
        for part in &self.parts {
            let head = format!("--{}\r\n{}", self.boundary, part.head);
            pieces.push(once(head.into_bytes()));
            pieces.push(match &part.content {
                Content::Text(text) => once(text.clone()),
                Content::File(path) => {
                    let file = |error| Error::File {
                        file: path.display().to_string(),
                        error,
                    };
                    let meta = tokio::fs::metadata(path).await.map_err(file)?;
                    if meta.is_dir() {
                        return Err(file(std::io::ErrorKind::IsADirectory.into()));
                    }
                    let path = path.clone();
                    // Opened when its turn comes: there may be more files than a process may open.
                    stream::once(async move { File::open(path).await })
                        .map_ok(|file| ReaderStream::with_capacity(file, PIECE))
                        .try_flatten()
                        .boxed()
                }
            });
            pieces.push(once(b"\r\n".to_vec()));
        }
        pieces.push(once(format!("--{}--\r\n", self.boundary).into_bytes()));
        Ok(reqwest::Body::wrap_stream(stream::iter(pieces).flatten()))
    }
}

type Piece = stream::BoxStream<'static, std::io::Result<bytes::Bytes>>;

fn once(bytes: Vec<u8>) -> Piece {
    stream::once(async move { Ok(bytes::Bytes::from(bytes)) }).boxed()
}
