//! Webhooks: verified over the raw bytes, read by `crate::hooks`, handed to the writer.
//!
//! Whatever is not to be, a wrong signature, a foreign tenant, looks the same from outside. A signed delivery
//! is taken once: what was written is kept in mind after it was written, so that none is lost in between.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, State};
use axum::http::HeaderMap;
use serde::Serialize;
use shipboard_core::decide::{Refusal, Request};
use shipboard_core::id::Slug;
use shipboard_core::report::Report;

use super::body::{Query, Raw};
use super::client::Client;
use super::problem::Problem;
use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::config::AuthMode;
use crate::credentials::MOST_SECRETS;
use crate::envs::birth;
use crate::hooks::{Delivery, EnvReport, Source};
use crate::store::{EnvKey, StoreError};
use crate::writer::WriteError;

/// What became of a delivery.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct HookAnswer {
    /// Reports it held that were taken.
    taken: usize,
    /// Reports it held that were not, e.g. of a deployment that was deleted.
    refused: usize,
    /// It was taken before, and nothing was done.
    repeated: bool,
}

/// Whose a delivery is that was let in.
struct Admitted {
    tenant: Slug,
    source: Source,
    signed: bool,
}

/// A delivery that was let in and read.
struct Told {
    tenant: Slug,
    source: Source,
    reports: Vec<EnvReport>,
    /// By which it is known again; none of one that nobody signed.
    keys: Vec<String>,
}

/// Takes a delivery.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/hooks/{source}", tag = "hooks",
    params(("tenant" = String, Path),
        ("source" = String, Path, description = "`github`, `gitlab`, `argocd` or `cdevents`"),
        ("env" = Option<String>, Query, description = "`cdevents`: the environment of pipeline runs, which name none"),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "All but `gitlab`"),
        ("Authorization" = Option<String>, Header, description = "`argocd`, `cdevents`: the secret as Bearer token, instead"),
        ("X-GitHub-Event" = Option<String>, Header, description = "`github`"),
        ("X-GitHub-Delivery" = Option<String>, Header, description = "`github`"),
        ("X-Gitlab-Token" = Option<String>, Header, description = "`gitlab`, or `webhook-id`, `webhook-timestamp` and `webhook-signature`"),
        ("Idempotency-Key" = Option<String>, Header, description = "`gitlab`")),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = HookAnswer), (status = 401)))]
