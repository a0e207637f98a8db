//! CDEvents, as CloudEvents carry them: whole in the body, in `data`, several in a list, or bare.
//!
//! A service that was deployed, upgraded or rolled back is a deployment that has succeeded; the standard has no
//! beginning for one. A pipeline's run is a deployment where an environment is known for it, and its task runs are
//! its steps. What headers say of an event is said in the body too, which is what was signed.

mod payload;
#[cfg(test)]
mod tests;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shipboard_core::id::Slug;
use shipboard_core::report::{Report, ReportBody, StepBody};
use shipboard_core::time::Timestamp;

use self::payload::{Content, Event};
use super::{EnvReport, HookError};
use crate::foreign::{brief, link, name};

/// What every report from here has as its source.
pub(super) const SOURCE: &str = "cdevents";
/// What the standard's own types begin with.
const TYPE: &str = "dev.cdevents.";
/// Order within a moment.
const QUEUED: i64 = 0;
const RUNNING: i64 = 1;
const ENDED: i64 = 2;

/// Reads a delivery. `env`: where runs are counted that name no environment, if anywhere.
pub(super) fn read(body: &[u8], env: Option<&str>) -> Result<Vec<EnvReport>, HookError> {
    let mut reports = Vec::new();
    for event in payload::events(body)? {
        reports.extend(told(&event, env)?);
    }
    Ok(reports)
}

/// Source and id of a single event, which are the same whenever it is sent. A list is known by its bytes.
pub(super) fn id(body: &[u8]) -> Option<String> {
    let events = payload::events(body).ok()?;
    let [event] = &events[..] else { return None };
    let source = event.context.source.as_deref().unwrap_or_default();
    Some(format!("{source}\0{}", event.context.id.as_deref()?))
}

fn told(event: &Event, env: Option<&str>) -> Result<Option<EnvReport>, HookError> {
    let kind = name(event.context.kind.as_deref()).ok_or(HookError::Missing("context.type"))?;
    let Some((subject, rest)) = kind.strip_prefix(TYPE).and_then(|kind| kind.split_once('.')) else {
        return Ok(None);
    };
    let predicate = rest.split('.').next().unwrap_or_default();
    let content = &event.subject.content;
    let own_env = content.environment.as_ref().and_then(|environment| name(environment.id.as_deref()));
    let Some(env_name) = own_env.or_else(|| name(env)) else { return Ok(None) };
    let body = match (subject, predicate) {
        ("service", "deployed" | "upgraded" | "rolledback") => deployed(event, env_name, predicate)?,
        ("service", "removed") => ReportBody {
            status: Some("removed".to_owned()),
            workflow: Some(event.subject_id()?.to_owned()),
            ..ReportBody::default()
        },
        ("pipelinerun", "queued" | "started" | "finished") => run(event, predicate)?,
        ("taskrun", "started" | "finished") => task(event, predicate)?,
        _ => return Ok(None),
    };
    let workflow_name = body.workflow.clone();
    let report = Report::try_from(ReportBody {
        source: Some(SOURCE.to_owned()),
        workflow: workflow_name.as_deref().map(|name| Slug::from_foreign(name).to_string()),
        occurred_at: moment(event.context.timestamp.as_deref()),
        // A word nobody knows may be of any length.
        status: brief(body.status.as_deref()),
        ..body
    })?;
    let report = Report { workflow_name: brief(workflow_name.as_deref()), ..report };
    let shown = brief(Some(env_name)).unwrap_or_default();
    Ok(Some(EnvReport { env: Slug::from_foreign(env_name), env_name: shown, report }))
}

/// That a service runs in an environment now. There is no deployment's id: what is said stands in.
fn deployed(event: &Event, env: &str, predicate: &str) -> Result<ReportBody, HookError> {
    let service = event.subject_id()?;
    let artifact = event.subject.content.artifact_id.as_deref();
    let id = event.context.id.as_deref().ok_or(HookError::Missing("context.id"))?;
    let parts = [event.subject_source(), service, env, artifact.unwrap_or_default(), id];
    Ok(ReportBody {
        external_id: Some(format!("service/{}", hash(&parts))),
        workflow: Some(service.to_owned()),
        status: Some("success".to_owned()),
        sequence: Some(ENDED),
        kind: (predicate == "rolledback").then(|| "rollback".to_owned()),
        version: artifact.and_then(version),
        ..ReportBody::default()
    })
}

