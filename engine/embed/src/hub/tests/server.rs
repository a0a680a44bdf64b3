//! A hub on this machine: the list of a model's files, their facts, and their bytes, of which the
//! large ones lie on a second host.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub holds, and how it misbehaves.
#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Every request but those to the second host: method, path, and whether it had the token.
    pub(super) requests: Vec<(String, String, bool)>,
    /// The same of the second host; the path is followed by the range.
    pub(super) large: Vec<(String, String, bool)>,
    /// Answers to every request with this status and `X-Error-Code`.
    pub(super) refuses: Option<(u16, &'static str)>,
    /// Wants this token.
    pub(super) token: Option<&'static str>,
    /// How many bytes of a large file are sent, one number for each request; then all.
    pub(super) cuts: VecDeque<usize>,
    /// Sends large files whole, whatever range is asked for.
    pub(super) ignores_ranges: bool,
    /// Replaces the `ETag` of every file.
    pub(super) etag: Option<&'static str>,
    /// Large files arrive with another last byte.
    pub(super) damages: bool,
    /// Asked for at every byte range of a large file, before it is sent.
    pub(super) gate: Option<Arc<std::sync::Barrier>>,
}

/// The hub `lab/tiny`. It ends when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    ends: Arc<AtomicBool>,
    threads: Vec<(SocketAddr, JoinHandle<()>)>,
}

impl Server {
    /// Serves these files of a folder.
    pub(super) fn of(folder: &Path, files: &[&str]) -> Self {
        let read = |file: &&str| {
            (
                (*file).to_owned(),
                std::fs::read(folder.join(file)).unwrap(),
            )
        };
        Self::start(files.iter().map(read).collect())
    }

    pub(super) fn start(files: BTreeMap<String, Vec<u8>>) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let large = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, second) = (hub.local_addr().unwrap(), large.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            files,
            ..State::default()
        }));
        let ends = Arc::new(AtomicBool::new(false));
        let threads = [(hub, false), (large, true)].map(|(listener, is_large)| {
            let (state, ends) = (Arc::clone(&state), Arc::clone(&ends));
            let at = listener.local_addr().unwrap();
            let thread = std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || answer(stream, &state, second, is_large));
                }
            });
            (at, thread)
        });
        Self {
            address,
            state,
            ends,
            threads: threads.into(),
        }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for (address, thread) in self.threads.drain(..) {
            // Wakes it.
            drop(TcpStream::connect(address));
            thread.join().unwrap();
        }
    }
}

/// The name that the hub has for a file's content.
pub(super) fn etag(name: &str, content: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
    match is_large(name) {
        true => hex(&Sha256::digest(content)),
        false => {
            let head = format!("blob {}\0", content.len());
            hex(&Sha1::new_with_prefix(head).chain_update(content).finalize())
        }
    }
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors")
}

fn answer(stream: TcpStream, state: &Mutex<State>, second: SocketAddr, is_second: bool) {
    let mut reader = BufReader::new(&stream);
    let (mut line, mut token, mut start) = (String::new(), false, None);
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return;
    };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((key, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match key.to_ascii_lowercase().as_str() {
            "authorization" => token = value == "Bearer secret",
            "range" => {
                let from = value
                    .strip_prefix("bytes=")
                    .unwrap()
                    .strip_suffix('-')
                    .unwrap();
                start = Some(from.parse::<usize>().unwrap());
            }
            _ => {}
        }
    }
    let mut held = state.lock().unwrap();
    let entry = (method.to_owned(), path.to_owned(), token);
    let gate = held.gate.clone();
    let (head, body) = match is_second {
        true => {
            let range = start.map_or(String::new(), |start| format!(" {start}-"));
            held.large.push((entry.0, format!("{path}{range}"), token));
            large(&mut held, path, start)
        }
        false => {
            held.requests.push(entry);
            small(&held, path, token, second)
        }
    };
    drop(held);
    if let Some(gate) = gate.filter(|_| is_second) {
        gate.wait();
    }
    let mut stream = &stream;
    // Whoever asked may have gone.
    let _ = stream.write_all(format!("HTTP/1.1 {head}Connection: close\r\n\r\n").as_bytes());
    if method == "GET" {
        let _ = stream.write_all(&body);
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink());
}

