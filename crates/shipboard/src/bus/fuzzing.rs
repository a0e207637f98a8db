//! The fuzz target of what other instances say, or whoever else may speak on the bus.

use shipboard_core::id::EventId;

use super::{nats, postgres};
use crate::store::EnvKey;

/// Most bytes of a message, as a broker has them.
const MOST: usize = 64 * 1024;

/// A message of NATS, or lines of PostgreSQL's. What is a ring is the same when it is told on, has no gap in what it
/// carries, and has times that can be written.
pub fn rings(data: &[u8]) {
    let (Ok(tenant), Ok(env)) = ("acme".parse(), "production".parse()) else { return };
    if let Ok(ring) = nats::decode(&EnvKey { tenant, env }, data) {
        let mut ids = ring.transactions.iter().flatten().map(|event| event.event_id);
        let mut last: Option<EventId> = None;
        assert!(ids.all(|id| last.replace(id).is_none_or(|last| last.0.checked_add(1) == Some(id.0))));
        assert!(last.is_none_or(|last| last == ring.head));
        let times =
            ring.transactions.iter().flatten().map(|event| event.ts).chain([ring.ts]).chain(ring.after);
        times.for_each(|at| assert_eq!(at.to_string().parse(), Ok(at)));
        let told_on = nats::decode(&ring.key, &nats::encode(ring.clone(), MOST)).expect("it is one of ours");
        assert!(told_on == ring || told_on.transactions.is_empty());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for ring in text.lines().filter_map(postgres::parse) {
        assert_eq!(ring.ts.to_string().parse(), Ok(ring.ts));
        let told_on = postgres::payloads(std::slice::from_ref(&ring));
        assert_eq!(
            told_on.iter().flat_map(|lines| lines.lines()).filter_map(postgres::parse).next_back(),
            Some(ring)
        );
    }
}
