//! The audit log of a tenant, for its admins: a page at a time, or whole as JSON lines.

use std::sync::Arc;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use shipboard_core::id::Slug;

use super::body::Query;
use super::gate::Admin;
use super::logs::long_read;
use super::problem::Problem;
use crate::app::App;
use crate::store::{Record, StoreError};

/// Lines of a page unless asked, and at most.
const DEFAULT_LIMIT: usize = 100;
pub(super) const MAX_LIMIT: usize = 500;

/// A part of the audit log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RecordList {
    /// The newest first.
    items: Vec<Record>,
    /// What to give as `after` for those that follow; null: there are none.
    next: Option<String>,
}

/// Who changed what in this tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/audit", tag = "access",
    params(("tenant" = String, Path), ("limit" = Option<usize>, Query, description = "1 to 500; 100 unless given"),
        ("after" = Option<String>, Query, description = "The `next` of the page before")),
    responses((status = 200, body = RecordList)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
    query: Query,
) -> Result<Answer<RecordList>, Problem> {
    let limit = query.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let mut items = app.store.records(Some(&tenant), query.text("after")?, limit + 1).await?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|record| record.id.clone());
    Ok(Answer(RecordList { items, next }))
}

/// All of it, the newest first, a JSON object on each line.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/audit.jsonl", tag = "access",
    params(("tenant" = String, Path)),
    responses((status = 200, body = String, content_type = "application/jsonl")))]
pub async fn export(
    State(app): State<Arc<App>>,
    Admin { tenant, caller }: Admin,
) -> Result<Response, Problem> {
    // The first part before the head of the answer: a database that is away is a 503 and no empty file.
    let first = part(&app, &tenant, None).await?;
    let permit = if first.1.is_some() { Some(long_read(&app, &caller)?) } else { None };
    let parts = futures_util::stream::unfold(Some(first), move |part_before| {
        // Given back when whoever reads has done so, or has left.
        let _held = &permit;
        let (app, tenant) = (app.clone(), tenant.clone());
        async move {
            let (lines, last) = part_before?;
            let next = match last {
                None => Ok(None),
                Some(last) => part(&app, &tenant, Some(&last)).await.map(Some),
            };
            // What cannot be read to its end is broken off, not ended as if it were whole.
            Some(match next {
                Ok(next) => (Ok(lines), next),
                Err(error) => (Err(error), None),
            })
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(parts)).into_response())
}

/// Some lines, and the id of the last if there may be more.
async fn part(app: &App, tenant: &Slug, before: Option<&str>) -> Result<(Bytes, Option<String>), StoreError> {
    let records = app.store.records(Some(tenant), before, MAX_LIMIT).await?;
    let mut lines = Vec::new();
    for record in &records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    let last = records.last().filter(|_| records.len() == MAX_LIMIT).map(|record| record.id.clone());
    Ok((lines.into(), last))
}
