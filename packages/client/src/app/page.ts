// "Load more": a page comes by another way than the stream, so what the stream said while it was under way
// is kept and applied over it. Pure; asking for pages, and asking again, is for the store.

import { type Accepts, DeploymentsDraft, withProgress } from "../deployments";
import { compareDeployments } from "../order";
import type { Deployment, Page } from "../protocol/types";
import { type DeploymentsState, type Kept, PAGED_ROWS_LIMIT } from "../state";

/** From now on a page after the oldest loaded row is awaited. */
export function awaitPage(state: DeploymentsState): DeploymentsState {
  const last = state.deployments.get(state.deployment_ids.at(-1) ?? "");
  const after = last ? { created_at: last.created_at, id: last.id } : null;
  return { ...state, awaited: { after, kept: new Map(), void: false } };
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
