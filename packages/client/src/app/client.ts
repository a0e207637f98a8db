// The client of an app. To the live board of the root entry it adds details and logs, rows below the newest,
// views by a filter, and the REST calls; its scopes share a stream.

import type { ClientOptions, LiveClient, ScopeStore } from "../client";
import { createClient as createLiveClient } from "../create";
import { isEmptyFilter } from "../filter";
import { type DeploymentsScope, type DetailsScope, type LogScope, scopeKey } from "../scope";
import { sharedStreams } from "../sharing/streams";
import { shelf } from "../shelf";
import type { DeploymentsState, DetailsState, LogState } from "../state";
import { StreamedScope } from "../store";
import { type Api, createApi, type ProblemError } from "./api";
import { DeploymentsList, FilteredList } from "./lists";
import { detailsRules, logRules } from "./rules";

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

/** The client of an app: everything that streams bring, and what has to be asked for beside them. */
export interface ShipboardClient extends LiveClient {
  readonly api: Api;
  deployments(scope: DeploymentsScope): DeploymentsStore;
  details(scope: DetailsScope): ScopeStore<DetailsState>;
  log(scope: LogScope): ScopeStore<LogState>;
}

/** Makes the client of an app. Its scopes share streams unless it is given another carrier. */
export function createClient(options: ClientOptions = {}): ShipboardClient {
  const live = createLiveClient({ carrier: sharedStreams, ...options });
  const { hub } = live;
  const api = createApi(hub.baseUrl, hub.environment);
  const lists = shelf<DeploymentsList>();
  const views = shelf<FilteredList>();
  const details = shelf<StreamedScope<DetailsState>>();
  const logs = shelf<StreamedScope<LogState>>();
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
    details(scope) {
      const key = scopeKey(scope);
      return details.get(key, (onUse) => new StreamedScope(key, hub, detailsRules(scope), onUse));
    },
    log(scope) {
      const key = scopeKey(scope);
      return logs.get(key, (onUse) => new StreamedScope(key, hub, logRules(scope), onUse));
    },
  };
}
