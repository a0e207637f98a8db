//! The doorbell between instances: "this env's log has reached this event".
//!
//! The log is the truth. A ring that is lost, doubled, late or out of order costs at most latency, because
//! whoever hears one compares it with what it has, and compares all it has with the database every second
//! anyway. So a bus never makes a writer wait, keeps nothing on disk, and may drop what it cannot deliver.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod local;
mod nats;
pub(crate) mod outbox;
mod postgres;

use std::sync::Arc;

use shipboard_core::event::Event;
use shipboard_core::id::{Epoch, EventId};
use shipboard_core::time::Timestamp;
use tokio::sync::mpsc;

use crate::config::BusConfig;
use crate::store::EnvKey;
use crate::tasks::Tasks;

/// Most rings heard that wait to be looked at; what comes beyond is dropped and counted.
const MAX_HEARD: usize = 4_096;

/// Most events of a transaction that go with a ring. More are rarely few enough bytes, and those who hear of
/// so many read them at once from the log.
pub const MAX_CARRIED: usize = 48;

/// That an env's log has reached an event.
#[derive(Clone, PartialEq, Debug)]
pub struct Ring {
    /// Which env's.
    pub key: EnvKey,
    /// In which life of it.
    pub epoch: Epoch,
    /// The last event of the newest transaction.
    pub head: EventId,
    /// When that was committed.
    pub ts: Timestamp,
    /// When the event was that the first of them follows.
    pub after: Option<Timestamp>,
    /// Whole transactions that end at `head`, in order, if the bus carries them; else they are in the log.
    pub transactions: Vec<Vec<Event>>,
}

/// What a bus brings.
#[derive(Debug)]
pub enum Heard {
    /// Another instance has committed.
    Ring(Ring),
    /// The bus was away: anything may have been missed.
    Gap,
}

/// Where a bus brings it.
pub type Ear = mpsc::Sender<Heard>;

/// A way for instances to tell each other of commits.
pub trait Bus: std::fmt::Debug + Send + Sync {
    /// Tells the other instances. Never waits and never fails.
    fn ring(&self, ring: Ring);

    /// A small transaction's events may go with a ring.
    fn carries_events(&self) -> bool {
        false
    }

    /// Hears of this env for as long as what is given is kept. A bus that hears of all gives nothing.
    fn follow(&self, _key: &EnvKey) -> Option<Following> {
        None
    }

    /// Others can be told and heard now.
    fn is_connected(&self) -> bool;
}

/// A subscription to one env's rings; it ends when dropped.
#[derive(Debug)]
pub struct Following(pub(crate) tokio::task::AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A bus, and what it brings.
type Started = (Arc<dyn Bus>, mpsc::Receiver<Heard>);

/// Starts the bus that was asked for. It connects by itself, now and whenever it has to.
pub fn start(
    config: &BusConfig,
    database: &str,
    tasks: &Tasks,
) -> Result<Started, Box<dyn std::error::Error + Send + Sync>> {
    let (ear, heard) = mpsc::channel(MAX_HEARD);
    let bus: Arc<dyn Bus> = match config {
        BusConfig::Local => Arc::new(local::Local),
        BusConfig::Postgres => Arc::new(postgres::Postgres::start(database, tasks, ear)?),
        BusConfig::Nats(url) => Arc::new(nats::Nats::start(&url.0, tasks, ear)?),
    };
    Ok((bus, heard))
}

/// Passes on what a bus brought, unless too much waits already.
fn hear(ear: &Ear, heard: Heard) {
    if let Heard::Ring(ring) = &heard {
        let lag = crate::clock::now().as_millis().saturating_sub(ring.ts.as_millis());
        metrics::histogram!("shipboard_bus_lag_seconds").record(lag.max(0) as f64 / 1_000.0);
        metrics::counter!("shipboard_bus_rings_total", "direction" => "heard").increment(1);
    }
    if ear.try_send(heard).is_err() {
        metrics::counter!("shipboard_bus_rings_total", "direction" => "dropped").increment(1);
    }
}

/// Tells metrics and the log whether the bus is there.
#[derive(Debug)]
struct Link(std::sync::atomic::AtomicBool);

impl Link {
    /// Not there yet.
    fn new() -> Self {
        metrics::gauge!("shipboard_bus_connected").set(0.0);
        Self(std::sync::atomic::AtomicBool::new(false))
    }

    fn is_up(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The bus is there; whatever was rung before was not heard.
    fn up(&self, ear: &Ear) {
        if !self.0.swap(true, std::sync::atomic::Ordering::Relaxed) {
            tracing::info!("the bus is connected");
            metrics::gauge!("shipboard_bus_connected").set(1.0);
            metrics::counter!("shipboard_bus_connects_total").increment(1);
            hear(ear, Heard::Gap);
        }
    }

    fn down(&self, why: &dyn std::fmt::Display) {
        metrics::gauge!("shipboard_bus_connected").set(0.0);
        if self.0.swap(false, std::sync::atomic::Ordering::Relaxed) {
            tracing::warn!(%why, "the bus is away; boards are compared with the database every second");
        }
    }
}

/// How long to wait before the `n`th attempt to connect in a row, from 0: up to 5 s, with jitter.
fn backoff(n: usize) -> std::time::Duration {
    let most = (100 << n.min(6)).min(5_000);
    std::time::Duration::from_millis(crate::clock::between(most / 2, most))
}
