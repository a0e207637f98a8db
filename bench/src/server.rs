//! The built server: one process on a free port, and what it tells of itself.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Result;
use crate::connection::{Connection, Door};
use crate::cpu;

/// In the working directory.
const SQLITE: &str = "sqlite:board.db";

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    /// Where it runs, and where SQLite's file is.
    directory: tempfile::TempDir,
    /// The door to it.
    pub door: Door,
}

impl Server {
    /// Starts one on a database, with more flags.
    pub fn start(binary: &Path, database: &str, flags: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = program(binary, directory.path());
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", database]).args(flags);
        let started = command.stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
        let mut heard = String::new();
        let address: SocketAddr = loop {
            let Some(Ok(line)) = lines.next() else {
                return Err(format!("the server did not start:\n{heard}").into());
            };
            match line.strip_prefix("listening on http://") {
                Some(address) => break address.parse()?,
                None => heard = heard + &line + "\n",
            }
        };
        // Its pipe must never fill.
        std::thread::spawn(move || {
            let lines = lines.map_while(std::result::Result::ok);
            lines.filter(|line| !line.contains(" INFO ")).for_each(|line| eprintln!("server: {line}"));
        });
        Ok(Self { child, directory, door: Door::open(address) })
    }

    /// The same on a database of SQLite of its own.
    pub fn on_sqlite(binary: &Path, flags: &[&str]) -> Result<Self> {
        // Its working directory is gone with it, and so is the database.
        Self::start(binary, SQLITE, flags)
    }

    /// Runs another command on a database of SQLite of its own, and gives what it printed.
    pub fn run(&self, binary: &Path, args: &[&str]) -> Result<String> {
        let output =
            program(binary, self.directory.path()).args(args).args(["--database", SQLITE]).output()?;
        if !output.status.success() {
            return Err(format!("failed: {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The CPU seconds it has used.
    pub fn cpu(&self) -> f64 {
        cpu::of_tree(self.pid())
    }

    /// What it counts.
    pub async fn metrics(&self) -> Result<Metrics> {
        let mut connection = Connection::open(&self.door).await?;
        let request = connection.request("GET", "/metrics", "");
        let answer = connection.send(&request).await?;
        Ok(Metrics(String::from_utf8_lossy(answer.body).into_owned()))
    }
}

/// The built program in a directory, told nothing by the environment.
fn program(binary: &Path, directory: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHIPBOARD_")) {
        command.env_remove(name);
    }
    command.current_dir(directory);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server counted until some moment.
pub struct Metrics(String);

impl Metrics {
    /// A series by its name with labels; 0 if it is not there.
    pub fn get(&self, series: &str) -> f64 {
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(value).unwrap_or(0.0)
    }
}
