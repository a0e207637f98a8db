// Builders of rows and events for tests: valid wire values with everything unimportant filled in, numbered
// and dated deterministically. Nothing here is random and nothing looks at a clock.

import type {
  Counts,
  Deployment,
  DeploymentsSnapshot,
  DetailsSnapshot,
  Envelope,
  EnvelopeOf,
  EventOf,
  EventType,
  LogSnapshot,
  Status,
  TimelineEntry,
  Workflow,
} from "../protocol/types";
import { isActive, STATUSES } from "../protocol/words";

/** The tenant of everything built here. */
export const TENANT = "acme";
/** The env of everything built here. */
export const ENV = "production";
/** The epoch of snapshots built here, unless another is given. */
export const EPOCH = "e1";
/** The moment that builders count seconds from: 2026-01-01T00:00:00.000Z. */
export const START = Date.UTC(2026, 0, 1);

/** The wire's text for a moment so many seconds after `START`. */
export const at = (seconds: number): string => new Date(START + seconds * 1_000).toISOString();

/** A deployment id that sorts by its number. */
export const idOf = (number: number): string =>
  `0197a000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;

/** A deployment's row; the number gives its id and the second it was created in. */
export function deployment(number: number, change: Partial<Deployment> = {}): Deployment {
  return {
    id: idOf(number),
    workflow_id: "web",
    source: "test",
    external_id: `run-${number}`,
    attempt: 1,
    kind: "deploy",
    inferred: false,
    status: "running",
    standing: null,
    reason: null,
    version: `1.0.${number}`,
    commit: { sha: null, ref: null, message: null, url: null, author: null },
    actor: null,
    url: null,
    logs_url: null,
    has_log: false,
    progress: { percent: null, phase: null, step: null },
    message: null,
    created_at: at(number),
    queued_at: at(number),
    started_at: null,
    finished_at: null,
    updated_at: at(number),
    expected_ms: null,
    replaces: null,
    event_id: 1,
    ...change,
  };
}

/** A workflow's row whose latest deployment is the given one. */
export function workflow(id: string, latest: Deployment, change: Partial<Workflow> = {}): Workflow {
  return {
    id,
    name: id,
    latest: {
      deployment_id: latest.id,
      status: latest.status,
      version: latest.version,
      at: latest.created_at,
    },
    current: null,
    last_success_at: null,
    active: isActive(latest.status) ? 1 : 0,
    recent: [latest.status],
    event_id: latest.event_id,
    ...change,
  };
}

/** A timeline entry. */
export function entry(seq: number, change: Partial<TimelineEntry> = {}): TimelineEntry {
  return {
    seq,
    kind: "status",
    status: "running",
    attempt: 1,
    step: null,
    message: null,
    source: "test",
    actor: null,
    occurred_at: at(seq),
    received_at: at(seq),
    late: false,
    ...change,
  };
}

/** The counts of an env that holds exactly these rows. */
export function countsOf(deployments: readonly Deployment[], workflows: readonly Workflow[] = []): Counts {
  const number = (status: Status) => deployments.filter((row) => row.status === status).length;
  const byStatus = Object.fromEntries(STATUSES.map((status) => [status, number(status)]));
  const latest = (status: Status) => workflows.filter((row) => row.latest?.status === status).length;
  return {
    deployments: {
      queued: 0,
      waiting: 0,
      running: 0,
      success: 0,
      failed: 0,
      cancelled: 0,
      skipped: 0,
      lost: 0,
      ...byStatus,
      total: deployments.length,
    },
    workflows: {
      total: workflows.length,
      active: workflows.filter((row) => row.active > 0).length,
      success: latest("success"),
      failed: latest("failed"),
    },
  };
}

/** An envelope of any type. */
export const event = <Type extends EventType>(
  type: Type,
  event_id: number,
  payload: EventOf<Type>["payload"],
): EnvelopeOf<Type, EventOf<Type>["payload"]> => ({
  event_id,
  type,
  tenant_id: TENANT,
  env_id: ENV,
  ts: at(event_id),
  payload,
});

/** `deployment.upsert` of a row, which gets the event's number. */
export const upsert = (event_id: number, row: Deployment, entries?: TimelineEntry[]): Envelope => {
  const numbered = { ...row, event_id };
  return event("deployment.upsert", event_id, {
    deployment: numbered,
    ...(entries && { entries }),
  });
};

/** `deployment.progress` of a row. */
export const progress = (event_id: number, row: Deployment, percent: number): Envelope =>
  event("deployment.progress", event_id, {
    id: row.id,
    attempt: row.attempt,
    progress: { percent, phase: null, step: null },
    updated_at: at(event_id),
  });

/** `deployment.delete` of an id. */
export const remove = (event_id: number, id: string): Envelope =>
  event("deployment.delete", event_id, { id });

/** `workflow.upsert` of a row, which gets the event's number. */
export const workflowUpsert = (event_id: number, row: Workflow): Envelope =>
  event("workflow.upsert", event_id, { workflow: { ...row, event_id } });

/** `counts.update`. */
export const countsUpdate = (event_id: number, counts: Counts): Envelope =>
  event("counts.update", event_id, { counts });

/** A deployments snapshot. */
export const snapshot = (event_id: number, change: Partial<DeploymentsSnapshot> = {}): EventOf<"snapshot"> =>
  event("snapshot", event_id, {
    scope: "deployments",
    epoch: EPOCH,
    server_time: at(event_id),
    counts: countsOf(change.deployments ?? [], change.workflows ?? []),
    deployments: [],
    has_more: false,
    workflows: [],
    workflows_more: false,
    ...change,
  });

/** A details snapshot. */
export const detailsSnapshot = (
  event_id: number,
  row: Deployment,
  change: Partial<DetailsSnapshot> = {},
): EventOf<"snapshot"> =>
  event("snapshot", event_id, {
    scope: "details",
    epoch: EPOCH,
    server_time: at(event_id),
    deployment: row,
    timeline: [],
    timeline_more: false,
    counts: countsOf([row]),
    ...change,
  });

/** A log snapshot. */
export const logSnapshot = (
  event_id: number,
  id: string,
  change: Partial<LogSnapshot> = {},
): EventOf<"snapshot"> =>
  event("snapshot", event_id, {
    scope: "log",
    epoch: EPOCH,
    server_time: at(event_id),
    id,
    offset: 0,
    text: "",
    done: false,
    ...change,
  });

/** `log.append`. */
export const logAppend = (id: string, offset: number, text: string, done = false): Envelope =>
  event("log.append", 0, { id, offset, text, done });
