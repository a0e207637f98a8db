//! Streams: a snapshot at once, then every event, until one side leaves.
//!
//! Here is what may be asked for and how it is answered; what an open stream does is in
//! [`reader`](super::reader), and what it carries of each env in [`channel`](super::channel).

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use shipboard_core::board::MAX_DEPLOYMENTS;
use shipboard_core::event::EndReason;
use shipboard_core::id::{EventId, Position, Slug};
use tokio::time::Instant;

use super::body::Query;
use super::channel::Scope;
use super::front::Handover;
use super::gate::{InEnv, InTenant, OfDeployment};
use super::problem::Problem;
use super::reader::{Reader, Wanted, retry_ms};
use crate::access::Caller;
use crate::app::App;
use crate::board;
use crate::clock;
use crate::store::EnvKey;

/// Deployments in a snapshot unless asked.
const DEFAULT_LIMIT: usize = 100;
/// Most scopes of a stream.
pub(super) const MAX_SCOPES: usize = 32;

/// Streams the deployments page.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/stream", tag = "streams",
    params(("tenant" = String, Path), ("env" = String, Path),
        ("limit" = Option<usize>, Query, description = "Deployments in the snapshot, 1 to 500; 100 unless given"),
        ("last_event_id" = Option<String>, Query, description = "As the header Last-Event-ID")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 429)))]
pub(super) async fn deployments(
    State(app): State<Arc<App>>,
    _room: Room,
    InEnv { key, caller }: InEnv,
    query: Query,
    headers: HeaderMap,
    handover: Option<Extension<Handover>>,
) -> Result<Response, Problem> {
    let limit = query.limit(DEFAULT_LIMIT, MAX_DEPLOYMENTS)?;
    open(app, caller, Wanted::alone(key, Scope::Deployments { limit }), &query, &headers, handover).await
}

/// Streams one deployment.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/stream", tag = "streams",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path),
        ("last_event_id" = Option<String>, Query, description = "As the header Last-Event-ID")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404), (status = 429)))]
pub(super) async fn details(
    State(app): State<Arc<App>>,
    _room: Room,
    OfDeployment { key, caller, id }: OfDeployment,
    query: Query,
    headers: HeaderMap,
    handover: Option<Extension<Handover>>,
) -> Result<Response, Problem> {
    open(app, caller, Wanted::alone(key, Scope::Details { id }), &query, &headers, handover).await
}

/// Streams one deployment's log.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs/stream", tag = "streams",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path),
        ("offset" = Option<u64>, Query, description = "From this byte, or the last 64 KiB if that is later")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404), (status = 429)))]
pub(super) async fn log(
    State(app): State<Arc<App>>,
    _room: Room,
    OfDeployment { key, caller, id }: OfDeployment,
    query: Query,
    headers: HeaderMap,
    handover: Option<Extension<Handover>>,
) -> Result<Response, Problem> {
    let offset = query.parsed("offset")?.unwrap_or(0);
    open(app, caller, Wanted::alone(key, Scope::Log { id, offset }), &query, &headers, handover).await
}

/// Streams several scopes of a tenant: envs, deployments, logs.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/stream", tag = "streams",
    params(("tenant" = String, Path),
        ("s" = Vec<String>, Query, description = "1 to 32 scopes: `{env}`, `{env}/d/{id}` or `{env}/d/{id}/log`"),
        ("limit" = Option<usize>, Query, description = "Deployments in each env's snapshot, 1 to 500; 100 unless given"),
        ("last_event_id" = Option<String>, Query, description = "As the header Last-Event-ID: `env=epoch.n,…`")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404), (status = 422),
        (status = 429)))]
pub(super) async fn shared(
    State(app): State<Arc<App>>,
    _room: Room,
    InTenant { tenant, caller }: InTenant,
    query: Query,
    headers: HeaderMap,
    handover: Option<Extension<Handover>>,
) -> Result<Response, Problem> {
    let limit = query.limit(DEFAULT_LIMIT, MAX_DEPLOYMENTS)?;
    let scopes = query.list("s", |text| parse_scope(text, limit))?;
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        return Err(Problem::invalid(format!("s: a stream carries 1 to {MAX_SCOPES} scopes")));
    }
    if scopes.iter().any(|(env, _)| !caller.sees(&tenant, env)) {
        return Err(Problem::not_found());
    }
    let mut wanted = Wanted { envs: Vec::new(), is_shared: true };
    for (env, scope) in scopes {
        wanted.add(EnvKey { tenant: tenant.clone(), env }, scope);
    }
    open(app, caller, wanted, &query, &headers, handover).await
}

