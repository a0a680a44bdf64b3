//! An S3 server in this process, over a folder, for tests.
//!
//! s3s-fs checks `If-None-Match` before it reads the body, so two writers of one key can both win.
//! A layer in front holds a mutex per key across every conditional write, which makes it correct;
//! without the layer's help it serves as a store that is not.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, IF_MATCH, IF_NONE_MATCH};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use penstock_store::StoreOptions;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

/// How the server treats conditional writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conditions {
    /// As they should be.
    Honoured,
    /// It does not see them.
    Ignored,
}

/// A running server. It ends when it is dropped.
pub(crate) struct S3Server {
    address: SocketAddr,
    folder: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

const BUCKET: &str = "bucket";
const KEY: &str = "AK";
const SECRET: &str = "SK";

type Locks = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

impl S3Server {
    /// Starts a server on a free port of 127.0.0.1.
    pub(crate) async fn start(conditions: Conditions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        if conditions == Conditions::Honoured {
            builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        }
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let locks = Locks::default();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (service, locks) = (service.clone(), locks.clone());
                tokio::spawn(async move {
                    let answer = service_fn(move |request| {
                        answer(service.clone(), locks.clone(), conditions, request)
                    });
                    // A client that leaves early is its own affair.
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(socket), answer)
                        .await;
                });
            }
        });
        Self {
            address,
            folder,
            task,
        }
    }

    /// A root on the server.
    pub(crate) fn uri(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// What it takes to reach the server.
    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions {
            endpoint: Some(format!("http://{}", self.address)),
            region: Some("us-east-1".into()),
            access_key_id: Some(KEY.into()),
            secret_access_key: Some(SECRET.into()),
            allow_http: true,
            probe: false,
            ..StoreOptions::default()
        }
    }

    /// Where the server keeps what is below a prefix.
    pub(crate) fn folder(&self, prefix: &str) -> std::path::PathBuf {
        let folder: &Path = self.folder.path();
        folder.join(BUCKET).join(prefix)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    service: S3Service,
    locks: Locks,
    conditions: Conditions,
    request: http::Request<Incoming>,
) -> Result<http::Response<s3s::Body>, Infallible> {
    // The file system behind it would make any folder.
    if !request.uri().path().starts_with(&format!("/{BUCKET}")) {
        let xml = "<Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>";
        return Ok(http::Response::builder()
            .status(http::StatusCode::NOT_FOUND)
            .body(s3s::Body::from(xml.to_owned()))
            .unwrap());
    }
    let mut request = request.map(s3s::Body::from);
    let headers = request.headers_mut();
    let conditional = headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MATCH);
    let lock = match conditions {
        Conditions::Ignored => {
            headers.remove(IF_NONE_MATCH);
            // The signature covers the header that was taken away.
            headers.remove(AUTHORIZATION);
            None
        }
        Conditions::Honoured if conditional => {
            let key = request.uri().path().to_owned();
            let mut locks = locks.lock().unwrap_or_else(PoisonError::into_inner);
            Some(locks.entry(key).or_default().clone())
        }
        Conditions::Honoured => None,
    };
    let _held = match &lock {
        Some(lock) => Some(lock.lock().await),
        None => None,
    };
    Ok(match service.call(request).await {
        Ok(response) => response,
        Err(_) => http::Response::builder()
            .status(http::StatusCode::INTERNAL_SERVER_ERROR)
            .body(s3s::Body::empty())
            .unwrap(),
    })
}
