//! From a report's answer on one instance to its event's arrival at the clients of others, at a steady pace
//! that does not wait for anybody.

use std::time::Duration;

use crate::bus::warm_up;
use crate::load::Load;
use crate::pace::{self, PACE};
use crate::private::{Postgres, Private};
use crate::reader::Reader;
use crate::server::Server;
use crate::table::{Table, percentile_ms};
use crate::{Args, Result};

/// Clients of each instance.
const CLIENTS: usize = 10;
/// Reports at the beginning that do not count.
const WARM_UP: usize = 200;

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
    let start = || Server::start(&args.shipboard()?, &postgres.url(), &["--bus", bus]);
    let servers = [start()?, start()?, start()?];
    let load = Load::on(&servers[0].door, env);
    load.live(1).await?;
    let mut readers = Vec::new();
    for server in &servers {
        for _ in 0..CLIENTS {
            readers.push(Reader::open(&server.door, env).await?);
        }
    }
    let reports = WARM_UP + pace::reports_in(args.turn());
    let (mut told, read) = pace::follow(&load, reports, readers).await?;
    told.drain(..WARM_UP);
    told.sort_by_key(|report| report.event_id);
    times.answers.extend(told.iter().map(|report| report.answered - report.sent));
    for (n, arrivals) in read.iter().enumerate() {
        for (report, at) in pace::arrivals(&told, arrivals)? {
            let took = at.saturating_duration_since(report.answered);
            if n < CLIENTS {
                times.same.push(took);
            } else {
                times.others.push(took);
                times.from_sending.push(at - report.sent);
            }
        }
    }
    Ok(())
}
