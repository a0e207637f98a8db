//! GitHub's deliveries: `deployment`, `deployment_status`, `deployment_review` and `workflow_job`.
//!
//! One environment job of a run is one deployment, told of by several events. They meet in one external
//! id, see [`Identity`]. `workflow_run`, `release`, `push` and `ping` name no environment and read as
//! nothing, and so does whatever GitHub invents next. Redelivered bytes read as the same, dated reports.

mod job;
mod payload;
mod review;
#[cfg(test)]
mod tests;
mod words;

use shipboard_core::id::Slug;
use shipboard_core::report::{CommitBody, MAX_ATTEMPT, Report, ReportBody};
use shipboard_core::time::Timestamp;

use self::payload::{Delivery, Deployment, Repository, WorkflowRun};
use super::{Delivery as Request, EnvReport, HookError, signature};
use crate::foreign::{brief, link, name};

/// What every report from here has as its source.
pub const SOURCE: &str = "github";
/// Longest job name that stands in an external id as it is; a longer one is cut with a hash.
const MAX_JOB_CHARS: usize = 150;
/// A first `queued` status this soon after its deployment says nothing new.
const QUEUED_AT_ONCE_MS: i64 = 10_000;

pub(super) fn is_signed(secrets: &[String], request: &Request<'_>) -> bool {
    signature::is_hub_signed(secrets, request.header("x-hub-signature-256"), request.body)
}

pub(super) fn id(request: &Request<'_>) -> Option<String> {
    request.header("x-github-delivery").map(str::to_owned)
}

/// Reads a delivery: `event` is `X-GitHub-Event`, `content_type` the request's, `body` its raw bytes.
pub fn read(event: &str, content_type: Option<&str>, body: &[u8]) -> Result<Vec<EnvReport>, HookError> {
    let json = payload::json(content_type, body)?;
    match event {
        "deployment" => deployment(&serde_json::from_slice(&json)?),
        "deployment_status" => deployment_status(&serde_json::from_slice(&json)?),
        "workflow_job" => job::read(&serde_json::from_slice(&json)?),
        "deployment_review" => review::read(&serde_json::from_slice(&json)?),
        _ => {
            serde_json::from_slice::<serde::de::IgnoredAny>(&json)?;
            Ok(Vec::new())
        }
    }
}

/// Which deployment a delivery tells of.
///
/// A run's job is known by repository, run and the job's *name*: ids of jobs, check runs and even of
/// GitHub's deployments are new with each re-run, but a re-run is another attempt of the same deployment.
/// A matrix, or a plan and an apply, are several jobs of one run into one env, and several deployments.
/// What has no job (made through the API) is known by the deployment's id.
struct Identity<'a> {
    env_name: &'a str,
    external_id: String,
    attempt: Option<i64>,
    workflow_name: String,
}

impl<'a> Identity<'a> {
    fn of_job(
        delivery: &Delivery,
        env_name: &'a str,
        run_id: i64,
        attempt: Option<i64>,
        job: &str,
        workflow_name: String,
    ) -> Result<Self, HookError> {
        let repository = repository_id(delivery)?;
        let job = match job.chars().count() {
            ..=MAX_JOB_CHARS => job.to_owned(),
            _ => Slug::from_foreign(job).to_string(),
        };
        let external_id = format!("{repository}/run/{run_id}/{job}");
        Ok(Self { env_name, external_id, attempt: possible(attempt), workflow_name })
    }

    fn of_deployment(
        delivery: &Delivery,
        env_name: &'a str,
        deployment: &Deployment,
        workflow_name: String,
    ) -> Result<Self, HookError> {
        let repository = repository_id(delivery)?;
        let id = deployment.id.ok_or(HookError::Missing("deployment.id"))?;
        let external_id = format!("{repository}/deployment/{id}");
        let attempt = possible(delivery.workflow_run.as_ref().and_then(|run| run.run_attempt));
        Ok(Self { env_name, external_id, attempt, workflow_name })
    }

