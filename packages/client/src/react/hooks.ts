// Hooks over the stores. Each selects the smallest thing that a component shows and renders it only when
// that thing changed identity: a row takes an id and selects itself. The client gives the same store for
// the same scope, so a scope may be a new object at every render. Nothing here fetches or reduces.

import { useCallback, useMemo, useState, useSyncExternalStore } from "react";
import type { DeploymentsStore, Paging } from "../app/client";
import type { ScopeStore, Topic } from "../client";
import type { Link } from "../link";
import { type HeldOrder, holdOrder } from "../order";
import type { Counts, Deployment, Workflow } from "../protocol/types";
import { type DeploymentsScope, type DetailsScope, type LogScope, type Scope, scopeKey } from "../scope";
import type { AnyState, DetailsState, LogState } from "../state";
import { useClient } from "./context";

function useTopic<State extends AnyState, Value>(
  store: ScopeStore<State>,
  topic: Topic,
  select: (store: ScopeStore<State>) => Value,
): Value {
  const subscribe = useCallback((listener: () => void) => store.subscribe(topic, listener), [store, topic]);
  const get = () => select(store);
  return useSyncExternalStore(subscribe, get, get);
}

/** The store of a deployments scope, for what no hook here offers. */
export function useDeploymentsStore(scope: DeploymentsScope): DeploymentsStore {
  return useClient().deployments(scope);
}

function useStore(scope: Scope): ScopeStore<AnyState> {
  const client = useClient();
  if (scope.kind === "deployments") return client.deployments(scope);
  return scope.kind === "details" ? client.details(scope) : client.log(scope);
}

/** The ids of the loaded deployments, newest first. A new array only when the order changed. */
export function useDeploymentIds(scope: DeploymentsScope): readonly string[] {
  return useTopic(useDeploymentsStore(scope), "order", (store) => store.get().deployment_ids);
}

/**
 * The ids, in the order they had when `hold` was set: rows must not jump under a cursor. Their data goes on,
 * and so does loading more; `waiting` is for a "3 new" pill.
 */
export function useHeldIds(scope: DeploymentsScope, hold: boolean): HeldOrder {
  const ids = useDeploymentIds(scope);
  const key = scopeKey(scope);
  const [held, setHeld] = useState({ ids, key });
  const holds = hold && held.key === key && held.ids.length > 0;
  // Set while rendering, so that no frame shows the new order once it is held.
  if (!holds && (held.ids !== ids || held.key !== key)) setHeld({ ids, key });
  return useMemo(() => (holds ? holdOrder(held.ids, ids) : { ids, waiting: 0 }), [holds, held, ids]);
}

/** One row; undefined if it is not, or no longer, loaded. */
export function useDeployment(scope: DeploymentsScope, id: string): Deployment | undefined {
  return useTopic(useDeploymentsStore(scope), `row ${id}`, (store) => store.get().deployments.get(id));
}

/** The ids of the env's workflows, last active first. */
export function useWorkflowIds(scope: DeploymentsScope): readonly string[] {
  return useTopic(useDeploymentsStore(scope), "workflow_order", (store) => store.get().workflow_ids);
}

/** One workflow's row; undefined if there is none. */
export function useWorkflow(scope: DeploymentsScope, id: string): Workflow | undefined {
  return useTopic(useDeploymentsStore(scope), `workflow ${id}`, (store) => store.get().workflows.get(id));
}

/** The env's counters; null before the first snapshot. A filter does not change them. */
export function useCounts(scope: DeploymentsScope | DetailsScope): Counts | null {
  return useTopic(useStore(scope), "counts", (store) => {
    const state = store.get();
    return state.kind === "log" ? null : state.counts;
  });
}

/** The scope's connection. */
export function useLink(scope: Scope): Link {
  return useTopic(useStore(scope), "link", (store) => store.link());
}

/** Whether a first snapshot has come, so that empty means empty. */
export function useLoaded(scope: Scope): boolean {
  return useTopic(useStore(scope), "any", (store) => store.get().loaded);
}

/** Whether what is shown may no longer be true, because the connection is away. */
export function useStale(scope: Scope): boolean {
  return useTopic(useStore(scope), "any", (store) => store.get().stale);
}

/** Loading more rows: whether there are any, how it goes, and the call. */
export interface PagingControls extends Paging {
  readonly has_more: boolean;
  readonly loadMore: () => Promise<void>;
}

/** Loading more rows of the list. */
export function usePaging(scope: DeploymentsScope): PagingControls {
  const store = useDeploymentsStore(scope);
  const hasMore = useTopic(store, "any", () => store.get().has_more);
  const paging = useTopic(store, "paging", () => store.paging());
  return useMemo(
    () => ({ ...paging, has_more: hasMore, loadMore: store.loadMore }),
    [paging, hasMore, store],
  );
}

/** One deployment with timeline and counts, live. */
export function useDetails(scope: DetailsScope): DetailsState {
  return useTopic(useClient().details(scope), "any", (held) => held.get());
}

/** One deployment's log, live. */
export function useLog(scope: LogScope): LogState {
  return useTopic(useClient().log(scope), "any", (held) => held.get());
}

/** The server's time in steps of a second, from the one clock that all components share. */
export function useNow(): number {
  const { clock } = useClient();
  return useSyncExternalStore(clock.subscribe, clock.now, clock.now);
}
