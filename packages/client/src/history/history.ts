// What no stream brings, added to a client: the rows below the newest, views by a filter, and the REST calls.
// Streams stay as they are; what is asked for is joined with what they say meanwhile.

import type { LiveClient, ScopeStore } from "../client";
import { isEmptyFilter } from "../filter";
import { type DeploymentsScope, scopeKey } from "../scope";
import { shelf } from "../shelf";
import type { DeploymentsState } from "../state";
import { type Api, createApi, type ProblemError } from "./api";
import { DeploymentsList, FilteredList } from "./lists";

/** How loading more rows goes. */
export interface Paging {
  readonly loading: boolean;
  readonly error: ProblemError | null;
}

/** The live deployments of an env, with or without a filter. */
export interface DeploymentsStore extends ScopeStore<DeploymentsState> {
  paging(): Paging;
  /** Loads the next page and joins it with what the stream says meanwhile. Never rejects: see `paging`. */
  loadMore(): Promise<void>;
}

/** A client that shows what streams bring and asks for what they do not. */
export interface ShipboardClient extends LiveClient {
  readonly api: Api;
  deployments(scope: DeploymentsScope): DeploymentsStore;
}

/** The same client with history. Use it in place of the one given, whose own lists would be others. */
export function withHistory(live: LiveClient): ShipboardClient {
  const { hub } = live;
  const api = createApi(hub.baseUrl, hub.environment);
  const lists = shelf<DeploymentsList>();
  const views = shelf<FilteredList>();
  return {
    ...live,
    api,
    deployments(scope) {
      const { filter, ...plain } = scope;
      const baseKey = scopeKey(plain);
      const base = lists.get(baseKey, (onUse) => new DeploymentsList(baseKey, hub, api, plain, onUse));
      if (!filter || isEmptyFilter(filter)) return base;
      const key = scopeKey(scope);
      return views.get(key, (onUse) => new FilteredList(key, hub, api, scope, base, onUse));
    },
  };
}
