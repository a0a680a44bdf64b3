//! The vectors of a query, in a file.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use arrow::ipc::reader::StreamReader;
use penstock_openapi::{EmbedAnswer, VectorForm};
use penstock_types::FeatureSpec;

use crate::cli::CliError;
use crate::vectors::{VECTOR, Vectors};

/// Bytes of a file: that many are held in memory, and a server takes no more.
const MAX_BYTES: u64 = 64 << 20;

/// What every message of an Arrow stream begins with.
const CONTINUES: [u8; 4] = [0xff; 4];

/// What a file holds.
pub(super) struct Given {
    /// The vectors.
    pub(super) vectors: Vec<Vec<f32>>,
    /// Who made them, where the file says so.
    pub(super) encoder: Option<String>,
}

pub(super) fn read(path: &Path) -> Result<Given, CliError> {
    let name = path.display().to_string();
    let bytes = bytes(path).map_err(|error| CliError::file(&name, error))?;
    let read = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => serde_json::from_slice(&bytes)
            .map(|vectors| Given {
                vectors,
                encoder: None,
            })
            .map_err(|error| error.to_string()),
        Some(b'{') => document(&bytes),
        _ if bytes.starts_with(&CONTINUES) => stream(bytes),
        _ => Err("neither JSON nor an Arrow stream".to_owned()),
    };
    read.map_err(|reason| CliError::usage(format!("{name}: {reason}")))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path)?),
    };
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let what = format!("more than the {MAX_BYTES} bytes that vectors of a query may take");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// What `penstock embed --json` prints.
fn document(bytes: &[u8]) -> Result<Given, String> {
    let answer: EmbedAnswer = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let first = answer.vectors.into_iter().next();
    let vectors = match first.and_then(|first| first.vector) {
        Some(VectorForm::Each(vectors)) => vectors,
        Some(VectorForm::One(_)) => {
            return Err(format!(
                "`{}` made one vector per record; one for each item is wanted (`NAME:none`)",
                answer.encoder
            ));
        }
        None => return Err("the first record has no vectors".to_owned()),
    };
    Ok(Given {
        vectors,
        encoder: Some(answer.encoder),
    })
}

/// An Arrow stream: a vector in each row. Its field may say who made them.
fn stream(bytes: Vec<u8>) -> Result<Given, String> {
    let text = |error: arrow::error::ArrowError| error.to_string();
    // Arrow's reader may panic on bytes that are no stream.
    let read = move || {
        let batches = StreamReader::try_new(Cursor::new(bytes), None).map_err(text)?;
        let schema = batches.schema();
        let spec = match schema.field_with_name(VECTOR) {
            Ok(field) => FeatureSpec::of(field).map_err(|error| error.to_string())?,
            Err(_) => None,
        };
        let mut vectors = Vectors::default();
        for batch in batches {
            vectors
                .push_batch(&batch.map_err(text)?)
                .map_err(|fault| fault.to_string())?;
        }
        let (dim, values) = vectors.into_parts().map_err(|fault| fault.to_string())?;
        Ok(Given {
            vectors: values.chunks(dim.max(1)).map(<[f32]>::to_vec).collect(),
            encoder: spec.map(|spec| spec.encoder),
        })
    };
    std::panic::catch_unwind(read).unwrap_or_else(|_| Err("no well-formed Arrow stream".to_owned()))
}
