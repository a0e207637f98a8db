//! The wire and the log: rows, timeline entries, and the events that carry them.
//!
//! Field names and order are the contract's; the client's types are generated from these structs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::id::{DeploymentId, Epoch, EventId, Slug};
use crate::report::{MAX_EVENT_MESSAGE_CHARS, cut};
use crate::status::{Kind, Standing, Status};
use crate::time::Timestamp;

/// What was deployed, as a commit. Absent parts are null.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Commit {
    /// Its hash.
    pub sha: Option<String>,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Its message, at most 500 characters.
    pub message: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
}

/// How far a deployment's highest attempt has come.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Progress {
    /// 0 to 100; 100 on success and never otherwise; null if never reported.
    pub percent: Option<f64>,
    /// The part of the rollout.
    pub phase: Option<String>,
    /// A label.
    pub step: Option<String>,
}

/// A step of a deployment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How it went: a status word as a rule.
    pub status: Option<String>,
}

/// One deployment as pages, API and events show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Deployment"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Deployment))]
pub struct DeploymentRow {
    /// UUID, version 7.
    pub id: DeploymentId,
    /// The workflow's slug.
    pub workflow_id: Slug,
    /// Who reported it.
    pub source: String,
    /// Its id there; its own id where the source gave none.
    pub external_id: String,
    /// The highest attempt known, from 1.
    pub attempt: u32,
    /// Why it was made.
    pub kind: Kind,
    /// `kind` was found out from the chain, not sent.
    pub inferred: bool,
    /// How the highest attempt went.
    pub status: Status,
    /// What became of its latest success; null if it never succeeded.
    pub standing: Option<Standing>,
    /// Why, in the reporter's words.
    pub reason: Option<String>,
    /// What was deployed.
    pub version: Option<String>,
    /// What was deployed, as a commit.
    pub commit: Commit,
    /// Who started it.
    pub actor: Option<String>,
    /// Its page at the source.
    pub url: Option<String>,
    /// Its log at the source.
    pub logs_url: Option<String>,
    /// Shipboard holds a log of it.
    pub has_log: bool,
    /// How far it has come.
    pub progress: Progress,
    /// The latest sentence said of it, at most 500 characters.
    pub message: Option<String>,
    /// The earliest thing known of the attempt.
    pub created_at: Timestamp,
    /// The attempt's earliest `queued`.
    pub queued_at: Option<Timestamp>,
    /// The attempt's earliest `running`.
    pub started_at: Option<Timestamp>,
    /// When the attempt ended.
    pub finished_at: Option<Timestamp>,
    /// When this row last changed.
    pub updated_at: Timestamp,
    /// Median duration, in milliseconds, of the workflow's 20 successes before this; null below 3.
    pub expected_ms: Option<i64>,
    /// The success before it in its workflow's chain.
    pub replaces: Option<DeploymentId>,
    /// The last event that changed the row: the guard against older ones.
    pub event_id: EventId,
}

/// One workflow of an env.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Workflow"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Workflow))]
pub struct WorkflowRow {
    /// Its slug.
    pub id: Slug,
    /// What people call it.
    pub name: String,
    /// Its deployment with the greatest `created_at`, then id. Null: it has none, and the row goes.
    pub latest: Option<LatestDeployment>,
    /// What runs there now.
    pub current: Option<CurrentDeployment>,
    /// When a deployment of it last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// Its deployments that are queued, waiting or running.
    pub active: u64,
    /// How its newest deployments, at most 12, are doing; the newest last.
    pub recent: Vec<Status>,
    /// The last event that changed the row.
    pub event_id: EventId,
}

/// A workflow's newest deployment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LatestDeployment {
    /// Its id.
    pub deployment_id: DeploymentId,
    /// How it is doing.
    pub status: Status,
    /// What is deployed.
    pub version: Option<String>,
    /// Its `created_at`.
    pub at: Timestamp,
}

/// What runs of a workflow in an env.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CurrentDeployment {
    /// The deployment that brought it.
    pub deployment_id: DeploymentId,
    /// Its version.
    pub version: Option<String>,
    /// When that deployment succeeded.
    pub since: Timestamp,
}

/// What a timeline entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A status was reported.
    Status,
    /// A step began or ended.
    Step,
    /// A sentence without a status.
    Note,
    /// A terminal status that replaced another.
    Correction,
}

/// One entry of a deployment's timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TimelineEntry {
    /// Its number within the deployment, from 1, in order of receipt.
    pub seq: u64,
    /// What it is.
    pub kind: EntryKind,
    /// The status reported: a status, `removed`, or `unmapped` for a word nobody knows.
    pub status: Option<String>,
    /// Which try.
    pub attempt: u32,
    /// The step, where it is of one.
    pub step: Option<Step>,
    /// A sentence, at most 2,000 characters (500 in events).
    pub message: Option<String>,
    /// Who said it.
    pub source: String,
    /// Who did it.
    pub actor: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When Shipboard heard of it.
    pub received_at: Timestamp,
    /// It came after something newer was known, and changed no status.
    pub late: bool,
}

impl TimelineEntry {
    /// The entry as events carry it: its message cut to 500 characters.
    #[must_use]
    pub fn for_event(mut self) -> Self {
        self.message = self.message.map(|message| cut(&message, MAX_EVENT_MESSAGE_CHARS).to_owned());
        self
    }
}

