//! A snapshot pulled by ranks over loopback.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use futures::StreamExt;
use penstock::export::CreateRequest;
use penstock::store::VersionRef;
use penstock::{CancellationToken, Encoders, Engine, EngineOptions, Task};
use penstock_ingest::ReadOptions;
use penstock_server::{http, load};

use crate::{ingest, machine};

const DIM: usize = 256;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rows of 256 single-precision numbers
    #[arg(long, default_value_t = 400_000)]
    rows: usize,
    /// Ranks, each a connection
    #[arg(long, default_value_t = 2)]
    ranks: usize,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let (rows, ranks) = (options.rows, options.ranks);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("rows.fasta");
    ingest::write_fasta(&path, rows as u64 * 390, 2)?;
    let root = folder.path().join("store");
    let engine = Engine::open(&root.to_string_lossy(), EngineOptions::default()).await?;
    let task = Task::default();
    load::run(
        &engine,
        load::LoadFiles {
            table: "rows".parse()?,
            inputs: load::expand(&[path])?,
            read: ReadOptions::default(),
            encoders: Encoders::Default,
            key: None,
        },
        &task,
    )
    .await?;
    let started = Instant::now();
    let snapshot = engine
        .snapshot_create(
            &CreateRequest {
                name: "bench".parse()?,
                table: "rows".parse()?,
                version: VersionRef::Latest,
                columns: Some(vec!["protein_kmer_v1".to_owned()]),
                filter: None,
            },
            &task,
        )
        .await?
        .snapshot;
    let create_seconds = started.elapsed().as_secs_f64();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let state = http::State::new(engine, http::Config::default());
    let server = tokio::spawn(http::serve(listener, state, shutdown.clone()));

    let url: Arc<str> = format!(
        "http://{address}/v1/snapshots/{}/arrays/protein_kmer_v1/rows",
        snapshot.digest()
    )
    .into();
    let mut lines = Vec::new();
    for round in 0..4 {
        let started = Instant::now();
        let pulls = (0..ranks).map(|rank| {
            let url = Arc::clone(&url);
            tokio::spawn(async move {
                let answer = reqwest::get(format!("{url}?rank={rank}&of={ranks}"))
                    .await?
                    .error_for_status()?;
                let mut body = answer.bytes_stream();
                let mut bytes = 0;
                while let Some(piece) = body.next().await {
                    bytes += piece?.len();
                }
                anyhow::Ok(bytes)
            })
        });
        let mut bytes = 0;
        for pull in futures::future::join_all(pulls).await {
            bytes += pull??;
        }
        anyhow::ensure!(
            bytes as u64 == snapshot.rows() * DIM as u64 * 4,
            "every row was pulled"
        );
        let seconds = started.elapsed().as_secs_f64();
        lines.push(vec![
            (if round == 0 { "first" } else { "again" }).to_owned(),
            ranks.to_string(),
            format!("{:.0}", bytes as f64 / 1e6),
            format!("{seconds:.3}"),
            format!("{:.2}", bytes as f64 / 1e9 / seconds),
        ]);
    }
    println!(
        "snapshot of {} rows made in {create_seconds:.1} s",
        snapshot.rows()
    );
    println!(
        "{}",
        machine::table(&["pull", "ranks", "MB", "seconds", "GB/s"], &lines)
    );
    shutdown.cancel();
    server.await??;
    Ok(())
}
