//! The demo's fleet: made-up services that are released all day long and report it through the public API,
//! as anybody's would. First some days of history, so that no page is empty, then live.
//!
//! What happens is drawn from one seed ([`plan`]); the clock only says when. Nothing here knows the server.

mod history;
mod live;
mod plan;
mod world;

use std::time::Duration;

use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use tokio_util::sync::CancellationToken;

use self::plan::Planner;
use crate::report::client::{CallError, Client, ClientError};

/// The tenant that the fleet belongs to.
pub const TENANT: &str = "acme";
/// The env that is worth looking at first.
pub const ENV: &str = "production";
/// After how long the demo's server should take a silent deployment for lost.
pub const LOST_AFTER: Duration = Duration::from_mins(1);

/// Flags of the fleet, for `shipboard demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct FleetArgs {
    /// What happens is the same for the same seed
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Days of history before the start
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(0..=90))]
    pub days: u16,
    /// How fast the live part goes: 2 is twice as fast
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| (0.1..=50.0).contains(speed));
    speed.ok_or_else(|| "must be a number from 0.1 to 50".to_owned())
}

/// Why the fleet could not begin.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The server's address is none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server took no history.
    #[error("the demo's history was not taken: {0}")]
    Call(#[from] CallError),
}

/// Lets the fleet report to `server` until `stop`. `now` is the clock; `ready` is called when the history
/// is there.
pub async fn fleet(
    server: &str,
    token: Option<&str>,
    args: &FleetArgs,
    now: fn() -> Timestamp,
    ready: impl FnOnce(),
    stop: CancellationToken,
) -> Result<(), FleetError> {
    let client = Client::new(server, Slug::from_foreign(TENANT), token)?;
    let mut planner = Planner::new(args.seed);
    let told = history::tell(&client, &mut planner, i64::from(args.days), now());
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        told = told => told?,
    }
    ready();
    live::go_on(&client, &mut planner, args.speed, now, &stop).await;
    Ok(())
}
