//! Deployments: reports in, rows and timelines out.

use std::fmt;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use shipboard_core::decide::{Outcome, Request};
use shipboard_core::event::{DeploymentRow, TimelineEntry};
use shipboard_core::id::{DeploymentId, EventId, Slug};
use shipboard_core::report::{MAX_TEXT_CHARS, Report, ReportBody};
use shipboard_core::status::Status;
use shipboard_core::time::Timestamp;

use super::body::{Json, Query, Raw, json};
use super::gate::{Acting, InEnv, OfDeployment};
use super::problem::{Problem, ProblemBody};
use crate::app::App;
use crate::clock;
use crate::envs::birth;
use crate::store::{EnvKey, Filter, Page};
use crate::writer;

/// Most reports in one batch.
pub const MAX_BATCH: usize = 1_000;
/// Deployments on a page unless asked.
const PAGE: usize = 100;
/// Most deployments on a page.
pub(super) const MAX_PAGE: usize = 500;

/// One deployment after a report.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeploymentAnswer {
    /// Its row.
    deployment: Arc<DeploymentRow>,
    /// The env's head when it was read.
    event_id: EventId,
}

/// One deployment with its timeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeploymentDetails {
    /// Its row.
    deployment: Arc<DeploymentRow>,
    /// Its newest 500 entries, oldest first.
    timeline: Vec<TimelineEntry>,
    /// There are older entries.
    timeline_more: bool,
    /// The env's head when it was read.
    event_id: EventId,
}

/// A page of deployments.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeploymentList {
    /// Newest first.
    items: Vec<Arc<DeploymentRow>>,
    /// Where the next page begins (`after`); null: this is the last.
    next: Option<String>,
    /// The env's head when it was read.
    event_id: EventId,
}

/// Up to 1,000 reports.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Batch {
    /// Each a report; one that cannot be read harms no other.
    #[schema(value_type = Vec<ReportBody>)]
    reports: Reports,
}

/// The reports of a batch as they were sent: read one by one, since each value that nobody asks for would be many
/// times as large as its text.
#[derive(Debug)]
struct Reports {
    /// Not more than a batch may have.
    kept: Vec<Box<RawValue>>,
    has_more: bool,
}

impl<'de> Deserialize<'de> for Reports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Reports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Reports, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MAX_BATCH {
                    let Some(report) = list.next_element()? else {
                        return Ok(Reports { kept, has_more: false });
                    };
                    kept.push(report);
                }
                let mut has_more = false;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    has_more = true;
                }
                Ok(Reports { kept, has_more })
            }
        }

        deserializer.deserialize_seq(Each)
    }
}

/// What became of a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchAnswer {
    /// One for each report, in order.
    results: Vec<BatchResult>,
    /// The env's head after it.
    event_id: EventId,
}

/// What became of one report of a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchResult {
    /// 201 created, 200 known, else a problem's.
    status: u16,
    /// The deployment.
    id: Option<DeploymentId>,
    /// Why it was not taken.
    problem: Option<ProblemBody>,
}

/// Takes a report that may create a deployment.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments", tag = "deployments",
    params(("tenant" = String, Path), ("env" = String, Path), ("Idempotency-Key" = Option<String>, Header,
        description = "Makes a report without external_id safe to repeat for 24 h")),
    request_body = ReportBody,
    responses((status = 201, body = DeploymentAnswer), (status = 200, body = DeploymentAnswer,
        description = "The deployment was known"), (status = 410, description = "It was deleted")))]
pub async fn post(
    State(app): State<Arc<App>>,
    InEnv { key, .. }: InEnv,
    headers: HeaderMap,
    Raw(bytes): Raw,
) -> Result<(StatusCode, Answer<DeploymentAnswer>), Problem> {
    let report = Box::new(read(json(&bytes)?)?);
    let key_used = idempotency_key(&headers, &bytes)?;
    let request = Request::Post { report, new_id: clock::deployment_id(), key: key_used };
    let mut answer = app.writers.write(&key, vec![request], birth(&app, &key, None)).await?;
    answered(&mut answer).map(|(status, answer)| (status, Answer(answer)))
}

/// Takes a report on a known deployment.
#[utoipa::path(patch, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}", tag = "deployments",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path)),
    request_body = ReportBody,
    responses((status = 200, body = DeploymentAnswer), (status = 404), (status = 410)))]
pub async fn patch(
    State(app): State<Arc<App>>,
    OfDeployment { key, id, .. }: OfDeployment,
    Json(body): Json<ReportBody>,
) -> Result<Answer<DeploymentAnswer>, Problem> {
    let request = Request::Patch { id, report: Box::new(read(body)?) };
    let mut answer = app.writers.write(&key, vec![request], None).await?;
    answered(&mut answer).map(|(_, answer)| Answer(answer))
}

/// Takes up to 1,000 reports in one transaction.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments:batch", tag = "deployments",
    params(("tenant" = String, Path), ("env" = String, Path)), request_body = Batch,
    responses((status = 200, body = BatchAnswer)))]
