//! One method for each operation.

use std::path::{Path, PathBuf};

use futures::stream::BoxStream;
use penstock_openapi::{
    CoolOutcome, CreateSnapshot, DeleteOutcome, DeleteRequest, DuplicatesAnswer, DuplicatesRequest,
    EmbedRequest, EncodeRequest, Encoders, GcRequest, GraphRequest, Heads, IndexRequest,
    IngestParams, Job, JobParams, Jobs, LateAnswer, LateRequest, MatchAnswer, MatchRequest,
    MeasureRequest, MotifAnswer, MotifRequest, PredictRequest, SearchAnswer, SearchBatchAnswer,
    SearchBatchRequest, SearchRequest, SetTag, SimilarAnswer, SimilarRequest, Snapshot, Snapshots,
    SqlRequest, StructureAnswer, StructureRequest, TableDescription, Tables, Tag, Tags,
    TrainHeadRequest, VectorIndexes, VerifyRequest, Versions, WarmRequest,
};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use uuid::Uuid;

use crate::upload::{Form, Part};
use crate::{Client, Result};

/// Bytes of an answer as they come.
pub type Bytes = BoxStream<'static, Result<bytes::Bytes>>;

/// A body that says nothing.
const NONE: Option<&()> = None;

fn new_key() -> String {
    Uuid::now_v7().to_string()
}

/// All operations fail with [`crate::Error::Problem`] where the server refuses, and with
/// [`crate::Error::Transport`] where it does not answer.
impl Client {
    /// All tables.
    ///
    /// # Errors
    /// As all operations.
    pub async fn tables(&self) -> Result<Tables> {
        self.get(&["v1", "tables"], &[]).await
    }

    /// One version (a number, a tag or `latest`) of a table.
    ///
    /// # Errors
    /// As all operations.
    pub async fn describe(
        &self,
        table: impl AsRef<str>,
        version: &str,
    ) -> Result<TableDescription> {
        self.get(&["v1", "tables", table.as_ref()], &[("version", version)])
            .await
    }

    /// Removes a table with all its versions.
    ///
    /// # Errors
    /// As all operations.
    pub async fn drop_table(&self, table: impl AsRef<str>) -> Result<()> {
        let segments = ["v1", "tables", table.as_ref()];
        self.send(async || Ok(self.request(Method::DELETE, &segments)))
            .await?;
        Ok(())
    }

