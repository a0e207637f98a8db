//! GitLab's deliveries: deployment, job and pipeline events.
//!
//! A job with an environment is a deployment, told of by up to three kinds of event that meet in the job's id;
//! a retried job is a new job, and a new deployment, as it is in GitLab. What has no job (made through the API)
//! is known by the deployment's id. The workflow is the project: that is all that each event knows of it, and within
//! a project GitLab itself knows one current deployment for each environment.

mod payload;
mod signed;
#[cfg(test)]
mod tests;
mod words;

use shipboard_core::id::Slug;
use shipboard_core::report::{CommitBody, Report, ReportBody};

use self::payload::{Build, Deployment, Job, Kind, Pipeline};
pub(super) use self::signed::{id, is_signed};
use self::words::{Order, moment};
use super::{EnvReport, HookError};
use crate::foreign::{brief, link, name};

/// What every report from here has as its source.
pub(super) const SOURCE: &str = "gitlab";
/// Most jobs read of a pipeline.
const MAX_BUILDS: usize = 1_000;

/// Reads a delivery. Which event it is of stands in the body, which is all that a signature covers.
pub(super) fn read(body: &[u8]) -> Result<Vec<EnvReport>, HookError> {
    let kind: Kind = serde_json::from_slice(body)?;
    match kind.object_kind.as_deref() {
        Some("deployment") => deployment(&serde_json::from_slice(body)?),
        Some("build") => job(&serde_json::from_slice(body)?),
        Some("pipeline") => pipeline(&serde_json::from_slice(body)?),
        _ => Ok(Vec::new()),
    }
}

/// Which deployment a report is of, and what of.
struct Identity<'a> {
    env_name: &'a str,
    external_id: String,
    workflow_name: String,
}

impl Identity<'_> {
    fn report(&self, body: ReportBody) -> Result<EnvReport, HookError> {
        let external_id = Some(self.external_id.clone());
        self.report_of(ReportBody { external_id, ..body })
    }

    /// A report on whatever is current in the environment.
    fn report_of(&self, body: ReportBody) -> Result<EnvReport, HookError> {
        let workflow = Some(Slug::from_foreign(&self.workflow_name).to_string());
        // A word nobody knows may be of any length.
        let status = brief(body.status.as_deref());
        let report =
            Report::try_from(ReportBody { source: Some(SOURCE.to_owned()), workflow, status, ..body })?;
        let report = Report { workflow_name: brief(Some(&self.workflow_name)), ..report };
        let env_name = brief(Some(self.env_name)).unwrap_or_default();
        Ok(EnvReport { env: Slug::from_foreign(self.env_name), env_name, report })
    }
}

fn deployment(told: &Deployment) -> Result<Vec<EnvReport>, HookError> {
    let Some(env_name) = name(told.environment.as_deref()) else { return Ok(Vec::new()) };
    let project = told.project.as_ref().ok_or(HookError::Missing("project"))?;
    let project_id = project.id.ok_or(HookError::Missing("project.id"))?;
    let external_id = match (told.deployable_id, told.deployment_id) {
        (Some(job), _) => format!("{project_id}/job/{job}"),
        (None, Some(deployment)) => format!("{project_id}/deployment/{deployment}"),
        (None, None) => return Err(HookError::Missing("deployment_id")),
    };
    let workflow_name = project.path().ok_or(HookError::Missing("project.path_with_namespace"))?;
    let identity = Identity { env_name, external_id, workflow_name };
    let word = told.status.as_deref().ok_or(HookError::Missing("status"))?;
    let (status, order) = words::status(word);
    let page = link(told.commit_url.as_deref());
    let sha = page.as_deref().and_then(words::sha_of).or(told.short_sha.as_deref());
    let report = identity.report(ReportBody {
        status: Some(status.to_owned()),
        occurred_at: moment(told.status_changed_at.as_deref()),
        sequence: Some(order as i64),
        version: words::version(told.reference.as_deref(), false, sha),
        commit: Some(CommitBody {
            sha: brief(sha),
            reference: brief(told.reference.as_deref()),
            message: told.commit_title.clone(),
            url: page.clone(),
            ..CommitBody::default()
        }),
        actor: brief(told.user.as_ref().and_then(|user| user.username.as_deref())),
        url: link(told.environment_external_url.as_deref()),
        logs_url: link(told.deployable_url.as_deref()),
        ..ReportBody::default()
    })?;
    Ok(vec![report])
}

/// What a job's own event and its pipeline's say of it alike.
struct JobTold<'a> {
    project_id: i64,
    project: String,
    page: Option<&'a str>,
    reference: Option<&'a str>,
    is_tag: bool,
    sha: Option<&'a str>,
    commit: CommitBody,
    job: &'a Job,
}