pub async fn batch(
    State(app): State<Arc<App>>,
    InEnv { key, caller }: InEnv,
    Json(batch): Json<Batch>,
) -> Result<Answer<BatchAnswer>, Problem> {
    let read = read_each(batch)?;
    if let Some(subject) = caller.subject() {
        app.limits.charge_reports(subject, read.len().saturating_sub(1));
    }
    let mut requests = Vec::with_capacity(read.len());
    let mut unread = Vec::with_capacity(read.len());
    for report in read {
        match report {
            Ok(report) => {
                let new_id = clock::deployment_id();
                requests.push(Request::Post { report: Box::new(report), new_id, key: None });
                unread.push(None);
            }
            Err(problem) => unread.push(Some(problem)),
        }
    }
    let (outcomes, event_id) = if requests.is_empty() {
        (Vec::new(), app.store.env(&key).await?.map_or(EventId(0), |env| env.head))
    } else {
        let answer = app.writers.write(&key, requests, birth(&app, &key, None)).await?;
        (answer.outcomes, answer.event_id)
    };
    let mut outcomes = outcomes.into_iter();
    let result = |problem: Option<Problem>| match problem {
        Some(problem) => refused(&problem),
        None => match outcomes.next() {
            Some(Ok(Outcome::Created(id))) => BatchResult { status: 201, id: Some(id), problem: None },
            Some(Ok(Outcome::Known(id))) => BatchResult { status: 200, id: Some(id), problem: None },
            Some(Err(refusal)) => refused(&refusal.into()),
            Some(Ok(Outcome::Deleted)) | None => refused(&Problem::not_found()),
        },
    };
    let results = unread.into_iter().map(result).collect();
    Ok(Answer(BatchAnswer { results, event_id }))
}

/// Each report of a batch, or why it cannot be one.
pub(super) fn read_each(batch: Batch) -> Result<Vec<Result<Report, Problem>>, Problem> {
    let Reports { kept, has_more } = batch.reports;
    if has_more {
        return Err(Problem::invalid(format!("reports: at most {MAX_BATCH} in a batch")));
    }
    let body = |report: &RawValue| {
        if report.get().starts_with('{') {
            serde_json::from_str(report.get()).map_err(|error| Problem::invalid(without_place(&error)))
        } else {
            Err(Problem::invalid("a report must be a JSON object"))
        }
    };
    Ok(kept.iter().map(|report| body(report).and_then(read)).collect())
}

/// What is wrong with a report of several: where in its own text is of no help.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

fn refused(problem: &Problem) -> BatchResult {
    BatchResult { status: problem.status().as_u16(), id: None, problem: Some(problem.body(None)) }
}

/// Lists deployments, newest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments", tag = "deployments",
    params(("tenant" = String, Path), ("env" = String, Path),
        ("status" = Option<String>, Query, description = "One or more, repeated or with commas"),
        ("workflow" = Option<String>, Query, description = "One or more"), ("actor" = Option<String>, Query),
        ("q" = Option<String>, Query, description = "A sha's beginning, or part of a version, message or id"),
        ("since" = Option<String>, Query, description = "created_at from here on"),
        ("until" = Option<String>, Query, description = "created_at before this"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 500; 100 unless given")),
    responses((status = 200, body = DeploymentList), (status = 429)))]
pub async fn list(
    State(app): State<Arc<App>>,
    InEnv { key, caller }: InEnv,
    query: Query,
) -> Result<Answer<DeploymentList>, Problem> {
    let filter = filter(&query)?;
    let limit = query.limit(PAGE, MAX_PAGE)?;
    let page = match filter.text {
        Some(_) => search(&app, key, filter, limit, caller.subject()).await?,
        None => app.store.deployments(&key, &filter, limit).await?,
    };
    let next = page.rows.last().filter(|_| page.more);
    let next = next.map(|row| cursor(row.created_at, row.id));
    Ok(Answer(DeploymentList { items: page.rows, next, event_id: page.event_id }))
}

/// Searches, when it is its turn. In a task of its own: the database goes on with a search whose client has left, and
/// its turn lasts as long, or whoever leaves and asks again would have many at once.
async fn search(
    app: &Arc<App>,
    key: EnvKey,
    filter: Filter,
    limit: usize,
    subject: Option<&str>,
) -> Result<Page<Arc<DeploymentRow>>, Problem> {
    let busy =
        |limit| Problem::too_many(format!("{limit}: too many searches are under way; come back later"));
    let turn = app.limits.searches.turn(subject).await.map_err(busy)?;
    let searching = app.clone();
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.tasks.spawn(async move {
        let found = searching.store.deployments(&key, &filter, limit).await;
        drop(turn);
        let _ = answer.send(found);
    });
    Ok(answered.await.map_err(|_| Problem::not_found())??)
}

