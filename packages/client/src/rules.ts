// How the deployments of an env are carried and reduced: where the stream is, how much it asks for, and which
// reducer takes its messages. Pure; the store that follows such rules is store.ts.

import { envPath } from "./address";
import { reduceAll } from "./reduce";
import type { DeploymentsScope } from "./scope";
import { type DeploymentsState, emptyDeployments } from "./state";
import type { ScopeRules } from "./store";

/** How many rows a page has, and a snapshot unless more are asked for. */
export const PAGE_ROWS = 100;
/** The most rows a snapshot or a first page is asked for. */
export const FIRST_ROWS_LIMIT = 500;

/** So many rows as are loaded now, in whole pages, so that a reconnect does not shorten what a person reads. */
export function rowsToAskFor(state: DeploymentsState): number {
  const pages = Math.ceil(state.deployment_ids.length / PAGE_ROWS);
  return Math.min(FIRST_ROWS_LIMIT, Math.max(1, pages) * PAGE_ROWS);
}

/** The deployments of an env. */
export const deploymentsRules = ({ tenant, env, limit }: DeploymentsScope): ScopeRules<DeploymentsState> => ({
  tenant,
  env,
  path: env,
  empty: emptyDeployments,
  url: (state) => {
    const rows = Math.max(limit ?? PAGE_ROWS, rowsToAskFor(state));
    return `${envPath(tenant, env)}/stream${rows === PAGE_ROWS ? "" : `?limit=${rows}`}`;
  },
  reduce: reduceAll,
});
