//! Indexes in memory as they are kept beside their tables.
//!
//! `_penstock/hot/TABLE/COLUMN.METRIC/`: a file for each segment, written once under a name of its
//! own, and `current.json`, which names those that belong together. A segment's file carries its
//! digest, which is checked when it is read.

use std::io::{self, Read, Write};

use bytes::Bytes;
use futures::TryStreamExt;
use penstock_hnsw::Hnsw;
use penstock_store::{Objects, StoreError};
use penstock_types::{Metric, TableName};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::segment::Segment;
use crate::{IndexError, Result};

/// Bytes that are handed from the writing thread to the store at once, and pieces that may wait.
const PIECE: usize = 4 << 20;
const PIECES: usize = 2;

/// What was saved last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Current {
    /// Version of the table that the newest segment was made from.
    pub(super) version: u64,
    /// Digest of the encoder's weights.
    pub(super) weights: String,
    /// Names of the segments' files, oldest first.
    pub(super) segments: Vec<String>,
}

/// The folder of one column's index.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    objects: Objects,
    folder: String,
}

/// Folder of all that is saved of a table.
pub(super) fn folder_of(table: &TableName) -> String {
    format!("hot/{table}")
}

impl Saved {
    pub(super) fn of(objects: &Objects, table: &TableName, column: &str, metric: Metric) -> Self {
        Self {
            objects: objects.clone(),
            folder: format!("{}/{column}.{metric}", folder_of(table)),
        }
    }

    fn key(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    pub(super) async fn current(&self) -> Result<Option<Current>> {
        let bytes = self.objects.get_opt(&self.key("current.json")).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Names the segments that belong together, then removes the files of others.
    pub(super) async fn commit(&self, current: &Current) -> Result<()> {
        let bytes = serde_json::to_vec(current).map_err(|_| IndexError::Invariant {
            what: "the list of an index's segments is no JSON",
        })?;
        self.objects
            .put(&self.key("current.json"), Bytes::from(bytes))
            .await?;
        let prefix = format!("{}/", self.folder);
        for object in self.objects.list(&self.folder).await? {
            let file = object.key.strip_prefix(&prefix).unwrap_or_default();
            let kept = file == "current.json" || current.segments.iter().any(|name| name == file);
            if !kept {
                self.objects.delete(&object.key).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn remove(&self) -> Result<()> {
        let folder = format!("{}/", self.folder);
        self.objects.delete_prefix(&folder).await?;
        Ok(())
    }

    /// Writes a segment; answers it and the name of its file.
    pub(super) async fn write(&self, mut segment: Segment) -> Result<(Segment, String)> {
        let file = format!("{}.hnsw", uuid::Uuid::now_v7().simple());
        let mut object = self.objects.writer(&self.key(&file))?;
        let (sender, mut pieces) = mpsc::channel(PIECES);
        let writing = tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces {
                piece: Vec::with_capacity(PIECE),
                sender,
            };
            segment.write(&mut pieces)?;
            pieces.flush().map_err(broken)?;
            Ok::<_, IndexError>(segment)
        });
        while let Some(piece) = pieces.recv().await {
            if let Err(error) = object.write(piece).await {
                drop(pieces);
                object.abort().await?;
                return Err(error.into());
            }
        }
        match writing.await? {
            Ok(segment) => {
                object.finish().await?;
                Ok((segment, file))
            }
            Err(error) => {
                object.abort().await?;
                Err(error)
            }
        }
    }

    pub(super) async fn read(&self, file: &str, allowed: u64) -> Result<Segment> {
        let mut stream = self.objects.get_stream(&self.key(file)).await?;
        let (sender, pieces) = mpsc::channel(PIECES);
        let reading = tokio::task::spawn_blocking(move || {
            let arriving = Arriving {
                pieces,
                piece: Bytes::new(),
            };
            let graph = Hnsw::read_from(arriving, allowed)?;
            Segment::of(graph)
        });
        while let Some(piece) = stream.try_next().await? {
            if sender.send(piece).await.is_err() {
                break; // the reader found a fault, and says so
            }
        }
        drop(sender);
        reading.await?
    }
}

fn broken(source: io::Error) -> IndexError {
    IndexError::Store(StoreError::Io {
        what: "writing an index",
        source,
    })
}

/// Hands pieces to the task that stores them.
struct Pieces {
    piece: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..take]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        if piece.is_empty() {
            return Ok(());
        }
        self.sender
            .blocking_send(Bytes::from(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Reads pieces as they come from the store.
struct Arriving {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let take = to.len().min(self.piece.len());
        to[..take].copy_from_slice(&self.piece.split_to(take));
        Ok(take)
    }
}