pub async fn take(
    State(app): State<Arc<App>>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    Client(address): Client,
    query: Query,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Answer<HookAnswer>, Problem> {
    let told = tell(&app, addressee(path.ok()), address, &query, &headers, &body)?;
    drop(body);
    metrics::counter!("shipboard_hook_deliveries_total", "source" => told.source.word()).increment(1);
    // In a task of its own: a sender who leaves between two envs leaves none of them unwritten.
    let writing = app.clone();
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.tasks.spawn(async move {
        let _ = answer.send(once(&writing, told).await);
    });
    answered.await.map_err(|_| Problem::not_found())?.map(Answer)
}

/// What a delivery tells, if it may come in; it is paid for by then.
fn tell(
    app: &App,
    (tenant, source): (Option<Slug>, Option<Source>),
    address: IpAddr,
    query: &Query,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Told, Problem> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let delivery = Delivery { headers: &header, env: query.get("env"), body };
    let Some(admitted) = admit(app, (tenant.as_ref(), source), &delivery) else {
        metrics::counter!("shipboard_refused_total", "reason" => "hook_signature").increment(1);
        app.limits.admit_stranger(address)?;
        // In a tenant's log only where there is something to be signed with: strangers make no tenants.
        let tenant = tenant
            .zip(source)
            .filter(|(tenant, source)| !app.access.hook_secrets(tenant, source.word()).is_empty());
        let source = source.map_or("unknown", Source::word);
        let of_tenant = tenant.as_ref().map(|(tenant, _)| tenant);
        app.refusals.count(Actor::unknown(address), of_tenant, &format!("webhook {source}"));
        return Err(Problem::unsigned());
    };
    // Nobody but the source itself uses up what is the source's.
    let payer = format!("hook:{}/{}", admitted.tenant, admitted.source.word());
    app.limits.admit_report(&payer)?;
    // Before it is read: what cannot be read has come all the same.
    app.limits.charge_bytes(&payer, body.len());
    let told = admitted.read(&delivery)?;
    app.limits.charge_reports(&payer, told.reports.len().saturating_sub(1));
    Ok(told)
}

/// Finds out whose it is, and whether it may come in. None: it may not.
fn admit(
    app: &App,
    (tenant, source): (Option<&Slug>, Option<Source>),
    delivery: &Delivery<'_>,
) -> Option<Admitted> {
    let to = tenant.zip(source);
    let secrets = to.as_ref().map(|(tenant, source)| app.access.hook_secrets(tenant, source.word()));
    let secrets = secrets.unwrap_or_default();
    let unsigned = secrets.is_empty() && app.access.mode() == AuthMode::Open;
    let signed = is_signed(source.unwrap_or(Source::Github), secrets, delivery);
    let (tenant, source) = to.filter(|_| unsigned || signed)?;
    Some(Admitted { tenant: tenant.clone(), source, signed })
}

impl Admitted {
    /// Reads what it says.
    fn read(self, delivery: &Delivery<'_>) -> Result<Told, Problem> {
        let Self { tenant, source, signed } = self;
        let reports = source.read(delivery).map_err(|error| Problem::malformed(error.to_string()))?;
        // What anybody may send, anybody may send again; and nobody's may stand in the way of what is signed.
        let keys = if signed { source.keys(delivery) } else { Vec::new() };
        Ok(Told { tenant, source, reports, keys })
    }
}

/// The tenant a delivery is for, and the source it is of, where they can be one.
fn addressee(path: Option<RawPathParams>) -> (Option<Slug>, Option<Source>) {
    let Some(path) = path else { return (None, None) };
    let named = |name: &str| path.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    (named("tenant").and_then(|tenant| tenant.parse().ok()), named("source").and_then(Source::of))
}

/// Signed with one of the secrets.
fn is_signed(source: Source, secrets: Vec<String>, delivery: &Delivery<'_>) -> bool {
    source.is_signed(&tried(secrets), delivery, clock::now())
}

/// As many secrets as one may have, of which some may be nobody's: from the time an answer takes nobody learns which
/// tenants there are, which have a secret, and which are changing theirs. And that is all that a stranger's delivery costs,
/// which has to be looked at however many they send: a known source may be at the same address.
fn tried(mut secrets: Vec<String>) -> Vec<String> {
    secrets.resize_with(MOST_SECRETS, clock::secret);
    secrets
}

/// Writes what was told, unless it was before. What was refused or ignored may be delivered again: it has changed
/// nothing, and some of it, e.g. of an env that was not there or that the address does not name, may be taken then.
async fn once(app: &App, told: Told) -> Result<HookAnswer, Problem> {
    let Told { tenant, source, reports, keys } = told;
    if !keys.is_empty() && app.store.knows_delivery(&tenant, source.word(), &keys).await? {
        metrics::counter!("shipboard_hook_repeats_total", "source" => source.word()).increment(1);
        return Ok(HookAnswer { repeated: true, ..HookAnswer::default() });
    }
    let answer = write(app, &tenant, reports).await?;
    if !keys.is_empty() && answer.taken > 0 && answer.refused == 0 {
        app.store.keep_delivery(&tenant, source.word(), &keys, clock::now()).await?;
    }
    Ok(answer)
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
        let (of_one, of_the_current): (Vec<_>, Vec<_>) =
            reports.into_iter().partition(|report| report.external_id.is_some());
        if !of_one.is_empty() {
            write_known(app, &key, &name, of_one, &mut answer).await?;
        }
        // After the others, which may be of what is current by them.
        for report in of_the_current {
            let Some(request) = of_the_current_one(app, &key, report).await? else {
                answer.refused += 1;
                continue;
            };
            let outcomes = app.writers.write(&key, vec![request], None).await?.outcomes;
            answer.refused += outcomes.iter().filter(|outcome| outcome.is_err()).count();
            answer.taken += outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        }
    }
    Ok(answer)
}

fn post(report: Report) -> Request {
    Request::Post { report: Box::new(report), new_id: clock::deployment_id(), key: None }
}

/// Writes reports that say which deployments they are of.
async fn write_known(
    app: &App,
    key: &EnvKey,
    env_name: &str,
    reports: Vec<Report>,
    answer: &mut HookAnswer,
) -> Result<(), Problem> {
    let birth = birth(app, key, Some(env_name));
    let sent: Vec<Request> = reports.iter().cloned().map(post).collect();
    let outcomes = match app.writers.write(key, sent, birth).await {
        Ok(written) => written.outcomes,
        // An env that is not to be is no fault of the delivery's: a 404 would be repeated, and in vain.
        Err(WriteError::NoEnv) => {
            answer.refused += reports.len();
            return Ok(());
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
        let again = app.writers.write(key, renamed, None).await?.outcomes;
        let taken = again.iter().filter(|outcome| outcome.is_ok()).count();
        answer.taken += taken;
        answer.refused -= taken;
    }
    Ok(())
}

/// A report on whatever is current of its workflow. None: nothing is, or it became so after what is told.
async fn of_the_current_one(app: &App, key: &EnvKey, report: Report) -> Result<Option<Request>, StoreError> {
    let Some(workflow) = &report.workflow else { return Ok(None) };
    let found = app.store.workflow(key, workflow).await?;
    let current = found.and_then(|(row, _)| row.current.clone());
    let current = current.filter(|current| report.occurred_at.is_none_or(|at| current.since <= at));
    Ok(current.map(|current| Request::Patch { id: current.deployment_id, report: Box::new(report) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_everybody_the_same_number_of_secrets_is_tried() {
        for has in 0..=MOST_SECRETS + 2 {
            let theirs: Vec<String> = (0..has).map(|n| n.to_string()).collect();
            let tried = tried(theirs.clone());
            let kept = has.min(MOST_SECRETS);
            assert_eq!((tried.len(), &tried[..kept]), (MOST_SECRETS, &theirs[..kept]));
            assert!(tried.iter().all(|secret| !secret.is_empty()), "{has}");
        }
    }
}
