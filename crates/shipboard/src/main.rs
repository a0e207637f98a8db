//! Shipboard, the live deployments board.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use shipboard::cli::{Cli, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build().map(|runtime| {
        let done = runtime.block_on(run(cli));
        // Whatever still waits, for a name server that does not answer, say, is waited for no longer.
        runtime.shutdown_background();
        done
    });
    match done.map_err(Into::into).flatten() {
        Ok(code) => code,
        Err(error) => {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "shipboard: {error}");
            ExitCode::FAILURE
        }
    }
}
