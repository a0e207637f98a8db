//! `shipboard start`, `update` and `finish`: for scripts that cannot wrap what they do in `run`.
//!
//! `start` prints the id and nothing else on standard output. Without `--strict`, trouble with reporting is
//! told on standard error and the exit code is 0, so that `set -e` does not end a deploy over it.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use shipboard_core::id::{DeploymentId, Slug};
use shipboard_core::report::{ProgressBody, Report, ReportBody, StepBody};
use shipboard_core::status::Status;

use super::Place;
use super::client::{CallError, Client};
use super::courier::pause;
use super::spool::{Parcel, Spool};
use super::subject::{About, Surroundings};
use super::words::{Words, insist};
use crate::clock;
use crate::foreign::name;

/// Longest that a script waits for the server.
const PATIENCE: Duration = Duration::from_secs(5);
const STRICT_PATIENCE: Duration = Duration::from_secs(30);
/// Longest that it waits for what an earlier one could not deliver.
const SPOOL_PATIENCE: Duration = Duration::from_secs(2);
/// Where `run` tells its command which deployment it is, should the server not have given it an id yet.
pub(super) const SOURCE: &str = "SHIPBOARD_DEPLOYMENT_SOURCE";
pub(super) const EXTERNAL_ID: &str = "SHIPBOARD_DEPLOYMENT_EXTERNAL_ID";
pub(super) const WORKFLOW: &str = "SHIPBOARD_DEPLOYMENT_WORKFLOW";
pub(super) const ATTEMPT: &str = "SHIPBOARD_DEPLOYMENT_ATTEMPT";

/// Flags that `start`, `update` and `finish` share.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// Fail if the report is not taken
    #[arg(long, env = "SHIPBOARD_STRICT")]
    strict: bool,
    /// Say nothing about trouble with reporting
    #[arg(long, short)]
    quiet: bool,
}

/// Flags of `shipboard start`.
#[derive(Debug, clap::Args)]
pub struct StartArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    about: About,
    /// queued, waiting or running
    #[arg(long, default_value = "running", value_parser = known)]
    status: String,
    /// Print id and URL as JSON
    #[arg(long)]
    json: bool,
}

/// Which deployment is meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// The deployment's id, as `start` printed it
    #[arg(long, env = "SHIPBOARD_DEPLOYMENT_ID")]
    id: Option<String>,
    /// A sentence for people
    #[arg(long)]
    message: Option<String>,
    /// The version deployed, if it is known only now
    #[arg(long = "version", id = "deployed_version", value_name = "VERSION")]
    version: Option<String>,
    /// The run's page
    #[arg(long)]
    url: Option<String>,
}

/// Flags of `shipboard update`. Without any it is a heartbeat.
#[derive(Debug, clap::Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    which: Which,
    /// queued, waiting or running
    #[arg(long, value_parser = known)]
    status: Option<String>,
    /// How far it has come, 0 to 100
    #[arg(long, value_name = "PERCENT")]
    progress: Option<f64>,
    /// The part of the rollout, e.g. `migrate`
    #[arg(long)]
    phase: Option<String>,
    /// What is being done, e.g. "3/7 migrate"
    #[arg(long)]
    step: Option<String>,
    /// How the step goes: running, success, failed … It then becomes an entry of the timeline
    #[arg(long, requires = "step", value_name = "STATUS")]
    step_status: Option<String>,
}

/// Flags of `shipboard finish`.
#[derive(Debug, clap::Args)]
pub struct FinishArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    which: Which,
    /// success, failed, cancelled or skipped
    #[arg(long, default_value = "success", value_parser = ending)]
    status: String,
}

/// A word that the server knows for a status. It would store any other, as an end that never came.
fn known(word: &str) -> Result<String, String> {
    let is_known =
        word.eq_ignore_ascii_case("removed") || Status::parse(word).is_some_and(|s| s != Status::Lost);
    is_known.then(|| word.to_owned()).ok_or_else(|| "is no status that can be reported".to_owned())
}

fn ending(word: &str) -> Result<String, String> {
    let ends = Status::parse(word).is_some_and(Status::is_terminal);
    ends.then(|| word.to_owned()).ok_or_else(|| "is not success, failed, cancelled or skipped".to_owned())
}

pub(super) async fn start(args: StartArgs) -> ExitCode {
    let around = Surroundings::look(&args.about).await;
    let StartArgs { common, about, status, json } = args;
    let body = ReportBody { status: Some(status), ..about.describe(&around) };
    let sending = match Sending::new(&common, around.facts.env.as_deref(), now(body), None) {
        Ok(sending) => sending,
        Err(why) => return common.failed(&why),
    };
    // Nobody could finish a deployment that comes to be later: it is not kept.
    match sending.send(&common, false).await {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(id)) => {
            let url = sending.client.page(&sending.env, id);
            let line =
                if json { serde_json::json!({"id": id, "url": url}).to_string() } else { id.to_string() };
            match writeln!(std::io::stdout().lock(), "{line}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => common.failed(&format!("the id cannot be printed: {error}")),
            }
        }
        Err(error) => common.failed(&error.to_string()),
    }
}

pub(super) async fn update(args: UpdateArgs) -> ExitCode {
    let UpdateArgs { common, which, status, progress, phase, step, step_status } = args;
    let progress = ProgressBody {
        percent: progress.filter(|percent| !percent.is_nan()).map(|percent| percent.clamp(0.0, 100.0)),
        phase,
        step: step.clone(),
    };
    let body = ReportBody {
        status,
        progress: (progress != ProgressBody::default()).then_some(progress),
        step: step_status.map(|status| StepBody { name: step, status: Some(status) }),
        ..ReportBody::default()
    };
    which.tell(&common, body).await
}

