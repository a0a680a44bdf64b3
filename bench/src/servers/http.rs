//! HTTP/1.1 over one connection that stays open: as little as a load generator needs, so that the
//! processor's time is the servers'.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::load::Ask;

/// Until an answer must have come: some build an index meanwhile.
const SILENCE: Duration = Duration::from_secs(900);
/// Bytes that an answer may have.
const MAX_BODY: usize = 1 << 30;

/// A connection to one server.
pub(super) struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    /// What was read, and how much of it belongs to the answer.
    buffer: Vec<u8>,
}

/// A request as it goes over the wire.
pub(super) struct Sent(Vec<u8>);

impl Sent {
    pub(super) fn new(
        host: SocketAddr,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Self {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    pub(super) fn json(host: SocketAddr, method: &str, path: &str, body: &Value) -> Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = "Content-Type: application/json\r\n";
        Self::new(host, method, path, headers, body.as_bytes())
    }
}

impl Connection {
    pub(super) fn open(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self {
            stream,
            host,
            buffer: Vec::new(),
        })
    }

    /// The body of the answer.
    pub(super) fn send(&mut self, request: &Sent) -> Result<&[u8]> {
        self.stream.write_all(&request.0)?;
        self.buffer.clear();
        let (head, length) = loop {
            self.more()?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.buffer[..end])?;
                break (end + 4, length_of(head)?);
            }
        };
        anyhow::ensure!(length <= MAX_BODY, "an answer of {length} bytes");
        while self.buffer.len() < head + length {
            self.more()?;
        }
        let status = self.buffer.get(9..12).unwrap_or_default();
        let body = &self.buffer[head..head + length];
        anyhow::ensure!(
            status.starts_with(b"2"),
            "status {}: {}",
            String::from_utf8_lossy(status),
            String::from_utf8_lossy(&body[..length.min(500)])
        );
        Ok(body)
    }

    /// As `send`, of JSON; `null` where the answer has no body.
    pub(super) fn json(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(&Sent::json(self.host, method, path, body))?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(answer)?)
    }

    fn more(&mut self) -> Result<()> {
        let held = self.buffer.len();
        self.buffer.resize(held + (64 << 10), 0);
        let read = self.stream.read(&mut self.buffer[held..])?;
        self.buffer.truncate(held + read);
        anyhow::ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// `Content-Length`; both servers send it.
fn length_of(head: &str) -> Result<usize> {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let length = length.with_context(|| format!("an answer does not say its length: {head}"))?;
    Ok(length.trim().parse()?)
}

/// Reads the rows of each query out of an answer.
pub(super) type ReadRows = fn(&[u8]) -> Result<Vec<Vec<u32>>>;

/// The same requests over and over.
pub(super) struct Searches {
    pub(super) connection: Connection,
    pub(super) requests: Arc<Vec<Sent>>,
    pub(super) read: ReadRows,
}

impl Ask for Searches {
    fn ask(&mut self, request: usize) -> Result<()> {
        self.connection.send(&self.requests[request])?;
        Ok(())
    }

    fn answers(&mut self, request: usize) -> Result<Vec<Vec<u32>>> {
        (self.read)(self.connection.send(&self.requests[request])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_say_how_long_their_bodies_are() {
        let head = "HTTP/1.1 200 OK\r\ncontent-LENGTH:  12\r\nx: y";
        assert_eq!(length_of(head).unwrap(), 12);
        assert!(length_of("HTTP/1.1 200 OK\r\nx: y").is_err());
        assert_eq!(find(b"ab\r\n\r\nc", b"\r\n\r\n"), Some(2));
        assert_eq!(find(b"a", b"\r\n\r\n"), None);
    }
}
