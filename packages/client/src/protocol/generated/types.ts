// Generated from the Rust types of the wire by `make generate`; do not edit.

/**
 * Milliseconds since 1970-01-01T00:00:00Z. Ordered, copied, stored as one `bigint`.
 */
export type Timestamp = string;

/**
 * A tenant's, environment's or workflow's name in URLs: `[a-z0-9][a-z0-9._-]{0,62}`.
 */
export type Slug = string;

/**
 * A deployment's id: a UUID, version 7 when made here. Its order as bytes is its order as text.
 */
export type DeploymentId = string;

/**
 * The number of an event within its (tenant, env): gapless, from 1, in commit order. 0 is "before the first".
 */
export type EventId = number;

/**
 * Which life of an env its event ids belong to; another text after a restore or rebuild. `[a-z0-9]{1,16}`.
 */
export type Epoch = string;

/**
 * How the highest attempt of a deployment went.
 */
export type Status = "queued" | "waiting" | "running" | "success" | "failed" | "cancelled" | "skipped" | "lost";

/**
 * What became of a deployment's latest successful attempt.
 */
export type Standing = "current" | "superseded" | "rolled_back" | "removed";

/**
 * Why a deployment was made. A rollback is a kind, never a status.
 */
export type Kind = "deploy" | "redeploy" | "rollback";

/**
 * What a timeline entry is.
 */
export type EntryKind = "status" | "step" | "note" | "correction";

/**
 * Why the server ended a stream.
 */
export type EndReason = "drain" | "expired" | "revoked" | "gone" | "unavailable";

/**
 * What was deployed, as a commit. Absent parts are null.
 */
export type Commit = { 
/**
 * Its hash.
 */
sha: string | null, 
/**
 * The branch or tag.
 */
ref: string | null, 
/**
 * Its message, at most 500 characters.
 */
message: string | null, 
/**
 * Its page.
 */
url: string | null, 
/**
 * Who wrote it.
 */
author: string | null, };

/**
 * How far a deployment's highest attempt has come.
 */
export type Progress = { 
/**
 * 0 to 100; 100 on success and never otherwise; null if never reported.
 */
percent: number | null, 
/**
 * The part of the rollout.
 */
phase: string | null, 
/**
 * A label.
 */
step: string | null, };

/**
 * A step of a deployment.
 */
export type Step = { 
/**
 * Its name.
 */
name: string, 
/**
 * How it went: a status word as a rule.
 */
status: string | null, };

/**
 * One deployment as pages, API and events show it.
 */
export type Deployment = { 
/**
 * UUID, version 7.
 */
id: DeploymentId, 
/**
 * The workflow's slug.
 */
workflow_id: Slug, 
/**
 * Who reported it.
 */
source: string, 
/**
 * Its id there; its own id where the source gave none.
 */
external_id: string, 
/**
 * The highest attempt known, from 1.
 */
attempt: number, 
/**
 * Why it was made.
 */
kind: Kind, 
/**
 * `kind` was found out from the chain, not sent.
 */
inferred: boolean, 
/**
 * How the highest attempt went.
 */
status: Status, 
/**
 * What became of its latest success; null if it never succeeded.
 */
standing: Standing | null, 
/**
 * Why, in the reporter's words.
 */
reason: string | null, 
/**
 * What was deployed.
 */
version: string | null, 
/**
 * What was deployed, as a commit.
 */
commit: Commit, 
/**
 * Who started it.
 */
actor: string | null, 
/**
 * Its page at the source.
 */
url: string | null, 
/**
 * Its log at the source.
 */
logs_url: string | null, 
/**
 * Shipboard holds a log of it.
 */
has_log: boolean, 
/**
 * How far it has come.
 */
progress: Progress, 
/**
 * The latest sentence said of it, at most 500 characters.
 */
message: string | null, 
/**
 * The earliest thing known of the attempt.
 */
created_at: Timestamp, 
/**
 * The attempt's earliest `queued`.
 */
queued_at: Timestamp | null, 
/**
 * The attempt's earliest `running`.
 */
started_at: Timestamp | null, 
/**
 * When the attempt ended.
 */
finished_at: Timestamp | null, 
/**
 * When this row last changed.
 */
updated_at: Timestamp, 
/**
 * Median duration, in milliseconds, of the workflow's 20 successes before this; null below 3.
 */
expected_ms: number | null, 
/**
 * The success before it in its workflow's chain.
 */
replaces: DeploymentId | null, 
/**
 * The last event that changed the row: the guard against older ones.
 */
event_id: EventId, };

/**
 * A workflow's newest deployment.
 */
export type LatestDeployment = { 
/**
 * Its id.
 */
deployment_id: DeploymentId, 
/**
 * How it is doing.
 */
status: Status, 
/**
 * What is deployed.
 */
version: string | null, 
/**
 * Its `created_at`.
 */
at: Timestamp, };

/**
 * What runs of a workflow in an env.
 */
export type CurrentDeployment = { 
/**
 * The deployment that brought it.
 */
deployment_id: DeploymentId, 
/**
 * Its version.
 */
version: string | null, 
/**
 * When that deployment succeeded.
 */
since: Timestamp, };

/**
 * One workflow of an env.
 */
export type Workflow = { 
/**
 * Its slug.
 */
id: Slug, 
/**
 * What people call it.
 */
name: string, 
/**
 * Its deployment with the greatest `created_at`, then id. Null: it has none, and the row goes.
 */
latest: LatestDeployment | null, 
/**
 * What runs there now.
 */
current: CurrentDeployment | null, 
/**
 * When a deployment of it last succeeded.
 */
last_success_at: Timestamp | null, 
/**
 * Its deployments that are queued, waiting or running.
 */
active: number, 
/**
 * How its newest deployments, at most 12, are doing; the newest last.
 */
recent: Array<Status>, 
/**
 * The last event that changed the row.
 */
event_id: EventId, };

