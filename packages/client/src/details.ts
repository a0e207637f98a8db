// What an event does to the details scope: one deployment, its timeline and the env's counts. Events of other
// deployments come along where a stream is shared; they move the event id and nothing else.

import { withProgress } from "./deployments";
import { keep } from "./equal";
import type { Deployment, DeploymentAnswer, Envelope, EventOf, TimelineEntry } from "./protocol/types";
import { type DetailsState, TIMELINE_LIMIT } from "./state";

/** The state after a message. The id tells which deployment the scope is of. */
export function reduceDetails(state: DetailsState, event: Envelope, id: string): DetailsState {
  if (event.type === "snapshot") return snapshot(state, event, id);
  if (state.stale || event.event_id <= state.event_id) return state;
  const { event_id } = event;
  switch (event.type) {
    case "deployment.upsert":
      if (event.payload.deployment.id !== id) return { ...state, event_id };
      return {
        ...state,
        event_id,
        deployment: newer(state.deployment, event.payload.deployment),
        ...withEntries(state, event.payload.entries ?? []),
      };
    case "deployment.progress":
      if (event.payload.id !== id || !state.deployment) return { ...state, event_id };
      return { ...state, event_id, deployment: withProgress(state.deployment, event_id, event.payload) };
    case "deployment.delete":
      return { ...state, event_id, deleted: state.deleted || event.payload.id === id };
    case "counts.update":
      return { ...state, event_id, counts: keep(state.counts, event.payload.counts) };
    case "workflow.upsert":
      return { ...state, event_id };
    default:
      return state;
  }
}

/** The state after several messages. */
export const reduceAllDetails = (
  state: DetailsState,
  events: readonly Envelope[],
  id: string,
): DetailsState => events.reduce((held, event) => reduceDetails(held, event, id), state);

/** The state after a REST answer, which may be older or newer than the stream. */
export function answerDetails(state: DetailsState, answer: DeploymentAnswer): DetailsState {
  const deployment = newer(state.deployment, answer.deployment);
  const timeline = withEntries(state, answer.timeline);
  const same = deployment === state.deployment && timeline.timeline === state.timeline;
  return same ? state : { ...state, deployment, ...timeline };
}

function snapshot(state: DetailsState, event: EventOf<"snapshot">, id: string): DetailsState {
  const fresh = event.payload;
  if (fresh.scope !== "details" || fresh.deployment.id !== id) return state;
  if (!state.stale && fresh.epoch === state.epoch && event.event_id < state.event_id) return state;
  const next: DetailsState = {
    kind: "details",
    loaded: true,
    stale: false,
    epoch: fresh.epoch,
    event_id: event.event_id,
    deployment: keep<Deployment | null>(state.deployment, fresh.deployment),
    timeline: keepEntries(state.timeline, fresh.timeline),
    timeline_more: fresh.timeline_more,
    counts: keep(state.counts, fresh.counts),
    deleted: false,
  };
  const same = Object.entries(next).every(([field, value]) => state[field as keyof DetailsState] === value);
  return same ? state : next;
}

const newer = (held: Deployment | null, row: Deployment): Deployment =>
  held && row.event_id <= held.event_id ? held : row;

/** The same array if every entry says the same; otherwise entries that do keep their identity. */
function keepEntries(
  held: readonly TimelineEntry[],
  fresh: readonly TimelineEntry[],
): readonly TimelineEntry[] {
  const bySeq = new Map(held.map((entry) => [entry.seq, entry]));
  const entries = fresh.map((entry) => keep(bySeq.get(entry.seq) ?? entry, entry));
  const same = entries.length === held.length && entries.every((entry, index) => entry === held[index]);
  return same ? held : entries;
}

/** The timeline with entries merged by number, cut to the newest. */
function withEntries(
  state: DetailsState,
  entries: readonly TimelineEntry[],
): Pick<DetailsState, "timeline" | "timeline_more"> {
  const bySeq = new Map(state.timeline.map((entry) => [entry.seq, entry]));
  for (const entry of entries) bySeq.set(entry.seq, entry);
  const all = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  const timeline = keepEntries(state.timeline, all.slice(-TIMELINE_LIMIT));
  return { timeline, timeline_more: state.timeline_more || all.length > TIMELINE_LIMIT };
}
