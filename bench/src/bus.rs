//! What telling other instances costs the one that writes: the same hot env with the bus off and on, first by
//! itself, then while two more instances on the same cores show that env to a reader each.

use tokio::task::JoinSet;

use crate::load::{Load, REPORTERS};
use crate::private::{Postgres, Private};
use crate::reader::Reader;
use crate::server::Server;
use crate::table::{Table, median, spread};
use crate::turn::{self, COLUMNS, Turn, WARM_UP};
use crate::{Args, Result};

/// Measures and prints.
pub async fn measure(args: &Args) -> Result<()> {
    let postgres = Postgres::start(&args.settings)?;
    let nats = Private::nats()?;
    warm_up(args, &postgres).await?;
    println!(
        "PostgreSQL {}, {REPORTERS} reporters, {} turns of {} s each",
        postgres.version()?,
        args.rounds,
        args.seconds
    );
    for beside in [0, 2] {
        println!("\n{beside} more instances, a reader at each:\n");
        series(args, &postgres, &nats, beside).await?;
    }
    Ok(())
}

async fn series(args: &Args, postgres: &Postgres, nats: &Private, beside: usize) -> Result<()> {
    let buses = ["local".to_owned(), "postgres".to_owned(), nats.nats_url()];
    let mut turns: [Vec<(Turn, f64)>; 3] = Default::default();
    for round in 0..args.rounds {
        // Each is first as often as the others: the database grows from turn to turn.
        for (n, bus) in buses.iter().enumerate().cycle().skip(round % 3).take(3) {
            postgres.settle("postgres")?;
            turns[n]
                .push(one(args, (postgres, nats), bus, &format!("bus-{beside}-{round}-{n}"), beside).await?);
        }
    }
    let names = ["--bus local (off)", "--bus postgres", "--bus nats://"];
    let mut table = Table::new(&COLUMNS);
    let mut heard = Table::new(&[
        "",
        "of the rate with it off, by rounds",
        "others' CPU-s/1,000",
        "rings heard a second",
    ]);
    let off: Vec<f64> = turns[0].iter().map(|(turn, _)| turn.rate).collect();
    for (name, turns) in names.iter().zip(turns) {
        let shares: Vec<f64> =
            turns.iter().zip(&off).map(|((turn, _), off)| turn.rate / off * 100.0).collect();
        heard.row([
            (*name).to_owned(),
            format!("{} %", spread(&shares, 1)),
            format!("{:.3}", median(turns.iter().map(|(turn, _)| turn.cpu[3]))),
            format!("{:.0}", median(turns.iter().map(|(_, rings)| *rings))),
        ]);
        turn::row(&mut table, name, &turns.into_iter().map(|(turn, _)| turn).collect::<Vec<_>>());
    }
    table.print();
    heard.print();
    Ok(())
}

/// The first load on a new database, which counts for nobody.
pub async fn warm_up(args: &Args, postgres: &Postgres) -> Result<()> {
    let server = Server::start(&args.shipboard()?, &postgres.url(), &["--bus", "local"])?;
    Load::on(&server.door, "warm").run(REPORTERS, 2 * WARM_UP).await.map(drop)
}

/// A turn with this bus, and the rings that each of the other instances heard a second.
async fn one(
    args: &Args,
    (postgres, nats): (&Postgres, &Private),
    bus: &str,
    env: &str,
    beside: usize,
) -> Result<(Turn, f64)> {
    let start = || Server::start(&args.shipboard()?, &postgres.url(), &["--bus", bus]);
    let writer = start()?;
    let others = (0..beside).map(|_| start()).collect::<Result<Vec<_>>>()?;
    let beside: Vec<u32> = others.iter().map(Server::pid).chain([nats.pid]).collect();
    let load = Load::on(&writer.door, env);
    load.live(1).await?;
    let mut readers = JoinSet::new();
    for other in &others {
        let mut reader = Reader::open(&other.door, env).await?;
        readers.spawn(async move { reader.read_on().await });
    }
    let rings = rings(&others).await?;
    let turn = turn::take(&writer, &load, args.turn(), Some(postgres.pid()), &beside).await?;
    // Of a turn with its warm-up: the rate is the same in both.
    let seconds = (args.turn() + WARM_UP).as_secs_f64();
    let rings = (self::rings(&others).await? - rings) / seconds / others.len().max(1) as f64;
    Ok((turn, rings))
}

async fn rings(servers: &[Server]) -> Result<f64> {
    let mut heard = 0.0;
    for server in servers {
        heard += server.metrics().await?.get("shipboard_bus_rings_total{direction=\"heard\"}");
    }
    Ok(heard)
}
