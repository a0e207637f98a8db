// The only door by which outside data gets in: text to values, each checked against its type. Unknown
// fields are dropped and absent nullable ones are null; nothing here throws, a value that is none is null.

import * as v from "valibot";
import type {
  Counts,
  Deployment,
  DeploymentAnswer,
  Env,
  Envelope,
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

/** A schema whose output is exactly this type, so that decoder and type cannot part. */
type Schema<Type> = v.GenericSchema<unknown, Type>;

const text = v.string();
const flag = v.boolean();
const number = v.number();
// Ids and offsets: whole numbers that a double holds exactly.
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const orNull = <Inner extends v.GenericSchema>(inner: Inner) => v.nullish(inner, null);
const textOrNull = orNull(text);
const status = v.picklist(STATUSES);

const noCommit = { sha: null, ref: null, message: null, url: null, author: null };
const commit = v.object({
  sha: textOrNull,
  ref: textOrNull,
  message: textOrNull,
  url: textOrNull,
  author: textOrNull,
});
const noProgress = { percent: null, phase: null, step: null };
const progress = v.object({ percent: orNull(number), phase: textOrNull, step: textOrNull });

const deployment = v.object({
  id: text,
  workflow_id: text,
  source: text,
  external_id: text,
  attempt: count,
  kind: v.picklist(KINDS),
  inferred: flag,
  status,
  standing: orNull(v.picklist(STANDINGS)),
  reason: textOrNull,
  version: textOrNull,
  commit: v.pipe(
    orNull(commit),
    v.transform((value) => value ?? noCommit),
  ),
  actor: textOrNull,
  url: textOrNull,
  logs_url: textOrNull,
  has_log: flag,
  progress: v.pipe(
    orNull(progress),
    v.transform((value) => value ?? noProgress),
  ),
  message: textOrNull,
  created_at: text,
  queued_at: textOrNull,
  started_at: textOrNull,
  finished_at: textOrNull,
  updated_at: text,
  expected_ms: orNull(number),
  replaces: textOrNull,
  event_id: count,
}) satisfies Schema<Deployment>;

const workflow = v.object({
  id: text,
  name: text,
  latest: orNull(v.object({ deployment_id: text, status, version: textOrNull, at: text })),
  current: orNull(v.object({ deployment_id: text, version: textOrNull, since: text })),
  last_success_at: textOrNull,
  active: count,
  recent: v.array(status),
  event_id: count,
}) satisfies Schema<Workflow>;

const entry = v.object({
  seq: count,
  kind: v.picklist(ENTRY_KINDS),
  status: textOrNull,
  attempt: count,
  step: orNull(v.object({ name: text, status: textOrNull })),
  message: textOrNull,
  source: text,
  actor: textOrNull,
  occurred_at: text,
  received_at: text,
  late: flag,
}) satisfies Schema<TimelineEntry>;

const counts = v.object({
  deployments: v.object({
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
  workflows: v.object({ total: count, active: count, success: count, failed: count }),
}) satisfies Schema<Counts>;

const position = { epoch: text, server_time: text };

const snapshot = v.variant("scope", [
  v.object({
    scope: v.literal("deployments"),
    ...position,
    counts,
    deployments: v.array(deployment),
    has_more: flag,
    workflows: v.array(workflow),
    workflows_more: flag,
  }),
  v.object({
    scope: v.literal("details"),
    ...position,
    deployment,
    timeline: v.array(entry),
    timeline_more: flag,
    counts,
  }),
  v.object({ scope: v.literal("log"), ...position, id: text, offset: count, text, done: flag }),
]) satisfies Schema<Snapshot>;

const payloads = {
  snapshot,
  "deployment.upsert": v.object({ deployment, entries: v.exactOptional(v.array(entry)) }),
  "deployment.progress": v.object({ id: text, attempt: count, progress, updated_at: text }),
  "deployment.delete": v.object({ id: text }),
  "workflow.upsert": v.object({ workflow }),
  "counts.update": v.object({ counts }),
  "log.append": v.object({ id: text, offset: count, text, done: flag }),
  "stream.end": v.object({ reason: v.picklist(END_REASONS), retry_ms: v.nullish(count, 0) }),
} satisfies { [Type in EventType]: Schema<Extract<Envelope, { type: Type }>["payload"]> };

const head = { event_id: count, tenant_id: text, env_id: text, ts: text };
const message = <Type extends EventType>(type: Type) =>
  v.object({ ...head, type: v.literal(type), payload: payloads[type] });

const envelopeSchema = v.variant("type", [
  message("snapshot"),
  message("deployment.upsert"),
  message("deployment.progress"),
  message("deployment.delete"),
  message("workflow.upsert"),
  message("counts.update"),
  message("log.append"),
  message("stream.end"),
]) satisfies Schema<Envelope>;

const anyEnvelope = v.object({ type: text });

/** What a message of the stream turned out to be. */
export type Decoded =
  | { readonly is: "event"; readonly event: Envelope }
  | { readonly is: "unknown"; readonly type: string }
  | { readonly is: "malformed"; readonly why: string };

/** Decodes one message. A type that a newer server made up is `unknown`, anything else amiss `malformed`. */
export function decodeEnvelope(data: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return { is: "malformed", why: "not JSON" };
  }
  const any = v.safeParse(anyEnvelope, value);
  if (!any.success) return { is: "malformed", why: "no type" };
  if (!Object.hasOwn(payloads, any.output.type)) return { is: "unknown", type: any.output.type };
  const result = v.safeParse(envelopeSchema, value, { abortEarly: true });
  if (result.success) return { is: "event", event: result.output };
  const issue = result.issues[0];
  return { is: "malformed", why: `${v.getDotPath(issue) ?? any.output.type}: ${issue.message}` };
}

const decoder =
  <Type>(schema: Schema<Type>) =>
  (value: unknown): Type | null => {
    const result = v.safeParse(schema, value, { abortEarly: true });
    return result.success ? result.output : null;
  };

const pageOf = <Item>(item: Schema<Item>): Schema<Page<Item>> =>
  v.object({ items: v.array(item), next: textOrNull, event_id: v.nullish(count, 0) });

/** A list answer of deployments. */
export const deploymentsPage: (value: unknown) => Page<Deployment> | null = decoder(pageOf(deployment));
/** A list answer of workflows. */
export const workflowsPage: (value: unknown) => Page<Workflow> | null = decoder(pageOf(workflow));
/** The answer for one deployment; calls that change one leave the timeline out. */
export const deploymentAnswer: (value: unknown) => DeploymentAnswer | null = decoder(
  v.object({
    deployment,
    timeline: v.optional(v.array(entry), []),
    timeline_more: v.optional(flag, false),
    event_id: count,
  }),
);
/** The answer for the counts. */
export const countsAnswer: (value: unknown) => { counts: Counts; event_id: number } | null = decoder(
  v.object({ counts, event_id: count }),
);

/** The answer for one workflow. */
export const workflowAnswer: (value: unknown) => { workflow: Workflow; event_id: number } | null = decoder(
  v.object({ workflow, event_id: count }),
);

const tenant = v.object({ id: text, name: text }) satisfies Schema<Tenant>;
const env = v.object({
  id: text,
  name: text,
  tier: textOrNull,
  position: v.nullish(number, 0),
  counts: orNull(counts),
}) satisfies Schema<Env>;

/** Who the browser is. */
export const session: (value: unknown) => Session | null = decoder(
  v.object({ mode: v.picklist(["open", "required"]), signed_in: flag, tenant: textOrNull, role: textOrNull }),
);

/** The list of tenants. */
export const tenants: (value: unknown) => Page<Tenant> | null = decoder(pageOf(tenant));
/** The list of a tenant's envs. */
export const envs: (value: unknown) => Page<Env> | null = decoder(pageOf(env));

const problemSchema = v.object({
  type: v.nullish(text, "about:blank"),
  title: textOrNull,
  status: v.nullish(number),
  detail: textOrNull,
  request_id: textOrNull,
});

/** An error answer; what it lacks comes from `plain`. */
export function problem(value: unknown, plain: Problem): Problem {
  const result = v.safeParse(problemSchema, value);
  if (!result.success) return plain;
  const { type, title, detail, request_id } = result.output;
  return { type, title: title ?? plain.title, status: plain.status, detail, request_id };
}
