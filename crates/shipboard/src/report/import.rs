//! `shipboard import`: reports from a file, in batches. Lines that cannot be are named and counted, and
//! harm no other. Repeating an import changes nothing.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod rows;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::StatusCode;
use shipboard_core::id::Slug;
use shipboard_core::report::ReportBody;

use self::rows::{BadLine, Columns, Row, Rows};
use super::Place;
use super::client::{CallError, Client};
use super::courier::pause;
use super::words::insist;
use crate::foreign::name;

/// Most reports in a batch; the server's limit.
const MAX_BATCH: usize = 1_000;
/// Most bytes of JSON in a batch: well below the 1 MiB that a body may have.
const MAX_BATCH_BYTES: usize = 900 * 1024;
/// Most reports of all envs that wait for their batches to fill.
const MAX_PENDING: usize = 10 * MAX_BATCH;
/// How often a batch is tried before the import is given up.
const MAX_TRIES: u32 = 8;
/// Most bad lines that are named one by one.
const MAX_NAMED: u64 = 50;

/// Flags of `shipboard import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    place: Place,
    /// JSON lines, or CSV with the reports' fields in its header (`commit.sha` or `commit_sha`); - is
    /// standard input
    file: PathBuf,
    /// Read a column or field under another name, e.g. `environment=env`
    #[arg(long, value_name = "FROM=TO", value_parser = pair)]
    rename: Vec<(String, String)>,
    /// A field that every line has which does not say otherwise, e.g. `status=success`
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = pair)]
    fixed: Vec<(String, String)>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// No progress bar and no summary
    #[arg(long, short)]
    quiet: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').ok_or("must have the form NAME=VALUE")?;
    Ok((left.trim().to_owned(), right.to_owned()))
}

#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
struct Summary {
    /// Lines read.
    lines: u64,
    /// Reports that made a deployment.
    created: u64,
    /// Reports of deployments that were known.
    known: u64,
    /// Lines and reports that were not taken.
    refused: u64,
    /// Reports without a time: they happen when they are received.
    undated: u64,
}

pub(super) async fn execute(args: ImportArgs) -> ExitCode {
    let prepared = args.place.client().and_then(|client| Ok((client, open(&args.file)?)));
    let (client, (file, size)) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            insist(why);
            return ExitCode::FAILURE;
        }
    };
    let bar = progress_bar(size, args.quiet);
    let columns = Columns { rename: args.rename.clone(), fixed: args.fixed.clone() };
    let env = name(args.place.env.as_deref()).map(str::to_owned);
    let mut import =
        Import { client, env, bar, pending: BTreeMap::new(), waiting: 0, summary: Summary::default() };
    let rows = Rows::new(BufReader::new(import.bar.wrap_read(file)), &args.file, columns);
    let done = match rows {
        Ok(rows) => import.all(rows).await,
        Err(bad) => {
            import.name(&bad);
            Ok(())
        }
    };
    import.bar.finish_and_clear();
    if let Err(error) = &done {
        insist(format_args!("{error}; the import ends here, repeat it to go on"));
    }
    if !args.quiet {
        print(&import.summary, args.json);
    }
    if import.summary.undated > 0 {
        insist(format_args!(
            "{} reports have no occurred_at and were taken as of now; repeated, they may count again",
            import.summary.undated
        ));
    }
    if done.is_ok() && import.summary.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), String> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let size = file.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(file), size))
}

/// On standard error, and only if that is a terminal.
fn progress_bar(size: Option<u64>, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(size, target);
    let template = "{wide_bar} {percent:>3} %  {msg}  {eta} left";
    if let (Some(_), Ok(style)) = (size, ProgressStyle::with_template(template)) {
        bar.set_style(style);
    }
    bar
}

fn print(summary: &Summary, json: bool) {
    let Summary { lines, created, known, refused, .. } = summary;
    let mut out = std::io::stdout().lock();
    let _ = if json {
        writeln!(out, "{}", serde_json::to_string(summary).unwrap_or_default())
    } else {
        writeln!(
            out,
            "{lines} lines: {created} deployments created, {known} reports of known ones, {refused} refused"
        )
    };
}

struct Import {
    client: Client,
    env: Option<String>,
    bar: ProgressBar,
    pending: BTreeMap<Slug, Batch>,
    waiting: usize,
    summary: Summary,
}

#[derive(Default)]
struct Batch {
    lines: Vec<u64>,
    reports: Vec<ReportBody>,
    bytes: usize,
}

impl Import {
    async fn all<R: std::io::BufRead>(&mut self, rows: Rows<R>) -> Result<(), CallError> {
        for row in rows {
            self.summary.lines += 1;
            match row.and_then(|row| self.ready(row)) {
                Ok((env, row)) => self.add(env, row).await?,
                Err(bad) => self.name(&bad),
            }
        }
        self.send_pending().await
    }

    fn ready(&self, row: Row) -> Result<(Slug, Row), BadLine> {
        let bad = |reason: String| BadLine { line: row.line, reason };
        let env = row.env.as_deref().or(self.env.as_deref());
        let env = env.ok_or_else(|| bad("env: is missing, and no --env is given".to_owned()))?;
        let env = env.parse::<Slug>().map_err(|error| bad(format!("env: {error}")))?;
        Ok((env, row))
    }

    async fn add(&mut self, env: Slug, row: Row) -> Result<(), CallError> {
        let bytes = serde_json::to_vec(&row.report).map_or(0, |json| json.len() + 1);
        let batch = self.pending.entry(env.clone()).or_default();
        if batch.reports.len() >= MAX_BATCH || batch.bytes + bytes > MAX_BATCH_BYTES {
            let full = std::mem::take(batch);
            self.send(&env, full).await?;
        }
        if self.waiting >= MAX_PENDING {
            self.send_pending().await?;
        }
        self.summary.undated += u64::from(row.report.occurred_at.is_none());
        let batch = self.pending.entry(env).or_default();
        batch.lines.push(row.line);
        batch.reports.push(row.report);
        batch.bytes += bytes;
        self.waiting += 1;
        Ok(())
    }

    async fn send_pending(&mut self) -> Result<(), CallError> {
        while let Some((env, batch)) = self.pending.pop_first() {
            self.send(&env, batch).await?;
        }
        Ok(())
    }

    async fn send(&mut self, env: &Slug, batch: Batch) -> Result<(), CallError> {
        self.waiting = self.waiting.saturating_sub(batch.reports.len());
        let mut tries = 0;
        let results = loop {
            match self.client.batch(env, &batch.reports).await {
                Ok(results) => break results,
                Err(error) if error.refused_as() == Some(StatusCode::UNPROCESSABLE_ENTITY) => {
                    return Err(error);
                }
                Err(error) => {
                    tries += 1;
                    if !error.may_pass() || tries == MAX_TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(pause(tries, &error)).await;
                }
            }
        };
        for (line, result) in batch.lines.into_iter().zip(results) {
            match result.status {
                201 => self.summary.created += 1,
                200 => self.summary.known += 1,
                _ => {
                    let reason = result.problem.unwrap_or_default().reason();
                    self.name(&BadLine { line, reason });
                }
            }
        }
        let Summary { created, known, .. } = &self.summary;
        self.bar.set_message(format!("{} reports", created + known));
        Ok(())
    }

    fn name(&mut self, bad: &BadLine) {
        self.summary.refused += 1;
        self.bar.suspend(|| match self.summary.refused {
            ..=MAX_NAMED => insist(bad),
            more if more == MAX_NAMED + 1 => insist("more lines were refused; they are only counted"),
            _ => {}
        });
    }
}
