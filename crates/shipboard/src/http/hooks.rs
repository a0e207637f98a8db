//! Webhooks: verified over the raw bytes, read by `crate::hooks`, handed to the writer.
//!
//! Whatever is not to be, a wrong signature, a foreign tenant, looks the same from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
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

/// What became of a delivery.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct HookAnswer {
    /// Reports it held that were taken.
    taken: usize,
    /// Reports it held that were not, e.g. of a deployment that was deleted.
    refused: usize,
}

/// Takes a delivery of GitHub's.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/hooks/github", tag = "hooks",
    params(("tenant" = String, Path), ("X-GitHub-Event" = String, Header),
        ("X-Hub-Signature-256" = Option<String>, Header)),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = HookAnswer), (status = 401)))]
pub async fn github(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Answer<HookAnswer>, Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || {
        metrics::counter!("shipboard_refused_total", "reason" => "hook_signature").increment(1);
        Problem::unauthorized()
    };
    let tenant: Slug = tenant.parse().map_err(|_| refused())?;
    let secrets = app.access.hook_secrets(&tenant, source::SOURCE);
    let unsigned = secrets.is_empty() && app.access.mode() == AuthMode::Open;
    if !unsigned && !source::verify(&secrets, text("x-hub-signature-256"), &body) {
        return Err(refused());
    }
    let event = text("x-github-event").ok_or_else(|| Problem::malformed("X-GitHub-Event is missing"))?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let reports =
        source::read(event, content_type, &body).map_err(|error| Problem::malformed(error.to_string()))?;
    metrics::counter!("shipboard_hook_deliveries_total", "source" => source::SOURCE).increment(1);
    take(&app, &tenant, reports).await.map(Answer)
}

/// Hands a delivery's reports over, those of each env together.
async fn take(app: &App, tenant: &Slug, reports: Vec<EnvReport>) -> Result<HookAnswer, Problem> {
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
        let outcomes = app.writers.write(&key, sent, birth).await?.outcomes;
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
