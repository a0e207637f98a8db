//! How soon whoever is over a limit is told so, and what that is to those who are not.
//!
//! One token keeps asking for more than it may have. Beside it another reports at a steady pace, and a third's
//! streams show when they hear of it.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::connection::{Connection, Door};
use crate::load::{Load, TENANT};
use crate::pace::{self, PACE};
use crate::reader::{self, Reader};
use crate::server::Server;
use crate::table::{Table, percentile_ms};
use crate::{Args, Result};

/// The env of all turns.
const ENV: &str = "refusals";
/// Streams that are followed.
const FOLLOWED: usize = 100;
/// Streams that whoever is over a limit of them has open.
const OPEN: usize = 100;
/// Time from one request that is too much to the next.
const PRESSING: Duration = Duration::from_millis(5);
/// Requests that make up what may come at once: more than any turn's rate allows.
const MOST_AT_FIRST: usize = 10_000;
/// No rate holds but the one that a turn is about.
const NO_RATES: [&str; 10] = [
    "--connect-rate",
    "0",
    "--read-rate",
    "0",
    "--report-rate",
    "0",
    "--byte-rate",
    "0",
    "--failure-rate",
    "0",
];

/// What somebody asks for too often.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// A stream.
    Stream,
    /// A page of the API.
    Counts,
    /// That a report be taken.
    Report,
    /// To be known by a token that nobody has.
    Entry,
}

/// A limit, the flag that sets it, to what, and what runs into it.
struct Limit {
    name: &'static str,
    flag: &'static str,
    value: usize,
    asked: Asked,
}

const LIMITS: [Limit; 7] = [
    Limit { name: "max_streams", flag: "--max-streams", value: FOLLOWED + OPEN, asked: Asked::Stream },
    Limit {
        name: "max_streams_per_tenant",
        flag: "--max-streams-per-tenant",
        value: FOLLOWED + OPEN,
        asked: Asked::Stream,
    },
    Limit {
        name: "max_streams_per_token",
        flag: "--max-streams-per-token",
        value: OPEN,
        asked: Asked::Stream,
    },
    Limit { name: "connect_rate", flag: "--connect-rate", value: 10, asked: Asked::Stream },
    Limit { name: "read_rate", flag: "--read-rate", value: 10, asked: Asked::Counts },
    // It is what the one who is not over it reports.
    Limit { name: "report_rate", flag: "--report-rate", value: 100, asked: Asked::Report },
    Limit { name: "failure_rate", flag: "--failure-rate", value: 1, asked: Asked::Entry },
];

/// Measures and prints.
pub async fn measure(args: &Args) -> Result<()> {
    println!(
        "SQLite, a report every {PACE:?} by one token, {FOLLOWED} streams of another that hear of it, and a third \
         that asks every {PRESSING:?} for more than it may have; each limit for {} s\n",
        args.seconds
    );
    let columns = ["limit", "429s", "of", "p50 ms", "p99 ms", "greatest ms"];
    let meanwhile = ["the others: report to answer, p99 ms", "report to arrival, p99 ms", "greatest ms"];
    let mut table = Table::new(&[&columns[..], &meanwhile].concat());
    turn(args, None, &mut table).await?;
    for limit in &LIMITS {
        turn(args, Some(limit), &mut table).await?;
    }
    table.print();
    Ok(())
}

