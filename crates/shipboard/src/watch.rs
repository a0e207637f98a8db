//! The watchdog: deployments that nobody speaks of any more become `lost`, by a report like any other.
//!
//! Silence is counted anew when this service or its database was away: it was we who did not hear.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shipboard_core::decide::Request;
use shipboard_core::time::Timestamp;

use crate::app::App;
use crate::clock;
use crate::store::{Result, StoreError};

/// Most deployments judged at a time; the next look takes the next ones.
const AT_ONCE: usize = 200;

/// Since when reports could be heard without a break.
#[derive(Debug)]
pub struct Hearing(AtomicI64);

impl Hearing {
    /// From now on.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    /// The database did not do something: until now, reports may have been turned away.
    pub fn failed(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// The moment before which a deployment must have been silent for it to have been silent for `limit`:
    /// not later than so long ago, nor than so long since we hear. `None`: we do not hear so long yet.
    fn silent_since(&self, now: Timestamp, limit: Duration) -> Option<Timestamp> {
        let since = now.plus_millis(-(limit.as_millis() as i64));
        (self.0.load(Ordering::Relaxed) <= since.as_millis()).then_some(since)
    }
}

/// Looks once for deployments that have been silent for too long.
pub async fn look(app: &Arc<App>) -> Result<()> {
    let looked = report_lost(app).await;
    if matches!(looked, Err(StoreError::Unavailable(_))) {
        app.hearing.failed(clock::now());
    }
    looked
}

async fn report_lost(app: &Arc<App>) -> Result<()> {
    if !app.clock_ok.load(Ordering::Relaxed) {
        return Ok(());
    }
    let now = clock::now();
    let never = Timestamp::from_millis(0);
    let since = |limit| app.hearing.silent_since(now, limit).unwrap_or(never);
    let (before, waiting_before) = (since(app.config.lost_after), since(app.config.lost_waiting_after));
    if before == never {
        return Ok(());
    }
    for (key, id) in app.store.silent(before, waiting_before, AT_ONCE).await? {
        let request = Request::Lose { id, silent_since: before };
        if let Err(error) = app.writers.write(&key, vec![request], None).await {
            tracing::warn!(env = %key, %id, %error, "could not report a deployment as lost");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_counted_from_when_we_could_hear() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let hearing = Hearing::new(at(1_000));
        let limit = Duration::from_mins(1);
        assert_eq!(hearing.silent_since(at(1_059), limit), None);
        assert_eq!(hearing.silent_since(at(1_060), limit), Some(at(1_000)));
        hearing.failed(at(1_030));
        hearing.failed(at(1_020));
        assert_eq!(hearing.silent_since(at(1_089), limit), None);
        assert_eq!(hearing.silent_since(at(1_100), limit), Some(at(1_040)));
    }
}
