//! `deployment_review`: somebody is asked to let a job into its environment, and does or does not.
//!
//! The delivery names run, job and environment but not GitHub's deployment; the job's name is what
//! joins it to the rest. Without a run it is nobody's.

use shipboard_core::report::{CommitBody, ReportBody};
use shipboard_core::time::Timestamp;

use super::payload::{Delivery, ReviewedJob, User, WorkflowRun};
use super::{Identity, commit_url, moment, run_commit, starter, workflow_name};
use crate::foreign::{brief, link, name};
use crate::hooks::{EnvReport, HookError};

/// Most jobs and reviewers read of a delivery.
const MAX_REVIEWED: usize = 256;
const MAX_NAMED_REVIEWERS: usize = 10;
/// Order within a second: an answer comes after the question.
const ASKED: i64 = 1;
const ANSWERED: i64 = 2;

pub(super) fn read(delivery: &Delivery) -> Result<Vec<EnvReport>, HookError> {
    let Some(run) = &delivery.workflow_run else { return Ok(Vec::new()) };
    let run_id = run.id.ok_or(HookError::Missing("workflow_run.id"))?;
    let Some(action) = delivery.action.as_deref().and_then(Action::of) else { return Ok(Vec::new()) };
    let mut told: Vec<EnvReport> = Vec::new();
    for job in reviewed_jobs(delivery) {
        let env = name(job.environment.as_deref()).or_else(|| name(delivery.environment.as_deref()));
        let (Some(env), Some(job_name)) = (env, name(job.name.as_deref())) else { continue };
        let workflow = workflow_name(delivery, None)?;
        let identity = Identity::of_job(delivery, env, run_id, run.run_attempt, job_name, workflow)?;
        let report = identity.report(action.report(delivery, run, job))?;
        // An answer lists its first job twice.
        if !told.contains(&report) {
            told.push(report);
        }
    }
    Ok(told)
}

fn reviewed_jobs(delivery: &Delivery) -> impl Iterator<Item = &ReviewedJob> {
    let listed = delivery.workflow_job_runs.iter().flatten();
    delivery.workflow_job_run.iter().chain(listed).take(MAX_REVIEWED)
}

#[derive(Clone, Copy)]
enum Action {
    Requested,
    Approved,
    Rejected,
}

impl Action {
    fn of(word: &str) -> Option<Self> {
        match word {
            "requested" => Some(Self::Requested),
            "approved" => Some(Self::Approved),
            "rejected" => Some(Self::Rejected),
            _ => None,
        }
    }

    fn report(self, delivery: &Delivery, run: &WorkflowRun, job: &ReviewedJob) -> ReportBody {
        let sha = run.head_sha.as_deref();
        let status = match self {
            Self::Requested => "waiting",
            Self::Approved => "queued",
            Self::Rejected => "failed",
        };
        let (at, sequence) = match self {
            Self::Requested => (delivery.since.as_deref().or(job.updated_at.as_deref()), ASKED),
            _ => (latest(&[&delivery.since, &job.updated_at, &run.updated_at]), ANSWERED),
        };
        ReportBody {
            status: Some(status.to_owned()),
            occurred_at: moment(at),
            sequence: Some(sequence),
            reason: matches!(self, Self::Rejected).then(|| "rejected".to_owned()),
            commit: Some(CommitBody {
                sha: brief(sha),
                reference: brief(run.head_branch.as_deref()),
                url: commit_url(delivery, sha),
                ..run_commit(run)
            }),
            // Whoever answers did not start it: they are named in the message only.
            actor: starter(run),
            url: link(job.html_url.as_deref()),
            message: Some(self.message(delivery)),
            ..ReportBody::default()
        }
    }

    fn message(self, delivery: &Delivery) -> String {
        let login = |user: &User| brief(user.login.as_deref());
        let answer = |verb: &str| {
            let by = delivery
                .approver
                .as_ref()
                .and_then(login)
                .or_else(|| delivery.sender.as_ref().and_then(login));
            let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
            let comment = delivery.comment.as_deref().map(str::trim).filter(|comment| !comment.is_empty());
            let comment = comment.map(|comment| format!(": {comment}")).unwrap_or_default();
            format!("{verb}{by}{comment}")
        };
        match self {
            Self::Approved => answer("Approved"),
            Self::Rejected => answer("Rejected"),
            Self::Requested => {
                let reviewers = delivery.reviewers.iter().flatten().filter_map(|it| it.reviewer.as_ref());
                let names = reviewers.filter_map(|it| brief(it.login.as_deref().or(it.name.as_deref())));
                let names: Vec<_> = names.take(MAX_NAMED_REVIEWERS).collect();
                if names.is_empty() {
                    return "Waiting for review".to_owned();
                }
                format!("Waiting for review by {}", names.join(", "))
            }
        }
    }
}

/// The last of these times; there is none that says when the answer was given.
fn latest<'a>(times: &[&'a Option<String>]) -> Option<&'a str> {
    let read = |text: &'a str| text.parse::<Timestamp>().ok().map(|at| (at, text));
    times.iter().filter_map(|time| read(time.as_deref()?)).max().map(|(_, text)| text)
}
