//! HTTP/1.1 over one connection that stays open: as little as a load generator needs, so that the
//! processor's time is the servers'.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::load::Ask;

/// Until an answer must have come: some build an index meanwhile.
const SILENCE: Duration = Duration::from_secs(900);
/// Bytes that an answer may have.
const MAX_BODY: usize = 1 << 30;

/// Bytes read at once, at most.
pub(super) const PIECE: usize = 64 << 10;

/// A connection to one server.
pub(super) struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    /// What was read, and how much of it belongs to the answer.
    buffer: Vec<u8>,
    /// Where reads go first: a buffer is not filled with zeros for each.
    piece: Box<[u8]>,
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
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
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
            piece: vec![0; PIECE].into(),
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
        let length = match length {
            Some(length) => {
                anyhow::ensure!(length <= MAX_BODY, "an answer of {length} bytes");
                while self.buffer.len() < head + length {
                    self.more()?;
                }
                length
            }
            None => self.join_chunks(head)?,
        };
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

    /// Brings the chunks of a body together where it begins; answers its length (RFC 9112, section
    /// 7.1).
    fn join_chunks(&mut self, start: usize) -> Result<usize> {
        let (mut end, mut at) = (start, start);
        loop {
            let line = loop {
                match find(&self.buffer[at..], b"\r\n") {
                    Some(line) => break line,
                    None => self.more()?,
                }
            };
            let size = std::str::from_utf8(&self.buffer[at..at + line])?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or(size).trim(), 16)?;
            anyhow::ensure!(
                end - start + size <= MAX_BODY,
                "an answer of too many bytes"
            );
            at += line + 2;
            while self.buffer.len() < at + size + 2 {
                self.more()?;
            }
            self.buffer.copy_within(at..at + size, end);
            end += size;
            at += size + 2;
            if size == 0 {
                return Ok(end - start);
            }
        }
    }

    fn more(&mut self) -> Result<()> {
        let read = self.stream.read(&mut self.piece)?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        self.buffer.extend_from_slice(&self.piece[..read]);
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// `Content-Length`; `None` of a body in chunks.
fn length_of(head: &str) -> Result<Option<usize>> {
    let of = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    };
    match (of("content-length"), of("transfer-encoding")) {
        (Some(length), _) => Ok(Some(length.parse()?)),
        (None, Some("chunked")) => Ok(None),
        _ => anyhow::bail!("an answer does not say its length: {head}"),
    }
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
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn chunks_come_together() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            for answer in [
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n00a;x\r\n0123456789\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
                "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            ] {
                assert!(stream.read(&mut asked).unwrap() > 0);
                for part in answer.as_bytes().chunks(7) {
                    stream.write_all(part).unwrap();
                    stream.flush().unwrap();
                }
            }
        });
        let mut connection = Connection::open(host).unwrap();
        let asked = Sent::new(host, "GET", "/", "", &[]);
        assert_eq!(connection.send(&asked).unwrap(), b"abc0123456789");
        assert_eq!(connection.send(&asked).unwrap(), b"hi");
        let error = connection.send(&asked).unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn heads_say_how_long_their_bodies_are() {
        let head = "HTTP/1.1 200 OK\r\ncontent-LENGTH:  12\r\nx: y";
        assert_eq!(length_of(head).unwrap(), Some(12));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
        assert_eq!(length_of(chunked).unwrap(), None);
        assert!(length_of("HTTP/1.1 200 OK\r\nx: y").is_err());
        assert_eq!(find(b"ab\r\n\r\nc", b"\r\n\r\n"), Some(2));
        assert_eq!(find(b"a", b"\r\n\r\n"), None);
    }
}
