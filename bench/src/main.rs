//! Measurements. `cargo run --release -p penstock-bench -- NAME` prints one table; the figures
//! that were measured are in `bench/README.md`.

mod cold;
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
        /// Files; the larger ones of the corpus where none is given.
        paths: Vec<PathBuf>,
    },
    /// Residues per second of protein models with random weights, beside PyTorch.
    Embed {
        /// A FASTA file of proteins; the corpus's where none is given.
        path: Option<PathBuf>,
        /// Proteins, from all over the file.
        #[arg(long, default_value_t = 500)]
        records: usize,
        /// Published shapes of ESM-2, of which checkpoints are made.
        #[arg(long, value_delimiter = ',', default_value = "8M,35M,150M")]
        shapes: Vec<String>,
        /// Folders of checkpoints, beside the shapes.
        #[arg(long)]
        checkpoint: Vec<PathBuf>,
        /// Forms of the encoder, as they stand after its name; the usual one is empty.
        #[arg(long, value_delimiter = ',', default_value = "")]
        forms: Vec<String>,
        /// PyTorch with transformers on the same weights, in an environment that is set up for it.
        #[arg(long)]
        peer: bool,
    },
    /// How well encoders find relatives among SCOPe domains, all against all.
    ///
    /// Takes the encoders that need no download, and the checkpoints under PENSTOCK_CHECKPOINTS.
    Homology {
        /// A FASTA file of domains; the corpus's where none is given.
        path: Option<PathBuf>,
        /// Their ids and SCOPe families, a line each; the corpus's where none is given.
        #[arg(long)]
        labels: Option<PathBuf>,
        /// MMseqs2 on the same queries; it has to be installed.
        #[arg(long)]
        peer: bool,
        /// Ranks this many nearest of each domain by the descriptor again, by local alignment; as
        /// many as there are others: all pairs. Several may be given.
        #[arg(long, value_delimiter = ',')]
        rerank: Vec<usize>,
    },
    /// Exact and indexed search: recall@10 and latency.
    Search {
        /// A FASTA file of proteins; the corpus's where none is given.
        path: Option<PathBuf>,
        /// Queries.
        #[arg(long, default_value_t = 500)]
        queries: usize,
    },
    /// Exact pattern matching: published queries, and growth over synthetic graphs.
    Matching {
        /// A folder with `HPRD.graph`, `query/` and `expected_output.res`; the corpus's where none
        /// is given.
        path: Option<PathBuf>,
        /// rustworkx on the same queries, in an environment that is set up for it, and
        /// SubgraphMatching, if its binary is named.
        #[arg(long)]
        peer: bool,
        /// The binary of RapidsAtHKUST/SubgraphMatching.
        #[arg(long, env = "PENSTOCK_SUBGRAPH_MATCHING")]
        subgraph_matching: Option<PathBuf>,
        /// Times that the published queries are run; the fastest run counts.
        #[arg(long, default_value_t = 5)]
        repeat: usize,
        /// Edges of the synthetic graphs.
        #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000")]
        edges: Vec<usize>,
        /// Patterns of each size.
        #[arg(long, default_value_t = 20)]
        patterns: usize,
        /// Threads of a search in a synthetic graph.
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// Places that resemble a pattern: planted patterns with changes, in HPRD and synthetic graphs,
    /// beside the same growth from vertices drawn by label alone.
    Similar {
        /// HPRD in t/v/e; the corpus's where none is given.
        path: Option<PathBuf>,
        /// Vertices of the synthetic graphs.
        #[arg(long, default_value_t = 1_000_000)]
        vertices: usize,
        /// Edges of the synthetic graphs.
        #[arg(long, default_value_t = 5_000_000)]
        edges: usize,
        /// Labels of the synthetic graphs, one graph for each number.
        #[arg(long, value_delimiter = ',', default_value = "32,1000")]
        labels: Vec<u32>,
        /// Patterns of each number of changes.
        #[arg(long, default_value_t = 100)]
        patterns: usize,
        /// Vertices of a pattern whose neighbours are looked for.
        #[arg(long, default_value_t = 4)]
        anchors: usize,
        /// Rows near each of them.
        #[arg(long, default_value_t = 200)]
        neighbours: usize,
        /// Mappings that are followed at a time.
        #[arg(long, default_value_t = 8)]
        beam: usize,
        /// Make an index in memory and search by it.
        #[arg(long)]
        hot: bool,
        /// Where tables are made, and found again by the next run; a temporary folder where left
        /// out.
        #[arg(long)]
        store: Option<PathBuf>,
    },
    /// The index in memory: build, recall@10 and queries per second on clustered vectors.
    Nearest {
        /// Which vectors; those of the corpus have their own number and length.
        #[arg(long, value_enum, default_value = "clustered")]
        data: vectors::Source,
        /// Vectors.
        #[arg(long, default_value_t = 200_000)]
        rows: usize,
        /// Numbers per vector.
        #[arg(long, default_value_t = 128)]
        dim: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The interpreter of an environment with hnswlib, faiss and usearch, to run on the same
        /// vectors.
        #[arg(long)]
        peer: Option<PathBuf>,
        /// Which of them.
        #[arg(long, default_value = "hnswlib,faiss,usearch")]
        libraries: String,
        /// The program of `bench/reference/hnsw_rs`, to run on the same vectors: hnsw_rs, and its graph
        /// searched by Penstock.
        #[arg(long, env = "PENSTOCK_HNSW_RS")]
        hnsw_rs: Option<PathBuf>,
    },
    /// Indexes on the disk: recall@10 and queries per second, beside LanceDB.
    Cold {
        /// Vectors.
        #[arg(long, default_value_t = 200_000)]
        rows: usize,
        /// Numbers per vector.
        #[arg(long, default_value_t = 128)]
        dim: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Types of index.
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "ivf_hnsw_sq,ivf_pq,ivf_rq"
        )]
        kinds: Vec<penstock::index::IndexKind>,
        /// The interpreter of an environment with lancedb, to run on the same vectors.
        #[arg(long)]
        peer: Option<PathBuf>,
    },
    /// Searches over loopback by `penstock serve`, Chroma and PostgreSQL with pgvector.
    Servers {
        /// Vectors.
        #[arg(long, default_value_t = 200_000)]
        rows: usize,
        /// Numbers per vector.
        #[arg(long, default_value_t = 128)]
        dim: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The program `penstock`; the one beside this program where left out.
        #[arg(long)]
        penstock: Option<PathBuf>,
        /// The program `chroma`, to run beside it.
        #[arg(long)]
        chroma: Option<PathBuf>,
        /// The folder of PostgreSQL's programs, to run beside it; pgvector must be installed.
        #[arg(long)]
        postgres: Option<PathBuf>,
    },
    /// The index in memory under filters: recall@10 and queries per second by selectivity.
    Filters {
        /// Which vectors; those of the corpus have their own number and length.
        #[arg(long, value_enum, default_value = "clustered")]
        data: vectors::Source,
        /// Vectors.
        #[arg(long, default_value_t = 200_000)]
        rows: usize,
        /// Numbers per vector.
        #[arg(long, default_value_t = 128)]
        dim: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Scores of rows of several vectors each, beside a plain loop.
    Late {
        /// Rows.
        #[arg(long, default_value_t = 500)]
        rows: usize,
        /// Vectors per row.
        #[arg(long, default_value_t = 150)]
        items: usize,
        /// Numbers per vector.
        #[arg(long, value_delimiter = ',', default_value = "128,320")]
        dims: Vec<usize>,
        /// Vectors per query.
        #[arg(long, value_delimiter = ',', default_value = "32,150")]
        queries: Vec<usize>,
    },
    /// Searches by the index in memory and by that on the disk, while another index is built.
    Upkeep {
        /// Vectors of the table that is searched.
        #[arg(long, default_value_t = 50_000)]
        rows: usize,
        /// Vectors of the table whose index is built.
        #[arg(long, default_value_t = 50_000)]
        building: usize,
        /// Numbers per vector.
        #[arg(long, default_value_t = 128)]
        dim: usize,
        /// Threads of the build; 0: half of the cores.
        #[arg(long, default_value_t = 0)]
        threads: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
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
        Bench::Read { paths } if paths.is_empty() => read::run(&READ.map(corpus)),
        Bench::Read { paths } => read::run(&paths),
        Bench::Embed {
            path,
            records,
            shapes,
            checkpoint,
            forms,
            peer,
        } => embed::run(&embed::Options {
            sequences: path.unwrap_or_else(|| corpus("protein/scope40.fasta")),
            records,
            shapes,
            checkpoints: checkpoint,
            forms,
            peer,
        }),
        Bench::Homology {
            path,
            labels,
            peer,
            rerank,
        } => homology::run(
            &path.unwrap_or_else(|| corpus("protein/scope40.fasta")),
            &labels.unwrap_or_else(|| corpus("protein/scope40_labels.txt")),
            std::env::var_os("PENSTOCK_CHECKPOINTS").map(Into::into),
            peer,
            &rerank,
        ),
        Bench::Search { path, queries } => {
            let path = path.unwrap_or_else(|| corpus("protein/scope40.fasta"));
            search::run(path, queries).await
        }
        Bench::Matching {
            path,
            peer,
            subgraph_matching,
            repeat,
            edges,
            patterns,
            threads,
        } => matching::run(&matching::Options {
            folder: path.unwrap_or_else(|| corpus("graph")),
            peer,
            subgraph_matching,
            repeat,
            edges,
            patterns,
            threads,
        }),
        Bench::Similar {
            path,
            vertices,
            edges,
            labels,
            patterns,
            anchors,
            neighbours,
            beam,
            hot,
            store,
        } => {
            similar::run(&similar::Options {
                published: path.unwrap_or_else(|| corpus("graph/HPRD.graph")),
                vertices,
                edges,
                labels,
                patterns,
                anchors,
                neighbours,
                beam,
                hot,
                store,
            })
            .await
        }
        Bench::Nearest {
            data: vectors::Source::Scope40,
            peer: python,
            libraries,
            hnsw_rs,
            ..
        } => {
            let peer = nearest::Peer {
                python,
                libraries,
                hnsw_rs,
            };
            nearest::real(&corpus("protein/scope40.fasta"), &peer)
        }
        Bench::Nearest {
            data: vectors::Source::Clustered,
            rows,
            dim,
            seed,
            peer: python,
            libraries,
            hnsw_rs,
        } => {
            let peer = nearest::Peer {
                python,
                libraries,
                hnsw_rs,
            };
            nearest::synthetic(&nearest::Shape { rows, dim, seed }, &peer)
        }
        Bench::Cold {
            rows,
            dim,
            seed,
            kinds,
            peer,
        } => {
            let shape = cold::Shape {
                rows,
                dim,
                seed,
                kinds,
            };
            cold::run(&shape, peer.as_deref()).await
        }
        Bench::Servers {
            rows,
            dim,
            seed,
            penstock,
            chroma,
            postgres,
        } => {
            let options = servers::Options {
                rows,
                dim,
                seed,
                penstock: penstock.map_or_else(servers::beside, Ok)?,
                chroma,
                postgres,
            };
            // It waits for answers; the runtimes that it needs are its own.
            tokio::task::spawn_blocking(move || servers::run(&options)).await?
        }
        Bench::Filters {
            data: vectors::Source::Scope40,
            seed,
            ..
        } => nearest::filters_real(&corpus("protein/scope40.fasta"), seed),
        Bench::Filters {
            data: vectors::Source::Clustered,
            rows,
            dim,
            seed,
        } => nearest::filters_synthetic(&nearest::Shape { rows, dim, seed }),
        Bench::Late {
            rows,
            items,
            dims,
            queries,
        } => late::run(rows, items, &dims, &queries),
        Bench::Upkeep {
            rows,
            building,
            dim,
            threads,
            seed,
        } => {
            upkeep::run(&upkeep::Shape {
                rows,
                building,
                dim,
                threads,
                seed,
            })
            .await
        }
        Bench::Pull { rows, ranks } => pull::run(rows, ranks).await,
    }
}

/// What is read where no file is named.
const READ: [&str; 5] = [
    "protein/scope40.fasta",
    "dna/ecoli_k12_mg1655.fna.gz",
    "dna/lambda_reads_1k.fq",
    "mesh/cfd/motorBike.obj.gz",
    "mesh/models/stanford-bunny.obj",
];

fn corpus(file: &str) -> PathBuf {
    let root = std::env::var_os("PENSTOCK_CORPUS").map(PathBuf::from);
    root.unwrap_or_else(|| PathBuf::from("../shared/corpus"))
        .join(file)
}
