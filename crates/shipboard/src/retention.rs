//! How long deployments are kept: those that have finished and are older go, through the writer like any deletion,
//! a bite at a time. What a workflow's row tells of stays.

use std::sync::Arc;

use serde_json::json;
use shipboard_core::decide::{Outcome, Request};

use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::store::{ALL, EnvKey, Result};

/// Most deployments that one transaction deletes: others wait behind it.
const BITE: usize = 100;

/// Deletes what is older than its tenant keeps, in every env.
pub async fn look(app: &Arc<App>) -> Result<()> {
    if app.config.keep_deployments.is_zero() && !app.access.has_limits() {
        return Ok(());
    }
    for (tenant, env) in app.store.all_envs(ALL).await? {
        let own = app.access.limits_of(&tenant).keep_deployments;
        let keep = own.unwrap_or(app.config.keep_deployments);
        if !keep.is_zero() {
            let key = EnvKey { tenant, env: env.slug };
            while bite(app, &key, keep.as_millis() as i64).await? == BITE {}
        }
    }
    Ok(())
}

/// Gives how many went.
async fn bite(app: &Arc<App>, key: &EnvKey, keep_ms: i64) -> Result<usize> {
    let before = clock::now().plus_millis(-keep_ms);
    let outdated = app.store.outdated(key, before, BITE).await?;
    if outdated.is_empty() {
        return Ok(0);
    }
    // Written down first, as every deletion.
    let detail = json!({"env": key.env, "deployments": outdated.len(), "made_before": before});
    let record = Actor::the_server().did("deployment.expire", Some(&key.tenant), key.env.as_str(), detail);
    app.store.note(&record).await?;
    let requests = outdated.into_iter().map(|id| Request::Expire { id, made_before: before }).collect();
    match app.writers.write(key, requests, None).await {
        Ok(done) => {
            // Another instance may have been at it too, and something may have come of one since it was found.
            let gone = done.outcomes.iter().filter(|outcome| **outcome == Ok(Outcome::Deleted)).count();
            metrics::counter!("shipboard_deployments_expired_total").increment(gone as u64);
            Ok(gone)
        }
        Err(error) => {
            tracing::debug!(env = %key, %error, "outdated deployments could not be deleted yet");
            Ok(0)
        }
    }
}
