//! From a report's answer on one instance to its event's arrival at the clients of others, at a steady pace
//! that does not wait for anybody.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::bus::warm_up;
use crate::load::{Life, Load, Reporter};
use crate::private::{Postgres, Private};
use crate::reader::Reader;
use crate::server::Server;
use crate::table::{Table, percentile_ms};
use crate::{Args, Result};

/// Time from one report to the next.
const PACE: Duration = Duration::from_millis(10);
/// Clients of each instance.
const CLIENTS: usize = 10;
/// Reporters that take turns.
const REPORTERS: usize = 32;
/// Reports at the beginning that do not count.
const WARM_UP: usize = 200;
/// How long the last event may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// A report that was answered.
struct Told {
    event_id: u64,
    sent: Instant,
    answered: Instant,
}

/// What a turn came to, over all reports and clients.
#[derive(Default)]
struct Times {
    answers: Vec<Duration>,
    /// From the answer to the arrival at clients of the same instance; nothing if it came before.
    same: Vec<Duration>,
    others: Vec<Duration>,
    /// The same from the report's being sent.
    from_sending: Vec<Duration>,
}

/// Measures and prints.
pub async fn measure(args: &Args) -> Result<()> {
    let postgres = Postgres::start(&args.settings)?;
    let nats = Private::nats()?;
    warm_up(args, &postgres).await?;
    let mut buses = [("postgres", "postgres".to_owned()), ("nats", nats.nats_url())]
        .map(|(name, bus)| (name, bus, Times::default()));
    for round in 0..args.rounds {
        for (name, bus, times) in &mut buses {
            postgres.settle("postgres")?;
            turn(args, &postgres, bus, &format!("pace-{name}-{round}"), times).await?;
        }
    }
    println!(
        "PostgreSQL {}, a report every {PACE:?} to one of three instances, {CLIENTS} clients at each, {} turns of {} s each\n",
        postgres.version()?,
        args.rounds,
        args.seconds
    );
    let mut table = Table::new(&["", "", "p50 ms", "p99 ms", "greatest ms", "of"]);
    for (name, _, times) in &mut buses {
        for (what, values) in [
            ("answer to arrival, other instances", &mut times.others),
            ("answer to arrival, the same instance", &mut times.same),
            ("report to arrival, other instances", &mut times.from_sending),
            ("report to answer", &mut times.answers),
        ] {
            let [p50, p99, most] =
                [0.5, 0.99, 1.0].map(|share| format!("{:.1}", percentile_ms(values, share)));
            table.row([(*name).to_owned(), what.to_owned(), p50, p99, most, values.len().to_string()]);
        }
    }
    table.print();
    Ok(())
}

async fn turn(args: &Args, postgres: &Postgres, bus: &str, env: &str, times: &mut Times) -> Result<()> {
    let start = || Server::start(&args.shipboard()?, &postgres.url(), Some(bus));
    let servers = [start()?, start()?, start()?];
    let load = Load::on(servers[0].address, env);
    load.live(1).await?;
    let mut readers = Vec::new();
    for server in &servers {
        for _ in 0..CLIENTS {
            readers.push(Reader::open(server.address, env).await?);
        }
    }
    let reports = WARM_UP + (args.turn().as_secs_f64() / PACE.as_secs_f64()) as usize;
    let (told, last) = tokio::sync::watch::channel(None);
    let mut reading = JoinSet::new();
    for (n, mut reader) in readers.into_iter().enumerate() {
        let mut last = last.clone();
        reading.spawn(async move {
            // Until the last report's event is known, and then until it is here.
            let known = tokio::select! {
                known = last.wait_for(Option::is_some) => known.ok().and_then(|known| *known),
                ended = reader.read_on() => return Err(ended.err().unwrap_or_else(|| "a stream ended".into())),
            };
            let to_the_end = reader.read_to(known.unwrap_or(0));
            tokio::time::timeout(PATIENCE, to_the_end).await.map_err(|_| "an event never came")??;
            Ok::<_, crate::Error>((n / CLIENTS, reader.arrivals))
        });
    }
    let mut reports = pace(&load, reports).await?;
    let _ = told.send(reports.iter().map(|report| report.event_id).max());
    reports.drain(..WARM_UP);
    reports.sort_by_key(|report| report.event_id);
    times.answers.extend(reports.iter().map(|report| report.answered - report.sent));
    while let Some(read) = reading.join_next().await {
        let (instance, arrivals) = read??;
        let mut arrivals = arrivals.into_iter().peekable();
        for report in &reports {
            while arrivals.next_if(|(id, _)| *id < report.event_id).is_some() {}
            let Some((_, at)) = arrivals.peek() else { return Err("an event is missing".into()) };
            let took = at.saturating_duration_since(report.answered);
            if instance == 0 {
                times.same.push(took);
            } else {
                times.others.push(took);
                times.from_sending.push(*at - report.sent);
            }
        }
    }
    Ok(())
}

/// Sends so many reports at the pace, whatever becomes of those before. In the order of their sending.
async fn pace(load: &Load, reports: usize) -> Result<Vec<Told>> {
    let mut idle: VecDeque<(Reporter, Life)> = VecDeque::new();
    for _ in 0..REPORTERS {
        let reporter = Reporter::open(load).await?;
        let life = reporter.begin();
        idle.push_back((reporter, life));
    }
    let mut told = Vec::with_capacity(reports);
    let mut under_way = JoinSet::new();
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = 0;
    while told.len() < reports {
        tokio::select! {
            _ = ticks.tick(), if sent < reports => {
                sent += 1;
                let Some((reporter, life)) = idle.pop_front() else {
                    return Err("the server does not keep up with the pace".into());
                };
                under_way.spawn(tell(reporter, life));
            }
            Some(done) = under_way.join_next() => {
                let (reporter, life, report) = done??;
                told.push(report);
                idle.push_back((reporter, life));
            }
        }
    }
    told.sort_by_key(|report| report.sent);
    Ok(told)
}

/// The next report of a life, or the first of the next.
async fn tell(mut reporter: Reporter, mut life: Life) -> Result<(Reporter, Life, Told)> {
    let mut report = life.next(reporter.connection());
    if report.is_none() {
        life = reporter.begin();
        report = life.next(reporter.connection());
    }
    let report = report.ok_or("a life without a report")?;
    let sent = Instant::now();
    let event_id = reporter.tell(&mut life, &report).await?;
    let told = Told { event_id, sent, answered: Instant::now() };
    Ok((reporter, life, told))
}
