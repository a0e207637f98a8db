// The only door by which outside data gets in: text to values, each checked against its type. Unknown
// fields are dropped and absent nullable ones are null; nothing here throws, a value that is none is null.

import { count, flag, list, number, object, or, type Read, text, variant, word } from "./read";
import type {
  Counts,
  Deployment,
  DeploymentAnswer,
  DeploymentCounts,
  Env,
  Envelope,
  EnvelopeOf,
  EventOf,
  EventType,
  Page,
  Problem,
  Session,
  Snapshot,
  Tenant,
  TimelineEntry,
  Workflow,
} from "./types";
import { END_REASONS, ENTRY_KINDS, KINDS, STANDINGS, STATUSES } from "./words";

const textOrNull = or(text, null);
const status = word(STATUSES);

const noCommit = { sha: null, ref: null, message: null, url: null, author: null };
const commit = object<Deployment["commit"]>({
  sha: textOrNull,
  ref: textOrNull,
  message: textOrNull,
  url: textOrNull,
  author: textOrNull,
});
const noProgress = { percent: null, phase: null, step: null };
const progress = object<Deployment["progress"]>({
  percent: or(number, null),
  phase: textOrNull,
  step: textOrNull,
});

const deployment = object<Deployment>({
  id: text,
  workflow_id: text,
  source: text,
  external_id: text,
  attempt: count,
  kind: word(KINDS),
  inferred: flag,
  status,
  standing: or(word(STANDINGS), null),
  reason: textOrNull,
  version: textOrNull,
  commit: or(commit, noCommit),
  actor: textOrNull,
  url: textOrNull,
  logs_url: textOrNull,
  has_log: flag,
  progress: or(progress, noProgress),
  message: textOrNull,
  created_at: text,
  queued_at: textOrNull,
  started_at: textOrNull,
  finished_at: textOrNull,
  updated_at: text,
  expected_ms: or(number, null),
  replaces: textOrNull,
  event_id: count,
});

const workflow = object<Workflow>({
  id: text,
  name: text,
  latest: or(object({ deployment_id: text, status, version: textOrNull, at: text }), null),
  current: or(object({ deployment_id: text, version: textOrNull, since: text }), null),
  last_success_at: textOrNull,
  active: count,
  recent: list(status),
  event_id: count,
});

const entry = object<TimelineEntry>({
  seq: count,
  kind: word(ENTRY_KINDS),
  status: textOrNull,
  attempt: count,
  step: or(object({ name: text, status: textOrNull }), null),
  message: textOrNull,
  source: text,
  actor: textOrNull,
  occurred_at: text,
  received_at: text,
  late: flag,
});

const counts = object<Counts>({
  deployments: object<DeploymentCounts>({
    queued: count,
    waiting: count,
    running: count,
    success: count,
    failed: count,
    cancelled: count,
    skipped: count,
    lost: count,
    total: count,
  }),
  workflows: object({ total: count, active: count, success: count, failed: count }),
});

type SnapshotOf<Scope extends Snapshot["scope"]> = Extract<Snapshot, { scope: Scope }>;

const position = { epoch: text, server_time: text };

const snapshot = variant<Snapshot>("scope", {
  deployments: object<SnapshotOf<"deployments">>({
    scope: word(["deployments"]),
    ...position,
    counts,
    deployments: list(deployment),
    has_more: flag,
    workflows: list(workflow),
    workflows_more: flag,
  }),
  details: object<SnapshotOf<"details">>({
    scope: word(["details"]),
    ...position,
    deployment,
    timeline: list(entry),
    timeline_more: flag,
    counts,
  }),
  log: object<SnapshotOf<"log">>({
    scope: word(["log"]),
    ...position,
    id: text,
    offset: count,
    text,
    done: flag,
  }),
} satisfies Record<Snapshot["scope"], unknown>);

