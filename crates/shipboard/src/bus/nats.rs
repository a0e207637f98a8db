//! The bus over NATS: a subject for each env, subscribed to only while its board is loaded.
//!
//! A ring carries the transaction's events while they are small, so that a board that has all before them
//! need not ask the database. The broker is trusted as the database is: whoever may publish there may show
//! any board anything until its next comparison with the database.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event as Told, ServerAddr};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use shipboard_core::event::{Change, Event};
use shipboard_core::id::{Epoch, EventId, Slug};
use shipboard_core::time::Timestamp;
use tokio::sync::SetOnce;

use super::outbox::Outbox;
use super::{Bus, Ear, Following, Heard, Link, Ring, backoff, hear};
use crate::store::EnvKey;
use crate::tasks::Tasks;

/// Longest message that carries events, in bytes; a longer one says only how far the log has come.
const MAX_MESSAGE: usize = 64 * 1024;
/// What subjects begin with, unless the URL has a path.
const PREFIX: &str = "shipboard";
/// A broker that says nothing for twice so long is not there.
const PING: Duration = Duration::from_secs(5);

/// Rings through a NATS server or cluster.
#[derive(Debug)]
pub(super) struct Nats {
    outbox: Arc<Outbox>,
    link: Arc<Link>,
    client: Arc<SetOnce<Client>>,
    prefix: String,
    tasks: Tasks,
    ear: Ear,
}

/// A ring on the wire.
#[derive(Serialize, Deserialize)]
struct Message {
    epoch: Epoch,
    head: EventId,
    ts: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transactions: Vec<Vec<Carried>>,
}

#[derive(Serialize, Deserialize)]
struct Carried {
    event_id: EventId,
    ts: Timestamp,
    change: Change,
}

impl Bus for Nats {
    fn ring(&self, ring: Ring) {
        self.outbox.put(ring);
    }

    fn carries_events(&self) -> bool {
        true
    }

    fn follow(&self, key: &EnvKey) -> Option<Following> {
        let (client, subject, key) = (self.client.clone(), subject(&self.prefix, key), key.clone());
        let ear = self.ear.clone();
        let task = self.tasks.spawn_until_stop(async move {
            let client = client.wait().await;
            loop {
                match client.subscribe(subject.clone()).await {
                    Ok(mut messages) => {
                        while let Some(message) = messages.next().await {
                            match decode(&key, &message.payload) {
                                Ok(ring) => hear(&ear, Heard::Ring(ring)),
                                Err(error) => {
                                    tracing::debug!(%error, %key, "a ring that nobody understands");
                                }
                            }
                        }
                    }
                    Err(error) => tracing::debug!(%error, %key, "the bus could not subscribe"),
                }
                tokio::time::sleep(backoff(0)).await;
            }
        });
        Some(Following(task))
    }

    fn is_connected(&self) -> bool {
        self.link.is_up()
    }
}

impl Nats {
    /// `urls`: one server or several of a cluster, with commas between them; the path of the first is what
    /// subjects begin with.
    pub(super) fn start(urls: &str, tasks: &Tasks, ear: Ear) -> std::io::Result<Self> {
        let servers: Vec<ServerAddr> = urls.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let path = servers.first().map(|server| server.clone().into_inner());
        let path = path.as_ref().map_or("", |url| url.path().trim_matches('/'));
        let prefix = if path.is_empty() { PREFIX.to_owned() } else { token(path) };
        let link = Arc::new(Link::new());
        let bus = Self {
            outbox: Arc::default(),
            link: link.clone(),
            client: Arc::default(),
            prefix: prefix.clone(),
            tasks: tasks.clone(),
            ear: ear.clone(),
        };
        let (client, outbox) = (bus.client.clone(), bus.outbox.clone());
        tasks.spawn_until_stop(async move {
            let connected = connect(servers, link.clone(), ear).await;
            let _ = client.set(connected.clone());
            loop {
                for ring in outbox.take().await {
                    // What cannot be delivered now is not kept: the database is asked every second.
                    let is_sent = link.is_up() && publish(&connected, &prefix, ring).await;
                    let direction = if is_sent { "sent" } else { "dropped" };
                    metrics::counter!("shipboard_bus_rings_total", "direction" => direction).increment(1);
                }
            }
        });
        Ok(bus)
    }
}

/// True: the broker's connection has taken it.
async fn publish(connected: &Client, prefix: &str, ring: Ring) -> bool {
    let most = MAX_MESSAGE.min(connected.server_info().max_payload);
    let subject = subject(prefix, &ring.key);
    let published = connected.publish(subject, encode(ring, most).into()).await;
    published.inspect_err(|error| tracing::debug!(%error, "the bus could not tell")).is_ok()
}

