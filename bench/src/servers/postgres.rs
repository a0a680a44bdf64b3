//! PostgreSQL with pgvector's HNSW, by its own protocol (version 3), as its documentation describes
//! it (<https://www.postgresql.org/docs/15/protocol.html>): a prepared statement, vectors and ids as
//! binary values.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::http::PIECE;
use super::load::Ask;
use super::process::free_address;
use super::{Connect, Data, EDGES, EF_CONSTRUCTION, Form, Server};
use crate::nearest::K;

/// Who owns the data: the server refuses to run as root.
const OWNER: &str = "postgres";
/// Until an answer must have come; the index is built meanwhile.
const SILENCE: Duration = Duration::from_secs(1_800);
/// Bytes of one message.
const MAX_MESSAGE: usize = 1 << 28;
/// Rows of a message of the load.
const TOGETHER: usize = 1_000;

pub(super) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    host: SocketAddr,
    vectors: Vec<Vec<f32>>,
}

impl Postgres {
    /// The server with its rows and its index, and its name with its version.
    pub(super) fn start(programs: &Path, data: &Data) -> Result<(Self, String)> {
        // A folder of its own: its owner cannot enter that of the measurement.
        let folder = std::env::temp_dir().join(format!("penstock-bench-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let host = free_address()?;
        let this = Self {
            programs: programs.to_owned(),
            folder,
            host,
            vectors: data.queries.clone(),
        };
        run(Command::new("chown").arg(OWNER).arg(&this.folder))?;
        run(this
            .program("initdb")
            .args(["--auth", "trust", "--no-locale", "-E", "UTF8"]))?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories= \
             -c shared_buffers=2GB -c maintenance_work_mem=2GB -c max_connections=64",
            host.port()
        );
        let log = this.folder.join("log");
        run(this
            .program("pg_ctl")
            .args([
                "start",
                "--wait",
                "--timeout",
                "60",
                "--options",
                &options,
                "--log",
            ])
            .arg(log))?;
        let mut client = Client::open(host)?;
        client.run("CREATE EXTENSION vector")?;
        client.run(&format!(
            "CREATE TABLE items (id integer PRIMARY KEY, embedding vector({}))",
            data.dim
        ))?;
        client.copy(&data.rows, data.dim)?;
        client.run("SET max_parallel_maintenance_workers = 2")?;
        client.run(&format!(
            "CREATE INDEX ON items USING hnsw (embedding vector_l2_ops) \
             WITH (m = {EDGES}, ef_construction = {EF_CONSTRUCTION})"
        ))?;
        client.run("VACUUM ANALYZE items")?;
        let version = client.run(
            "SELECT split_part(version(), ' ', 2) || ', pgvector ' || extversion \
             FROM pg_extension WHERE extname = 'vector'",
        )?;
        let version = version.first().context("the server has a version")?;
        let name = format!("PostgreSQL {}", String::from_utf8_lossy(version));
        Ok((this, name))
    }

    /// A program of the server, run by the owner of its data.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("runuser");
        command
            .args(["-u", OWNER, "--"])
            .arg(self.programs.join(name))
            .arg("-D")
            .arg(self.folder.join("data"))
            .current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // By the process id that the server wrote into its folder.
        let _ = run(self
            .program("pg_ctl")
            .args(["stop", "--wait", "--mode", "immediate"]));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(command: &mut Command) -> Result<()> {
    let named = format!("{command:?}");
    // No pipe: a server that goes on would keep it open.
    let status = command
        .stdout(std::process::Stdio::null())
        .status()
        .with_context(|| named.clone())?;
    anyhow::ensure!(status.success(), "{named}: {status}");
    Ok(())
}

impl Server for Postgres {
    fn forms(&self) -> Vec<Form> {
        vec![Form::single("prepared statement, ids")]
    }

    fn connect(&mut self, _form: usize, ef: usize) -> Result<Connect> {
        let host = self.host;
        let requests: Arc<Vec<Vec<u8>>> =
            Arc::new(self.vectors.iter().map(|vector| search(vector)).collect());
        Ok(Box::new(move || {
            let mut client = Client::open(host)?;
            client.run(&format!("SET hnsw.ef_search = {ef}"))?;
            client.prepare(&format!(
                "SELECT id FROM items ORDER BY embedding <-> $1 LIMIT {K}"
            ))?;
            Ok(Box::new(Prepared {
                client,
                requests: Arc::clone(&requests),
            }) as Box<dyn Ask>)
        }))
    }
}

struct Prepared {
    client: Client,
    requests: Arc<Vec<Vec<u8>>>,
}

impl Ask for Prepared {
    fn ask(&mut self, request: usize) -> Result<()> {
        self.client.exchange(&self.requests[request], |_| {})
    }

    fn answers(&mut self, request: usize) -> Result<Vec<Vec<u32>>> {
        let mut rows = Vec::new();
        let mut wrong = false;
        self.client
            .exchange(&self.requests[request], |value| match value.try_into() {
                Ok(id) => rows.push(u32::from_be_bytes(id)),
                Err(_) => wrong = true,
            })?;
        anyhow::ensure!(!wrong, "an id is no integer of four bytes");
        Ok(vec![rows])
    }
}

/// A message: its kind, its length, its body.
fn message(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((body.len() as u32 + 4).to_be_bytes());
    out.extend(body);
}

/// A vector as pgvector sends and receives it.
fn vector(values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + 4 * values.len());
    bytes.extend((values.len() as u16).to_be_bytes());
    bytes.extend(0_u16.to_be_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    bytes
}

/// Bind, Execute and Sync of the unnamed statement.
fn search(values: &[f32]) -> Vec<u8> {
    let value = vector(values);
    // No names; one parameter format (binary), one parameter, one result format (binary).
    let mut bind = vec![0, 0, 0, 1, 0, 1, 0, 1];
    bind.extend((value.len() as u32).to_be_bytes());
    bind.extend(value);
    bind.extend([0, 1, 0, 1]);
    let mut out = Vec::new();
    message(b'B', &bind, &mut out);
    message(b'E', &[0, 0, 0, 0, 0], &mut out);
    message(b'S', &[], &mut out);
    out
}

/// A connection.
struct Client {
    stream: TcpStream,
    /// Bytes read, of which those before `at` are done with.
    buffer: Vec<u8>,
    at: usize,
    piece: Box<[u8]>,
}

impl Client {
    fn open(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut this = Self {
            stream,
            buffer: Vec::new(),
            at: 0,
            piece: vec![0; PIECE].into(),
        };
        let mut body = 196_608_u32.to_be_bytes().to_vec(); // version 3.0
        body.extend(format!("user\0{OWNER}\0database\0postgres\0\0").as_bytes());
        let mut first = (body.len() as u32 + 4).to_be_bytes().to_vec();
        first.extend(body);
        this.exchange(&first, |_| {})?;
        Ok(this)
    }

    /// A statement as text; the first value of each row.
    fn run(&mut self, statement: &str) -> Result<Vec<Vec<u8>>> {
        let mut out = Vec::new();
        message(b'Q', format!("{statement}\0").as_bytes(), &mut out);
        let mut rows = Vec::new();
        self.exchange(&out, |value| rows.push(value.to_vec()))
            .with_context(|| statement.to_owned())?;
        Ok(rows)
    }

    /// Prepares the unnamed statement; the server finds the type of its parameter.
    fn prepare(&mut self, statement: &str) -> Result<()> {
        let mut out = Vec::new();
        message(b'P', format!("\0{statement}\0\0\0").as_bytes(), &mut out);
        message(b'S', &[], &mut out);
        self.exchange(&out, |_| {})
    }

    /// Loads the rows in the binary form of COPY.
    fn copy(&mut self, rows: &[f32], dim: usize) -> Result<()> {
        let mut out = Vec::new();
        let statement = b"COPY items FROM STDIN (FORMAT binary)\0";
        message(b'Q', statement, &mut out);
        message(b'd', b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", &mut out);
        for (part, values) in rows.chunks(TOGETHER * dim).enumerate() {
            let mut body = Vec::new();
            for (row, values) in values.chunks_exact(dim).enumerate() {
                let value = vector(values);
                body.extend([0, 2, 0, 0, 0, 4]);
                body.extend(((part * TOGETHER + row) as u32).to_be_bytes());
                body.extend((value.len() as u32).to_be_bytes());
                body.extend(value);
            }
            message(b'd', &body, &mut out);
            self.stream.write_all(&out)?;
            out.clear();
        }
        message(b'd', &[0xff, 0xff], &mut out);
        message(b'c', &[], &mut out);
        self.exchange(&out, |_| {})
    }

    /// Sends, and reads until the server is ready for more; `each` gets the first value of each
    /// row.
    fn exchange(&mut self, out: &[u8], mut each: impl FnMut(&[u8])) -> Result<()> {
        self.stream.write_all(out)?;
        let mut failed = None;
        loop {
            let head = self.take(5)?;
            let kind = self.buffer[head];
            let length = u32_at(&self.buffer, head + 1)? as usize;
            anyhow::ensure!((4..MAX_MESSAGE).contains(&length), "a message of {length}");
            let start = self.take(length - 4)?;
            let body = &self.buffer[start..start + length - 4];
            match kind {
                b'Z' => break,
                b'E' => failed = Some(String::from_utf8_lossy(body).replace('\0', " ")),
                b'R' => anyhow::ensure!(body == [0; 4], "the server asks for a password"),
                // The number of values, then the length of the first.
                b'D' if u32_at(body, 2)? < u32::MAX => {
                    let end = 6 + u32_at(body, 2)? as usize;
                    each(body.get(6..end).context("a row is cut short")?);
                }
                _ => {}
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(anyhow::anyhow!("PostgreSQL: {error}")),
        }
    }

    /// Where the next so many bytes begin in the buffer.
    fn take(&mut self, count: usize) -> Result<usize> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        while self.buffer.len() < self.at + count {
            let read = self.stream.read(&mut self.piece)?;
            anyhow::ensure!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&self.piece[..read]);
        }
        let start = self.at;
        self.at += count;
        Ok(start)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let part = bytes.get(at..at + 4).context("a message is cut short")?;
    Ok(u32::from_be_bytes(part.try_into()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_three_messages() {
        let bytes = search(&[1.0, -2.0]);
        let mut kinds = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            kinds.push(bytes[at]);
            at += 1 + u32_at(&bytes, at + 1).unwrap() as usize;
        }
        assert_eq!(kinds, b"BES");
        assert_eq!(at, bytes.len());
        // Two numbers, nothing, then the numbers.
        assert_eq!(
            vector(&[1.0, -2.0]),
            [0, 2, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]
        );
    }
}