/// Adds a row for a limit; without one, of what the others see when nobody asks for too much.
async fn turn(args: &Args, limit: Option<&Limit>, table: &mut Table) -> Result<()> {
    let binary = args.shipboard()?;
    let value = limit.map_or(String::new(), |limit| limit.value.to_string());
    let rates = NO_RATES.chunks(2).filter(|flag| limit.is_none_or(|limit| limit.flag != flag[0])).flatten();
    let mut flags: Vec<&str> = rates.copied().chain(["--auth", "required"]).collect();
    flags.extend(limit.iter().flat_map(|limit| [limit.flag, &value]));
    let server = Server::on_sqlite(&binary, &flags)?;
    server.run(&binary, &["tenant", "create", TENANT])?;
    let door = |role: &str| -> Result<Door> {
        let token = server.run(&binary, &["token", "create", "--tenant", TENANT, "--role", role])?;
        Ok(server.door.with(&token))
    };
    let (reporter, viewer, pressing) = (door("reporter")?, door("viewer")?, door("reporter")?);
    let load = Load::on(&reporter, ENV);
    load.live(1).await?;
    let mut followed = Vec::new();
    for _ in 0..FOLLOWED {
        followed.push(Reader::open(&viewer, ENV).await?);
    }
    let reports = pace::reports_in(args.turn());
    let following = pace::follow(&load, reports, followed);
    let (mut refused, mut asked) = (Vec::new(), 0);
    let (mut told, read) = match limit {
        None => following.await?,
        Some(limit) => {
            let mut pressing = Pressing::new(&pressing, limit.asked);
            pressing.until_refused().await?;
            let mut following = std::pin::pin!(following);
            let mut ticks = tokio::time::interval(PRESSING);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    followed = &mut following => break followed?,
                    _ = ticks.tick() => {
                        asked += 1;
                        refused.extend(pressing.ask().await?);
                    }
                }
            }
        }
    };
    told.sort_by_key(|report| report.event_id);
    let mut answers: Vec<Duration> = told.iter().map(|report| report.answered - report.sent).collect();
    let mut heard = Vec::new();
    for arrivals in &read {
        heard.extend(pace::arrivals(&told, arrivals)?.iter().map(|(report, at)| *at - report.sent));
    }
    let ms = |times: &mut [Duration], share| match times {
        [] => "–".to_owned(),
        times => format!("{:.1}", percentile_ms(times, share)),
    };
    table.row([
        limit.map_or("nobody asks", |limit| limit.name).to_owned(),
        refused.len().to_string(),
        asked.to_string(),
        ms(&mut refused, 0.5),
        ms(&mut refused, 0.99),
        ms(&mut refused, 1.0),
        ms(&mut answers, 0.99),
        ms(&mut heard, 0.99),
        ms(&mut heard, 1.0),
    ]);
    Ok(())
}

/// Somebody who wants more than they may have.
struct Pressing {
    door: Door,
    asked: Asked,
    request: Vec<u8>,
    /// Streams that were let in.
    open: Vec<Connection>,
}

impl Pressing {
    fn new(door: &Door, asked: Asked) -> Self {
        let env = format!("/api/v1/tenants/{TENANT}/envs/{ENV}");
        let counts = format!("{env}/counts");
        let request = match asked {
            Asked::Stream => door.request("GET", &reader::path(ENV), ""),
            Asked::Counts => door.request("GET", &counts, ""),
            Asked::Report => {
                door.request("POST", &format!("{env}/deployments"), r#"{"workflow":"pressing"}"#)
            }
            Asked::Entry => door.with("nobody's").request("GET", &counts, ""),
        };
        Self { door: door.clone(), asked, request, open: Vec::new() }
    }

    /// Takes all that there is.
    async fn until_refused(&mut self) -> Result<()> {
        for _ in 0..MOST_AT_FIRST {
            if self.ask().await?.is_some() {
                return Ok(());
            }
        }
        Err("the limit is never reached".into())
    }

    /// Asks on a connection of its own; gives how long the refusal took from the connecting on, if it was one.
    async fn ask(&mut self) -> Result<Option<Duration>> {
        let asked = Instant::now();
        let mut connection = Connection::open(&self.door).await?;
        match connection.status(&self.request).await? {
            429 => Ok(Some(asked.elapsed())),
            200 | 201 | 401 => {
                self.open.extend((self.asked == Asked::Stream).then_some(connection));
                Ok(None)
            }
            status => Err(format!("neither let in nor refused: {status}").into()),
        }
    }
}