/// A client that connects by itself, for ever.
async fn connect(servers: Vec<ServerAddr>, link: Arc<Link>, ear: Ear) -> Client {
    let options = || {
        let (link, ear) = (link.clone(), ear.clone());
        ConnectOptions::new()
            .name("shipboard")
            .no_echo()
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(backoff)
            .ping_interval(PING)
            .event_callback(move |told| {
                match told {
                    Told::Connected => link.up(&ear),
                    Told::Disconnected | Told::Closed => link.down(&told),
                    Told::SlowConsumer(_) => hear(&ear, Heard::Gap),
                    other => tracing::warn!(event = %other, "the bus"),
                }
                std::future::ready(())
            })
    };
    let mut failures = 0;
    loop {
        match options().connect(servers.as_slice()).await {
            Ok(client) => return client,
            Err(error) => link.down(&error),
        }
        tokio::time::sleep(backoff(failures)).await;
        failures += 1;
    }
}

/// An env's subject: a token each for prefix, tenant and env.
fn subject(prefix: &str, key: &EnvKey) -> String {
    let word = |slug: &Slug| token(slug.as_str());
    format!("{prefix}.{}.{}", word(&key.tenant), word(&key.env))
}

/// A word as one token of a subject: a dot would make two of it, and no slug has a colon.
fn token(word: &str) -> String {
    word.replace(['.', '*', '>', ' '], ":")
}

/// A ring as a message of at most so many bytes, with its events if they fit.
pub(super) fn encode(ring: Ring, most: usize) -> Vec<u8> {
    let Ring { epoch, head, ts, after, transactions, .. } = ring;
    let carried = |event: Event| Carried { event_id: event.event_id, ts: event.ts, change: event.change };
    let transactions = transactions.into_iter().map(|events| events.into_iter().map(carried).collect());
    let mut message = Message { epoch, head, ts, after, transactions: transactions.collect() };
    let encoded = serde_json::to_vec(&message).unwrap_or_default();
    if (1..=most).contains(&encoded.len()) {
        return encoded;
    }
    message.transactions.clear();
    serde_json::to_vec(&message).unwrap_or_default()
}

pub(super) fn decode(key: &EnvKey, payload: &[u8]) -> serde_json::Result<Ring> {
    let Message { epoch, head, ts, after, transactions } = serde_json::from_slice(payload)?;
    let event =
        |carried: Carried| Event { event_id: carried.event_id, ts: carried.ts, change: carried.change };
    let transactions = transactions.into_iter().map(|events| events.into_iter().map(event).collect());
    let mut transactions: Vec<Vec<Event>> = transactions.collect();
    let ids: Vec<EventId> = transactions.iter().flatten().map(|event| event.event_id).collect();
    let follow = ids.windows(2).all(|pair| pair[0].0.checked_add(1) == Some(pair[1].0));
    let is_whole = follow && ids.last().is_none_or(|last| *last == head);
    if !is_whole {
        transactions.clear();
    }
    Ok(Ring { key: key.clone(), epoch, head, ts, after, transactions })
}

#[cfg(test)]
mod tests {
    use shipboard_core::counts::Counts;
    use shipboard_core::event::CountsUpdate;

    use super::*;

    fn ring(events: u64) -> Ring {
        let ts = Timestamp::from_millis(1);
        let change = Change::CountsUpdate(CountsUpdate { counts: Counts::default() });
        let events = (1..=events).map(|id| Event { event_id: EventId(id), ts, change: change.clone() });
        let events: Vec<Event> = events.collect();
        Ring {
            key: EnvKey { tenant: "acme".parse().unwrap(), env: "eu.production".parse().unwrap() },
            epoch: "abc".parse().unwrap(),
            head: EventId(events.len() as u64),
            ts,
            after: Some(ts),
            transactions: vec![events],
        }
    }

    #[test]
    fn a_small_ring_carries_its_events_and_a_long_one_only_its_position() {
        let key = ring(1).key;
        assert_eq!(decode(&key, &encode(ring(3), MAX_MESSAGE)).unwrap(), ring(3));
        let long = decode(&key, &encode(ring(1_000), MAX_MESSAGE)).unwrap();
        assert_eq!(long, Ring { transactions: Vec::new(), ..ring(1_000) });
    }

    #[test]
    fn events_that_do_not_follow_each_other_up_to_the_head_are_not_believed() {
        let key = ring(1).key;
        let decoded = |ring: Ring| decode(&key, &encode(ring, MAX_MESSAGE)).unwrap().transactions.len();
        let mut gap = ring(3);
        gap.transactions[0].remove(1);
        assert_eq!(decoded(gap), 0);
        assert_eq!(decoded(Ring { head: EventId(9), ..ring(3) }), 0);
        assert_eq!(decoded(ring(3)), 1);
    }

    #[test]
    fn a_slug_with_dots_is_one_token_of_its_subject() {
        let subject = |tenant: &str, env: &str| {
            subject(PREFIX, &EnvKey { tenant: tenant.parse().unwrap(), env: env.parse().unwrap() })
        };
        assert_eq!(subject("acme", "production"), "shipboard.acme.production");
        assert_ne!(subject("a.b", "c"), subject("a", "b.c"));
    }
}
