//! Measurements. `cargo run --release -p penstock-bench -- NAME` prints one table; the figures
//! that were measured are in `bench/README.md`.

mod ingest;
mod machine;
mod pull;
mod read;
mod search;

use std::path::PathBuf;

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
    /// Time and peak memory of loading a synthetic FASTA file with its descriptor.
    Ingest {
        /// Size of the file, in megabytes (10^6).
        #[arg(long, default_value_t = 1_000)]
        megabytes: u64,
        /// Leave the descriptor out.
        #[arg(long)]
        no_encode: bool,
    },
    /// Reading and parsing alone, file by file.
    Read {
        /// Files.
        paths: Vec<PathBuf>,
    },
    /// Exact and indexed search: recall@10 and latency.
    Search {
        /// A FASTA file of proteins.
        path: PathBuf,
        /// Queries.
        #[arg(long, default_value_t = 500)]
        queries: usize,
    },
    /// Solvers that pull a snapshot's rows by rank over loopback HTTP.
    Pull {
        /// Rows of 256 single-precision numbers.
        #[arg(long, default_value_t = 400_000)]
        rows: usize,
        /// Ranks, each a connection.
        #[arg(long, default_value_t = 2)]
        ranks: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("{}", machine::describe());
    match Arguments::parse().bench {
        Bench::Ingest {
            megabytes,
            no_encode,
        } => ingest::run(megabytes, !no_encode).await,
        Bench::Read { paths } => read::run(&paths),
        Bench::Search { path, queries } => search::run(path, queries).await,
        Bench::Pull { rows, ranks } => pull::run(rows, ranks).await,
    }
}