/// Reads `{env}`, `{env}/d/{id}` or `{env}/d/{id}/log`.
pub(super) fn parse_scope(text: &str, limit: usize) -> Result<(Slug, Scope), Problem> {
    let invalid = |why: &dyn std::fmt::Display| Problem::invalid(format!("s: `{text}` {why}"));
    let mut parts = text.split('/');
    let env = parts.next().unwrap_or_default().parse::<Slug>().map_err(|error| invalid(&error))?;
    let rest: Vec<&str> = parts.collect();
    let scope = match rest.as_slice() {
        [] => Scope::Deployments { limit },
        ["d", id] => Scope::Details { id: id.parse().map_err(|error| invalid(&error))? },
        ["d", id, "log"] => Scope::Log { id: id.parse().map_err(|error| invalid(&error))?, offset: 0 },
        _ => return Err(invalid(&"is no {env}, {env}/d/{id} or {env}/d/{id}/log")),
    };
    Ok((env, scope))
}

fn refused(reason: &'static str) -> Problem {
    metrics::counter!("shipboard_streams_refused_total", "reason" => reason).increment(1);
    Problem::too_many(format!("{reason}: too many streams are open; come back later"))
}

/// There is room for another stream. Asked before who is asking, it costs next to nothing.
pub(super) struct Room;

impl FromRequestParts<Arc<App>> for Room {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if app.limits.streams.has_room() { Ok(Self) } else { Err(refused("max_streams")) }
    }
}

/// The positions that a client has reached, header before query string. They are data, not authority.
fn reached(query: &Query, headers: &HeaderMap) -> Option<String> {
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    header.or(query.get("last_event_id")).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The position of each env in the id of a shared stream; what is none is left out.
pub(super) fn positions(text: &str) -> HashMap<Slug, Position> {
    let parts = text.split(',').filter_map(|part| part.split_once('='));
    parts.filter_map(|(env, position)| Some((env.parse().ok()?, position.parse().ok()?))).collect()
}

async fn open(
    app: Arc<App>,
    caller: Caller,
    wanted: Wanted,
    query: &Query,
    headers: &HeaderMap,
    handover: Option<Extension<Handover>>,
) -> Result<Response, Problem> {
    let Some(key) = wanted.envs.first().map(|(key, _)| key.clone()) else { return Err(Problem::not_found()) };
    if app.draining.is_cancelled() {
        return Ok(ended(&key, EndReason::Drain));
    }
    let most = app.access.limits_of(&key.tenant).max_streams;
    let permit = app.limits.streams.permit(&key.tenant, most, caller.subject()).map_err(refused)?;
    let (scope, is_shared) = (wanted.name(), wanted.is_shared);
    let reached = reached(query, headers);
    let by_env = reached.as_deref().filter(|_| is_shared).map(positions).unwrap_or_default();
    let only = reached.as_deref().filter(|_| !is_shared).and_then(|text| text.parse().ok());
    let position = |env: &Slug| if is_shared { by_env.get(env).cloned() } else { only.clone() };
    let began = Instant::now();
    let reader = match Reader::open(app, caller, wanted, permit, position).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return Err(Problem::not_found()),
        Err(error) => {
            tracing::warn!(env = %key, %error, "a stream could not be opened");
            return Ok(ended(&key, EndReason::Unavailable));
        }
    };
    metrics::histogram!("shipboard_snapshot_seconds", "scope" => scope).record(began.elapsed().as_secs_f64());
    metrics::counter!("shipboard_streams_opened_total", "scope" => scope).increment(1);
    if reached.is_some() {
        metrics::counter!("shipboard_reconnects_total", "scope" => scope).increment(1);
    }
    if let Some(handover) = handover {
        handover.leave(reader);
        return Ok(response(Body::empty()));
    }
    let blocks = futures_util::stream::unfold(reader, |mut reader| async move {
        let block = if reader.fill().await { reader.ready.pop_front() } else { None };
        Some((Ok::<Bytes, std::convert::Infallible>(block?), reader))
    });
    Ok(response(Body::from_stream(blocks)))
}

fn response(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

/// A stream that ends as it begins: a browser's EventSource never comes back from anything but a 200.
fn ended(key: &EnvKey, reason: EndReason) -> Response {
    let retry_ms = retry_ms();
    metrics::counter!("shipboard_streams_refused_total", "reason" => reason.as_str()).increment(1);
    let end = board::stream_end(key, EventId(0), clock::now(), reason, retry_ms);
    response(Body::from([board::retry(retry_ms), end].concat()))
}
