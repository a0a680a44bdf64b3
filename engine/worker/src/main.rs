//! A trained model in a process of its own. `penstock --workers DEVICES` starts one per GPU; what
//! they say to each other is in `penstock_embed::worker`.

use std::error::Error;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use penstock_embed::{Checkpoint, worker};

// Freshly mapped pages cost more than some products.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Embeds what comes on standard input; started by `penstock --workers`
#[derive(Parser)]
#[command(name = "penstock-worker", version)]
struct Arguments {
    /// Folder of the checkpoint
    checkpoint: PathBuf,

    /// The encoder's name with its form, as columns keep it
    #[arg(long)]
    name: String,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", worker::with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let checkpoint = Checkpoint::open(&arguments.checkpoint)?;
    let encoder = checkpoint.encoder(&arguments.name)?;
    let output = BufWriter::new(std::io::stdout().lock());
    worker::serve(&*encoder, BufReader::new(std::io::stdin().lock()), output)?;
    Ok(())
}
