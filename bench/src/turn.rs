//! One turn of the hot load on one instance: what it came to, and as a row of a table.

use std::time::Duration;

use crate::load::{Load, REPORTERS};
use crate::server::Server;
use crate::table::{Table, median, percentile_ms, spread};
use crate::{Result, cpu};

/// How long a load runs before it counts.
pub const WARM_UP: Duration = Duration::from_secs(1);

/// What one turn of the load came to.
pub struct Turn {
    /// Reports a second.
    pub rate: f64,
    /// How long half of the answers took at most.
    pub p50_ms: f64,
    /// How long all but one in a hundred took at most.
    pub p99_ms: f64,
    /// Requests in a transaction, on average.
    pub group: f64,
    /// How long a transaction took, on average.
    pub commit_ms: f64,
    /// CPU seconds for 1,000 reports: the server's, the database's, the generator's, and what is beside them.
    pub cpu: [f64; 4],
    /// The share of the machine's CPU that others used.
    pub others: f64,
}

/// Runs the load for a turn, after a while that does not count. `beside`: what else is part of the figure.
pub async fn take(
    server: &Server,
    load: &Load,
    time: Duration,
    database: Option<u32>,
    beside: &[u32],
) -> Result<Turn> {
    load.run(REPORTERS, WARM_UP).await?;
    let beside = || beside.iter().copied().map(cpu::of_tree).sum();
    let used = || [server.cpu(), database.map_or(0.0, cpu::of_tree), cpu::of_self(), beside()];
    let (before, used_before, machine_before) = (server.metrics().await?, used(), cpu::of_machine());
    let mut done = load.run(REPORTERS, time).await?;
    let (after, used_after, machine_after) = (server.metrics().await?, used(), cpu::of_machine());
    let reports = done.answers.len() as f64;
    let counted = |series: &str| after.get(series) - before.get(series);
    let groups = counted("shipboard_writer_group_size_count");
    let own: [f64; 4] = std::array::from_fn(|n| used_after[n] - used_before[n]);
    let others = machine_after - machine_before - own.iter().sum::<f64>();
    let others = others / done.took.as_secs_f64() / cpu::cores()?;
    Ok(Turn {
        rate: reports / done.took.as_secs_f64(),
        p50_ms: percentile_ms(&mut done.answers, 0.5),
        p99_ms: percentile_ms(&mut done.answers, 0.99),
        group: counted("shipboard_writer_group_size_sum") / groups,
        commit_ms: counted("shipboard_commit_seconds_sum") / groups * 1e3,
        cpu: own.map(|seconds| seconds / reports * 1e3),
        others: others.max(0.0),
    })
}

/// Adds a row of what turns came to, after their name.
pub fn row(table: &mut Table, name: &str, turns: &[Turn]) {
    let all = |value: fn(&Turn) -> f64| turns.iter().map(value).collect::<Vec<_>>();
    let middle = |value: fn(&Turn) -> f64| median(all(value));
    table.row([
        name.to_owned(),
        spread(&all(|turn| turn.rate), 0),
        format!("{:.1}", middle(|turn| turn.p50_ms)),
        format!("{:.1}", middle(|turn| turn.p99_ms)),
        format!("{:.1}", middle(|turn| turn.group)),
        format!("{:.2}", middle(|turn| turn.commit_ms)),
        format!("{:.3}", middle(|turn| turn.cpu[0])),
        format!("{:.3}", middle(|turn| turn.cpu[1])),
        format!("{:.3}", middle(|turn| turn.cpu[2])),
        format!("{:.0} %", middle(|turn| turn.others) * 100.0),
    ]);
}

/// The columns of [`row`].
pub const COLUMNS: [&str; 10] = [
    "",
    "reports/s",
    "p50 ms",
    "p99 ms",
    "group",
    "transaction ms",
    "server CPU-s/1,000",
    "database CPU-s/1,000",
    "generator CPU-s/1,000",
    "CPU used by others",
];
