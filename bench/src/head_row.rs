//! Whether the rows that change with every transaction bloat: many transactions of one report each on one
//! env, and what PostgreSQL then says of its tables.

use crate::bus::warm_up;
use crate::load::Load;
use crate::private::Postgres;
use crate::server::Server;
use crate::table::{Table, percentile_ms};
use crate::{Args, Result, cpu};

/// How many parts the reports are looked at in.
const PARTS: usize = 5;

/// Measures and prints.
pub async fn measure(args: &Args) -> Result<()> {
    let postgres = Postgres::start(&args.settings)?;
    warm_up(args, &postgres).await?;
    postgres.settle("postgres")?;
    postgres.run("select pg_stat_reset()")?;
    let sizes = || postgres.ask("select pg_relation_size('envs') / 1024, pg_indexes_size('envs') / 1024");
    let server = Server::start(&args.shipboard()?, &postgres.url(), &["--bus", "local"])?;
    let load = Load::on(&server.door, "one-row");
    println!(
        "PostgreSQL {}, one reporter, one report a transaction, autovacuum as it comes\n",
        postgres.version()?
    );
    let mut table = Table::new(&[
        "reports",
        "p50 ms",
        "p99 ms",
        "transaction ms",
        "envs KiB",
        "its index KiB",
        "CPU used by others",
    ]);
    let (mut told, mut groups, mut seconds) = (0, 0.0, 0.0);
    let used = || server.cpu() + cpu::of_tree(postgres.pid()) + cpu::of_self();
    for _ in 0..PARTS {
        let others = cpu::of_machine() - used();
        let mut done = load.live(args.reports / 3 / PARTS).await?;
        told += done.answers.len();
        let metrics = server.metrics().await?;
        let (count, sum) =
            (metrics.get("shipboard_commit_seconds_count"), metrics.get("shipboard_commit_seconds_sum"));
        let sizes = sizes()?;
        let mut cells = vec![
            told.to_string(),
            format!("{:.2}", percentile_ms(&mut done.answers, 0.5)),
            format!("{:.2}", percentile_ms(&mut done.answers, 0.99)),
            format!("{:.2}", (sum - seconds) / (count - groups) * 1e3),
        ];
        cells.extend(sizes.into_iter().flatten());
        let others = (cpu::of_machine() - used() - others) / done.took.as_secs_f64();
        cells.push(format!("{:.0} %", others.max(0.0) / cpu::cores()? * 100.0));
        table.row(cells);
        (groups, seconds) = (count, sum);
    }
    table.print();
    // A session tells what it did when it ends, if not before.
    drop(server);
    let found = postgres.ask(
        "select pg_sleep(2);
         select relname, n_live_tup, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_dead_tup, autovacuum_count,
           pg_relation_size(relid) / 1024, pg_indexes_size(relid) / 1024
         from pg_stat_user_tables where n_tup_ins + n_tup_upd > 0 order by relname",
    )?;
    let mut table = Table::new(&[
        "table",
        "rows",
        "inserted",
        "updated",
        "of them HOT",
        "dead now",
        "autovacuums",
        "KiB",
        "indexes KiB",
    ]);
    found.into_iter().filter(|row| row.len() > 1).for_each(|row| table.row(row));
    table.print();
    Ok(())
}
