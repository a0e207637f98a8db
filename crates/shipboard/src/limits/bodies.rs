//! Bytes of request bodies in memory: so many in all, and none of them waits for room. Of those whom nobody knows yet
//! they are counted apart, so that strangers take no room from whoever is known.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most bytes at once of bodies of callers who are known.
pub const MAX_BODIES: usize = 256 * 1024 * 1024;
/// Most bytes at once of bodies that may be anybody's: sign-ins, and webhooks, which are known by their bodies.
pub const MAX_UNKNOWN_BODIES: usize = 64 * 1024 * 1024;

/// Room for bodies.
#[derive(Debug)]
pub struct Bodies {
    known: Room,
    unknown: Room,
}

#[derive(Clone, Debug)]
struct Room {
    limit: &'static str,
    free: Arc<Semaphore>,
}

/// The room that one body takes, given back when dropped.
#[derive(Debug)]
pub struct Held {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// None there.
    pub fn new(known: usize, unknown: usize) -> Self {
        let room = |limit, bytes| Room { limit, free: Arc::new(Semaphore::new(bytes)) };
        Self { known: room("bodies", known), unknown: room("unknown_bodies", unknown) }
    }

    /// Room for a body of which nothing has come. What it says it will be takes none: whoever sends nothing would
    /// hold the others up.
    pub fn hold(&self, is_known: bool) -> Held {
        let room = if is_known { &self.known } else { &self.unknown };
        Held { room: room.clone(), permit: None }
    }
}

impl Held {
    /// Takes room for so many bytes more, or says which limit is reached.
    pub fn more(&mut self, bytes: usize) -> Result<(), &'static str> {
        let wanted = u32::try_from(bytes).map_err(|_| self.room.limit)?;
        let Ok(more) = self.room.free.clone().try_acquire_many_owned(wanted) else {
            metrics::counter!("shipboard_limited_total", "limit" => self.room.limit).increment(1);
            return Err(self.room.limit);
        };
        metrics::gauge!("shipboard_body_bytes", "limit" => self.room.limit).increment(f64::from(wanted));
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        metrics::gauge!("shipboard_body_bytes", "limit" => self.room.limit).decrement(held as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_take_no_room_from_whoever_is_known() {
        let bodies = Bodies::new(10, 5);
        let mut stranger = bodies.hold(false);
        assert_eq!(stranger.more(5), Ok(()));
        assert_eq!(bodies.hold(false).more(1), Err("unknown_bodies"));
        assert_eq!(bodies.hold(true).more(10), Ok(()));
    }

    #[test]
    fn what_a_body_has_taken_bit_by_bit_is_given_back_at_once() {
        let bodies = Bodies::new(10, 0);
        let mut held = bodies.hold(true);
        assert!((0..10).all(|_| held.more(1).is_ok()));
        assert_eq!(held.more(1), Err("bodies"));
        drop(held);
        assert_eq!(bodies.hold(true).more(10), Ok(()));
    }
}
