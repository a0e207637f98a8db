//! Streams: a snapshot at once, then every event, until one side leaves.
//!
//! A [`Reader`] is a cursor into a board and a few wake-ups; it makes blocks, and whoever owns the
//! socket writes them. Nothing is queued for it, and it has no timer of its own while all is well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use shipboard_core::board::MAX_DEPLOYMENTS;
use shipboard_core::event::EndReason;
use shipboard_core::id::{DeploymentId, Epoch, EventId, Position};
use tokio::sync::watch;
use tokio::time::Instant;

use super::body::Query;
use super::front::Handover;
use super::gate::{InEnv, OfDeployment};
use super::problem::Problem;
use crate::access::{Caller, Lapse};
use crate::app::{App, Permit};
use crate::board::{self, Cursor, DetailReading, LogReading, Next, Opened, Reading};
use crate::clock;
use crate::store::{EnvKey, StoreError};

/// Deployments in a snapshot unless asked.
const DEFAULT_LIMIT: usize = 100;
/// When a client comes back after a break, before jitter.
const RETRY_MS: u64 = 2_000;
/// How often a snapshot that raced a board read anew is tried before the stream is given up.
const MAX_TRIES: usize = 3;
/// How long a board may take to be loaded, and to catch up with what a client has already seen.
const CATCH_UP: Duration = Duration::from_secs(3);

/// What one stream carries.
#[derive(Debug)]
enum Scope {
    Deployments { limit: usize },
    Details { id: DeploymentId },
    Log { id: DeploymentId, offset: u64 },
}

impl Scope {
    fn name(&self) -> &'static str {
        match self {
            Self::Deployments { .. } => "deployments",
            Self::Details { .. } => "details",
            Self::Log { .. } => "log",
        }
    }

    fn deployment(&self) -> Option<DeploymentId> {
        match self {
            Self::Deployments { .. } => None,
            Self::Details { id } | Self::Log { id, .. } => Some(*id),
        }
    }
}

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
    open(app, key, caller, Scope::Deployments { limit }, &query, &headers, handover).await
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
    open(app, key, caller, Scope::Details { id }, &query, &headers, handover).await
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
    open(app, key, caller, Scope::Log { id, offset }, &query, &headers, handover).await
}

fn refused(reason: &'static str) -> Problem {
    metrics::counter!("shipboard_streams_refused_total", "reason" => reason).increment(1);
    Problem::too_many("too many streams are open; come back later")
}

/// There is room for another stream. Asked before who is asking, it costs next to nothing.
pub(super) struct Room;

impl FromRequestParts<Arc<App>> for Room {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if app.has_room() { Ok(Self) } else { Err(refused("max_streams")) }
    }
}

/// The position that a client has reached, header before query string. It is data, not authority.
fn reached(query: &Query, headers: &HeaderMap) -> Option<Result<Position, ()>> {
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let text = header.or(query.get("last_event_id")).filter(|text| !text.is_empty())?;
    Some(text.parse().map_err(|_| ()))
}

async fn open(
    app: Arc<App>,
    key: EnvKey,
    caller: Caller,
    scope: Scope,
    query: &Query,
    headers: &HeaderMap,
    handover: Option<Extension<Handover>>,
) -> Result<Response, Problem> {
    if app.draining.is_cancelled() {
        return Ok(ended(&key, EndReason::Drain));
    }
    let permit = app.permit(&key.tenant).ok_or_else(|| refused("max_streams_per_tenant"))?;
    let reached = reached(query, headers);
    let began = Instant::now();
    let mut reader = match Reader::open(app, key.clone(), caller, scope, permit, reached.as_ref()).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return Err(Problem::not_found()),
        Err(error) => {
            tracing::warn!(env = %key, %error, "a stream could not be opened");
            return Ok(ended(&key, EndReason::Unavailable));
        }
    };
    reader.opened = true;
    let scope = reader.scope.name();
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

fn retry_ms() -> u64 {
    clock::between(RETRY_MS / 2, RETRY_MS * 3 / 2)
}

/// A stream that ends as it begins: a browser's EventSource never comes back from anything but a 200.
fn ended(key: &EnvKey, reason: EndReason) -> Response {
    let retry_ms = retry_ms();
    metrics::counter!("shipboard_streams_refused_total", "reason" => reason.as_str()).increment(1);
    let end = board::stream_end(key, None, clock::now(), reason, retry_ms);
    response(Body::from([board::retry(retry_ms), end].concat()))
}

/// Why a stream could not be opened, for now.
#[derive(Debug, thiserror::Error)]
enum Unable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the board could not be brought on in time")]
    Behind,
}

