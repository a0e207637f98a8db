// The search behind "where is …": a filtered list of each environment, which the server's history fills and the
// stream keeps up to date. What it comes to is where.ts.

import { type Deployment, deploymentsOf } from "@shipboard/client";
import type { DeploymentsStore, Paging, ProblemError } from "@shipboard/client/app";
import { useClient } from "@shipboard/client/react";
import { useEffect, useMemo } from "react";
import { type Derived, derive } from "./derived";
import type { Fleet } from "./fleet";
import { nextWhere, nowhere, type Where } from "./where";

/** How long an environment that was too busy is left alone, unless it says. */
const BUSY_MS = 5_000;
const TOO_MANY_REQUESTS = 429;

/** How an environment's search goes. */
export interface Asked {
  readonly loaded: boolean;
  readonly error: ProblemError | null;
  /** There are more matches than were looked at. */
  readonly more: boolean;
}

/** A search in all environments. */
export interface Search {
  readonly text: string;
  readonly stores: readonly DeploymentsStore[];
  readonly where: Derived<Where>;
  readonly asked: Derived<readonly Asked[]>;
}

/** Searches all environments of the fleet; what is found follows what is reported. */
export function useWhere(fleet: Fleet, text: string): Search {
  const client = useClient();
  const search = useMemo(() => {
    const stores = fleet.places.map(({ env }) =>
      client.deployments(deploymentsOf(fleet.tenant, env, { q: text })),
    );
    const where = derive(
      [
        ...stores.map((store) => ({
          read: () => store.get().deployments,
          subscribe: (listener: () => void) => store.subscribe("any", listener),
        })),
        { read: () => fleet.matrix.get(), subscribe: fleet.matrix.subscribe },
        ...stores.map((store) => ({ read: () => store.get().loaded, subscribe: () => () => undefined })),
      ],
      nowhere,
      (before) => nextWhere(before, text, fleet.matrix.get(), stores.map(rowsOf)),
    );
    return { text, stores, where, asked: askedOf(stores) };
  }, [client, fleet, text]);
  useSecondAttempts(search.stores);
  return search;
}

/** A person asks the environments again that could not be asked. */
export function askAgain(search: Search): void {
  for (const store of search.stores) if (store.paging().error) void store.loadMore();
}

const rowsOf = (store: DeploymentsStore): readonly Deployment[] | null => {
  const { loaded, deployments } = store.get();
  return loaded ? [...deployments.values()] : null;
};

function askedOf(stores: readonly DeploymentsStore[]): Derived<readonly Asked[]> {
  const read = (): readonly Asked[] =>
    stores.map((store) => {
      const { loaded, has_more: more } = store.get();
      return { loaded, more, error: loaded ? null : store.paging().error };
    });
  const keep = (before: readonly Asked[]): readonly Asked[] => {
    const now = read();
    const same = now.every((one, index) => {
      const old = before[index];
      return old?.loaded === one.loaded && old.more === one.more && old.error === one.error;
    });
    return same ? before : now;
  };
  return derive(
    stores.flatMap((store) => [
      { read: () => store.get(), subscribe: (listener: () => void) => store.subscribe("any", listener) },
      {
        read: () => store.paging(),
        subscribe: (listener: () => void) => store.subscribe("paging", listener),
      },
    ]),
    read(),
    keep,
  );
}

/** A server lets only so many search at once; who was refused asks again when it said. */
function useSecondAttempts(stores: readonly DeploymentsStore[]): void {
  useEffect(() => {
    const timers = new Map<DeploymentsStore, ReturnType<typeof setTimeout>>();
    const seen = new Map<DeploymentsStore, Paging>();
    const look = (store: DeploymentsStore) => {
      const paging = store.paging();
      if (seen.get(store) === paging) return;
      seen.set(store, paging);
      clearTimeout(timers.get(store));
      if (paging.error?.status !== TOO_MANY_REQUESTS) return;
      const wait = paging.error.retryAfterMs ?? BUSY_MS;
      timers.set(
        store,
        setTimeout(() => void store.loadMore(), wait),
      );
    };
    const stops = stores.map((store) => store.subscribe("paging", () => look(store)));
    return () => {
      for (const stop of stops) stop();
      for (const timer of timers.values()) clearTimeout(timer);
    };
  }, [stores]);
}
