//! Argo CD's notifications: `{"app": …}`, with `environment` if the template names one.
//!
//! An application's sync operation is a deployment, from its start to the end of its rollout: succeeded is what
//! was synced and is healthy. Operations have no id; the application's and the moment of the start stand in. An
//! application without an operation is none, and its deletion takes away whatever is current of it.

mod payload;
#[cfg(test)]
mod tests;

use shipboard_core::id::Slug;
use shipboard_core::report::{CommitBody, ProgressBody, Report, ReportBody};
use shipboard_core::time::Timestamp;

use self::payload::{App, Notification, Operation};
use super::{EnvReport, HookError};
use crate::foreign::{brief, link, name};

/// What every report from here has as its source.
pub(super) const SOURCE: &str = "argocd";
/// Argo CD's own cluster, by address and by name.
const OWN_CLUSTER: [&str; 2] = ["https://kubernetes.default.svc", "in-cluster"];
/// How much of a commit's hash stands for a version.
const SHORT_SHA: usize = 7;
/// A change of health this long after the sync is the application's life, and no part of the rollout.
const MAX_ROLLOUT_MS: i64 = 3_600_000;
/// Order within a second, which is as fine as Argo CD's times are.
const RUNNING: i64 = 1;
const WAITING: i64 = 2;
const ENDED: i64 = 3;

/// Reads a delivery.
pub(super) fn read(body: &[u8]) -> Result<Vec<EnvReport>, HookError> {
    let told: Notification = serde_json::from_slice(body)?;
    let app = told.app.as_ref().ok_or(HookError::Missing("app"))?;
    let Some(env_name) = env_name(&told, app) else { return Ok(Vec::new()) };
    let mut reports = Vec::new();
    if let Some(operation) = app.status.as_ref().and_then(|status| status.operation_state.as_ref()) {
        let uid = name(app.metadata.uid.as_deref()).ok_or(HookError::Missing("app.metadata.uid"))?;
        let started_at = operation.started_at.as_deref();
        let started_at = started_at.ok_or(HookError::Missing("app.status.operationState.startedAt"))?;
        let external_id = brief(Some(&format!("{uid}/{started_at}")));
        for body in operation_told(&told, app, operation)? {
            reports.push(report(app, &env_name, ReportBody { external_id: external_id.clone(), ..body })?);
        }
    }
    if let Some(at) = app.metadata.deletion_timestamp.as_deref() {
        let removed = ReportBody {
            status: Some("removed".to_owned()),
            occurred_at: moment(Some(at)).map(|at| at.to_string()),
            ..ReportBody::default()
        };
        reports.push(report(app, &env_name, removed)?);
    }
    Ok(reports)
}

/// Where it is deployed: what the template says, else the namespace, with its cluster before it unless that is
/// the one that Argo CD runs in.
fn env_name(told: &Notification, app: &App) -> Option<String> {
    if let Some(named) = name(told.environment.as_deref()) {
        return Some(named.to_owned());
    }
    let destination = app.spec.as_ref()?.destination.as_ref()?;
    let namespace = name(destination.namespace.as_deref());
    let cluster = name(destination.name.as_deref()).or_else(|| name(destination.server.as_deref()));
    let cluster = cluster.map(|cluster| cluster.trim_end_matches('/'));
    let cluster = cluster.filter(|cluster| !OWN_CLUSTER.contains(cluster)).map(host);
    match (cluster, namespace) {
        (Some(cluster), Some(namespace)) => Some(format!("{cluster}/{namespace}")),
        (Some(alone), None) | (None, Some(alone)) => Some(alone.to_owned()),
        (None, None) => None,
    }
}

/// An address without what stands before its host; a name as it is.
fn host(cluster: &str) -> &str {
    cluster.split_once("://").map_or(cluster, |(_, host)| host)
}

fn report(app: &App, env_name: &str, body: ReportBody) -> Result<EnvReport, HookError> {
    let workflow = name(app.metadata.name.as_deref()).ok_or(HookError::Missing("app.metadata.name"))?;
    let report = Report::try_from(ReportBody {
        source: Some(SOURCE.to_owned()),
        workflow: Some(Slug::from_foreign(workflow).to_string()),
        ..body
    })?;
    let report = Report { workflow_name: brief(Some(workflow)), ..report };
    let shown = brief(Some(env_name)).unwrap_or_default();
    Ok(EnvReport { env: Slug::from_foreign(env_name), env_name: shown, report })
}