    fn report(&self, body: ReportBody) -> Result<EnvReport, HookError> {
        let report = Report::try_from(ReportBody {
            external_id: Some(self.external_id.clone()),
            source: Some(SOURCE.to_owned()),
            workflow: Some(Slug::from_foreign(&self.workflow_name).to_string()),
            attempt: self.attempt,
            // A word nobody knows may be of any length.
            status: brief(body.status.as_deref()),
            ..body
        })?;
        let env_name = brief(Some(self.env_name)).unwrap_or_default();
        let report = Report { workflow_name: brief(Some(&self.workflow_name)), ..report };
        Ok(EnvReport { env: Slug::from_foreign(self.env_name), env_name, report })
    }

    /// The deployment's beginning: read alike from every event that carries the deployment, so that all
    /// but the first that arrives are repeats, and none is needed for `queued_at` to be right.
    fn opening(&self, delivery: &Delivery, deployment: &Deployment) -> Result<EnvReport, HookError> {
        let sha = deployment.sha.as_deref();
        self.report(ReportBody {
            status: Some("queued".to_owned()),
            occurred_at: moment(deployment.created_at.as_deref()),
            sequence: Some(0),
            version: words::version(deployment),
            commit: Some(CommitBody {
                sha: brief(sha),
                reference: brief(deployment.reference.as_deref().map(words::branch_or_tag)),
                url: commit_url(delivery, sha),
                ..CommitBody::default()
            }),
            actor: brief(deployment.creator_login()),
            message: brief(deployment.description.as_deref()),
            ..ReportBody::default()
        })
    }
}

/// `deployment`, action `created`.
///
/// One that a run made is left to its statuses and its job, which follow within a second or two and, unlike
/// this event, say which of the run's jobs it is. Were `workflow_run` ever absent here and present
/// later, there would be two rows, and this one would end as `lost`.
fn deployment(delivery: &Delivery) -> Result<Vec<EnvReport>, HookError> {
    let deployment = delivery.deployment.as_ref().ok_or(HookError::Missing("deployment"))?;
    let env = name(deployment.environment.as_deref());
    let (Some("created"), Some(env), None) = (delivery.action.as_deref(), env, &delivery.workflow_run) else {
        return Ok(Vec::new());
    };
    let workflow = workflow_name(delivery, None)?;
    let identity = Identity::of_deployment(delivery, env, deployment, workflow)?;
    Ok(vec![identity.opening(delivery, deployment)?])
}

/// `deployment_status`, action `created`.
fn deployment_status(delivery: &Delivery) -> Result<Vec<EnvReport>, HookError> {
    let deployment = delivery.deployment.as_ref().ok_or(HookError::Missing("deployment"))?;
    let status = delivery.deployment_status.as_ref().ok_or(HookError::Missing("deployment_status"))?;
    let env = name(status.environment.as_deref()).or_else(|| name(deployment.environment.as_deref()));
    let (Some("created"), Some(env)) = (delivery.action.as_deref(), env) else { return Ok(Vec::new()) };
    let state = status.state.as_deref().ok_or(HookError::Missing("deployment_status.state"))?;
    // GitHub says it is not sent; an older success is superseded by the newer one, not by this word.
    if state.eq_ignore_ascii_case("inactive") {
        return Ok(Vec::new());
    }
    let run = delivery.workflow_run.as_ref();
    let job = delivery.check_run.as_ref().and_then(|check| name(check.name.as_deref()));
    let workflow = workflow_name(delivery, None)?;
    let identity = match (run.and_then(|run| run.id), job) {
        (Some(run_id), Some(job)) => {
            let attempt = run.and_then(|run| run.run_attempt);
            Identity::of_job(delivery, env, run_id, attempt, job, workflow)?
        }
        _ => Identity::of_deployment(delivery, env, deployment, workflow)?,
    };
    let word = words::status_of_state(state);
    let at = moment(status.created_at.as_deref());
    let at_once = word == "queued" && soon_after(deployment.created_at.as_deref(), at.as_deref());
    let page = link(status.environment_url.as_deref());
    let told = identity.report(ReportBody {
        status: (!at_once).then(|| word.to_owned()),
        occurred_at: at,
        sequence: status.id,
        commit: run.map(run_commit),
        actor: run.and_then(starter),
        url: page.or_else(|| run.and_then(|run| link(run.html_url.as_deref()))),
        logs_url: link(status.log_url.as_deref()).or_else(|| link(status.target_url.as_deref())),
        message: brief(status.description.as_deref()),
        ..ReportBody::default()
    })?;
    Ok(vec![identity.opening(delivery, deployment)?, told])
}

