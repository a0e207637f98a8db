//! Shipboard, the live deployments board.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use shipboard::cli::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "shipboard: {error}");
            ExitCode::FAILURE
        }
    }
}
