//! Workflows and counts.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use shipboard_core::counts::Counts;
use shipboard_core::decide::{Refusal, Request};
use shipboard_core::event::WorkflowRow;
use shipboard_core::id::{EventId, Slug};
use shipboard_core::time::Timestamp;

use super::body::Query;
use super::gate::{Acting, InEnv};
use super::problem::Problem;
use crate::app::App;

const PAGE: usize = 100;
pub(super) const MAX_PAGE: usize = 1_000;

/// A page of workflows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WorkflowList {
    /// The most recently active first.
    items: Vec<Arc<WorkflowRow>>,
    /// Where the next page begins (`after`); null: this is the last.
    next: Option<String>,
    /// The env's head when it was read.
    event_id: EventId,
}

/// One workflow.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WorkflowAnswer {
    /// Its row.
    workflow: Arc<WorkflowRow>,
    /// The env's head when it was read.
    event_id: EventId,
}

/// An env's counts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CountsAnswer {
    /// The counts.
    counts: Counts,
    /// The event they are of.
    event_id: EventId,
}

/// Lists workflows, the most recently active first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/workflows", tag = "workflows",
    params(("tenant" = String, Path), ("env" = String, Path),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 1,000; 100 unless given")),
    responses((status = 200, body = WorkflowList)))]
pub async fn list(
    State(app): State<Arc<App>>,
    InEnv { key, .. }: InEnv,
    query: Query,
) -> Result<Answer<WorkflowList>, Problem> {
    let after = query.get("after").map(|cursor| {
        let place = cursor.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
        let place = place.map(|(at, id): (i64, Slug)| (Timestamp::from_millis(at), id));
        place.ok_or_else(|| Problem::invalid("after: is no cursor of this list"))
    });
    let limit = query.limit(PAGE, MAX_PAGE)?;
    let page = app.store.workflows(&key, after.transpose()?.as_ref(), limit).await?;
    let next = page.rows.last().filter(|_| page.more);
    let next = next.and_then(|row| Some(format!("{}_{}", row.latest.as_ref()?.at.as_millis(), row.id)));
    Ok(Answer(WorkflowList { items: page.rows, next, event_id: page.event_id }))
}

/// One workflow.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/workflows/{workflow}", tag = "workflows",
    params(("tenant" = String, Path), ("env" = String, Path), ("workflow" = String, Path)),
    responses((status = 200, body = WorkflowAnswer), (status = 404)))]
pub async fn get(
    State(app): State<Arc<App>>,
    InEnv { key, .. }: InEnv,
    Path((_, _, workflow)): Path<(String, String, String)>,
) -> Result<Answer<WorkflowAnswer>, Problem> {
    let found = app.store.workflow(&key, &slug(&workflow)?).await?;
    let (workflow, event_id) = found.ok_or_else(Problem::not_found)?;
    Ok(Answer(WorkflowAnswer { workflow, event_id }))
}

/// Removes a workflow and its deployments.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/envs/{env}/workflows/{workflow}", tag = "workflows",
    params(("tenant" = String, Path), ("env" = String, Path), ("workflow" = String, Path)),
    responses((status = 204), (status = 404)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    InEnv { key, .. }: InEnv,
    Acting(actor): Acting,
    Path((_, _, workflow)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let workflow = slug(&workflow)?;
    let detail = json!({"env": key.env});
    app.store.note(&actor.did("workflow.delete", Some(&key.tenant), workflow.as_str(), detail)).await?;
    // In bites, so that nobody else waits for all of it: the newest first, until there is none left.
    let mut deleted = false;
    loop {
        let request = Request::DeleteWorkflow { workflow: workflow.clone() };
        let answer = app.writers.write(&key, vec![request], None).await?;
        match answer.outcomes.into_iter().next() {
            Some(Err(Refusal::UnknownWorkflow)) if deleted => return Ok(StatusCode::NO_CONTENT),
            Some(Err(refusal)) => return Err(refusal.into()),
            _ => deleted = true,
        }
    }
}

/// The env's counts.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/counts", tag = "workflows",
    params(("tenant" = String, Path), ("env" = String, Path)),
    responses((status = 200, body = CountsAnswer)))]
pub async fn counts(
    State(app): State<Arc<App>>,
    InEnv { key, .. }: InEnv,
) -> Result<Answer<CountsAnswer>, Problem> {
    let env = app.store.env(&key).await?;
    let (counts, event_id) = env.map_or((Counts::default(), EventId(0)), |env| (env.counts, env.head));
    Ok(Answer(CountsAnswer { counts, event_id }))
}

fn slug(text: &str) -> Result<Slug, Problem> {
    text.parse().map_err(|error| Problem::invalid(format!("workflow: `{text}` {error}")))
}
