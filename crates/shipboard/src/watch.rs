//! The watchdog: deployments that nobody speaks of any more become `lost`, by a report like any other.
//!
//! Silence is counted anew when this service or its database was away: it was we who did not hear.

use std::sync::Arc;

use shipboard_core::decide::Request;
use shipboard_core::time::Timestamp;

use crate::app::App;
use crate::clock;
use crate::store::Result;

/// Most deployments judged at a time; the next look takes the next ones.
const AT_ONCE: usize = 200;

/// Since when we have been listening.
#[derive(Debug)]
pub struct Watchdog {
    listening_since: Timestamp,
}

impl Watchdog {
    /// Listening from now on.
    pub fn new(now: Timestamp) -> Self {
        Self { listening_since: now }
    }

    /// Looks for deployments that have been silent for too long.
    pub async fn look(&mut self, app: &Arc<App>) -> Result<()> {
        let looked = self.report_lost(app).await;
        if looked.is_err() {
            self.listening_since = clock::now();
        }
        looked
    }

    async fn report_lost(&self, app: &Arc<App>) -> Result<()> {
        let now = clock::now();
        let limit = |limit: std::time::Duration| now.plus_millis(-(limit.as_millis() as i64));
        let (before, waiting_before) = (limit(app.config.lost_after), limit(app.config.lost_waiting_after));
        if self.listening_since > before {
            return Ok(());
        }
        for (key, id) in app.store.silent(before, waiting_before, AT_ONCE).await? {
            let request = Request::Lose { id, silent_since: before };
            match app.writers.write(&key, vec![request], None).await {
                Ok(_) => metrics::counter!("shipboard_lost_total").increment(1),
                Err(error) => {
                    tracing::warn!(env = %key, %id, %error, "could not report a deployment as lost");
                }
            }
        }
        Ok(())
    }
}