/// What a notification says of the operation: its beginning, and how it stands.
fn operation_told(
    told: &Notification,
    app: &App,
    operation: &Operation,
) -> Result<Vec<ReportBody>, HookError> {
    let phase = operation.phase.as_deref().ok_or(HookError::Missing("app.status.operationState.phase"))?;
    let mut bodies = vec![opening(told, app, operation)];
    bodies.extend(stand(app, operation, phase));
    if let Some(percent) = percent(operation).filter(|_| phase == "Running") {
        let progress = ProgressBody { percent: Some(percent), ..ProgressBody::default() };
        bodies.push(ReportBody { progress: Some(progress), ..ReportBody::default() });
    }
    Ok(bodies)
}

fn opening(told: &Notification, app: &App, operation: &Operation) -> ReportBody {
    let revisions = operation.revisions();
    let sha = revisions.iter().copied().find(|revision| is_sha(revision));
    let by = operation.asked.as_ref().and_then(|asked| asked.initiated_by.as_ref());
    let automated = by.is_some_and(|by| by.automated.unwrap_or(false)).then(|| "automated".to_owned());
    ReportBody {
        status: Some("running".to_owned()),
        occurred_at: moment(operation.started_at.as_deref()).map(|at| at.to_string()),
        sequence: Some(RUNNING),
        version: version(&revisions),
        commit: sha.map(|sha| CommitBody { sha: brief(Some(sha)), ..CommitBody::default() }),
        actor: by.and_then(|by| brief(by.username.as_deref())).or(automated),
        url: page(told, app),
        ..ReportBody::default()
    }
}

/// How the operation stands beyond having begun. `Succeeded` says that the manifests were applied; whether what
/// they describe came up is the application's health to say.
fn stand(app: &App, operation: &Operation, phase: &str) -> Option<ReportBody> {
    let finished = moment(operation.finished_at.as_deref());
    let health = app.status.as_ref().and_then(|status| status.health.as_ref());
    let turned = health.and_then(|health| moment(health.last_transition_time.as_deref()));
    let is_late = finished.zip(turned).is_some_and(|(end, turned)| turned.millis_since(end) > MAX_ROLLOUT_MS);
    let rolled_out = if is_late { finished } else { finished.max(turned) };
    let (status, sequence, at) = match phase {
        "Failed" | "Error" => ("failed", ENDED, finished),
        "Succeeded" => match health.and_then(|health| health.status.as_deref()) {
            Some("Healthy") => ("success", ENDED, rolled_out),
            Some("Degraded") if !is_late => ("failed", ENDED, rolled_out),
            Some("Suspended") if !is_late => ("waiting", WAITING, rolled_out),
            // Nobody looks after what has no health, e.g. an application of nothing but configuration.
            None => ("success", ENDED, finished),
            Some(_) => return None,
        },
        "Running" | "Terminating" => return None,
        other => (other, RUNNING, finished),
    };
    Some(ReportBody {
        status: Some(brief(Some(status)).unwrap_or_default()),
        occurred_at: at.map(|at| at.to_string()),
        sequence: Some(sequence),
        message: operation.message.clone(),
        ..ReportBody::default()
    })
}

/// Of what is synced, how much has been applied.
fn percent(operation: &Operation) -> Option<f64> {
    let resources = operation.sync_result.as_ref()?.resources.as_ref()?;
    let is_done = |status: &str| matches!(status, "Synced" | "Pruned" | "PruneSkipped");
    let done = resources.iter().filter(|resource| resource.status.as_deref().is_some_and(is_done)).count();
    (done > 0).then(|| (done as f64 * 100.0 / resources.len() as f64).floor())
}

/// Of several sources the chart's version, which is the first that is no commit; else the short hash.
fn version(revisions: &[&str]) -> Option<String> {
    let named = revisions.iter().copied().find(|revision| !is_sha(revision));
    brief(named).or_else(|| Some(brief(revisions.first().copied())?.chars().take(SHORT_SHA).collect()))
}

fn is_sha(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The application's page.
fn page(told: &Notification, app: &App) -> Option<String> {
    let home = told.context.as_ref()?.argocd_url.as_deref()?.trim_end_matches('/');
    let app_name = name(app.metadata.name.as_deref())?;
    let namespace = name(app.metadata.namespace.as_deref());
    let namespace = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
    link(Some(&format!("{home}/applications/{namespace}{app_name}")))
}

/// A time that can be read; else the receipt counts.
fn moment(at: Option<&str>) -> Option<Timestamp> {
    at?.parse().ok()
}