/// One committed change of an env, numbered.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Its number.
    pub event_id: EventId,
    /// When it was committed: the receipt of its transaction.
    pub ts: Timestamp,
    /// What changed.
    pub change: Change,
}

/// What changed. The stored, numbered part of the contract's event types.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
pub enum Change {
    /// A deployment was created, a field of it but progress changed, or its timeline grew.
    #[serde(rename = "deployment.upsert")]
    DeploymentUpsert(DeploymentUpsert),
    /// Only a deployment's progress changed.
    #[serde(rename = "deployment.progress")]
    DeploymentProgress(DeploymentProgress),
    /// A deployment was removed.
    #[serde(rename = "deployment.delete")]
    DeploymentDelete(DeploymentDelete),
    /// A workflow's row changed; without a latest deployment the row goes.
    #[serde(rename = "workflow.upsert")]
    WorkflowUpsert(WorkflowUpsert),
    /// A counter changed.
    #[serde(rename = "counts.update")]
    CountsUpdate(CountsUpdate),
}

impl Change {
    /// The contract's name of the type.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::DeploymentUpsert(_) => "deployment.upsert",
            Self::DeploymentProgress(_) => "deployment.progress",
            Self::DeploymentDelete(_) => "deployment.delete",
            Self::WorkflowUpsert(_) => "workflow.upsert",
            Self::CountsUpdate(_) => "counts.update",
        }
    }
}

/// Payload of `deployment.upsert`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeploymentUpsert {
    /// The whole row.
    pub deployment: Arc<DeploymentRow>,
    /// Details scope only: the timeline entries behind the change, in order; absent elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<TimelineEntry>>"))]
    pub entries: Vec<TimelineEntry>,
}

/// Payload of `deployment.progress`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeploymentProgress {
    /// Whose.
    pub id: DeploymentId,
    /// Of which try.
    pub attempt: u32,
    /// How far it has come.
    pub progress: Progress,
    /// The row's new `updated_at`.
    pub updated_at: Timestamp,
}

/// Payload of `deployment.delete`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeploymentDelete {
    /// Which one.
    pub id: DeploymentId,
}

/// Payload of `workflow.upsert`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkflowUpsert {
    /// The whole row.
    pub workflow: Arc<WorkflowRow>,
}

/// Payload of `counts.update`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CountsUpdate {
    /// All counts of the env.
    pub counts: Counts,
}

/// Payload of `snapshot`: a scope's whole state, first on every connect.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Snapshot {
    /// The deployments page.
    Deployments(DeploymentsSnapshot),
    /// One deployment.
    Details(DetailsSnapshot),
    /// One deployment's log.
    Log(LogSnapshot),
}

/// State of the deployments scope.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeploymentsSnapshot {
    /// The env's epoch.
    pub epoch: Epoch,
    /// The server's clock, for durations.
    pub server_time: Timestamp,
    /// The env's counts.
    pub counts: Counts,
    /// The newest, by `created_at` descending, then id descending.
    pub deployments: Vec<Arc<DeploymentRow>>,
    /// There are older ones.
    pub has_more: bool,
    /// The most recently active, by `latest.at` descending, then id; at most 1,000.
    pub workflows: Vec<Arc<WorkflowRow>>,
    /// There are others.
    pub workflows_more: bool,
}

/// State of the details scope.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DetailsSnapshot {
    /// The env's epoch.
    pub epoch: Epoch,
    /// The server's clock, for durations.
    pub server_time: Timestamp,
    /// The row.
    pub deployment: Arc<DeploymentRow>,
    /// Its newest 500 entries, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// There are older ones.
    pub timeline_more: bool,
    /// The env's counts.
    pub counts: Counts,
}

/// State of the log scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogSnapshot {
    /// The env's epoch.
    pub epoch: Epoch,
    /// The server's clock.
    pub server_time: Timestamp,
    /// Whose log.
    pub id: DeploymentId,
    /// Where `text` begins, in bytes of the whole log.
    pub offset: u64,
    /// The log from there to its end.
    pub text: String,
    /// The deployment has ended; more may still come if it is corrected or tried again.
    pub done: bool,
}

/// Payload of `log.append`: more of a log, neither stored as an event nor numbered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogAppend {
    /// Whose log.
    pub id: DeploymentId,
    /// Where `text` begins, in bytes of the whole log.
    pub offset: u64,
    /// What was appended; empty where only `done` changed.
    pub text: String,
    /// The deployment has ended.
    pub done: bool,
}

/// Why the server ended a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The server is going away, or wants its load spread anew.
    Drain,
    /// The credential has expired.
    Expired,
    /// The credential was revoked.
    Revoked,
    /// The deployment was deleted.
    Gone,
    /// Not able for now.
    Unavailable,
}

impl EndReason {
    /// The word on the wire and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Gone => "gone",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Payload of `stream.end`, the last block where the server ends a stream on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StreamEnd {
    /// Why.
    pub reason: EndReason,
    /// When to come back, in milliseconds from now.
    pub retry_ms: u64,
}

/// The envelope of every streamed message: exactly these fields, in this order.
#[derive(Debug, Serialize)]
pub struct Envelope<'a, P> {
    /// The event's number; the env's head for messages without a number of their own.
    pub event_id: EventId,
    /// The contract's name of the type.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Whose.
    pub tenant_id: &'a Slug,
    /// Where.
    pub env_id: &'a Slug,
    /// When.
    pub ts: Timestamp,
    /// What.
    pub payload: &'a P,
}
