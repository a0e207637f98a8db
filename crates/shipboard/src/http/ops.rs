//! Operations: is it alive, is it ready, what does it count.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::try_join_all;
use serde::Serialize;
use shipboard_core::counts::Counts;
use shipboard_core::id::Slug;

use super::client::Client;
use super::gate::{shown, who};
use super::problem::Problem;
use crate::access::Caller;
use crate::app::App;
use crate::limits::Kind;
use crate::store::{Env, Role};

/// Whether requests should come here, and if not, why.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// Requests should come here.
    ready: bool,
    /// Why not: `draining`, `database`.
    reasons: Vec<&'static str>,
    /// What is wrong and no reason to go elsewhere: `bus` (boards are up to a second behind), `clock` (this
    /// machine's differs from the database's), `credentials` (what was revoked elsewhere is not seen), `row_level_security` (it does not hold for the database's role).
    warnings: Vec<&'static str>,
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200)))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The server is ready for requests.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, Answer<Readiness>) {
    let mut reasons = Vec::new();
    if app.draining.is_cancelled() {
        reasons.push("draining");
    }
    // What the instance found itself, once a second: anybody may ask here, as often as they like.
    if !app.database_ok.load(Ordering::Relaxed) {
        reasons.push("database");
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut warnings = Vec::new();
    if !app.bus.is_connected() {
        warnings.push("bus");
    }
    if !app.clock_ok.load(Ordering::Relaxed) {
        warnings.push("clock");
    }
    if !app.credentials_ok.load(Ordering::Relaxed) {
        warnings.push("credentials");
    }
    if app.store.is_walled() == Some(false) {
        warnings.push("row_level_security");
    }
    (status, Answer(Readiness { ready, reasons, warnings }))
}

/// The metrics on the main address. In `required` mode for admins only, and only the counts of envs that
/// they may see: the other series sum over all tenants.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain"), (status = 401)))]
pub async fn metrics_for_admins(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = who(&app, shown(&app, &headers), client).await?.ok_or_else(Problem::unauthorized)?;
    app.limits.admit(&caller, Kind::Read)?;
    let Caller::Known(credential) = &caller else { return Ok(metrics(State(app)).await) };
    let tenants: BTreeSet<&Slug> = credential.grants.iter().map(|grant| &grant.tenant).collect();
    let mut tenants: Vec<&Slug> =
        tenants.into_iter().filter(|tenant| caller.has(tenant, Role::Admin)).collect();
    tenants.truncate(app.config.metrics_envs);
    let [first, ..] = tenants[..] else { return Err(Problem::forbidden("the metrics are for admins")) };
    // Series of the whole process sum over all tenants: they are this admin's to see if there is no other.
    let is_whole = caller.has_all_of(first, Role::Admin);
    if is_whole && app.store.tenants().await.is_ok_and(|tenants| tenants.len() == 1) {
        return Ok(metrics(State(app.clone())).await);
    }
    let envs = try_join_all(tenants.into_iter().map(|tenant| {
        let (app, caller) = (&app, &caller);
        async move {
            let envs = app.store.envs(tenant).await?.into_iter();
            let seen = envs.filter(|env| caller.has_in(tenant, &env.slug, Role::Admin));
            Ok(seen.map(|env| (tenant.clone(), env)).collect::<Vec<_>>())
        }
    }));
    let envs = envs.await.map(|envs| envs.into_iter().flatten().take(app.config.metrics_envs).collect());
    let mut text = String::new();
    write_counts(&mut text, envs);
    Ok(page(text))
}

/// The metrics on an address of their own: all of them.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    metrics::gauge!("shipboard_boards_loaded").set(app.boards.len() as f64);
    let mut text = app.metrics.render();
    write_counts(&mut text, app.store.all_envs(app.config.metrics_envs).await);
    page(text)
}

fn page(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Writes the counts of envs, read from the database when asked: the same numbers as everywhere, and none of
/// an env that is gone. Without a database there are none, but the other series are wanted most just then.
fn write_counts(text: &mut String, envs: crate::store::Result<Vec<(Slug, Env)>>) {
    let envs = match envs {
        Ok(envs) => envs,
        Err(error) => {
            tracing::warn!(%error, "the metrics are without counts");
            return;
        }
    };
    text.push_str("# HELP shipboard_deployments Deployments of an environment by status.\n");
    text.push_str("# TYPE shipboard_deployments gauge\n");
    for (tenant, env) in &envs {
        for (status, count) in env.counts.deployments.by_status() {
            let labels = format!("tenant=\"{tenant}\",env=\"{}\",status=\"{}\"", env.slug, status.as_str());
            let _ = writeln!(text, "shipboard_deployments{{{labels}}} {count}");
        }
    }
    text.push_str(
        "# HELP shipboard_workflows Workflows of an environment: all, active, and by their latest.\n",
    );
    text.push_str("# TYPE shipboard_workflows gauge\n");
    for (tenant, env) in &envs {
        for (what, count) in workflows(&env.counts) {
            let labels = format!("tenant=\"{tenant}\",env=\"{}\",state=\"{what}\"", env.slug);
            let _ = writeln!(text, "shipboard_workflows{{{labels}}} {count}");
        }
    }
}

fn workflows(counts: &Counts) -> [(&'static str, u64); 4] {
    let counts = counts.workflows;
    [
        ("total", counts.total),
        ("active", counts.active),
        ("success", counts.success),
        ("failed", counts.failed),
    ]
}