/// The hub itself.
fn small(state: &State, path: &str, token: bool, second: SocketAddr) -> (String, Vec<u8>) {
    let refuse = |status: u16, code: &str| {
        let code = match code {
            "" => String::new(),
            code => format!("X-Error-Code: {code}\r\n"),
        };
        (
            format!("{status} No\r\n{code}Content-Length: 0\r\n"),
            Vec::new(),
        )
    };
    if let Some((status, code)) = state.refuses {
        return refuse(status, code);
    }
    if state.token.is_some() && !token {
        return refuse(401, "GatedRepo");
    }
    if let Some(revision) = path.strip_prefix("/api/models/lab/tiny/revision/") {
        if !["main", "v2", COMMIT].contains(&revision) {
            return refuse(404, "RevisionNotFound");
        }
        let names = state
            .files
            .keys()
            .map(|name| format!(r#"{{"rfilename": "{name}"}}"#));
        let names = names.collect::<Vec<_>>().join(", ");
        let body = format!(r#"{{"id": "lab/tiny", "sha": "{COMMIT}", "siblings": [{names}]}}"#);
        let head = format!("200 OK\r\nContent-Length: {}\r\n", body.len());
        return (head, body.into_bytes());
    }
    let Some(name) = path.strip_prefix(&format!("/lab/tiny/resolve/{COMMIT}/")) else {
        return refuse(404, "RepoNotFound");
    };
    // Small files too are behind a redirect, to the same host.
    let (name, is_behind) = match name.strip_prefix("cached/") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let Some(content) = state.files.get(name) else {
        return refuse(404, "EntryNotFound");
    };
    let etag = state
        .etag
        .map_or_else(|| etag(name, content), str::to_owned);
    let commit = format!("X-Repo-Commit: {COMMIT}\r\n");
    if is_large(name) {
        let size = content.len();
        let head = format!(
            "302 Found\r\n{commit}X-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: {size}\r\n\
             ETag: \"of-the-redirect\"\r\nContent-Length: 0\r\n\
             Location: http://{second}/{name}?signature=s\r\n"
        );
        return (head, Vec::new());
    }
    if !is_behind {
        let to = format!("/lab/tiny/resolve/{COMMIT}/cached/{name}");
        let head = format!("307 Elsewhere\r\n{commit}Content-Length: 9\r\nLocation: {to}\r\n");
        return (head, b"elsewhere".to_vec());
    }
    let size = content.len();
    let head = format!("200 OK\r\nETag: W/\"{etag}\"\r\nContent-Length: {size}\r\n");
    (head, content.clone())
}

/// The host of the large files.
fn large(state: &mut State, path: &str, start: Option<usize>) -> (String, Vec<u8>) {
    let name = path.trim_start_matches('/').split('?').next().unwrap();
    let mut content = state.files[name].clone();
    if state.damages {
        *content.last_mut().unwrap() ^= 1;
    }
    let all = content.len();
    let start = start.filter(|_| !state.ignores_ranges);
    let mut body = content.split_off(start.unwrap_or(0));
    let size = body.len();
    if let Some(cut) = state.cuts.pop_front() {
        body.truncate(cut);
    }
    let head = match start {
        Some(start) => {
            let range = format!("bytes {start}-{}/{all}", all - 1);
            format!("206 Part\r\nContent-Range: {range}\r\nContent-Length: {size}\r\n")
        }
        None => format!("200 OK\r\nContent-Length: {size}\r\nETag: \"of-the-store\"\r\n"),
    };
    (head, body)
}