// @__NO_SIDE_EFFECTS__
function message<Type extends EventType>(
  type: Type,
  payload: Read<EventOf<Type>["payload"]>,
): Read<EnvelopeOf<Type, EventOf<Type>["payload"]>> {
  return object<EnvelopeOf<Type, EventOf<Type>["payload"]>>({
    event_id: count,
    type: word([type]),
    tenant_id: text,
    env_id: text,
    ts: text,
    payload,
  });
}

const messages = {
  snapshot: message("snapshot", snapshot),
  "deployment.upsert": message(
    "deployment.upsert",
    object({ deployment, entries: list(entry) }, ["entries"]),
  ),
  "deployment.progress": message(
    "deployment.progress",
    object({ id: text, attempt: count, progress, updated_at: text }),
  ),
  "deployment.delete": message("deployment.delete", object({ id: text })),
  "workflow.upsert": message("workflow.upsert", object({ workflow })),
  "counts.update": message("counts.update", object({ counts })),
  "log.append": message("log.append", object({ id: text, offset: count, text, done: flag })),
  "stream.end": message("stream.end", object({ reason: word(END_REASONS), retry_ms: or(count, 0) })),
} satisfies { [Type in EventType]: Read<EventOf<Type>> };

const envelope = variant<Envelope>("type", messages);
const anyEnvelope = object({ type: text });

/** What a message of the stream turned out to be. */
export type Decoded =
  | { readonly is: "event"; readonly event: Envelope }
  | { readonly is: "unknown"; readonly type: string }
  | { readonly is: "malformed"; readonly why: string };

/** Decodes one message. A type that a newer server made up is `unknown`, anything else amiss `malformed`. */
export function decodeEnvelope(data: string): Decoded {
  try {
    const value: unknown = JSON.parse(data);
    const { type } = anyEnvelope(value, "message");
    if (!Object.hasOwn(messages, type)) return { is: "unknown", type };
    return { is: "event", event: envelope(value, type) };
  } catch (cause) {
    return { is: "malformed", why: String(cause) };
  }
}

// @__NO_SIDE_EFFECTS__
function answer<Type>(read: Read<Type>): (value: unknown) => Type | null {
  return (value) => {
    try {
      return read(value, "answer");
    } catch {
      return null;
    }
  };
}

// @__NO_SIDE_EFFECTS__
function page<Item>(item: Read<Item>): (value: unknown) => Page<Item> | null {
  return answer(object<Page<Item>>({ items: list(item), next: textOrNull, event_id: or(count, 0) }));
}

/** A list answer of deployments. */
export const deploymentsPage = page(deployment);
/** A list answer of workflows. */
export const workflowsPage = page(workflow);
/** The answer for one deployment; calls that change one leave the timeline out. */
export const deploymentAnswer = answer(
  object<DeploymentAnswer>({
    deployment,
    timeline: or(list(entry), []),
    timeline_more: or(flag, false),
    event_id: count,
  }),
);
/** The answer for the counts. */
export const countsAnswer = answer(object({ counts, event_id: count }));

/** The answer for one workflow. */
export const workflowAnswer = answer(object({ workflow, event_id: count }));

/** Who the browser is. */
export const session = answer(
  object<Session>({
    mode: word(["open", "required"]),
    signed_in: flag,
    tenant: textOrNull,
    role: textOrNull,
  }),
);

/** The list of tenants. */
export const tenants = page(object<Tenant>({ id: text, name: text }));
/** The list of a tenant's envs. */
export const envs = page(
  object<Env>({
    id: text,
    name: text,
    tier: textOrNull,
    position: or(number, 0),
    counts: or(counts, null),
  }),
);

const problemBody = answer(
  object({
    type: or(text, "about:blank"),
    title: textOrNull,
    status: or(number, null),
    detail: textOrNull,
    request_id: textOrNull,
  }),
);

/** An error answer; what it lacks comes from `plain`. */
export function problem(value: unknown, plain: Problem): Problem {
  const body = problemBody(value);
  return body ? { ...body, title: body.title ?? plain.title, status: plain.status } : plain;
}
