//! The hub's protocol, as far as it is needed to read a repository.

use std::io::Read as _;

use reqwest::blocking::Response;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_RANGE, HeaderMap, HeaderValue, InvalidHeaderValue,
    LOCATION, RANGE,
};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::{Hub, HubFault};
use crate::checkpoint::is_plain;

/// Bytes of a listing that are read; that of a repository with a hundred thousand files has fewer.
const LISTING: u64 = 32 << 20;

/// Redirects that are followed for one request.
const HOPS: usize = 8;

/// Asks one hub about one repository.
pub(super) struct Client {
    http: reqwest::blocking::Client,
    endpoint: Url,
    token: Option<HeaderValue>,
    repository: String,
}

/// What a repository holds at a commit.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    /// The commit.
    pub(super) sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    /// The names of its files, with their folders.
    pub(super) fn files(&self) -> Vec<&str> {
        let names = self.siblings.iter();
        names.map(|file| file.rfilename.as_str()).collect()
    }
}

/// What the hub says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) name: String,
    /// Names its content: SHA-256 of a large file, git's SHA-1 of a small one.
    pub(super) etag: String,
    /// Bytes.
    pub(super) size: u64,
}

/// What a request is for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Revision(&'a str),
    File(&'a str),
}

impl Client {
    pub(super) fn new(hub: &Hub, repository: &str) -> Result<Self, HubFault> {
        let wrong = || HubFault::Endpoint {
            given: hub.endpoint.clone(),
        };
        let endpoint = Url::parse(&hub.endpoint).map_err(|_| wrong())?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
            return Err(wrong());
        }
        let token = hub.token.as_ref().map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let token = token
            .transpose()
            .map_err(|_: InvalidHeaderValue| HubFault::Token)?;
        // In a blocking client this is the limit of each wait, not of the whole.
        let http = reqwest::blocking::Client::builder()
            .connect_timeout(hub.silence)
            .timeout(hub.silence)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("penstock/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| HubFault::Unreachable {
                host: host_of(&endpoint),
                source,
            })?;
        Ok(Self {
            http,
            endpoint,
            token,
            repository: repository.to_owned(),
        })
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// What a branch, tag or commit holds.
    pub(super) fn listing(&self, revision: &str) -> Result<Listing, HubFault> {
        let url = self.url(&["api", "models", &self.repository, "revision", revision])?;
        let response = self.get(url, None)?;
        let response = self.good(response, Asked::Revision(revision))?;
        let wrong = |reason: String| self.answer(format!("the list of the files: {reason}"));
        let mut bytes = Vec::new();
        response
            .take(LISTING)
            .read_to_end(&mut bytes)
            .map_err(|error| wrong(error.to_string()))?;
        let listing: Listing =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        // It becomes the name of a folder.
        let is_commit = listing.sha.bytes().all(|b| b.is_ascii_hexdigit());
        match is_commit && is_plain(&listing.sha) {
            true => Ok(listing),
            false => Err(wrong(format!("`{}` is no commit", listing.sha))),
        }
    }

    /// Size and digest of a file. A large one lies on another host; the hub itself says these two
    /// in the redirect to there.
    pub(super) fn facts(&self, commit: &str, name: &str) -> Result<Remote, HubFault> {
        let mut url = self.file(commit, name)?;
        let mut known = HeaderMap::new();
        for _ in 0..HOPS {
            let response = self.send(Method::HEAD, &url, None)?;
            let next = self.redirect(&response)?;
            for (key, value) in response.headers() {
                // The length of a redirect is not that of the file.
                if next.is_none() || key.as_str().starts_with("x-") {
                    known.entry(key).or_insert_with(|| value.clone());
                }
            }
            match next {
                Some(next) if !known.contains_key("x-linked-etag") => url = next,
                Some(_) => return self.remote(name, commit, &known),
                None => {
                    self.good(response, Asked::File(name))?;
                    return self.remote(name, commit, &known);
                }
            }
        }
        Err(self.answer(format!("too many redirects for `{name}`")))
    }

    fn remote(&self, name: &str, commit: &str, known: &HeaderMap) -> Result<Remote, HubFault> {
        let get = |key: &str| known.get(key).and_then(|value| value.to_str().ok());
        if let Some(at) = get("x-repo-commit").filter(|at| *at != commit) {
            return Err(self.answer(format!("`{name}` is of the commit {at}")));
        }
        let etag = get("x-linked-etag").or_else(|| get("etag"));
        let etag = etag.map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
        let size = get("x-linked-size").or_else(|| get("content-length"));
        match (etag, size.and_then(|size| size.parse().ok())) {
            // It becomes the name of a file.
            (Some(etag), Some(size)) if is_plain(etag) => Ok(Remote {
                name: name.to_owned(),
                etag: etag.to_owned(),
                size,
            }),
            (Some(_), Some(_)) => Err(self.answer(format!("the ETag of `{name}` is no digest"))),
            _ => Err(self.answer(format!("it says no ETag or no size of `{name}`"))),
        }
    }

    /// The bytes of a file from `start` on, and where they begin: a host that cannot send a part
    /// sends the whole.
    pub(super) fn body(
        &self,
        commit: &str,
        name: &str,
        start: u64,
    ) -> Result<(Response, u64), HubFault> {
        let range = (start > 0).then(|| format!("bytes={start}-"));
        let response = self.get(self.file(commit, name)?, range.as_deref())?;
        let response = self.good(response, Asked::File(name))?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok((response, 0));
        }
        let sent = response.headers().get(CONTENT_RANGE);
        let sent = sent.and_then(|sent| sent.to_str().ok()?.strip_prefix("bytes "));
        let from = sent.and_then(|sent| sent.split_once('-')?.0.parse().ok());
        match from == Some(start) {
            true => Ok((response, start)),
            false => Err(self.answer(format!("it sends another part of `{name}`"))),
        }
    }

    /// Follows redirects to wherever they lead.
    fn get(&self, mut url: Url, range: Option<&str>) -> Result<Response, HubFault> {
        for _ in 0..HOPS {
            let response = self.send(Method::GET, &url, range)?;
            match self.redirect(&response)? {
                Some(next) => url = next,
                None => return Ok(response),
            }
        }
        Err(self.answer("too many redirects".to_owned()))
    }

    fn send(&self, method: Method, url: &Url, range: Option<&str>) -> Result<Response, HubFault> {
        let mut request = self.http.request(method, url.clone());
        // Sizes and digests are those of the bytes as they are.
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(token) = self.token.as_ref().filter(|_| self.is_home(url)) {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        request.send().map_err(|source| HubFault::Unreachable {
            host: host_of(url),
            // An address that a redirect signed is a secret.
            source: source.without_url(),
        })
    }

    /// Where a response sends on to.
    fn redirect(&self, response: &Response) -> Result<Option<Url>, HubFault> {
        let status = response.status();
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let url = response.url();
        let next = response.headers().get(LOCATION);
        let next = next.and_then(|to| url.join(to.to_str().ok()?).ok());
        let next = next.ok_or_else(|| self.answer("a redirect leads nowhere".to_owned()))?;
        match (url.scheme(), next.scheme()) {
            ("http", "http") | (_, "https") => Ok(Some(next)),
            _ => Err(self.answer("a redirect leaves https".to_owned())),
        }
    }

    /// A response that is no error.
    fn good(&self, response: Response, asked: Asked<'_>) -> Result<Response, HubFault> {
        if response.status().is_success() {
            return Ok(response);
        }
        let is_home = self.is_home(response.url());
        let host = host_of(response.url());
        let status = response.status().as_u16();
        let code = response.headers().get("x-error-code");
        let code = code.and_then(|code| code.to_str().ok()).unwrap_or("");
        Err(match (status, code, asked) {
            (_, "RevisionNotFound", Asked::Revision(revision)) => HubFault::NoRevision {
                host,
                revision: revision.to_owned(),
            },
            // Asked without a token, the hub answers 401 for what does not exist as well.
            (401 | 404, "RepoNotFound", _) | (404, _, Asked::Revision(_)) => {
                HubFault::NoModel { host }
            }
            (401 | 403, ..) if is_home => HubFault::Refused {
                host,
                status,
                has_token: self.token.is_some(),
                page: self.url(&[&self.repository])?.to_string(),
            },
            (.., Asked::Revision(_)) => HubFault::Status {
                host,
                status,
                what: "the list of the files".to_owned(),
            },
            (.., Asked::File(name)) => HubFault::Status {
                host,
                status,
                what: format!("`{name}`"),
            },
        })
    }

    /// Whether this is the hub itself, and not a host that it sends on to.
    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    fn file(&self, commit: &str, name: &str) -> Result<Url, HubFault> {
        self.url(&[&self.repository, "resolve", commit, name])
    }

    /// An address under the endpoint, which may have a path of its own. The parts are plain names.
    fn url(&self, parts: &[&str]) -> Result<Url, HubFault> {
        let base = self.endpoint.as_str().trim_end_matches('/');
        let text = format!("{base}/{}", parts.join("/"));
        Url::parse(&text).map_err(|_| HubFault::Endpoint { given: text })
    }

    fn answer(&self, reason: String) -> HubFault {
        HubFault::Answer {
            host: host_of(&self.endpoint),
            reason,
        }
    }
}

/// The host, with its port where that is not the usual one.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
