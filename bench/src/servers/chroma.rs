//! Chroma's server, `chroma run`.

use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::http::{Connection, Searches, Sent};
use super::load::Ask;
use super::process::{Process, free_address};
use super::{Connect, Data, EDGES, EF_CONSTRUCTION, Form, READY, Server};
use crate::nearest::K;
use crate::stored::{id, row_of};

const COLLECTIONS: &str = "/api/v2/tenants/default_tenant/databases/default_database/collections";
/// Rows of one request.
const TOGETHER: usize = 5_000;

pub(super) struct Chroma {
    program: PathBuf,
    folder: PathBuf,
    vectors: Vec<Vec<f32>>,
    collection: String,
    host: SocketAddr,
    process: Process,
    ef: usize,
}

fn serve(program: &Path, folder: &Path) -> Result<(Process, SocketAddr)> {
    let host = free_address()?;
    let log = File::create(folder.with_extension("log"))?;
    let mut process = Process::start(
        Command::new(program)
            .args(["run", "--host", "127.0.0.1", "--port"])
            .arg(host.port().to_string())
            .arg("--path")
            .arg(folder)
            .env("ANONYMIZED_TELEMETRY", "False")
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log)),
    )?;
    process.until(READY, || {
        Connection::open(host)?.json("GET", "/api/v2/heartbeat", &Value::Null)
    })?;
    Ok((process, host))
}

impl Chroma {
    /// The server with its rows, and its name with its version.
    pub(super) fn start(program: &Path, data: &Data) -> Result<(Self, String)> {
        let folder = data.folder.join("chroma");
        let (process, host) = serve(program, &folder)?;
        let mut connection = Connection::open(host)?;
        let version = connection.json("GET", "/api/v2/version", &Value::Null)?;
        let name = format!("Chroma {}", version.as_str().unwrap_or_default());
        let hnsw = json!({
            "space": "l2", "max_neighbors": EDGES, "ef_construction": EF_CONSTRUCTION,
        });
        let made = json!({"name": "vectors", "configuration": {"hnsw": hnsw}});
        let made = connection.json("POST", COLLECTIONS, &made)?;
        let collection = made["id"].as_str().context("a collection has an id")?;
        let collection = format!("{COLLECTIONS}/{collection}");
        for (part, vectors) in data.rows.chunks(TOGETHER * data.dim).enumerate() {
            let count = vectors.len() / data.dim;
            let ids: Vec<_> = (0..count).map(|row| id(part * TOGETHER + row)).collect();
            let mut body = format!("{{\"ids\":{},\"embeddings\":[", json!(ids));
            for (row, vector) in vectors.chunks_exact(data.dim).enumerate() {
                let comma = if row > 0 { "," } else { "" };
                write!(body, "{comma}{}", json!(vector))?;
            }
            body.push_str("]}");
            let headers = "Content-Type: application/json\r\n";
            let path = format!("{collection}/add");
            connection.send(&Sent::new(host, "POST", &path, headers, body.as_bytes()))?;
        }
        let this = Self {
            program: program.to_owned(),
            folder,
            vectors: data.queries.clone(),
            collection,
            host,
            process,
            ef: 0,
        };
        Ok((this, name))
    }

    /// The pool is part of the collection, and read when the server starts.
    fn keep(&mut self, ef: usize) -> Result<()> {
        if self.ef == ef {
            return Ok(());
        }
        let body = json!({"new_configuration": {"hnsw": {"ef_search": ef}}});
        Connection::open(self.host)?.json("PUT", &self.collection, &body)?;
        // Two servers must not have the folder at once.
        self.process.child().kill()?;
        self.process.child().wait()?;
        (self.process, self.host) = serve(&self.program, &self.folder)?;
        self.ef = ef;
        Ok(())
    }
}

impl Server for Chroma {
    fn forms(&self) -> Vec<Form> {
        vec![Form::single("REST, ids")]
    }

    fn connect(&mut self, _form: usize, ef: usize) -> Result<Connect> {
        self.keep(ef)?;
        let path = format!("{}/query", self.collection);
        let host = self.host;
        let requests: Vec<Sent> = self
            .vectors
            .iter()
            .map(|vector| {
                let body = json!({
                    "query_embeddings": [vector], "n_results": K, "include": ["distances"],
                });
                Sent::json(host, "POST", &path, &body)
            })
            .collect();
        let requests = Arc::new(requests);
        Ok(Box::new(move || {
            Ok(Box::new(Searches {
                connection: Connection::open(host)?,
                requests: Arc::clone(&requests),
                read,
            }) as Box<dyn Ask>)
        }))
    }
}

fn read(body: &[u8]) -> Result<Vec<Vec<u32>>> {
    let answer: Value = serde_json::from_slice(body)?;
    let queries = answer["ids"].as_array().context("an answer has ids")?;
    let rows = |ids: &Value| {
        let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
        let ids = ids.iter().filter_map(Value::as_str);
        ids.filter_map(row_of).collect()
    };
    Ok(queries.iter().map(rows).collect())
}