fn soon_after(earlier: Option<&str>, later: Option<&str>) -> bool {
    let parsed = |text: Option<&str>| text.and_then(|text| text.parse::<Timestamp>().ok());
    match (parsed(earlier), parsed(later)) {
        (Some(earlier), Some(later)) => later.millis_since(earlier) <= QUEUED_AT_ONCE_MS,
        _ => false,
    }
}

/// What the workflow is called, in the same words whichever event tells of it.
fn workflow_name(delivery: &Delivery, of_job: Option<&str>) -> Result<String, HookError> {
    let named = delivery.workflow.as_ref().and_then(|workflow| brief(workflow.name.as_deref()));
    let named = named.or_else(|| brief(of_job));
    if let Some(name) = named.or_else(|| delivery.workflow_run.as_ref().and_then(words::run_name)) {
        return Ok(name);
    }
    let repository = delivery.repository.as_ref().and_then(|repository| repository.full_name.as_deref());
    let repository = brief(repository).ok_or(HookError::Missing("repository.full_name"))?;
    // `deploy` is the task of whoever names none.
    let task = delivery.deployment.as_ref().and_then(|deployment| brief(deployment.task.as_deref()));
    Ok(match task.filter(|task| task != "deploy") {
        Some(task) => format!("{repository} {task}"),
        None => repository,
    })
}

fn repository_id(delivery: &Delivery) -> Result<i64, HookError> {
    delivery.repository.as_ref().and_then(|it| it.id).ok_or(HookError::Missing("repository.id"))
}

fn possible(attempt: Option<i64>) -> Option<i64> {
    attempt.filter(|attempt| (1..=i64::from(MAX_ATTEMPT)).contains(attempt))
}

/// A time as a report takes it. One that cannot be read is left out: then the receipt counts.
fn moment(at: Option<&str>) -> Option<String> {
    at.filter(|at| at.parse::<Timestamp>().is_ok()).map(str::to_owned)
}

fn commit_url(delivery: &Delivery, sha: Option<&str>) -> Option<String> {
    let page = delivery.repository.as_ref().and_then(Repository::page)?;
    let sha = sha.filter(|sha| !sha.is_empty() && sha.bytes().all(|b| b.is_ascii_hexdigit()))?;
    link(Some(&format!("{page}/commit/{sha}")))
}

/// Who set the run going: the latest attempt's starter rather than the first's.
fn starter(run: &WorkflowRun) -> Option<String> {
    let login = |user: &Option<payload::User>| brief(user.as_ref().and_then(|user| user.login.as_deref()));
    login(&run.triggering_actor).or_else(|| login(&run.actor))
}

/// The commit's words, where the run has them; hash and ref are the deployment's to say.
fn run_commit(run: &WorkflowRun) -> CommitBody {
    let head = run.head_commit.as_ref();
    // Of a push the title is the commit's subject; of other triggers it is something else.
    let title = run.display_title.as_deref().filter(|_| run.event.as_deref() == Some("push"));
    let message = head.and_then(|head| head.message.as_deref()).or(title);
    CommitBody {
        message: message.map(str::to_owned),
        author: head.and_then(|head| head.author.as_ref()).and_then(|author| brief(author.name.as_deref())),
        ..CommitBody::default()
    }
}