fn run(event: &Event, predicate: &str) -> Result<ReportBody, HookError> {
    let content = &event.subject.content;
    let (status, sequence) = match predicate {
        "queued" => ("queued", QUEUED),
        "started" => ("running", RUNNING),
        _ => (ended(content), ENDED),
    };
    let page = link(content.uri.as_deref()).or_else(|| link(content.url.as_deref()));
    let unknown = (status == "lost").then(|| "It has finished; how was not said".to_owned());
    Ok(ReportBody {
        external_id: Some(run_id(event.subject_source(), event.subject_id()?)),
        // A run's later events need not name it again.
        workflow: name(content.pipeline_name.as_deref()).map(str::to_owned),
        status: Some(status.to_owned()),
        sequence: Some(sequence),
        url: page,
        message: content.errors.clone().or(unknown),
        ..ReportBody::default()
    })
}

/// A task's run: a step of its pipeline's, which the pipeline's own events have made known.
fn task(event: &Event, predicate: &str) -> Result<ReportBody, HookError> {
    let content = &event.subject.content;
    let parent = content.pipeline_run.as_ref();
    let parent_id = parent.and_then(|parent| name(parent.id.as_deref()));
    let parent_id = parent_id.ok_or(HookError::Missing("subject.content.pipelineRun.id"))?;
    let parent_source = parent.and_then(|parent| name(parent.source.as_deref()));
    let task = brief(content.task_name.as_deref().or(event.subject.id.as_deref()));
    let (status, sequence) = match predicate {
        "started" => ("running", RUNNING),
        _ => (ended(content), ENDED),
    };
    let name = Some(task.ok_or(HookError::Missing("subject.content.taskName"))?);
    Ok(ReportBody {
        external_id: Some(run_id(parent_source.unwrap_or(event.subject_source()), parent_id)),
        step: Some(StepBody { name, status: brief(Some(status)) }),
        sequence: Some(sequence),
        message: content.errors.clone(),
        ..ReportBody::default()
    })
}

/// How a run went. The outcome may be left out: then nobody knows, and it is no success.
fn ended(content: &Content) -> &str {
    let outcome = name(content.outcome.as_deref()).unwrap_or("lost");
    match outcome.to_ascii_lowercase().as_str() {
        "failure" | "error" => "failed",
        "cancel" => "cancelled",
        _ => outcome,
    }
}

/// An id is one only together with its source.
fn run_id(source: &str, id: &str) -> String {
    format!("run/{}", hash(&[source, id]))
}

fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..16])
}

/// The version in a package URL: its tag, if it has one, else what stands behind the `@`.
fn version(artifact: &str) -> Option<String> {
    let artifact = artifact.split('#').next().unwrap_or_default();
    let (path, qualifiers) = artifact.split_once('?').unwrap_or((artifact, ""));
    let tag = form_urlencoded::parse(qualifiers.as_bytes()).find(|(key, _)| key == "tag");
    if let Some(tag) = tag.and_then(|(_, tag)| brief(Some(&tag))) {
        return Some(tag);
    }
    let (_, encoded) = path.rsplit_once('@')?;
    // A form's decoding but for the plus sign, which means itself here.
    let encoded = encoded.replace('+', "%2B");
    let decoded = form_urlencoded::parse(encoded.as_bytes()).next().map(|(version, _)| version.into_owned());
    brief(decoded.as_deref())
}

/// A time as a report takes it. One that cannot be read is left out: then the receipt counts.
fn moment(at: Option<&str>) -> Option<String> {
    at.filter(|at| at.parse::<Timestamp>().is_ok()).map(str::to_owned)
}

/// A JSON value that is an object with this field.
fn has(value: &Value, field: &str) -> bool {
    value.get(field).is_some_and(|value| !value.is_null())
}
