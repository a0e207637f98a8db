// Where a deployment stands in the list one came from, and which ones stand beside it. The list is live; beyond its
// loaded rows, and for a deployment that does not match its filter any more, the place is by age.

import {
  compareDeployments,
  type Deployment,
  type DetailsScope,
  deploymentsOf,
  type Filter,
  filterKey,
} from "@shipboard/client";
import {
  useClient,
  useCounts,
  useDeploymentIds,
  useDeploymentsStore,
  useDetails,
  useLoaded,
  usePaging,
} from "@shipboard/client/react";
import { useQuery } from "@tanstack/react-query";
import { firstAfter, PAGE_ROWS } from "./history";

/** Enough to find the next older one among those of the same millisecond. */
const OLDER_ROWS = 20;

type Key = Pick<Deployment, "id" | "created_at">;

/** A place in a list of which the newest rows are loaded. */
export interface Place {
  /** From 0; null where the list does not hold it. */
  readonly index: number | null;
  /** The id before it and the one behind it; null: there is none, undefined: not among the loaded rows. */
  readonly newer: string | null | undefined;
  readonly older: string | null | undefined;
}

/** Where a row stands, or would stand, among rows that are newest first. */
export function placeAmong(rows: readonly Key[], own: Key, hasMore: boolean): Place {
  const at = rows.findIndex((row) => compareDeployments(row, own) >= 0);
  const end = hasMore ? undefined : null;
  if (at < 0) return { index: null, newer: hasMore ? undefined : (rows.at(-1)?.id ?? null), older: end };
  const inside = rows[at]?.id === own.id;
  return {
    index: inside ? at : null,
    newer: rows[at - 1]?.id ?? null,
    older: rows[inside ? at + 1 : at]?.id ?? end,
  };
}

/** What stands beside a deployment; an id is undefined while it is looked for. */
export interface Neighbours {
  readonly newer: string | null | undefined;
  readonly older: string | null | undefined;
  /** "2 of 37"; empty where it is not known. */
  readonly position: { readonly index: number; readonly of: number; readonly more: boolean } | null;
}

/** The neighbours of a deployment under a filter. */
export function useNeighbours(scope: DetailsScope, filter: Filter): Neighbours {
  const { tenant, env } = scope;
  const { api, clock } = useClient();
  const own = useDetails(scope).deployment;
  const list = deploymentsOf(tenant, env, filter);
  const ids = useDeploymentIds(list);
  const loaded = useLoaded(list);
  const { has_more: hasMore } = usePaging(list);
  const total = useCounts(list)?.deployments.total;
  const rows = useDeploymentsStore(list).get().deployments;
  const keys = ids.flatMap((id) => rows.get(id) ?? []);
  const place = own && loaded ? placeAmong(keys, own, hasMore) : null;

  const key = [tenant, env, filterKey(filter), scope.id];
  const created = own ? Date.parse(own.created_at) : 0;
  const { data: newer } = useQuery({
    queryKey: ["newer", ...key],
    enabled: place !== null && place.newer === undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      if (!own) return null;
      const until = filter.until ? Date.parse(filter.until) : Number.POSITIVE_INFINITY;
      const since = Math.max(created, filter.since ? Date.parse(filter.since) : 0);
      const found = await firstAfter(
        (from, to, after) => {
          const before = Math.min(to ?? Number.POSITIVE_INFINITY, until);
          const narrowed = {
            ...filter,
            since: timeOf(from),
            ...(before < Infinity && { until: timeOf(before) }),
          };
          const query = { filter: narrowed, limit: PAGE_ROWS, ...(after !== null && { after }) };
          return api.deployments(tenant, env, query, signal);
        },
        (row) => compareDeployments(row, own) < 0,
        since,
        Math.min(clock.exact(), until),
      );
      return found?.id ?? null;
    },
  });
  const { data: older } = useQuery({
    queryKey: ["older", ...key],
    enabled: place !== null && place.older === undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      if (!own) return null;
      const until = Math.min(created + 1, filter.until ? Date.parse(filter.until) : Number.POSITIVE_INFINITY);
      const query = { filter: { ...filter, until: timeOf(until) }, limit: OLDER_ROWS };
      const { items } = await api.deployments(tenant, env, query, signal);
      return items.find((row) => compareDeployments(row, own) > 0)?.id ?? null;
    },
  });

  if (!place) return { newer: undefined, older: undefined, position: null };
  const unfiltered = filterKey(filter) === "";
  const of = unfiltered && total !== undefined ? total : ids.length;
  return {
    newer: place.newer === undefined ? newer : place.newer,
    older: place.older === undefined ? older : place.older,
    position: place.index === null ? null : { index: place.index, of, more: hasMore && of === ids.length },
  };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();
