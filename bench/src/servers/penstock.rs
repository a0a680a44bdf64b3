//! `penstock serve`, with the index of the column in memory.

use std::io::Cursor;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{AsArray, FixedSizeListArray, RecordBatch};
use arrow::datatypes::{Float32Type, Int64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use penstock::index::QUERY;
use penstock::store::{Store, StoreOptions};
use penstock_types::TableName;
use serde::Serialize;
use serde_json::{Value, json};

use super::http::{Connection, ReadRows, Searches, Sent};
use super::load::Ask;
use super::process::Process;
use super::{Connect, Data, Form, Server, flight};
use crate::nearest::K;
use crate::stored::{load, row_of, spec};

const TABLE: &str = "vectors";
/// Queries of a batch.
const TOGETHER: usize = 100;
const ARROW: &str = "application/vnd.apache.arrow.stream";

pub(super) struct Penstock {
    http: SocketAddr,
    flight: String,
    column: String,
    vectors: Vec<Vec<f32>>,
    _process: Process,
}

impl Penstock {
    pub(super) fn start(program: &Path, data: &Data) -> Result<Self> {
        let root = data.folder.join("penstock");
        let spec = spec(data.dim)?;
        let column = spec.column();
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let store = Store::open(&root.to_string_lossy(), StoreOptions::default()).await?;
            load(&store, &TableName::new(TABLE)?, &spec, &data.rows).await
        })?;
        drop(runtime);
        let mut process = Process::start(
            Command::new(program)
                .args(["--json", "serve", "--listen", "127.0.0.1:0"])
                .args(["--flight", "127.0.0.1:0", "--store"])
                .arg(&root)
                .env("PENSTOCK_LOG", "warn")
                .stdout(Stdio::piped()),
        )?;
        // It says where it listens once it does.
        let output = process.child().stdout.take().context("its output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line)?;
        let address = |key: &str| ready[key].as_str().context("addresses are announced");
        let http = address("http")?.trim_start_matches("http://").parse()?;
        let flight = address("flight")?.replace("grpc://", "http://");
        warm(http, &column)?;
        Ok(Self {
            http,
            flight,
            column,
            vectors: data.queries.clone(),
            _process: process,
        })
    }

    fn options(&self, ef: usize) -> Value {
        json!({"column": self.column, "metric": "l2", "k": K, "ef": ef, "tier": "hot"})
    }

    /// One query a request; the whole rows where `columns` is `None`.
    fn singles(&self, ef: usize, columns: Option<&str>) -> Result<Vec<Sent>> {
        let path = format!("/v1/tables/{TABLE}/search");
        let each = self.vectors.iter().map(|vector| {
            let mut options = self.options(ef);
            if let Some(columns) = columns {
                options["columns"] = json!([columns]);
            }
            self.sent(&path, &Single { options, vector })
        });
        each.collect()
    }

    fn sent(&self, path: &str, body: &impl Serialize) -> Result<Sent> {
        let headers = "Content-Type: application/json\r\n";
        let body = serde_json::to_vec(body)?;
        Ok(Sent::new(self.http, "POST", path, headers, &body))
    }

    fn batches(&self, ef: usize) -> Result<Vec<Sent>> {
        let path = format!("/v1/tables/{TABLE}/search-batch");
        let each = self.vectors.chunks(TOGETHER).map(|vectors| {
            let mut options = self.options(ef);
            options["columns"] = json!(["id"]);
            self.sent(&path, &Many { options, vectors })
        });
        each.collect()
    }

    fn arrow_batches(&self, ef: usize) -> Result<Vec<Sent>> {
        let path = format!(
            "/v1/tables/{TABLE}/search-batch?column={}&metric=l2&k={K}&ef={ef}&tier=hot&columns=id",
            self.column
        );
        let headers = format!("Content-Type: {ARROW}\r\nAccept: {ARROW}\r\n");
        let each = self.vectors.chunks(TOGETHER).map(|vectors| {
            let batch = batch_of(vectors)?;
            let mut bytes = Vec::new();
            let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
            writer.write(&batch)?;
            writer.finish()?;
            drop(writer);
            Ok(Sent::new(self.http, "POST", &path, &headers, &bytes))
        });
        each.collect()
    }
}

impl Server for Penstock {
    fn forms(&self) -> Vec<Form> {
        vec![
            Form::single("REST, ids"),
            Form::single("REST, whole hits"),
            Form {
                name: "REST, batches of 100, JSON",
                together: TOGETHER,
                connections: vec![1, 8],
            },
            Form {
                name: "REST, batches of 100, Arrow",
                together: TOGETHER,
                connections: vec![1, 8],
            },
            Form::single("Flight, one vector a message"),
            Form {
                name: "Flight, 100 vectors a message",
                together: TOGETHER,
                connections: vec![1, 8],
            },
        ]
    }

