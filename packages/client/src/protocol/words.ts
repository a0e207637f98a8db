// The closed sets of the wire as values, for pages that list them and for the decoder. Each is held to its
// type by `satisfies`, so a word added to the type does not compile until it stands here too.

import type { EndReason, EntryKind, EventType, Kind, Standing, Status } from "./types";

const statuses = {
  queued: true,
  waiting: true,
  running: true,
  success: true,
  failed: true,
  cancelled: true,
  skipped: true,
  lost: true,
} satisfies Record<Status, true>;

const standings = {
  current: true,
  superseded: true,
  rolled_back: true,
  removed: true,
} satisfies Record<Standing, true>;

const kinds = { deploy: true, redeploy: true, rollback: true } satisfies Record<Kind, true>;

const entryKinds = { status: true, step: true, note: true, correction: true } satisfies Record<
  EntryKind,
  true
>;

const endReasons = {
  drain: true,
  expired: true,
  revoked: true,
  gone: true,
  unavailable: true,
} satisfies Record<EndReason, true>;

const eventTypes = {
  snapshot: true,
  "deployment.upsert": true,
  "deployment.progress": true,
  "deployment.delete": true,
  "workflow.upsert": true,
  "counts.update": true,
  "log.append": true,
  "stream.end": true,
} satisfies Record<EventType, true>;

// @__NO_SIDE_EFFECTS__
const words = <Word extends string>(set: Record<Word, true>): readonly Word[] => Object.keys(set) as Word[];

/** Every status, in the order in which a deployment may pass through them. */
export const STATUSES: readonly Status[] = words(statuses);
/** Every standing. */
export const STANDINGS: readonly Standing[] = words(standings);
/** Every kind. */
export const KINDS: readonly Kind[] = words(kinds);
/** Every kind of timeline entry. */
export const ENTRY_KINDS: readonly EntryKind[] = words(entryKinds);
/** Every reason of `stream.end`. */
export const END_REASONS: readonly EndReason[] = words(endReasons);
/** Every event type this client acts on. */
export const EVENT_TYPES: readonly EventType[] = words(eventTypes);

/** The statuses of deployments that are under way. */
export const ACTIVE_STATUSES: readonly Status[] = ["queued", "waiting", "running"];

/** Whether a status says that the deployment is under way. */
export const isActive = (status: Status): boolean => ACTIVE_STATUSES.includes(status);
