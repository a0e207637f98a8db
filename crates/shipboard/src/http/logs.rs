//! Deployments' logs as bytes: appended at an offset, read from one.

use std::sync::Arc;

use axum::Json as Answer;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use shipboard_core::decide::Request;
use shipboard_core::id::DeploymentId;

use super::body::{Query, Raw};
use super::gate::OfDeployment;
use super::problem::Problem;
use crate::access::Caller;
use crate::app::App;
use crate::clock;
use crate::limits::LongRead;
use crate::store::{Appended, EnvKey, LogPart, MAX_LOG_BYTES, StoreError};

/// How much of a log is in memory for one reader.
const PIECE: usize = 64 * 1024;

/// Where a log's readers find what they got.
const OFFSET: HeaderName = HeaderName::from_static("shipboard-log-offset");
const LENGTH: HeaderName = HeaderName::from_static("shipboard-log-length");

/// How long a log is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LogAnswer {
    /// In bytes, after the append: where the next one goes.
    length: u64,
}

/// Appends to a log. Bytes that are held already are acknowledged, not written again.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs", tag = "logs",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path),
        ("offset" = u64, Query, description = "Where the body begins, in bytes of the whole log")),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = LogAnswer), (status = 404),
        (status = 409, description = "Bytes are missing before these")))]
pub async fn append(
    State(app): State<Arc<App>>,
    OfDeployment { key, id, .. }: OfDeployment,
    query: Query,
    Raw(bytes): Raw,
) -> Result<Answer<LogAnswer>, Problem> {
    let offset = query.parsed::<u64>("offset")?;
    let offset = offset.ok_or_else(|| Problem::invalid("offset: say where in the log the body begins"))?;
    // In a task of its own: what is begun is finished, whoever has left.
    let appending = app.clone();
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.tasks.spawn(async move {
        let _ = answer.send(take(&appending, &key, id, offset, &bytes).await);
    });
    let length = answered.await.map_err(|_| Problem::not_found())??;
    Ok(Answer(LogAnswer { length }))
}

async fn take(app: &App, key: &EnvKey, id: DeploymentId, offset: u64, bytes: &[u8]) -> Result<u64, Problem> {
    if offset == 0 && !bytes.is_empty() {
        // Said before there is one: a row may promise a log that is still empty, but no log stays hidden.
        has_log(app, key, id).await?;
    }
    let length = match app.store.append_log(key, id, offset, bytes, clock::now()).await? {
        Appended::Grown(length) => length,
        Appended::Gap(length) => return Err(Problem::log_gap(length)),
        Appended::Full(length) => {
            let detail = format!("a log may have {MAX_LOG_BYTES} bytes at most; {length} are held");
            return Err(Problem::too_large(detail));
        }
        Appended::NoDeployment => {
            // The writer knows which were deleted, and says so.
            has_log(app, key, id).await?;
            return Err(Problem::not_found());
        }
    };
    if let Some(board) = app.boards.get(key) {
        board.log_grew(id, length);
    }
    Ok(length)
}

async fn has_log(app: &App, key: &EnvKey, id: DeploymentId) -> Result<(), Problem> {
    let answer = app.writers.write(key, vec![Request::HasLog { id }], None).await?;
    answer.outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
    Ok(())
}

/// Reads a log from an offset to its end, as it is now.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs", tag = "logs",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path),
        ("offset" = Option<u64>, Query, description = "0 unless given")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404)))]
pub async fn read(
    State(app): State<Arc<App>>,
    OfDeployment { key, id, caller }: OfDeployment,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let offset = query.parsed::<u64>("offset")?.unwrap_or(0);
    let part = app.store.read_log(&key, id, offset, PIECE).await?;
    let part = part.ok_or_else(Problem::not_found)?;
    let is_whole = part.offset + part.bytes.len() as u64 >= part.length;
    let permit = if is_whole { None } else { Some(long_read(&app, &caller)?) };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_LENGTH, (part.length - part.offset).to_string()),
        (OFFSET, part.offset.to_string()),
        (LENGTH, part.length.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces(app, key, id, part, permit))))
}

/// Permission to read something piece by piece.
pub(super) fn long_read(app: &App, caller: &Caller) -> Result<LongRead, Problem> {
    let busy = |limit| Problem::too_many(format!("{limit}: too much is being read; come back later"));
    app.limits.long_reads.permit(caller.subject()).map_err(busy)
}

/// A log piece by piece, each read when the one before has been taken: a reader that takes none holds one.
fn pieces(
    app: Arc<App>,
    key: EnvKey,
    id: DeploymentId,
    LogPart { offset, bytes, length }: LogPart,
    permit: Option<LongRead>,
) -> impl Stream<Item = Result<Bytes, Interrupted>> {
    let next = offset + bytes.len() as u64;
    let rest = futures_util::stream::try_unfold(next, move |next| {
        // Given back when whoever reads has done so, or has left.
        let _held = &permit;
        let (app, key) = (app.clone(), key.clone());
        async move {
            // What has been appended since is not of this answer: its length was said.
            let wanted = length.saturating_sub(next).min(PIECE as u64) as usize;
            if wanted == 0 {
                return Ok(None);
            }
            match app.store.read_log(&key, id, next, wanted).await {
                Ok(Some(part)) if !part.bytes.is_empty() => {
                    let after = next + part.bytes.len() as u64;
                    Ok(Some((Bytes::from(part.bytes), after)))
                }
                Ok(_) => Err(Interrupted::Deleted),
                Err(error) => {
                    tracing::warn!(%error, "a log could not be read to its end");
                    Err(Interrupted::Store(error))
                }
            }
        }
    });
    futures_util::stream::once(std::future::ready(Ok(Bytes::from(bytes)))).chain(rest)
}

/// Why a log that was being read ends before its end. The connection does, which tells the client.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the deployment was deleted")]
    Deleted,
    #[error(transparent)]
    Store(StoreError),
}