/// One open stream.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state among others")]
pub(super) struct Reader {
    app: Arc<App>,
    key: EnvKey,
    caller: Caller,
    scope: Scope,
    board: Reading,
    detail: Option<DetailReading>,
    _log: Option<LogReading>,
    _permit: Permit,
    gauge: metrics::Gauge,
    cursor: Cursor,
    /// The last id that was sent.
    told: EventId,
    epoch: Epoch,
    log_done: bool,
    changes: watch::Receiver<u64>,
    beats: watch::Receiver<u64>,
    /// When the stream ends for its age, or because the server drains.
    ends_at: Option<Instant>,
    draining: bool,
    /// It began: its client got a snapshot.
    opened: bool,
    /// Blocks made and not yet written.
    pub(super) ready: VecDeque<Bytes>,
    ended: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.gauge.decrement(1);
        if self.opened && !self.ended {
            metrics::counter!("shipboard_streams_ended_total", "reason" => "left").increment(1);
        }
    }
}

impl Reader {
    /// `None`: there is no such deployment.
    async fn open(
        app: Arc<App>,
        key: EnvKey,
        caller: Caller,
        scope: Scope,
        permit: Permit,
        reached: Option<&Result<Position, ()>>,
    ) -> Result<Option<Self>, Unable> {
        let ready = async {
            let board = app.boards.open(&key).await?;
            if let Some(Ok(position)) = reached {
                board.reach(&position.epoch, position.event_id).await?;
            }
            Ok::<_, StoreError>(board)
        };
        let board = tokio::time::timeout(CATCH_UP, ready).await.map_err(|_| Unable::Behind)??;
        let changes = board.changes();
        let gauge = metrics::gauge!("shipboard_streams_open", "scope" => scope.name());
        gauge.increment(1);
        let age = app.config.max_stream_age.as_millis() as u64;
        let ends_at =
            (age > 0).then(|| Instant::now() + Duration::from_millis(clock::between(age * 4 / 5, age)));
        let (epoch, cursor) = board.position();
        let mut reader = Self {
            _log: match scope {
                Scope::Log { id, .. } => Some(board.open_log(id)),
                Scope::Deployments { .. } | Scope::Details { .. } => None,
            },
            beats: app.heartbeat(),
            app,
            key,
            caller,
            scope,
            board,
            detail: None,
            _permit: permit,
            gauge,
            told: cursor.event_id,
            cursor,
            epoch,
            log_done: false,
            changes,
            ends_at,
            draining: false,
            opened: false,
            ready: VecDeque::new(),
            ended: false,
        };
        reader.beats.mark_unchanged();
        reader.ready.push_back(board::retry(retry_ms()));
        Ok(reader.begin().await?.then_some(reader))
    }