    fn connect(&mut self, form: usize, ef: usize) -> Result<Connect> {
        let (requests, read): (Vec<Sent>, ReadRows) = match form {
            0 => (self.singles(ef, Some("id"))?, hits_of),
            1 => (self.singles(ef, None)?, hits_of),
            2 => (self.batches(ef)?, results_of),
            3 => (self.arrow_batches(ef)?, arrow_of),
            _ => return self.by_flight(if form == 4 { 1 } else { TOGETHER }, ef),
        };
        let (host, requests) = (self.http, Arc::new(requests));
        Ok(Box::new(move || {
            Ok(Box::new(Searches {
                connection: Connection::open(host)?,
                requests: Arc::clone(&requests),
                read,
            }) as Box<dyn Ask>)
        }))
    }
}

impl Penstock {
    fn by_flight(&self, together: usize, ef: usize) -> Result<Connect> {
        let mut search = self.options(ef);
        search["table"] = json!(TABLE);
        search["columns"] = json!(["id"]);
        let command = json!({ "search": search }).to_string();
        let parts = self.vectors.chunks(together).map(batch_of);
        let batches: Arc<Vec<RecordBatch>> = Arc::new(parts.collect::<Result<_>>()?);
        let address = self.flight.clone();
        Ok(Box::new(move || {
            let open = flight::Exchange::open(&address, &command, Arc::clone(&batches))?;
            Ok(Box::new(open) as Box<dyn Ask>)
        }))
    }
}

/// As our own client writes it: numbers with the digits of single precision.
#[derive(Serialize)]
struct Single<'a> {
    #[serde(flatten)]
    options: Value,
    vector: &'a [f32],
}

#[derive(Serialize)]
struct Many<'a> {
    #[serde(flatten)]
    options: Value,
    vectors: &'a [Vec<f32>],
}

/// Brings the index into memory, and waits until it is there.
fn warm(http: SocketAddr, column: &str) -> Result<()> {
    let mut connection = Connection::open(http)?;
    let body = json!({"column": column, "metric": "l2"});
    let path = format!("/v1/tables/{TABLE}/warm");
    let mut job = connection.json("POST", &path, &body)?;
    let id = job["id"].as_str().context("a job has an id")?.to_owned();
    let path = format!("/v1/jobs/{id}");
    let wait = "Prefer: wait=30\r\n";
    loop {
        let state = job["state"].as_str().unwrap_or_default();
        match state {
            "queued" | "running" => {}
            "succeeded" => return Ok(()),
            _ => anyhow::bail!("the index is not in memory: {job}"),
        }
        let asked = Sent::new(http, "GET", &path, wait, &[]);
        job = serde_json::from_slice(connection.send(&asked)?)?;
    }
}

fn batch_of(vectors: &[Vec<f32>]) -> Result<RecordBatch> {
    let dim = vectors.first().map_or(0, Vec::len);
    let lists = vectors
        .iter()
        .map(|vector| Some(vector.iter().copied().map(Some)));
    let lists =
        FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(lists, i32::try_from(dim)?);
    Ok(RecordBatch::try_from_iter([(
        "vector",
        Arc::new(lists) as _,
    )])?)
}

fn rows_of(hits: &Value) -> Vec<u32> {
    let hits = hits.as_array().map_or(&[][..], Vec::as_slice);
    let ids = hits.iter().filter_map(|hit| hit["id"].as_str());
    ids.filter_map(row_of).collect()
}

fn hits_of(body: &[u8]) -> Result<Vec<Vec<u32>>> {
    let answer: Value = serde_json::from_slice(body)?;
    Ok(vec![rows_of(&answer["hits"])])
}

fn results_of(body: &[u8]) -> Result<Vec<Vec<u32>>> {
    let answer: Value = serde_json::from_slice(body)?;
    let results = answer["results"]
        .as_array()
        .context("a batch has results")?;
    Ok(results.iter().map(rows_of).collect())
}

fn arrow_of(body: &[u8]) -> Result<Vec<Vec<u32>>> {
    let mut found = vec![Vec::new(); TOGETHER];
    for batch in StreamReader::try_new(Cursor::new(body), None)? {
        add_hits(&batch?, 0, &mut found)?;
    }
    Ok(found)
}

/// Sorts the hits of a batch by their queries, which are counted from `first`.
pub(super) fn add_hits(batch: &RecordBatch, first: i64, found: &mut [Vec<u32>]) -> Result<()> {
    let column = |name: &str| batch.column_by_name(name).context("a column of the hits");
    let queries = column(QUERY)?.as_primitive::<Int64Type>();
    let ids = column("id")?.as_string::<i32>();
    for (query, id) in queries.values().iter().zip(ids.iter().flatten()) {
        let query = usize::try_from(*query - first)?;
        let rows = found.get_mut(query).context("a query that was asked")?;
        rows.extend(row_of(id));
    }
    Ok(())
}
