//! Rings that wait to go out, one an env: those that come meanwhile are merged. However slow the bus, no
//! more waits than there are envs, and no writer ever does.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::Ring;
use crate::store::EnvKey;

/// Most events that a ring carries; more of them are read from the log.
const MAX_EVENTS: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<HashMap<EnvKey, Ring>>,
    filled: Notify,
}

impl Outbox {
    /// Puts a ring in.
    pub(crate) fn put(&self, ring: Ring) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.entry(ring.key.clone()) {
            std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert(ring)),
            std::collections::hash_map::Entry::Occupied(mut entry) => merge(entry.get_mut(), ring),
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Waits until there is something, and takes all of it.
    pub(crate) async fn take(&self) -> Vec<Ring> {
        loop {
            let taken = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken.into_values().collect();
            }
            self.filled.notified().await;
        }
    }
}

/// Adds a later ring of the same env to one that waits.
fn merge(waiting: &mut Ring, later: Ring) {
    let events = |ring: &Ring| ring.transactions.iter().map(Vec::len).sum::<usize>();
    let follows = waiting.epoch == later.epoch
        && later.transactions.first().and_then(|events| events.first()).map(|event| event.event_id)
            == Some(waiting.head.next())
        && !waiting.transactions.is_empty()
        && events(waiting) + events(&later) <= MAX_EVENTS;
    let Ring { epoch, head, ts, transactions, .. } = later;
    if follows {
        waiting.transactions.extend(transactions);
    } else {
        // What lies between is not here, or it is too much: the log has it.
        waiting.transactions.clear();
    }
    waiting.head = if waiting.epoch == epoch { waiting.head.max(head) } else { head };
    (waiting.epoch, waiting.ts) = (epoch, ts);
}

#[cfg(test)]
mod tests {
    use shipboard_core::counts::Counts;
    use shipboard_core::event::{Change, CountsUpdate, Event};
    use shipboard_core::id::EventId;
    use shipboard_core::time::Timestamp;

    use super::*;

    /// One transaction with these events.
    fn ring(env: &str, epoch: &str, ids: std::ops::RangeInclusive<u64>) -> Ring {
        let ts = Timestamp::from_millis(*ids.end() as i64);
        let change = Change::CountsUpdate(CountsUpdate { counts: Counts::default() });
        let events = ids.clone().map(|id| Event { event_id: EventId(id), ts, change: change.clone() });
        Ring {
            key: EnvKey { tenant: "acme".parse().unwrap(), env: env.parse().unwrap() },
            epoch: epoch.parse().unwrap(),
            head: EventId(*ids.end()),
            ts,
            after: None,
            transactions: vec![events.collect()],
        }
    }

    async fn merged(rings: impl IntoIterator<Item = Ring>) -> Vec<Ring> {
        let outbox = Outbox::default();
        rings.into_iter().for_each(|ring| outbox.put(ring));
        outbox.take().await
    }

    #[tokio::test]
    async fn rings_of_an_env_that_follow_each_other_become_one_with_all_their_transactions() {
        let [one] = &merged([ring("a", "e", 1..=3), ring("a", "e", 4..=4)]).await[..] else { panic!() };
        assert_eq!(one.head, EventId(4));
        assert_eq!(one.transactions.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(merged([ring("a", "e", 1..=3), ring("b", "e", 4..=4)]).await.len(), 2);
    }

    #[tokio::test]
    async fn what_does_not_follow_leaves_the_newest_position_alone() {
        let positions = async |rings: [Ring; 2]| {
            let [one] = &merged(rings).await[..] else { panic!() };
            (one.epoch.to_string(), one.head.0, one.transactions.len())
        };
        assert_eq!(positions([ring("a", "e", 1..=3), ring("a", "e", 5..=6)]).await, ("e".into(), 6, 0));
        assert_eq!(positions([ring("a", "e", 5..=6), ring("a", "e", 1..=3)]).await, ("e".into(), 6, 0));
        assert_eq!(positions([ring("a", "e", 5..=6), ring("a", "f", 1..=3)]).await, ("f".into(), 3, 0));
        assert_eq!(
            positions([ring("a", "e", 1..=150), ring("a", "e", 151..=250)]).await,
            ("e".into(), 250, 0)
        );
    }
}
