//! The hot env of the first figure, on SQLite: one process and one file.

use crate::load::{Load, REPORTERS};
use crate::server::Server;
use crate::table::Table;
use crate::turn::{self, COLUMNS, WARM_UP};
use crate::{Args, Result};

/// Measures and prints.
pub async fn measure(args: &Args) -> Result<()> {
    let mut turns = Vec::new();
    for _ in 0..args.rounds {
        let server = Server::on_sqlite(&args.shipboard()?, &[])?;
        let load = Load::on(&server.door, "hot");
        load.run(REPORTERS, WARM_UP).await?;
        turns.push(turn::take(&server, &load, args.turn(), None, &[]).await?);
    }
    println!("SQLite, {REPORTERS} reporters, {} turns of {} s each\n", args.rounds, args.seconds);
    let mut table = Table::new(&COLUMNS);
    turn::row(&mut table, "shipboard", &turns);
    table.print();
    Ok(())
}