pub(super) async fn finish(args: FinishArgs) -> ExitCode {
    let FinishArgs { common, which, status } = args;
    which.tell(&common, ReportBody { status: Some(status), ..ReportBody::default() }).await
}

impl Common {
    fn failed(&self, why: &str) -> ExitCode {
        let words = Words::new(self.quiet);
        if self.strict {
            insist(why);
            return ExitCode::FAILURE;
        }
        words.say(why);
        ExitCode::SUCCESS
    }
}

impl Which {
    async fn tell(self, common: &Common, body: ReportBody) -> ExitCode {
        let Self { id, message, version, url } = self;
        let body = now(ReportBody { message, version, url, ..body });
        let (body, id) = match name(id.as_deref()).map(str::parse::<DeploymentId>) {
            Some(Ok(id)) => (body, Some(id)),
            Some(Err(error)) => return common.failed(&format!("--id: {error}")),
            None => match identified(body, |name| std::env::var(name).ok()) {
                Some(body) => (body, None),
                None => return common.failed("no --id (or SHIPBOARD_DEPLOYMENT_ID) is given"),
            },
        };
        let sending = match Sending::new(common, None, body, id) {
            Ok(sending) => sending,
            Err(why) => return common.failed(&why),
        };
        match sending.send(common, true).await {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => common.failed(&error.to_string()),
        }
    }
}

/// The report with the identity that `run` has told, if it has.
fn identified(body: ReportBody, variable: impl Fn(&str) -> Option<String>) -> Option<ReportBody> {
    Some(ReportBody {
        external_id: Some(variable(EXTERNAL_ID)?),
        source: variable(SOURCE),
        workflow: Some(variable(WORKFLOW)?),
        attempt: variable(ATTEMPT).and_then(|attempt| attempt.parse().ok()),
        ..body
    })
}

fn now(body: ReportBody) -> ReportBody {
    ReportBody { occurred_at: Some(clock::now().to_string()), ..body }
}

/// One report on its way.
struct Sending {
    client: Client,
    env: Slug,
    /// The deployment, where it is known by its id.
    id: Option<DeploymentId>,
    body: ReportBody,
}

impl Sending {
    fn new(
        common: &Common,
        env: Option<&str>,
        body: ReportBody,
        id: Option<DeploymentId>,
    ) -> Result<Self, String> {
        let client = common.place.client()?;
        let env = common.place.env(env)?;
        Report::try_from(body.clone()).map_err(|error| error.to_string())?;
        Ok(Self { client, env, id, body })
    }

    /// Sends it; what cannot be delivered in time may be kept for later.
    async fn send(&self, common: &Common, keep: bool) -> Result<Option<DeploymentId>, CallError> {
        let spool = Spool::new(common.place.spool.as_deref());
        let patience = if common.strict { STRICT_PATIENCE } else { PATIENCE };
        let deadline = tokio::time::Instant::now() + patience;
        let mut failures = 0;
        let error = loop {
            match self.call().await {
                Ok(id) => {
                    if let Some(spool) = spool {
                        let _ = tokio::time::timeout(SPOOL_PATIENCE, spool.send_all(&self.client)).await;
                    }
                    return Ok(Some(id));
                }
                Err(error) if !error.may_pass() => return Err(error),
                Err(error) => {
                    failures += 1;
                    let again = tokio::time::Instant::now() + pause(failures, &error);
                    if again >= deadline {
                        break error;
                    }
                    tokio::time::sleep_until(again).await;
                }
            }
        };
        if common.strict {
            return Err(error);
        }
        let kept = spool.filter(|_| keep).and_then(|spool| spool.keep(&self.parcel(), clock::now()).ok());
        let words = Words::new(common.quiet);
        match kept {
            Some(path) => words.say(format_args!("{error}; the next report delivers {}", path.display())),
            None => words.say(&error),
        }
        Ok(None)
    }

    async fn call(&self) -> Result<DeploymentId, CallError> {
        match self.id {
            Some(id) => self.client.update(&self.env, id, &self.body).await.map(|()| id),
            None => self.client.report(&self.env, &self.body, None).await.map(|taken| taken.id),
        }
    }

    fn parcel(&self) -> Parcel {
        let body = vec![self.body.clone()];
        let (reports, updates) = if self.id.is_some() { (Vec::new(), body) } else { (body, Vec::new()) };
        Parcel {
            server: self.client.server().to_owned(),
            tenant: self.client.tenant().to_string(),
            env: self.env.to_string(),
            id: self.id,
            reports,
            updates,
            log: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_run_a_report_knows_its_deployment_before_the_server_does() {
        let told = |name: &str| match name {
            EXTERNAL_ID => Some("77/500/deploy/crane".to_owned()),
            SOURCE => Some("github-actions".to_owned()),
            WORKFLOW => Some("crane".to_owned()),
            ATTEMPT => Some("2".to_owned()),
            _ => None,
        };
        let body = identified(ReportBody::default(), told).unwrap();
        assert_eq!(body.external_id.as_deref(), Some("77/500/deploy/crane"));
        assert_eq!((body.workflow.as_deref(), body.attempt), (Some("crane"), Some(2)));
        assert_eq!(identified(ReportBody::default(), |_| None), None);
    }
}
