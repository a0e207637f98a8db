//! `workflow_job`: a run's job, its beginning, its steps and its end.
//!
//! Every delivery tells all that is known so far, in order; what an earlier one told is a repeat. No
//! duration is read: it follows from the times. A job without an environment is nobody's deployment.

use shipboard_core::report::{ProgressBody, ReportBody, StepBody};

use super::payload::{Delivery, Step, WorkflowJob};
use super::{Identity, moment, words, workflow_name};
use crate::foreign::{brief, link, name};
use crate::hooks::{EnvReport, HookError};

/// Most steps read of a job; GitHub itself allows fewer.
const MAX_STEPS: usize = 1_000;
/// Order within a second, which is as fine as GitHub's times are. (0 is the deployment's opening.)
const WAITING: i64 = 1;
const RUNNING: i64 = 2;
const ENDED: i64 = 3;

pub(super) fn read(delivery: &Delivery) -> Result<Vec<EnvReport>, HookError> {
    let job = delivery.workflow_job.as_ref().ok_or(HookError::Missing("workflow_job"))?;
    let Some(deployment) = &delivery.deployment else { return Ok(Vec::new()) };
    let Some(env) = name(deployment.environment.as_deref()) else { return Ok(Vec::new()) };
    let run_id = job.run_id.ok_or(HookError::Missing("workflow_job.run_id"))?;
    let job_name = name(job.name.as_deref()).ok_or(HookError::Missing("workflow_job.name"))?;
    let workflow = workflow_name(delivery, job.workflow_name.as_deref())?;
    let identity = Identity::of_job(delivery, env, run_id, job.run_attempt, job_name, workflow)?;

    let word = job.status.as_deref().ok_or(HookError::Missing("workflow_job.status"))?;
    let status = words::status_of_job(word, job.conclusion.as_deref());
    let steps: Vec<&Step> = job.steps.iter().flatten().take(MAX_STEPS).collect();
    let mut told = vec![identity.opening(delivery, deployment)?];
    if let Some(started) = running(delivery, job, status, &steps) {
        told.push(identity.report(started)?);
    }
    for body in steps.iter().filter_map(|step| step_report(step, job)) {
        told.push(identity.report(body)?);
    }
    match status {
        // The opening has said it; the start of a queued job is no start.
        Some("queued" | "running") | None => {}
        Some(status) => told.push(identity.report(standstill(delivery, job, status, &steps))?),
    }
    if let Some(progress) = progress(status, &steps) {
        let progress = Some(progress);
        told.push(identity.report(ReportBody { progress, ..ReportBody::default() })?);
    }
    Ok(told)
}

/// That it runs, or ran: a job that ended without a step was never begun.
fn running(
    delivery: &Delivery,
    job: &WorkflowJob,
    status: Option<&str>,
    steps: &[&Step],
) -> Option<ReportBody> {
    let began = match status {
        Some("running") => true,
        Some("queued" | "waiting") => false,
        _ => steps.iter().any(|step| step.started_at.is_some()),
    };
    began.then(|| ReportBody {
        status: Some("running".to_owned()),
        occurred_at: moment(job.started_at.as_deref()),
        sequence: Some(RUNNING),
        ..of_job(delivery, job)
    })
}

/// That it waits or has ended.
fn standstill(delivery: &Delivery, job: &WorkflowJob, status: &str, steps: &[&Step]) -> ReportBody {
    let ended = job.completed_at.as_deref();
    let (at, sequence) = match ended {
        None => (job.created_at.as_deref(), WAITING),
        ended => (ended, ENDED),
    };
    let failed = |step: &&&Step| step_status(step) == Some("failed");
    let failing = steps.iter().find(failed).and_then(|step| brief(step.name.as_deref()));
    ReportBody {
        status: Some(status.to_owned()),
        occurred_at: moment(at),
        sequence: Some(sequence),
        message: failing.filter(|_| status == "failed").map(|name| format!("Failed in step “{name}”")),
        ..of_job(delivery, job)
    }
}

/// What every status of the job says besides.
fn of_job(delivery: &Delivery, job: &WorkflowJob) -> ReportBody {
    let page = link(job.html_url.as_deref());
    ReportBody { url: page.clone(), logs_url: page, actor: stand_in(delivery), ..ReportBody::default() }
}

/// The sender, where the opening names nobody, or a bot where a person can be named.
fn stand_in(delivery: &Delivery) -> Option<String> {
    let is_bot = |login: &str| login.ends_with("[bot]");
    let creator = delivery.deployment.as_ref().and_then(|deployment| deployment.creator_login());
    let sender = brief(delivery.sender.as_ref().and_then(|sender| sender.login.as_deref()))?;
    match creator {
        None => Some(sender),
        Some(creator) if is_bot(creator) && !is_bot(&sender) => Some(sender),
        Some(_) => None,
    }
}

fn step_status(step: &Step) -> Option<&str> {
    words::status_of_job(step.status.as_deref()?, step.conclusion.as_deref())
}

/// A step that runs or has ended; one that waits for its turn says nothing.
fn step_report(step: &Step, job: &WorkflowJob) -> Option<ReportBody> {
    let status = step_status(step).filter(|status| *status != "queued")?;
    let at = match status {
        "running" => moment(step.started_at.as_deref()),
        _ => moment(step.completed_at.as_deref()).or_else(|| moment(step.started_at.as_deref())),
    };
    Some(ReportBody {
        // A report without a time would be a new one at every delivery.
        occurred_at: at.or_else(|| moment(job.completed_at.as_deref().or(job.started_at.as_deref()))),
        sequence: step.number,
        step: Some(StepBody { name: Some(brief(step.name.as_deref())?), status: brief(Some(status)) }),
        ..ReportBody::default()
    })
}

/// How far it has come, by counting steps: their numbers have gaps. Before one has ended nothing is known.
fn progress(status: Option<&str>, steps: &[&Step]) -> Option<ProgressBody> {
    if status != Some("running") {
        return None;
    }
    let ended = |step: &&&Step| step.status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("completed"));
    let done = steps.iter().filter(ended).count();
    let current = steps.iter().find(|step| step_status(step) == Some("running"));
    let percent = (done > 0).then(|| (done as f64 * 100.0 / steps.len() as f64).floor());
    let step = current.and_then(|step| brief(step.name.as_deref()));
    (percent.is_some() || step.is_some()).then_some(ProgressBody { percent, phase: None, step })
}