/**
 * One entry of a deployment's timeline.
 */
export type TimelineEntry = { 
/**
 * Its number within the deployment, from 1, in order of receipt.
 */
seq: number, 
/**
 * What it is.
 */
kind: EntryKind, 
/**
 * The status reported: a status, `removed`, or `unmapped` for a word nobody knows.
 */
status: string | null, 
/**
 * Which try.
 */
attempt: number, 
/**
 * The step, where it is of one.
 */
step: Step | null, 
/**
 * A sentence, at most 2,000 characters (500 in events).
 */
message: string | null, 
/**
 * Who said it.
 */
source: string, 
/**
 * Who did it.
 */
actor: string | null, 
/**
 * When it happened.
 */
occurred_at: Timestamp, 
/**
 * When Shipboard heard of it.
 */
received_at: Timestamp, 
/**
 * It came after something newer was known, and changed no status.
 */
late: boolean, };

/**
 * How many deployments of the env have each status now.
 */
export type DeploymentCounts = { queued: number, waiting: number, running: number, success: number, failed: number, cancelled: number, skipped: number, lost: number, 
/**
 * The sum of the others.
 */
total: number, };

/**
 * How many workflows of the env are doing what.
 */
export type WorkflowCounts = { 
/**
 * With at least one deployment in this env.
 */
total: number, 
/**
 * With at least one deployment queued, waiting or running.
 */
active: number, 
/**
 * Whose latest deployment (greatest `created_at`, then id) has status `success`.
 */
success: number, 
/**
 * Whose latest deployment has status `failed`.
 */
failed: number, };

/**
 * The authoritative numbers of one env. Page, API and metrics show these and no others.
 */
export type Counts = { 
/**
 * Deployments by status.
 */
deployments: DeploymentCounts, 
/**
 * Workflows by how they are doing.
 */
workflows: WorkflowCounts, };

/**
 * State of the deployments scope.
 */
export type DeploymentsSnapshot = { 
/**
 * The env's epoch.
 */
epoch: Epoch, 
/**
 * The server's clock, for durations.
 */
server_time: Timestamp, 
/**
 * The env's counts.
 */
counts: Counts, 
/**
 * The newest, by `created_at` descending, then id descending.
 */
deployments: Array<Deployment>, 
/**
 * There are older ones.
 */
has_more: boolean, 
/**
 * The most recently active, by `latest.at` descending, then id; at most 1,000.
 */
workflows: Array<Workflow>, 
/**
 * There are others.
 */
workflows_more: boolean, };

/**
 * State of the details scope.
 */
export type DetailsSnapshot = { 
/**
 * The env's epoch.
 */
epoch: Epoch, 
/**
 * The server's clock, for durations.
 */
server_time: Timestamp, 
/**
 * The row.
 */
deployment: Deployment, 
/**
 * Its newest 500 entries, oldest first.
 */
timeline: Array<TimelineEntry>, 
/**
 * There are older ones.
 */
timeline_more: boolean, 
/**
 * The env's counts.
 */
counts: Counts, };

/**
 * State of the log scope.
 */
export type LogSnapshot = { 
/**
 * The env's epoch.
 */
epoch: Epoch, 
/**
 * The server's clock.
 */
server_time: Timestamp, 
/**
 * Whose log.
 */
id: DeploymentId, 
/**
 * Where `text` begins, in bytes of the whole log.
 */
offset: number, 
/**
 * The log from there to its end.
 */
text: string, 
/**
 * The deployment has ended; more may still come if it is corrected or tried again.
 */
done: boolean, };

/**
 * Payload of `snapshot`: a scope's whole state, first on every connect.
 */
export type Snapshot = { "scope": "deployments" } & DeploymentsSnapshot | { "scope": "details" } & DetailsSnapshot | { "scope": "log" } & LogSnapshot;

/**
 * Payload of `deployment.upsert`.
 */
export type DeploymentUpsert = { 
/**
 * The whole row.
 */
deployment: Deployment, 
/**
 * Details scope only: the timeline entries behind the change, in order; absent elsewhere.
 */
entries?: Array<TimelineEntry>, };

/**
 * Payload of `deployment.progress`.
 */
export type DeploymentProgress = { 
/**
 * Whose.
 */
id: DeploymentId, 
/**
 * Of which try.
 */
attempt: number, 
/**
 * How far it has come.
 */
progress: Progress, 
/**
 * The row's new `updated_at`.
 */
updated_at: Timestamp, };

/**
 * Payload of `deployment.delete`.
 */
export type DeploymentDelete = { 
/**
 * Which one.
 */
id: DeploymentId, };

/**
 * Payload of `workflow.upsert`.
 */
export type WorkflowUpsert = { 
/**
 * The whole row.
 */
workflow: Workflow, };

/**
 * Payload of `counts.update`.
 */
export type CountsUpdate = { 
/**
 * All counts of the env.
 */
counts: Counts, };

/**
 * Payload of `log.append`: more of a log, neither stored as an event nor numbered.
 */
export type LogAppend = { 
/**
 * Whose log.
 */
id: DeploymentId, 
/**
 * Where `text` begins, in bytes of the whole log.
 */
offset: number, 
/**
 * What was appended; empty where only `done` changed.
 */
text: string, 
/**
 * The deployment has ended.
 */
done: boolean, };

/**
 * Payload of `stream.end`, the last block where the server ends a stream on purpose.
 */
export type StreamEnd = { 
/**
 * Why.
 */
reason: EndReason, 
/**
 * When to come back, in milliseconds from now.
 */
retry_ms: number, };