/// What a query string says of which deployments are wanted.
pub(super) fn filter(query: &Query) -> Result<Filter, Problem> {
    let status = |word: &str| {
        Status::parse(word).ok_or_else(|| Problem::invalid(format!("status: `{word}` is not a status")))
    };
    let workflow = |slug: &str| match slug.parse::<Slug>() {
        Ok(slug) => Ok(slug.to_string()),
        Err(error) => Err(Problem::invalid(format!("workflow: `{slug}` {error}"))),
    };
    let after = query.get("after").map(|cursor| {
        let place = cursor
            .split_once('_')
            .and_then(|(at, id)| Some((Timestamp::written_from_millis(at.parse().ok()?)?, id.parse().ok()?)));
        place.ok_or_else(|| Problem::invalid("after: is no cursor of this list"))
    });
    Ok(Filter {
        statuses: query.list("status", status)?,
        workflows: query.list("workflow", workflow)?,
        actor: query.text("actor")?.map(str::to_owned),
        text: query.text("q")?.map(str::to_lowercase),
        since: query.parsed("since")?,
        until: query.parsed("until")?,
        after: after.transpose()?,
    })
}

/// A deployment's place in the list.
pub(super) fn cursor(created_at: Timestamp, id: DeploymentId) -> String {
    format!("{}_{id}", created_at.as_millis())
}

/// One deployment with its timeline.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}", tag = "deployments",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = DeploymentDetails), (status = 404)))]
pub async fn get(
    State(app): State<Arc<App>>,
    OfDeployment { key, id, .. }: OfDeployment,
) -> Result<Answer<DeploymentDetails>, Problem> {
    let read = app.store.deployment(&key, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Answer(DeploymentDetails {
        deployment: read.row,
        timeline: read.timeline,
        timeline_more: read.timeline_more,
        event_id: read.event_id,
    }))
}

/// Removes a deployment; its identity stays taken.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}", tag = "deployments",
    params(("tenant" = String, Path), ("env" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404), (status = 410)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    OfDeployment { key, id, .. }: OfDeployment,
    Acting(actor): Acting,
) -> Result<StatusCode, Problem> {
    // Written down first: nothing is removed of which nobody knows who did it.
    let detail = serde_json::json!({"env": key.env});
    app.store.note(&actor.did("deployment.delete", Some(&key.tenant), &id.to_string(), detail)).await?;
    let answer = app.writers.write(&key, vec![Request::Delete { id }], None).await?;
    answer.outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
    Ok(StatusCode::NO_CONTENT)
}

/// A body as a report, or why it cannot be one.
pub(super) fn read(body: ReportBody) -> Result<Report, Problem> {
    Report::try_from(body).map_err(|error| {
        metrics::counter!("shipboard_refused_total", "reason" => "invalid_report").increment(1);
        Problem::invalid(error.to_string())
    })
}

fn idempotency_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<(String, String)>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_TEXT_CHARS);
    let key = key.ok_or_else(|| Problem::invalid("Idempotency-Key: must be 1 to 255 plain characters"))?;
    Ok(Some((key.to_owned(), hex::encode(Sha256::digest(body)))))
}

fn answered(answer: &mut writer::Answer) -> Result<(StatusCode, DeploymentAnswer), Problem> {
    let outcome = answer.outcomes.pop().ok_or_else(Problem::not_found)??;
    let (status, id) = match outcome {
        Outcome::Created(id) => (StatusCode::CREATED, id),
        Outcome::Known(id) => (StatusCode::OK, id),
        Outcome::Deleted => return Err(Problem::not_found()),
    };
    let deployment = answer.rows.remove(&id).ok_or_else(Problem::not_found)?;
    Ok((status, DeploymentAnswer { deployment, event_id: answer.event_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_batch_that_is_too_long_no_more_is_kept_than_one_may_have() {
        let batch = |reports: usize| {
            let reports = vec!["0"; reports].join(",");
            json::<Batch>(format!("{{\"reports\": [{reports}]}}").as_bytes()).unwrap()
        };
        assert_eq!(read_each(batch(MAX_BATCH)).map(|read| read.len()).ok(), Some(MAX_BATCH));
        let long = batch(500_000);
        assert_eq!(long.reports.kept.len(), MAX_BATCH);
        let refused = read_each(long).unwrap_err();
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn a_report_that_cannot_be_read_harms_no_other_and_is_told_why_in_its_own_words() {
        let body = br#"{"reports": [{"workflow": 7}, ["web"], {"workflow": "web", "x": 1e400}, {"workflow": "a", "percent": {}}]}"#;
        let read = read_each(json(body).unwrap()).unwrap();
        let told: Vec<String> = read
            .into_iter()
            .map(|report| {
                report.map_or_else(|problem| format!("{:?}", problem.body(None)), |_| String::new())
            })
            .collect();
        assert!(told[0].contains("invalid type: integer `7`") && !told[0].contains("column"), "{}", told[0]);
        assert!(told[1].contains("a report must be a JSON object"), "{}", told[1]);
        assert_eq!(told[2..], ["", ""]);
        assert!(json::<Batch>(br#"{"reports": [{]}"#).is_err());
        assert!(json::<Batch>(br#"{"reports": {}}"#).is_err());
        assert!(json::<Batch>(b"{}").is_err());
    }
}
