//! Connections.
//!
//! `axum::serve` installs no timer, so that no timeout of hyper works there; hence hyper's own
//! builder, with one.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use penstock::CancellationToken;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::{Service as _, service_fn};

use super::{Config, State, app};

/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Serves until `shutdown` is cancelled. Requests in flight are then finished, as long as the
/// configured time allows, and jobs at work go back to the queue of the next start.
///
/// # Errors
/// The spool cannot be used, the store does not answer at the start, or the listener fails.
pub async fn serve(
    listener: TcpListener,
    state: State,
    shutdown: CancellationToken,
) -> io::Result<()> {
    state.jobs().start().await?;
    let config = state.config().clone();
    let router = app::router(state.clone());
    let builder = Arc::new(builder(&config));
    let connections = Arc::new(Semaphore::new(config.max_connections.max(1)));
    let graceful = GracefulShutdown::new();
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, or a peer that left already: neither is the
                    // listener's end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let watcher = graceful.watcher();
        let (router, builder) = (router.clone(), Arc::clone(&builder));
        let header_timeout = config.header_timeout;
        tokio::spawn(async move {
            connection(stream, router, &builder, watcher, header_timeout).await;
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(config.shutdown_timeout) => {
            tracing::warn!("requests in flight were cut off: they took too long to end");
        }
    }
    state.jobs().stop().await;
    Ok(())
}

fn builder(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES.max(256 << 10))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(250)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20);
    builder
}

async fn connection(
    stream: TcpStream,
    router: axum::Router,
    builder: &auto::Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
    header_timeout: Duration,
) {
    // Answers are written whole or streamed in large pieces: waiting to fill packets only delays.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection went away before it was served");
        return;
    }
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let mut router = router.clone();
        async move { Ok::<_, Infallible>(unfailing(router.call(request.map(Body::new)).await)) }
    });
    let served = watcher.watch(
        builder
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned(),
    );
    let mut served = std::pin::pin!(served);
    // hyper's own limit begins once it knows the version of the protocol. This one is for those
    // who do not even say so much.
    let outcome = tokio::select! {
        outcome = &mut served => outcome,
        () = tokio::time::sleep(header_timeout) => {
            if !has_asked.load(Ordering::Relaxed) {
                return;
            }
            served.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

fn unfailing<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}
