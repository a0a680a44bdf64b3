//! Requests, answers, repetitions.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use penstock_openapi::{PROBLEM_JSON, Problem};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Times that a request is sent at most.
const ATTEMPTS: u32 = 4;
/// The pause before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Until a connection must stand.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(120);

/// A server. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client of the server at this address, such as `http://127.0.0.1:7370`. Nothing is sent.
    ///
    /// # Errors
    /// The text is no such address.
    pub fn new(url: &str) -> Result<Self> {
        let wrong = || Error::Url {
            url: url.to_owned(),
        };
        let mut base = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(wrong());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("penstock-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| Error::Transport {
                url: url.to_owned(),
                source,
            })?;
        Ok(Self { http, base })
    }

    /// The server's address.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A request of a path given by its segments, which are escaped here.
    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        self.http.request(method, url)
    }

    pub(crate) fn transport(&self, source: reqwest::Error) -> Error {
        Error::Transport {
            url: self.url().to_owned(),
            source: source.without_url(),
        }
    }

    /// Sends a request until it is answered well, or it is not worth repeating. The request is made
    /// anew each time, for its body may be a stream.
    pub(crate) async fn send(
        &self,
        make: impl AsyncFn() -> Result<RequestBuilder>,
    ) -> Result<Response> {
        let mut repetition = Repetition::default();
        loop {
            let failed = match self.judge(make().await?.send().await).await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            repetition.wait(failed).await?;
        }
    }

    /// The bytes of an answer as they come.
    pub(crate) async fn stream(
        &self,
        make: impl AsyncFn() -> Result<RequestBuilder>,
    ) -> Result<crate::Bytes> {
        let response = self.send(make).await?;
        let client = self.clone();
        Ok(response
            .bytes_stream()
            .map_err(move |error| client.transport(error))
            .boxed())
    }

    /// Gets bytes. The future may move between threads, which that of [`Self::send`] may not.
    pub(crate) async fn bytes(&self, segments: &[&str]) -> Result<bytes::Bytes> {
        let mut repetition = Repetition::default();
        loop {
            let sent = self.request(Method::GET, segments).send().await;
            let failed = match self.judge(sent).await {
                Ok(response) => match response.bytes().await {
                    Ok(bytes) => return Ok(bytes),
                    Err(error) => (self.transport(error), None),
                },
                Err(failed) => failed,
            };
            repetition.wait(failed).await?;
        }
    }

    /// The answer if it is a good one; else the error, and the pause that the server asks for.
    async fn judge(
        &self,
        sent: reqwest::Result<Response>,
    ) -> Result<Response, (Error, Option<Duration>)> {
        match sent {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => {
                let asked = retry_after(&response);
                Err((self.failure(response).await, asked))
            }
            Err(error) => Err((self.transport(error), None)),
        }
    }

    /// The error that an answer stands for.
    async fn failure(&self, response: Response) -> Error {
        let status = response.status();
        let is_problem = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
        let wrong = |reason: String| Error::Answer {
            url: self.url().to_owned(),
            status: status.as_u16(),
            reason,
        };
        if !is_problem {
            return wrong("and no problem document".to_owned());
        }
        match response.json::<Problem>().await {
            Ok(problem) => Error::Problem(Box::new(problem)),
            Err(error) => wrong(error.without_url().to_string()),
        }
    }

    /// Reads the answer of an operation.
    pub(crate) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T> {
        let status = response.status().as_u16();
        let bytes = response
            .bytes()
            .await
            .map_err(|error| self.transport(error))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Answer {
            url: self.url().to_owned(),
            status,
            reason: error.to_string(),
        })
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T> {
        let make = async || Ok(self.request(Method::GET, segments).query(query));
        self.read(self.send(make).await?).await
    }

    /// Sends JSON. A write has a key, so that its repetition changes nothing twice.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        key: Option<&str>,
    ) -> Result<T> {
        let make = async || {
            let mut request = self.request(method.clone(), segments);
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            Ok(request)
        };
        self.read(self.send(make).await?).await
    }
}

/// Pauses between the attempts of one request.
struct Repetition {
    attempt: u32,
    pause: Duration,
}

impl Default for Repetition {
    fn default() -> Self {
        Self {
            attempt: 1,
            pause: FIRST_PAUSE,
        }
    }
}

impl Repetition {
    /// Waits until the next attempt, or hands the error back where there is none.
    async fn wait(&mut self, (error, asked): (Error, Option<Duration>)) -> Result<()> {
        if self.attempt == ATTEMPTS || !error.is_worth_repeating() {
            return Err(error);
        }
        let pause = asked.unwrap_or(self.pause).clamp(self.pause, LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
        self.pause *= 2;
        self.attempt += 1;
        Ok(())
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let client = Client::new("http://localhost:1/base").unwrap();
        let request = client
            .request(Method::GET, &["v1", "tables", "a/b ?"])
            .build()
            .unwrap();
        assert_eq!(
            request.url().as_str(),
            "http://localhost:1/base/v1/tables/a%2Fb%20%3F"
        );
        assert_eq!(client.url(), "http://localhost:1/base");
        for wrong in ["", "localhost:80", "ftp://x/", "http://"] {
            assert!(
                matches!(Client::new(wrong), Err(Error::Url { .. })),
                "{wrong}"
            );
        }
    }
}
