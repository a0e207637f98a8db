//! The bus of those who run no broker: PostgreSQL's LISTEN and NOTIFY.
//!
//! NOTIFY takes a lock of the whole cluster until its transaction ends, so it has a connection and
//! transactions of its own, after the commit, with all that gathered meanwhile. Both connections are watched
//! from end to end: the teller sends a pulse when there is nothing to tell, and the listener that hears
//! neither rings nor pulses for a while connects anew, whatever TCP believes.

use std::sync::Arc;
use std::time::Duration;

use shipboard_core::id::EventId;
use shipboard_core::time::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use super::outbox::Outbox;
use super::{Bus, Ear, Heard, Link, Ring, backoff, hear};
use crate::store::{EnvKey, postgres};
use crate::tasks::Tasks;

/// The channel of all rings. It is the database's own: other databases of the cluster have theirs.
const CHANNEL: &str = "shipboard";
/// Longest payload, in bytes. PostgreSQL takes less than 8,000.
const MAX_PAYLOAD: usize = 7_900;
/// How often a teller that has nothing to tell makes itself heard.
const PULSE: Duration = Duration::from_secs(2);
/// A listener that hears nothing for so long is connected to nobody.
const SILENCE: Duration = Duration::from_secs(6);
/// How long connecting or telling may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Rings through the database that the log is in.
#[derive(Debug)]
pub(super) struct Postgres {
    outbox: Arc<Outbox>,
    link: Arc<Link>,
}

impl Bus for Postgres {
    fn ring(&self, ring: Ring) {
        self.outbox.put(ring);
    }

    fn is_connected(&self) -> bool {
        self.link.is_up()
    }
}

impl Postgres {
    pub(super) fn start(database: &str, tasks: &Tasks, ear: Ear) -> sqlx::Result<Self> {
        let options = postgres::options(database)?;
        let bus = Self { outbox: Arc::default(), link: Arc::new(Link::new()) };
        // A ring that is lost with the server is no loss: nobody waits for the disk.
        let teller = options.clone().options([("synchronous_commit", "off")]);
        let outbox = bus.outbox.clone();
        tasks.spawn_until_stop(async move {
            let mut failures = 0;
            loop {
                let Err(error) = tell(&teller, &outbox, &mut failures).await;
                tracing::debug!(%error, "the bus could not tell");
                tokio::time::sleep(backoff(failures)).await;
                failures += 1;
            }
        });
        let link = bus.link.clone();
        tasks.spawn_until_stop(async move {
            let mut failures = 0;
            loop {
                let Err(error) = listen(&options, &link, &ear, &mut failures).await;
                link.down(&error);
                tokio::time::sleep(backoff(failures)).await;
                failures += 1;
            }
        });
        Ok(bus)
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Tells what is in the outbox, until the connection breaks.
async fn tell(
    options: &PgConnectOptions,
    outbox: &Outbox,
    failures: &mut usize,
) -> Result<std::convert::Infallible, Broken> {
    let mut connection = tokio::time::timeout(PATIENCE, options.connect()).await??;
    loop {
        let rings = tokio::time::timeout(PULSE, outbox.take()).await.unwrap_or_default();
        let told = sqlx::query("select pg_notify($1, payload) from unnest($2::text[]) as payload")
            .bind(CHANNEL)
            .bind(payloads(&rings))
            .execute(&mut connection);
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(told) => told?,
            Err(slow) => {
                // Nobody waits for a goodbye from a server that says nothing.
                drop(connection.close_hard());
                return Err(slow.into());
            }
        };
        metrics::counter!("shipboard_bus_rings_total", "direction" => "sent").increment(rings.len() as u64);
        *failures = 0;
    }
}

/// Brings what is told, until the connection breaks or falls silent.
async fn listen(
    options: &PgConnectOptions,
    link: &Link,
    ear: &Ear,
    failures: &mut usize,
) -> Result<std::convert::Infallible, Broken> {
    // A pool of one, for the listener's sake: what breaks is left, not mended, to know of it.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).idle_timeout(None);
    let pool = pool.max_lifetime(None).connect_lazy_with(options.clone());
    let listening = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    let mut listener = tokio::time::timeout(PATIENCE, listening).await??;
    *failures = 0;
    link.up(ear);
    loop {
        let heard =
            tokio::time::timeout(SILENCE, listener.try_recv()).await.map_err(|_| "it is silent")??;
        let heard = heard.ok_or("its connection broke")?;
        heard.payload().lines().filter_map(parse).for_each(|ring| hear(ear, Heard::Ring(ring)));
    }
}

/// The rings as lines, as many as fit in each payload; without any, one empty payload: the pulse.
pub(super) fn payloads(rings: &[Ring]) -> Vec<String> {
    let mut payloads = vec![String::new()];
    for ring in rings {
        let Ring { key, epoch, head, ts, .. } = ring;
        let line = format!("{} {} {} {} {}\n", key.tenant, key.env, epoch.as_str(), head.0, ts.as_millis());
        match payloads.last_mut() {
            Some(last) if last.len() + line.len() <= MAX_PAYLOAD => last.push_str(&line),
            _ => payloads.push(line),
        }
    }
    payloads
}

/// A line as a ring; `None`: it is none of ours, which a program of another version may have said.
pub(super) fn parse(line: &str) -> Option<Ring> {
    let mut words = line.split(' ');
    let key = EnvKey { tenant: words.next()?.parse().ok()?, env: words.next()?.parse().ok()? };
    let epoch = words.next()?.parse().ok()?;
    let head = EventId(words.next()?.parse().ok()?);
    let ts = Timestamp::written_from_millis(words.next()?.parse().ok()?)?;
    Some(Ring { key, epoch, head, ts, after: None, transactions: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_survive_their_payloads_however_many_there_are() {
        let rings: Vec<Ring> = (0..300)
            .map(|n| Ring {
                key: EnvKey { tenant: "acme".parse().unwrap(), env: format!("env-{n}").parse().unwrap() },
                epoch: "abc123".parse().unwrap(),
                head: EventId(n),
                ts: Timestamp::from_millis(n as i64),
                after: None,
                transactions: Vec::new(),
            })
            .collect();
        let payloads = payloads(&rings);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD));
        let parsed: Vec<Ring> =
            payloads.iter().flat_map(|payload| payload.lines()).filter_map(parse).collect();
        assert_eq!(parsed, rings);
        assert_eq!(super::payloads(&[]), [""]);
        assert_eq!(parse("a line of another version"), None);
        assert_eq!(parse("acme production abc 1 9223372036854775807"), None, "a time that cannot be written");
    }
}
