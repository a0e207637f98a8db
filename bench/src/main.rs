//! `shipboard-bench FIGURE`: measures the built server and prints what stands in the README beside this.
//!
//! Each figure starts all it needs, privately, and leaves nothing behind. What is compared takes turns, so
//! that whatever else the machine does hits both alike.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures go to standard output")]

mod bus;
mod connection;
mod cpu;
mod head_row;
mod hot_env;
mod latency;
mod load;
mod one_by_one;
mod pace;
mod private;
mod reader;
mod refusals;
mod server;
mod sqlite;
mod table;
mod turn;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

#[derive(Parser)]
#[command(name = "shipboard-bench", about = "Measures the built server")]
struct Args {
    /// What to measure
    figure: Figure,
    /// The built server
    #[arg(long, default_value = "target/release/shipboard")]
    shipboard: PathBuf,
    /// Another build of it, to take turns with (hot-env)
    #[arg(long)]
    against: Option<PathBuf>,
    /// A setting of PostgreSQL's to try, as NAME=VALUE
    #[arg(long = "setting")]
    settings: Vec<String>,
    /// How often those that are compared take turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each turn takes
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many reports (head-row)
    #[arg(long, default_value_t = 20_000)]
    reports: usize,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Figure {
    /// Reports a second on one env of PostgreSQL, beside one transaction per report
    HotEnv,
    /// The same with the bus off and on
    Bus,
    /// From a report's answer on one instance to the clients of others
    Latency,
    /// Whether the rows that change with every transaction bloat
    HeadRow,
    /// Reports a second on one env of SQLite
    Sqlite,
    /// How soon whoever is over a limit is told so, and what the others notice
    Refusals,
}

impl Args {
    fn turn(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The built server, wherever a process of it is started.
    fn shipboard(&self) -> Result<PathBuf> {
        Ok(std::path::absolute(&self.shipboard)?)
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    // One thread: what the generator costs is what it would cost in a program of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured = runtime.map_err(Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match args.figure {
                Figure::HotEnv => hot_env::measure(&args).await,
                Figure::Bus => bus::measure(&args).await,
                Figure::Latency => latency::measure(&args).await,
                Figure::HeadRow => head_row::measure(&args).await,
                Figure::Sqlite => sqlite::measure(&args).await,
                Figure::Refusals => refusals::measure(&args).await,
            }
        })
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shipboard-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
