//! Webhooks: verified over the raw bytes, read by `crate::hooks`, handed to the writer.
//!
//! Whatever is not to be, a wrong signature, a foreign tenant, looks the same from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderMap, header};
use serde::Serialize;
use shipboard_core::decide::{Refusal, Request};
use shipboard_core::id::Slug;
use shipboard_core::report::Report;

use super::body::Raw;
use super::problem::Problem;
use crate::app::App;
use crate::clock;
use crate::config::AuthMode;
use crate::envs::birth;
use crate::hooks::{EnvReport, github as source};
use crate::store::EnvKey;
use crate::writer::WriteError;

/// What became of a delivery.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct HookAnswer {
    /// Reports it held that were taken.
    taken: usize,
    /// Reports it held that were not, e.g. of a deployment that was deleted.
    refused: usize,
}

/// Takes a delivery.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/hooks/{source}", tag = "hooks",
    params(("tenant" = String, Path), ("source" = String, Path, description = "github"),
        ("X-GitHub-Event" = String, Header), ("X-Hub-Signature-256" = Option<String>, Header)),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = HookAnswer), (status = 401)))]
pub async fn take(
    State(app): State<Arc<App>>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Answer<HookAnswer>, Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let tenant = addressee(path.ok());
    let secrets = tenant.as_ref().map(|tenant| app.access.hook_secrets(tenant, source::SOURCE));
    let secrets = secrets.unwrap_or_default();
    let unsigned = secrets.is_empty() && app.access.mode() == AuthMode::Open;
    let allowed = unsigned || is_signed(secrets, text("x-hub-signature-256"), &body);
    let Some(tenant) = tenant.filter(|_| allowed) else {
        metrics::counter!("shipboard_refused_total", "reason" => "hook_signature").increment(1);
        return Err(Problem::unauthorized());
    };
    let event = text("x-github-event").ok_or_else(|| Problem::malformed("X-GitHub-Event is missing"))?;
    let content_type = text(header::CONTENT_TYPE.as_str());
    let reports =
        source::read(event, content_type, &body).map_err(|error| Problem::malformed(error.to_string()))?;
    metrics::counter!("shipboard_hook_deliveries_total", "source" => source::SOURCE).increment(1);
    // In a task of its own: a sender who leaves between two envs leaves none of them unwritten.
    let writing = app.clone();
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.tasks.spawn(async move {
        let _ = answer.send(write(&writing, &tenant, reports).await);
    });
    answered.await.map_err(|_| Problem::not_found())?.map(Answer)
}

/// The tenant a delivery is for; `None`: it, or the source, is none.
fn addressee(path: Option<RawPathParams>) -> Option<Slug> {
    let path = path?;
    let named = |name: &str| path.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    named("source").filter(|source| *source == source::SOURCE)?;
    named("tenant")?.parse().ok()
}

/// Signed with one of the secrets. Without any a signature is computed all the same, so that nobody learns
/// from the time an answer takes which tenants there are, and which of them have one.
fn is_signed(secrets: Vec<String>, signature: Option<&str>, body: &[u8]) -> bool {
    let known = !secrets.is_empty();
    let secrets = if known { secrets } else { vec!["nobody's".to_owned()] };
    source::verify(&secrets, signature, body) && known
}

/// Hands a delivery's reports over, those of each env together.
async fn write(app: &App, tenant: &Slug, reports: Vec<EnvReport>) -> Result<HookAnswer, Problem> {
    let mut envs: BTreeMap<Slug, (String, Vec<Report>)> = BTreeMap::new();
    for EnvReport { env, env_name, report } in reports {
        envs.entry(env).or_insert_with(|| (env_name, Vec::new())).1.push(report);
    }
    let mut answer = HookAnswer::default();
    for (env, (name, reports)) in envs {
        let key = EnvKey { tenant: tenant.clone(), env };
        let post =
            |report| Request::Post { report: Box::new(report), new_id: clock::deployment_id(), key: None };
        let birth = birth(app, &key, Some(&name));
        let sent: Vec<Request> = reports.iter().cloned().map(post).collect();
        let outcomes = match app.writers.write(&key, sent, birth).await {
            Ok(answer) => answer.outcomes,
            // An env that is not to be is no fault of the delivery's: a 404 would be repeated, and in vain.
            Err(WriteError::NoEnv) => {
                answer.refused += reports.len();
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // A source may call a job otherwise later on; what the deployment is of was said first.
        let renamed = reports.into_iter().zip(&outcomes).filter_map(|(report, outcome)| match outcome {
            Err(Refusal::OtherWorkflow(_)) => Some(post(Report { workflow: None, ..report })),
            _ => None,
        });
        let renamed: Vec<Request> = renamed.collect();
        answer.refused += outcomes.iter().filter(|outcome| outcome.is_err()).count();
        answer.taken += outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        if !renamed.is_empty() {
            let again = app.writers.write(&key, renamed, None).await?.outcomes;
            let taken = again.iter().filter(|outcome| outcome.is_ok()).count();
            answer.taken += taken;
            answer.refused -= taken;
        }
    }
    Ok(answer)
}
