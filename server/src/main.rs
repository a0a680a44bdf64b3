//! The `penstock` program: reads the environment and hands over to the library.

use std::process::ExitCode;

use penstock_server::cli::{self, Environment};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let environment = Environment::read();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli::main(std::env::args_os().collect(), environment));
    // A reader that still waits for standard input must not hold the program back.
    runtime.shutdown_background();
    code
}