    /// Where a pattern occurs in the graphs of a table.
    ///
    /// # Errors
    /// As all operations.
    pub async fn find_pattern(
        &self,
        table: impl AsRef<str>,
        request: &MatchRequest,
    ) -> Result<MatchAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "match"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// Places in the graphs of a table that resemble a pattern.
    ///
    /// # Errors
    /// As all operations.
    pub async fn find_similar(
        &self,
        table: impl AsRef<str>,
        request: &SimilarRequest,
    ) -> Result<SimilarAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "match-similar"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// Where a part of a stored structure recurs in a table of graphs.
    ///
    /// # Errors
    /// As all operations.
    pub async fn find_structure(
        &self,
        table: impl AsRef<str>,
        request: &StructureRequest,
    ) -> Result<StructureAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "match-structure"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// Clusters of rows whose vectors are within a distance of each other.
    ///
    /// # Errors
    /// As all operations.
    pub async fn duplicates(
        &self,
        table: impl AsRef<str>,
        request: &DuplicatesRequest,
    ) -> Result<DuplicatesAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "duplicates"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// Makes graphs of the records of a table.
    ///
    /// # Errors
    /// As all operations.
    pub async fn make_graphs(&self, table: impl AsRef<str>, request: &GraphRequest) -> Result<Job> {
        let segments = ["v1", "tables", table.as_ref(), "graph"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// The versions of a table.
    ///
    /// # Errors
    /// As all operations.
    pub async fn versions(&self, table: impl AsRef<str>) -> Result<Versions> {
        self.get(&["v1", "tables", table.as_ref(), "versions"], &[])
            .await
    }

    /// The tags of a table.
    ///
    /// # Errors
    /// As all operations.
    pub async fn tags(&self, table: impl AsRef<str>) -> Result<Tags> {
        self.get(&["v1", "tables", table.as_ref(), "tags"], &[])
            .await
    }

    /// Names a version (a number, a tag or `latest`).
    ///
    /// # Errors
    /// As all operations.
    pub async fn tag(
        &self,
        table: impl AsRef<str>,
        tag: impl AsRef<str>,
        version: &str,
    ) -> Result<Tag> {
        let request = SetTag {
            version: Some(version.to_owned()),
        };
        let segments = ["v1", "tables", table.as_ref(), "tags", tag.as_ref()];
        self.json(Method::PUT, &segments, Some(&request), None)
            .await
    }

    /// Deletes the rows that match a predicate.
    ///
    /// # Errors
    /// As all operations.
    pub async fn delete_rows(
        &self,
        table: impl AsRef<str>,
        predicate: &str,
    ) -> Result<DeleteOutcome> {
        let request = DeleteRequest {
            predicate: predicate.to_owned(),
        };
        let segments = ["v1", "tables", table.as_ref(), "delete"];
        self.json(Method::POST, &segments, Some(&request), Some(&new_key()))
            .await
    }

    /// Uploads files, each under a name, and answers the job that loads them as one version.
    ///
    /// # Errors
    /// As all operations; a file cannot be read.
    pub async fn ingest(
        &self,
        table: impl AsRef<str>,
        params: &IngestParams,
        files: Vec<(String, PathBuf)>,
    ) -> Result<Job> {
        let parts = files
            .into_iter()
            .map(|(name, path)| Part::file("file", name, path));
        let form = Form::new(parts.collect());
        let segments = ["v1", "tables", table.as_ref(), "ingest"];
        let key = new_key();
        let make = async || {
            let request = self
                .request(Method::POST, &segments)
                .query(params)
                .header("idempotency-key", &key)
                .header(CONTENT_TYPE, form.content_type());
            Ok(request.body(form.body().await?))
        };
        self.read(self.send(make).await?).await
    }

    /// Fills a feature column.
    ///
    /// # Errors
    /// As all operations.
    pub async fn encode(&self, table: impl AsRef<str>, request: &EncodeRequest) -> Result<Job> {
        let segments = ["v1", "tables", table.as_ref(), "encode"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// Builds an index.
    ///
    /// # Errors
    /// As all operations.
    pub async fn index(&self, table: impl AsRef<str>, request: &IndexRequest) -> Result<Job> {
        let segments = ["v1", "tables", table.as_ref(), "index"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// Brings the index of a column into the server's memory.
    ///
    /// # Errors
    /// As all operations.
    pub async fn warm(&self, table: impl AsRef<str>, request: &WarmRequest) -> Result<Job> {
        let segments = ["v1", "tables", table.as_ref(), "warm"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// Lets the indexes of a table, or of one of its columns, go from the server's memory.
    ///
    /// # Errors
    /// As all operations.
    pub async fn cool(&self, table: impl AsRef<str>, column: Option<&str>) -> Result<CoolOutcome> {
        let segments = ["v1", "tables", table.as_ref(), "warm"];
        let make = async || {
            let request = self.request(Method::DELETE, &segments);
            Ok(match column {
                Some(column) => request.query(&[("column", column)]),
                None => request,
            })
        };
        self.read(self.send(make).await?).await
    }

    /// Measures the indexes of a column, or sets the recall that its searches aim at, or both.
    ///
    /// # Errors
    /// As all operations.
    pub async fn measure(&self, table: impl AsRef<str>, request: &MeasureRequest) -> Result<Job> {
        let segments = ["v1", "tables", table.as_ref(), "measure"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// The vector indexes of all tables, in memory and on the disk.
    ///
    /// # Errors
    /// As all operations.
    pub async fn indexes(&self) -> Result<VectorIndexes> {
        self.get(&["v1", "indexes"], &[]).await
    }

    /// Merges small data files of a table, or of all.
    ///
    /// # Errors
    /// As all operations.
    pub async fn compact(&self, table: Option<impl AsRef<str>>) -> Result<Job> {
        self.upkeep(table, "compact", NONE).await
    }

    /// Removes old versions of a table, or of all.
    ///
    /// # Errors
    /// As all operations.
    pub async fn gc(&self, table: Option<impl AsRef<str>>, request: &GcRequest) -> Result<Job> {
        self.upkeep(table, "gc", Some(request)).await
    }

    /// Compares the files of a table, or of all, with their digests.
    ///
    /// # Errors
    /// As all operations.
    pub async fn verify(
        &self,
        table: Option<impl AsRef<str>>,
        request: &VerifyRequest,
    ) -> Result<Job> {
        self.upkeep(table, "verify", Some(request)).await
    }

    async fn upkeep(
        &self,
        table: Option<impl AsRef<str>>,
        verb: &str,
        request: Option<&(impl serde::Serialize + Sync)>,
    ) -> Result<Job> {
        let table = table.as_ref().map(AsRef::as_ref);
        let segments: Vec<&str> = match table {
            Some(table) => vec!["v1", "tables", table, verb],
            None => vec!["v1", verb],
        };
        self.json(Method::POST, &segments, request, Some(&new_key()))
            .await
    }

    /// The nearest rows.
    ///
    /// # Errors
    /// As all operations.
    pub async fn search(
        &self,
        table: impl AsRef<str>,
        request: &SearchRequest,
    ) -> Result<SearchAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "search"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// The rows nearest to the first record of a file.
    ///
    /// # Errors
    /// As all operations; the file cannot be read.
    pub async fn search_file(
        &self,
        table: impl AsRef<str>,
        request: &SearchRequest,
        file: &Path,
    ) -> Result<SearchAnswer> {
        let name = file
            .file_name()
            .unwrap_or(file.as_os_str())
            .to_string_lossy()
            .into_owned();
        let options = serde_json::to_vec(request).unwrap_or_default();
        let form = Form::new(vec![
            Part::text("request", options),
            Part::file("file", name, file.to_owned()),
        ]);
        let segments = ["v1", "tables", table.as_ref(), "search"];
        let make = async || {
            let request = self
                .request(Method::POST, &segments)
                .header(CONTENT_TYPE, form.content_type());
            Ok(request.body(form.body().await?))
        };
        self.read(self.send(make).await?).await
    }

    /// The rows nearest to each of many vectors.
    ///
    /// # Errors
    /// As all operations.
    pub async fn search_batch(
        &self,
        table: impl AsRef<str>,
        request: &SearchBatchRequest,
    ) -> Result<SearchBatchAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "search-batch"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// The rows whose vectors, one for each item, answer those of the query best.
    ///
    /// # Errors
    /// As all operations.
    pub async fn search_late(
        &self,
        table: impl AsRef<str>,
        request: &LateRequest,
    ) -> Result<LateAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "search-late"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// The occurrences of a pattern in sequences.
    ///
    /// # Errors
    /// As all operations.
    pub async fn motif(
        &self,
        table: impl AsRef<str>,
        request: &MotifRequest,
    ) -> Result<MotifAnswer> {
        let segments = ["v1", "tables", table.as_ref(), "motif"];
        self.json(Method::POST, &segments, Some(request), None)
            .await
    }

    /// The rows of a statement: the bytes of a JSON array of objects, as they come.
    ///
    /// # Errors
    /// As all operations; in the stream, the server broke off.
    pub async fn sql(&self, sql: &str) -> Result<Bytes> {
        let request = SqlRequest {
            sql: sql.to_owned(),
            ..SqlRequest::default()
        };
        let make = async || {
            let post = self.request(Method::POST, &["v1", "sql"]).json(&request);
            Ok(post.header(ACCEPT, "application/json"))
        };
        self.stream(make).await
    }

    /// The vectors of sequences, or of a file's records: the bytes of a JSON document, as they
    /// come.
    ///
    /// # Errors
    /// As all operations; the file cannot be read; in the stream, the server broke off.
    pub async fn embed(&self, request: &EmbedRequest, file: Option<&Path>) -> Result<Bytes> {
        let segments = ["v1", "embed"];
        let form = file.map(|file| {
            let name = file.file_name().unwrap_or(file.as_os_str());
            let options = serde_json::to_vec(request).unwrap_or_default();
            Form::new(vec![
                Part::text("request", options),
                Part::file("file", name.to_string_lossy().into_owned(), file.to_owned()),
            ])
        });
        let make = async || {
            let post = self
                .request(Method::POST, &segments)
                .header(ACCEPT, "application/json");
            Ok(match &form {
                None => post.json(request),
                Some(form) => post
                    .header(CONTENT_TYPE, form.content_type())
                    .body(form.body().await?),
            })
        };
        self.stream(make).await
    }

    /// The encoders of the server.
    ///
    /// # Errors
    /// As all operations.
    pub async fn encoders(&self) -> Result<Encoders> {
        self.get(&["v1", "encoders"], &[]).await
    }

    /// The heads of the server.
    ///
    /// # Errors
    /// As all operations.
    pub async fn heads(&self) -> Result<Heads> {
        self.get(&["v1", "heads"], &[]).await
    }

    /// Fits a head on a table's structures.
    ///
    /// # Errors
    /// As all operations.
    pub async fn train_head(
        &self,
        table: impl AsRef<str>,
        request: &TrainHeadRequest,
    ) -> Result<Job> {
        let segments = ["v1", "tables", table.as_ref(), "heads"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// The states of residues, of sequences or of a table's rows: the bytes of a JSON document, as
    /// they come.
    ///
    /// # Errors
    /// As all operations; in the stream, the server broke off.
    pub async fn predict(&self, request: &PredictRequest) -> Result<Bytes> {
        let segments = ["v1", "predict"];
        let make = async || {
            let post = self.request(Method::POST, &segments);
            Ok(post.header(ACCEPT, "application/json").json(request))
        };
        self.stream(make).await
    }

    /// Makes a snapshot.
    ///
    /// # Errors
    /// As all operations.
    pub async fn create_snapshot(&self, request: &CreateSnapshot) -> Result<Job> {
        let segments = ["v1", "snapshots"];
        self.json(Method::POST, &segments, Some(request), Some(&new_key()))
            .await
    }

    /// All snapshots.
    ///
    /// # Errors
    /// As all operations.
    pub async fn snapshots(&self) -> Result<Snapshots> {
        self.get(&["v1", "snapshots"], &[]).await
    }

    /// A snapshot by name, by `latest`, or by digest.
    ///
    /// # Errors
    /// As all operations.
    pub async fn snapshot(&self, name_or_digest: &str) -> Result<Snapshot> {
        self.get(&["v1", "snapshots", name_or_digest], &[]).await
    }

    /// The manifest of a snapshot, byte for byte as its digest was taken.
    ///
    /// # Errors
    /// As all operations.
    pub async fn manifest(&self, digest: &str) -> Result<bytes::Bytes> {
        self.bytes(&["v1", "snapshots", digest, "manifest.json"])
            .await
    }

    /// An object of a snapshot's Zarr tree: a `zarr.json`, or a chunk such as
    /// `ca_xyz/values/c/0/0`.
    ///
    /// # Errors
    /// As all operations.
    pub async fn zarr_object(&self, digest: &str, key: &str) -> Result<bytes::Bytes> {
        let mut segments = vec!["v1", "snapshots", digest, "zarr", "raw"];
        segments.extend(key.split('/'));
        self.bytes(&segments).await
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// As all operations.
    pub async fn jobs(&self, params: &JobParams) -> Result<Jobs> {
        let make = async || Ok(self.request(Method::GET, &["v1", "jobs"]).query(params));
        self.read(self.send(make).await?).await
    }

    /// A job.
    ///
    /// # Errors
    /// As all operations.
    pub async fn job(&self, id: &str) -> Result<Job> {
        self.get(&["v1", "jobs", id], &[]).await
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// As all operations.
    pub async fn cancel_job(&self, id: &str) -> Result<Job> {
        self.json(Method::DELETE, &["v1", "jobs", id], NONE, None)
            .await
    }
}
