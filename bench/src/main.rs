//! Measurements. `cargo run --release -p penstock-bench -- NAME` prints one table; the figures
//! that were measured are in `bench/README.md`.

mod cold;
mod corpus;
mod embed;
mod fasta;
mod homology;
mod ingest;
mod late;
mod machine;
mod matching;
mod nearest;
mod peer;
mod pull;
mod read;
mod search;
mod servers;
mod shapes;
mod similar;
mod stored;
mod upkeep;
mod vectors;

use clap::{Parser, Subcommand};

// The allocator of the program that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measurements of Penstock")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Time and peak memory of loading a synthetic FASTA file with its descriptor
    Ingest(ingest::Options),
    /// Reading and parsing alone, file by file
    Read(read::Options),
    /// Residues per second of protein models with random weights, beside PyTorch
    Embed(embed::Options),
    /// How well encoders find relatives among SCOPe domains, all against all
    Homology(homology::Options),
    /// Exact and indexed search: recall@10 and latency
    Search(search::Options),
    /// Exact pattern matching: published queries, and growth over synthetic graphs
    Matching(matching::Options),
    /// Places that resemble a pattern: planted patterns with changes, in HPRD and synthetic graphs,
    /// beside the same growth from vertices drawn by label alone
    Similar(similar::Options),
    /// The index in memory: build, recall@10 and queries per second
    Nearest(nearest::Options),
    /// Indexes on the disk: recall@10 and queries per second, beside LanceDB
    Cold(cold::Options),
    /// Searches over loopback by `penstock serve`, Chroma and PostgreSQL with pgvector
    Servers(servers::Options),
    /// The index in memory under filters: recall@10 and queries per second by selectivity
    Filters(vectors::Made),
    /// Scores of rows of several vectors each, beside a plain loop
    Late(late::Options),
    /// Searches by the index in memory and by that on the disk, while another index is built
    Upkeep(upkeep::Options),
    /// Solvers that pull a snapshot's rows by rank over loopback HTTP
    Pull(pull::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("{}", machine::describe());
    match Arguments::parse().bench {
        Bench::Ingest(options) => ingest::run(&options).await,
        Bench::Read(options) => read::run(&options),
        Bench::Embed(options) => embed::run(&options),
        Bench::Homology(options) => homology::run(&options),
        Bench::Search(options) => search::run(&options).await,
        Bench::Matching(options) => matching::run(&options),
        Bench::Similar(options) => similar::run(&options).await,
        Bench::Nearest(options) => nearest::run(&options),
        Bench::Cold(options) => cold::run(&options).await,
        // It waits for answers; the runtimes that it needs are its own.
        Bench::Servers(options) => {
            tokio::task::spawn_blocking(move || servers::run(&options)).await?
        }
        Bench::Filters(options) => nearest::filters(&options),
        Bench::Late(options) => late::run(&options),
        Bench::Upkeep(options) => upkeep::run(&options).await,
        Bench::Pull(options) => pull::run(&options).await,
    }
}
