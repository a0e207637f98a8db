//! One hot env on PostgreSQL through one instance, beside one transaction per report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::load::{Load, REPORTERS};
use crate::one_by_one::{OneByOne, What};
use crate::private::Postgres;
use crate::server::Server;
use crate::table::{Table, median, spread};
use crate::turn::{self, COLUMNS, Turn, WARM_UP};
use crate::{Args, Result, cpu};

/// What pgbench runs, and from how many clients: as many as reporters, and fewer, as they wait for the same
/// row all the same.
const RIVALS: [(What, usize); 5] =
    [(What::All, REPORTERS), (What::All, 8), (What::All, 2), (What::Writes, REPORTERS), (What::Writes, 8)];

/// A build of the server, with a database of its own: another build may have another schema.
struct Build {
    name: String,
    binary: PathBuf,
    database: String,
    turns: Vec<Turn>,
}

impl Build {
    fn start(&self, postgres: &Postgres) -> Result<Server> {
        Server::start(&self.binary, &postgres.url_of(&self.database), &["--bus", "local"])
    }
}

/// Measures and prints.
pub async fn measure(args: &Args) -> Result<()> {
    let postgres = Postgres::start(&args.settings)?;
    let mut builds = vec![build(&postgres, "shipboard", &args.shipboard()?)?];
    if let Some(other) = &args.against {
        builds.push(build(&postgres, "against", &std::path::absolute(other)?)?);
    }
    let directory = tempfile::tempdir()?;
    let mut learnt = None;
    for build in &builds {
        let server = build.start(&postgres)?;
        Load::on(&server.door, "warm").run(REPORTERS, 2 * WARM_UP).await?;
        if learnt.is_none() {
            learnt = Some(OneByOne::learn(&postgres, &build.database, &server, directory.path()).await?);
        }
    }
    let Some(one_by_one) = learnt else { return Ok(()) };

    let mut alone = RIVALS.map(|_| Vec::new());
    for round in 0..args.rounds {
        for build in &mut builds {
            postgres.settle(&build.database)?;
            let server = build.start(&postgres)?;
            let load = Load::on(&server.door, &format!("hot-{round}"));
            build.turns.push(turn::take(&server, &load, args.turn(), Some(postgres.pid()), &[]).await?);
        }
        for (n, (what, clients)) in RIVALS.into_iter().enumerate() {
            postgres.settle(&builds[0].database)?;
            let (used, machine, started) = (cpu::of_tree(postgres.pid()), cpu::of_machine(), Instant::now());
            let done = one_by_one.run(what, &postgres.url_of(&builds[0].database), clients, args.turn())?;
            let used = (cpu::of_tree(postgres.pid()) - used) / (done.rate * args.seconds as f64);
            let busy = (cpu::of_machine() - machine) / started.elapsed().as_secs_f64();
            alone[n].push((done, used * 1e3, busy));
        }
    }

    println!(
        "PostgreSQL {}, {REPORTERS} reporters, {} turns of {} s each\n",
        postgres.version()?,
        args.rounds,
        args.seconds
    );
    let mut table = Table::new(&COLUMNS);
    builds.iter().for_each(|build| turn::row(&mut table, &build.name, &build.turns));
    table.print();
    let mut table = Table::new(&[
        "one transaction per report",
        "reports/s",
        "mean ms",
        "statements",
        "database CPU-s/1,000",
        "cores busy",
    ]);
    for (rival, runs) in RIVALS.into_iter().zip(&alone) {
        table.row([
            name(rival),
            spread(&runs.iter().map(|(done, ..)| done.rate).collect::<Vec<_>>(), 0),
            format!("{:.1}", median(runs.iter().map(|(done, ..)| done.mean_ms))),
            format!("{:?}", one_by_one.statements(rival.0)),
            format!("{:.3}", median(runs.iter().map(|(_, used, _)| *used))),
            format!("{:.1}", median(runs.iter().map(|(.., busy)| *busy))),
        ]);
    }
    table.print();
    for build in &builds {
        for (rival, runs) in RIVALS.into_iter().zip(&alone) {
            let rounds = build.turns.iter().zip(runs);
            let ratios: Vec<f64> = rounds.map(|(turn, (done, ..))| turn.rate / done.rate).collect();
            println!("{}: {} times {}, by rounds", build.name, spread(&ratios, 2), name(rival));
        }
    }
    println!();
    for build in &builds {
        statements(&postgres, build).await?;
    }
    postgres.count_statements().await?;
    let done = one_by_one.run(What::All, &postgres.url_of(&builds[0].database), REPORTERS, 5 * WARM_UP)?;
    println!("one transaction per report:");
    print_statements(&postgres.counted_statements(&builds[0].database)?, done.rate * 5.0);
    Ok(())
}

fn name((what, clients): (What, usize)) -> String {
    let what = match what {
        What::All => "all statements",
        What::Writes => "lock and writes alone",
    };
    format!("pgbench, {what}, {clients} clients")
}

fn build(postgres: &Postgres, name: &str, binary: &Path) -> Result<Build> {
    let database = name.to_owned();
    postgres.run(&format!("create database {database} owner shipboard"))?;
    Ok(Build { name: name.to_owned(), binary: binary.to_owned(), database, turns: Vec::new() })
}

/// Where the database's time goes, in a run that is not among those above: counting costs some.
async fn statements(postgres: &Postgres, build: &Build) -> Result<()> {
    let server = build.start(postgres)?;
    let load = Load::on(&server.door, "counted");
    load.run(REPORTERS, WARM_UP).await?;
    postgres.count_statements().await?;
    let before = server.metrics().await?;
    let done = load.run(REPORTERS, 5 * WARM_UP).await?;
    let after = server.metrics().await?;
    let counted = |series: &str| after.get(series) - before.get(series);
    let groups = counted("shipboard_writer_group_size_count");
    println!(
        "{}: {} reports in {groups} groups, {:.2} ms a transaction",
        build.name,
        done.answers.len(),
        counted("shipboard_commit_seconds_sum") / groups * 1e3,
    );
    print_statements(&postgres.counted_statements(&build.database)?, groups);
    Ok(())
}

/// Prints statements as [`Postgres::counted_statements`] gives them, by transaction.
fn print_statements(found: &[Vec<String>], transactions: f64) {
    let number = |row: &Vec<String>, column: usize| {
        row.get(column).and_then(|cell| cell.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let sum = |column: usize| found.iter().map(|row| number(row, column)).sum::<f64>() / transactions;
    println!("{:.1} statements in a transaction, {:.2} ms in them:\n", sum(0), sum(1));
    let mut table = Table::new(&["times", "ms a transaction", "µs each", "rows each", "statement"]);
    for row in found {
        let cell = |column: usize| row.get(column).cloned().unwrap_or_default();
        let (times, spent) = (number(row, 0) / transactions, number(row, 1) / transactions);
        table.row([format!("{times:.2}"), format!("{spent:.3}"), cell(2), cell(3), cell(4)]);
    }
    table.print();
}
