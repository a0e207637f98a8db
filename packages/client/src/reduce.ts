// reduce(state, event): the client rules of the protocol for the deployments scope, pure and deterministic.
// Nothing to change gives the same reference. The other scopes' are in details.ts and log.ts.

import { type Accepts, DeploymentsDraft } from "./deployments";
import type { Deployment, Envelope } from "./protocol/types";
import type { AnyState, DeploymentsState } from "./state";

/** The deployments state after one message. */
export const reduce = (state: DeploymentsState, event: Envelope): DeploymentsState =>
  reduceAll(state, [event]);

/** The deployments state after several messages, at the price of one copy. */
export function reduceAll(
  state: DeploymentsState,
  events: readonly Envelope[],
  accepts?: Accepts,
): DeploymentsState {
  if (events.length === 0) return state;
  const draft = new DeploymentsDraft(state, accepts);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

/** The connection went away: nothing is emptied, and the next connection's first snapshot will replace. */
export const markStale = <State extends AnyState>(state: State): State =>
  state.stale ? state : { ...state, stale: true };

/** A row as a REST answer gave it: taken only if it is loaded and the answer is newer. */
export function answerRow(state: DeploymentsState, row: Deployment): DeploymentsState {
  if (!state.deployments.has(row.id)) return state;
  const draft = new DeploymentsDraft(state);
  draft.upsert(row);
  return draft.finish();
}
