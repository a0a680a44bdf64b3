//! Zarr folders.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, json};

use super::{Job, files};
use crate::chunks::{ChunkBuffer, Ready};
use crate::error::Result;
use crate::manifest::{Array, chunk_key};
use crate::zarr::{document_key, documents};

/// Files that are written, and synced, at once.
const WRITES_AHEAD: usize = 8;

/// Copies the stored tree, checking each chunk on its way.
pub(super) async fn copy(job: &mut Job<'_>) -> Result<()> {
    let snapshot = job.snapshot;
    let arrays = &snapshot.manifest().arrays;
    let chunks = arrays
        .iter()
        .flat_map(|array| (0..array.chunks.len() as u64).map(move |index| (array, index)));
    let folder = job.folder.clone();
    let folder = &folder;
    let cancel = job.cancel.clone();
    let going = || !cancel.as_ref().is_some_and(|cancel| cancel());
    let mut copies = stream::iter(chunks)
        .take_while(|_| std::future::ready(going()))
        .map(|(array, index)| async move {
            let bytes = snapshot.chunk_of(array, index).await?;
            files::write(folder.join(array.chunk_key(index)), bytes).await
        })
        .buffer_unordered(WRITES_AHEAD);
    while let Some(bytes) = copies.try_next().await? {
        job.wrote(bytes);
    }
    write_documents(job, snapshot.documents().clone()).await
}

/// Writes a rank's rows as arrays of their own.
pub(super) async fn slice(job: &mut Job<'_>) -> Result<()> {
    let mut manifest = job.snapshot.manifest().clone();
    let mut offsets = Map::new();
    for array in &mut manifest.arrays {
        let block = job.block(array).await?;
        offsets.insert(array.name.clone(), block.entries().start.into());
        let vectors = array.shape.len() > 1;
        let mut buffer = ChunkBuffer::new(array.dtype, array.shape.get(1).copied());
        let mut pieces = block.stream(None)?;
        while let Some(piece) = pieces.try_next().await? {
            job.check()?;
            buffer.push(&piece);
            write_chunks(job, &array.name, vectors, buffer.take()).await?;
        }
        let (finished, ready) = buffer.finish();
        write_chunks(job, &array.name, vectors, ready).await?;
        array.shape = finished.shape;
        array.chunk_shape = finished.chunk_shape;
        array.chunks = finished.chunks;
    }
    manifest.rows = job.rows.end - job.rows.start;
    let row_offset = job.rows.start;
    let attributes = |array: &Array| {
        let mut attributes = Map::new();
        attributes.insert("row_offset".into(), row_offset.into());
        let entry = offsets.get(&array.name).cloned().unwrap_or_default();
        attributes.insert("entry_offset".into(), entry);
        attributes
    };
    let root = json!({"penstock": job.facts()});
    let tree = documents(&manifest, &root, attributes)?;
    write_documents(job, tree).await
}

async fn write_chunks(
    job: &mut Job<'_>,
    array: &str,
    vectors: bool,
    chunks: Vec<Ready>,
) -> Result<()> {
    for chunk in chunks {
        let path = job.folder.join(chunk_key(array, vectors, chunk.index));
        let bytes = files::write(path, chunk.bytes).await?;
        job.wrote(bytes);
    }
    Ok(())
}

/// The documents, the root's last: a tree without it is none.
async fn write_documents<B: Into<Bytes>>(
    job: &mut Job<'_>,
    tree: impl IntoIterator<Item = (String, B)>,
) -> Result<()> {
    job.check()?;
    let folder = job.folder.clone();
    let (root, inner): (Vec<_>, Vec<_>) = tree.into_iter().partition(|(path, _)| path.is_empty());
    for documents in [inner, root] {
        let mut writes = stream::iter(documents)
            .map(|(path, document)| files::write(folder.join(document_key(&path)), document.into()))
            .buffer_unordered(WRITES_AHEAD);
        while let Some(bytes) = writes.try_next().await? {
            job.wrote(bytes);
        }
    }
    Ok(())
}
