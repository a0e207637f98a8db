// "Load more": a page comes by another way than the stream, so what the stream said while it was under way
// is kept and applied over it. Pure; asking for pages, and asking again, is for the store.

import { type Accepts, DeploymentsDraft, withProgress } from "../deployments";
import { compareDeployments } from "../order";
import type { Deployment, Envelope, Page } from "../protocol/types";
import { reduceAll } from "../reduce";
import { type AwaitedPage, type DeploymentsState, KEPT_LIMIT, type Kept, PAGED_ROWS_LIMIT } from "../state";

/** From now on a page after the oldest loaded row is awaited. */
export function awaitPage(state: DeploymentsState): DeploymentsState {
  const last = state.deployments.get(state.deployment_ids.at(-1) ?? "");
  const after = last ? { created_at: last.created_at, id: last.id } : null;
  return { ...state, awaited: { after, kept: new Map(), void: false } };
}

/** Applies messages as `reduceAll` does, and keeps what they say for the page that is awaited. */
export function reducePaged(
  state: DeploymentsState,
  events: readonly Envelope[],
  accepts?: Accepts,
): DeploymentsState {
  if (!state.awaited) return reduceAll(state, events, accepts);
  const draft = new PagedDraft(state, accepts);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

/** The page will not come. */
export const forgetPage = (state: DeploymentsState): DeploymentsState =>
  state.awaited ? { ...state, awaited: null } : state;

/** What joining a page came to; `again` says that it was too old or no longer fits: ask anew. */
export interface JoinedPage {
  readonly state: DeploymentsState;
  readonly again: boolean;
}

/** Joins an awaited page to the state. Nothing is awaited afterwards. */
export function joinPage(state: DeploymentsState, page: Page<Deployment>, accepts?: Accepts): JoinedPage {
  const { awaited } = state;
  const draft = new DeploymentsDraft(state, accepts);
  draft.set({ awaited: null });
  const last = draft.deployments.lastBut(null);
  if (page.event_id < state.snapshot_event_id || awaited?.void === true) {
    return { state: draft.finish(), again: true };
  }

  const kept = awaited?.kept ?? new Map<string, Kept>();
  const end = page.items.at(-1);
  const reachesFurther = !last || !end || compareDeployments(end, last) > 0;
  // While the page itself is put in there is no edge: all of it belongs to the prefix.
  const hasMore = reachesFurther ? page.next !== null : state.has_more;
  draft.set({ has_more: false });
  for (const item of page.items) {
    const said = kept.get(item.id);
    if (said?.is === "gone") continue;
    const row = said?.is === "progress" ? withProgress(item, said.event_id, said.progress) : item;
    draft.upsert(row, PAGED_ROWS_LIMIT);
  }
  draft.set({ has_more: hasMore });
  for (const said of [...kept.values()].sort((a, b) => a.event_id - b.event_id)) {
    if (said.is === "row") draft.upsert(said.row, PAGED_ROWS_LIMIT);
  }
  return { state: draft.finish(), again: false };
}

/** A draft over a state that awaits a page. */
class PagedDraft extends DeploymentsDraft {
  #kept: Map<string, Kept> | null = null;

  override apply(event: Envelope): boolean {
    const { epoch } = this.state;
    if (!super.apply(event)) return false;
    const { awaited } = this.state;
    if (event.type === "snapshot") this.#restart(awaited, epoch);
    else if (awaited && !awaited.void) this.#keep(awaited, event);
    return true;
  }

  override finish(): DeploymentsState {
    const state = super.finish();
    return state.awaited && this.#kept
      ? { ...state, awaited: { ...state.awaited, kept: this.#kept } }
      : state;
  }

  /** What a snapshot holds need not be kept beside it; ids of another epoch cannot be compared at all. */
  #restart(awaited: AwaitedPage | null, epoch: string): void {
    this.#kept = null;
    if (!awaited) return;
    const { after } = awaited;
    const last = this.deployments.lastBut(null);
    // With fewer rows than before there would be a hole between them and the awaited page.
    const short = this.state.has_more && after !== null && (!last || compareDeployments(last, after) < 0);
    const unfit = short || epoch !== this.state.epoch;
    if (awaited.kept.size === 0 && !unfit) return;
    this.set({ awaited: { ...awaited, kept: new Map(), void: awaited.void || unfit } });
  }

  #keep(awaited: AwaitedPage, event: Envelope): void {
    const said = saidOf(event);
    if (!said) return;
    const [id, fresh] = said;
    this.#kept ??= new Map(awaited.kept);
    const old = this.#kept.get(id);
    this.#kept.set(id, old ? later(old, fresh) : fresh);
    if (this.#kept.size <= KEPT_LIMIT) return;
    this.#kept = null;
    this.set({ awaited: { ...awaited, kept: new Map(), void: true } });
  }
}

/** What a message says of one row, and of which. */
function saidOf({ event_id, ...event }: Envelope): readonly [string, Kept] | null {
  switch (event.type) {
    case "deployment.upsert": {
      const row = event.payload.deployment;
      return [row.id, { is: "row", event_id: row.event_id, row }];
    }
    case "deployment.progress":
      return [event.payload.id, { is: "progress", event_id, progress: event.payload }];
    case "deployment.delete":
      return [event.payload.id, { is: "gone", event_id }];
    default:
      return null;
  }
}

/** What is known of a row after two messages about it. */
function later(old: Kept, fresh: Kept): Kept {
  if (fresh.is !== "progress" || old.is === "progress") return fresh;
  if (old.is === "gone") return old;
  const row = withProgress(old.row, fresh.event_id, fresh.progress);
  return { is: "row", event_id: row.event_id, row };
}
