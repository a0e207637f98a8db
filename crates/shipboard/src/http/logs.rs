//! Deployments' logs as bytes: appended at an offset, read from one.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use serde::Serialize;
use shipboard_core::decide::Request;

use super::body::{Query, Raw};
use super::gate::OfDeployment;
use super::problem::Problem;
use crate::app::App;
use crate::store::{Appended, MAX_LOG_BYTES};

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

async fn take(
    app: &App,
    key: &crate::store::EnvKey,
    id: shipboard_core::id::DeploymentId,
    offset: u64,
    bytes: &[u8],
) -> Result<u64, Problem> {
    if offset == 0 {
        // Said before there is one: a row may promise a log that is still empty, but no log stays hidden.
        let answer = app.writers.write(key, vec![Request::HasLog { id }], None).await?;
        answer.outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
    }
    let length = match app.store.append_log(key, id, offset, bytes).await? {
        Appended::Grown(length) => length,
        Appended::Gap(length) => return Err(Problem::log_gap(length)),
        Appended::Full(length) => {
            let detail = format!("a log may have {MAX_LOG_BYTES} bytes at most; {length} are held");
            return Err(Problem::too_large(detail));
        }
        Appended::NoDeployment => return Err(Problem::not_found()),
    };
    if let Some(board) = app.boards.get(key) {
        board.log_grew(id, length);
    }
    Ok(length)
}

/// Reads a log from an offset to its end.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs", tag = "logs",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path),
        ("offset" = Option<u64>, Query, description = "0 unless given")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404)))]
pub async fn read(
    State(app): State<Arc<App>>,
    OfDeployment { key, id, .. }: OfDeployment,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let offset = query.parsed::<u64>("offset")?.unwrap_or(0);
    let part = app.store.read_log(&key, id, offset, MAX_LOG_BYTES as usize).await?;
    let part = part.ok_or_else(Problem::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (OFFSET, part.offset.to_string()),
        (LENGTH, part.length.to_string()),
    ];
    Ok((headers, part.bytes))
}
