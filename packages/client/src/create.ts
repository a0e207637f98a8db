// Puts a client together and keeps its stores: one per scope key, the idle ones only for a while.

import { createApi, envPath } from "./api";
import type { ClientOptions, DeploymentsStore, ScopeStore, ShipboardClient } from "./client";
import { createClock } from "./clock";
import { reduceAllDetails } from "./details";
import { browserEnvironment } from "./environment";
import { isEmptyFilter } from "./filter";
import { Hub, IDLE_SCOPES_LIMIT } from "./hub";
import { DeploymentsList, deploymentsRules, FilteredList } from "./lists";
import { reduceAllLog } from "./log";
import { type DeploymentsScope, type DetailsScope, type LogScope, scopeKey } from "./scope";
import { type DetailsState, emptyDetails, emptyLog, type LogState } from "./state";
import { type OnUse, StreamedScope } from "./store";
import { Streams } from "./streams";

/** A store's place among the others. */
interface Shelf<Store> {
  get(key: string, make: (onUse: OnUse) => Store): Store;
}

/** Keeps stores by key; of those nobody uses, the latest few. */
function shelf<Store extends { readonly key: string }>(): Shelf<Store> {
  const stores = new Map<string, Store>();
  const idle = new Set<Store>();
  const rest = (store: Store) => {
    idle.delete(store);
    idle.add(store);
    const [oldest] = idle;
    if (idle.size <= IDLE_SCOPES_LIMIT || !oldest) return;
    idle.delete(oldest);
    if (stores.get(oldest.key) === oldest) stores.delete(oldest.key);
  };
  const onUse = (store: Store, inUse: boolean) => {
    if (!inUse) {
      rest(store);
      return;
    }
    idle.delete(store);
    stores.set(store.key, store);
  };
  return {
    get(key, make) {
      const held = stores.get(key);
      if (held) return held;
      const fresh = make((inUse) => onUse(fresh, inUse));
      stores.set(key, fresh);
      rest(fresh);
      return fresh;
    },
  };
}

/** Makes the client of a page. */
export function createClient(options: ClientOptions = {}): ShipboardClient {
  const {
    baseUrl = "",
    environment = browserEnvironment(),
    multiplex = true,
    share = (own) => own,
  } = options;
  const api = createApi(baseUrl, environment);
  const clock = createClock(environment);
  const streams = share(new Streams(environment, baseUrl, multiplex));
  const hub = new Hub(environment, api, clock, streams, baseUrl);
  const lists = shelf<DeploymentsList | FilteredList>();
  const details = shelf<StreamedScope<DetailsState>>();
  const logs = shelf<StreamedScope<LogState>>();

  const unfiltered = (scope: DeploymentsScope): DeploymentsList => {
    const { filter: _, ...plain } = scope;
    const key = scopeKey(plain);
    const rules = deploymentsRules(plain, envPath(scope.tenant, scope.env));
    const store = lists.get(key, (onUse) => new DeploymentsList(key, hub, plain, rules, onUse));
    if (store instanceof DeploymentsList) return store;
    throw new TypeError(`a view stands at the key ${key}`);
  };

  return {
    api,
    clock,
    deployments(scope): DeploymentsStore {
      const base = unfiltered(scope);
      if (!scope.filter || isEmptyFilter(scope.filter)) return base;
      const key = scopeKey(scope);
      return lists.get(key, (onUse) => new FilteredList(key, hub, scope, base, onUse));
    },
    details(scope: DetailsScope): ScopeStore<DetailsState> {
      const { tenant, env, id } = scope;
      const key = scopeKey(scope);
      const rules = {
        tenant,
        env,
        path: `${env}/d/${id}`,
        empty: emptyDetails,
        url: () => `${envPath(tenant, env)}/deployments/${encodeURIComponent(id)}/stream`,
        reduce: (state: DetailsState, events: Parameters<typeof reduceAllDetails>[1]) =>
          reduceAllDetails(state, events, id),
      };
      return details.get(key, (onUse) => new StreamedScope(key, hub, rules, onUse));
    },
    log(scope: LogScope): ScopeStore<LogState> {
      const { tenant, env, id } = scope;
      const key = scopeKey(scope);
      const rules = {
        tenant,
        env,
        path: `${env}/d/${id}/log`,
        empty: emptyLog,
        url: (state: LogState) => {
          const from = state.loaded ? `?offset=${state.end}` : "";
          return `${envPath(tenant, env)}/deployments/${encodeURIComponent(id)}/logs/stream${from}`;
        },
        reduce: (state: LogState, events: Parameters<typeof reduceAllLog>[1]) =>
          reduceAllLog(state, events, id),
      };
      return logs.get(key, (onUse) => new StreamedScope(key, hub, rules, onUse));
    },
    flush: () => hub.flush(),
    retry: () => hub.streams.again(),
    counters: () => ({ ...streams.counters }),
    close: () => hub.close(),
  };
}