fn job(told: &Build) -> Result<Vec<EnvReport>, HookError> {
    let Some(environment) = &told.job.environment else { return Ok(Vec::new()) };
    if name(environment.name.as_deref()).is_none() {
        return Ok(Vec::new());
    }
    let commit = told.commit.as_ref();
    let page = told.page();
    JobTold {
        project_id: told.project_id.ok_or(HookError::Missing("project_id"))?,
        project: told.project_path().ok_or(HookError::Missing("repository.homepage"))?,
        page,
        reference: told.reference.as_deref(),
        is_tag: told.tag.unwrap_or(false),
        sha: told.sha.as_deref(),
        commit: CommitBody {
            message: commit.and_then(|commit| commit.message.clone()),
            author: commit.and_then(|commit| brief(commit.author_name.as_deref())),
            ..CommitBody::default()
        },
        job: &told.job,
    }
    .read()
}

fn pipeline(told: &Pipeline) -> Result<Vec<EnvReport>, HookError> {
    let builds = told.builds.iter().flatten().take(MAX_BUILDS);
    let in_env = |job: &&Job| {
        job.environment.as_ref().is_some_and(|environment| name(environment.name.as_deref()).is_some())
    };
    let mut reports = Vec::new();
    for job in builds.filter(in_env) {
        let project = told.project.as_ref().ok_or(HookError::Missing("project"))?;
        let attributes = told.object_attributes.as_ref().ok_or(HookError::Missing("object_attributes"))?;
        let commit = told.commit.as_ref();
        let author = commit.and_then(|commit| commit.author.as_ref());
        let job = JobTold {
            project_id: project.id.ok_or(HookError::Missing("project.id"))?,
            project: project.path().ok_or(HookError::Missing("project.path_with_namespace"))?,
            page: project.web_url.as_deref(),
            reference: attributes.reference.as_deref(),
            is_tag: attributes.tag.unwrap_or(false),
            sha: attributes.sha.as_deref(),
            commit: CommitBody {
                message: commit.and_then(|commit| commit.message.clone()),
                author: author.and_then(|author| brief(author.name.as_deref())),
                ..CommitBody::default()
            },
            job,
        };
        reports.extend(job.read()?);
    }
    Ok(reports)
}

impl JobTold<'_> {
    /// All that is known so far, in order, and in the same words at every delivery: what an earlier one told
    /// is then a repeat.
    fn read(self) -> Result<Vec<EnvReport>, HookError> {
        let job = self.job;
        let environment = job.environment.as_ref();
        let env_name = environment.and_then(|environment| name(environment.name.as_deref()));
        let env_name = env_name.ok_or(HookError::Missing("environment.name"))?;
        let id = job.id.ok_or(HookError::Missing("build_id"))?;
        let external_id = format!("{}/job/{id}", self.project_id);
        let identity = Identity { env_name, external_id, workflow_name: self.project.clone() };
        let word = job.status.as_deref().ok_or(HookError::Missing("build_status"))?;
        let (status, order) = words::status(word);
        let action = environment.and_then(|environment| environment.action.as_deref()).unwrap_or("start");
        let ended_at = job.finished_at.as_deref().or(job.started_at.as_deref());
        let ended_at = moment(ended_at).or_else(|| moment(job.created_at.as_deref()));
        if action == "stop" && status == "success" {
            return Ok(vec![identity.report_of(ReportBody {
                status: Some("removed".to_owned()),
                occurred_at: ended_at,
                ..ReportBody::default()
            })?]);
        }
        // Others look at an environment, or get it ready: nothing is deployed by that.
        if action != "start" {
            return Ok(Vec::new());
        }
        let mut reports = vec![identity.report(self.opening(id))?];
        if let Some(started_at) = moment(job.started_at.as_deref()).filter(|_| order >= Order::Running) {
            reports.push(identity.report(ReportBody {
                status: Some("running".to_owned()),
                occurred_at: Some(started_at),
                sequence: Some(Order::Running as i64),
                ..ReportBody::default()
            })?);
        }
        let told = match order {
            Order::Queued => None,
            Order::Running if reports.len() > 1 => None,
            Order::Waiting | Order::Running => Some(moment(job.created_at.as_deref())),
            Order::Ended => Some(ended_at),
        };
        if let Some(occurred_at) = told {
            reports.push(identity.report(ReportBody {
                status: Some(status.to_owned()),
                occurred_at,
                sequence: Some(order as i64),
                message: words::failure(status, job.failure_reason.as_deref()),
                ..ReportBody::default()
            })?);
        }
        Ok(reports)
    }

    fn opening(&self, id: i64) -> ReportBody {
        let page = self.page.map(|page| page.trim_end_matches('/'));
        let job_page = page.and_then(|page| link(Some(&format!("{page}/-/jobs/{id}"))));
        let sha = self.sha.filter(|sha| words::is_sha(sha));
        let commit_page = page.zip(sha).and_then(|(page, sha)| link(Some(&format!("{page}/-/commit/{sha}"))));
        ReportBody {
            status: Some("queued".to_owned()),
            occurred_at: moment(self.job.created_at.as_deref()),
            sequence: Some(Order::Queued as i64),
            version: words::version(self.reference, self.is_tag, sha),
            commit: Some(CommitBody {
                sha: brief(sha),
                reference: brief(self.reference),
                url: commit_page,
                ..self.commit.clone()
            }),
            actor: brief(self.job.user.as_ref().and_then(|user| user.username.as_deref())),
            url: job_page.clone(),
            logs_url: job_page,
            ..ReportBody::default()
        }
    }
}