    /// Puts a snapshot before all else. False: the deployment is gone.
    async fn begin(&mut self) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            if let Some(id) = self.scope.deployment() {
                let Some(detail) = self.board.open_detail(id).await? else { return Ok(false) };
                self.detail = Some(detail);
            }
            if let Some(opened) = self.snapshot().await? {
                let Opened { frames, cursor, epoch } = opened;
                let bytes: usize = frames.iter().map(Bytes::len).sum();
                let scope = self.scope.name();
                metrics::histogram!("shipboard_snapshot_bytes", "scope" => scope).record(bytes as f64);
                self.ready.extend(frames);
                (self.cursor, self.epoch, self.told) = (cursor, epoch, cursor.event_id);
                return Ok(true);
            }
        }
        Err(StoreError::Raced)
    }

    /// `None`: what the deployment was held by is gone, and it must be opened again.
    async fn snapshot(&mut self) -> Result<Option<Opened>, StoreError> {
        let now = clock::now();
        match self.scope {
            Scope::Deployments { limit } => Ok(Some(self.board.snapshot(limit, now))),
            Scope::Details { id } => Ok(self.board.detail_snapshot(id, now)),
            Scope::Log { id, offset } => {
                let snapshot = self.board.log_snapshot(id, offset).await?;
                Ok(snapshot.map(|(opened, end, done)| {
                    self.scope = Scope::Log { id, offset: end };
                    self.log_done = done;
                    opened
                }))
            }
        }
    }

    /// Waits until there are blocks to write. False: the stream is over.
    pub(super) async fn fill(&mut self) -> bool {
        loop {
            if !self.ready.is_empty() {
                return true;
            }
            if self.ended {
                return false;
            }
            // Asked before what is new: on a busy board a slow reader always finds something.
            if self.beats.has_changed().unwrap_or(false) {
                self.beats.mark_unchanged();
                self.beat();
            }
            if self.app.draining.is_cancelled() && !self.draining {
                self.drain();
            }
            if self.draining && self.ends_at.is_some_and(|ends_at| ends_at <= Instant::now()) {
                self.end(EndReason::Drain);
            }
            if self.ended {
                continue;
            }
            if self.advance().await {
                continue;
            }
            let ends_at = self.ends_at;
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() { self.end(EndReason::Unavailable) },
                // A heartbeat is left unseen, and found above.
                () = beat(self.beats.clone()) => {}
                () = self.app.draining.cancelled(), if !self.draining => {}
                () = until(ends_at), if self.draining => {}
            }
        }
    }

    /// Makes blocks of what is new. False: there is nothing new.
    async fn advance(&mut self) -> bool {
        let next = match self.scope {
            Scope::Deployments { .. } => self.board.after(self.cursor),
            Scope::Details { id } => self.board.after_of(self.cursor, id),
            // Boxed, as below: what an idle reader does not do takes no room in it.
            Scope::Log { id, offset } => return Box::pin(self.advance_log(id, offset)).await,
        };
        match next {
            Next::Nothing => false,
            Next::Frames { frames, cursor, told, committed, gone } => {
                if let Some(committed) = committed {
                    metrics::histogram!("shipboard_commit_to_write_seconds")
                        .record(committed.elapsed().as_secs_f64());
                }
                self.cursor = cursor;
                self.told = told.unwrap_or(self.told);
                self.ready.extend(frames);
                if gone {
                    self.end(EndReason::Gone);
                }
                true
            }
            Next::Resync => {
                self.resync().await;
                true
            }
        }
    }

    /// Begins anew, with a snapshot.
    async fn resync(&mut self) {
        metrics::counter!("shipboard_resyncs_total", "scope" => self.scope.name()).increment(1);
        match Box::pin(self.begin()).await {
            Ok(true) => {}
            Ok(false) => self.end(EndReason::Gone),
            Err(error) => {
                tracing::warn!(env = %self.key, %error, "a stream could not go on");
                self.end(EndReason::Unavailable);
            }
        }
    }

    async fn advance_log(&mut self, id: DeploymentId, offset: u64) -> bool {
        match self.board.log_after(&self.epoch, id, offset, self.log_done).await {
            Ok(Some(next)) => {
                let Some(frame) = next.frame else { return false };
                self.scope = Scope::Log { id, offset: next.offset };
                self.log_done = next.done;
                self.cursor = self.board.position().1;
                self.told = self.cursor.event_id;
                self.ready.push_back(frame);
            }
            // What was told of it may not be in it any more: the last of it, as it is now.
            Ok(None) if self.board.position().0 != self.epoch => {
                self.scope = Scope::Log { id, offset: 0 };
                self.resync().await;
            }
            // Not held any more: deleted, or the board was read anew.
            Ok(None) => match self.board.open_detail(id).await {
                Ok(Some(detail)) => self.detail = Some(detail),
                Ok(None) => self.end(EndReason::Gone),
                Err(_) => self.end(EndReason::Unavailable),
            },
            // The database is away: the stream stays, and goes on when it is back.
            Err(error) => {
                tracing::debug!(env = %self.key, %error, "a log could not be read for now");
                return false;
            }
        }
        true
    }

    /// A heartbeat: whether the stream may go on is asked again, and its id moves.
    fn beat(&mut self) {
        match self.app.access.lapse(&self.caller, clock::now()) {
            Some(Lapse::Expired) => return self.end(EndReason::Expired),
            Some(Lapse::Revoked) => return self.end(EndReason::Revoked),
            None => {}
        }
        if self.ends_at.is_some_and(|ends_at| ends_at <= Instant::now()) {
            return self.end(EndReason::Drain);
        }
        self.told = self.cursor.event_id;
        self.ready.push_back(board::heartbeat(&self.epoch, self.told));
    }

    /// Ends some time within the drain window, so that not all come back at once.
    fn drain(&mut self) {
        self.draining = true;
        let window = self.app.config.drain.as_millis() as u64 * 9 / 10;
        self.ends_at = Some(Instant::now() + Duration::from_millis(clock::between(0, window)));
    }

    fn end(&mut self, reason: EndReason) {
        metrics::counter!("shipboard_streams_ended_total", "reason" => reason.as_str()).increment(1);
        let last = Some((&self.epoch, self.told));
        self.ready.push_back(board::stream_end(&self.key, last, clock::now(), reason, retry_ms()));
        self.ended = true;
    }
}

/// Waits for the next heartbeat.
async fn beat(mut beats: watch::Receiver<u64>) {
    let _ = beats.changed().await;
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
