// All environments of a tenant at once: their stores, which share a stream, and what is made of them together.
// Made once for a list of environments and handed down; nothing of it ticks.

import { deploymentsOf, type Env, type Link } from "@shipboard/client";
import type { DeploymentsStore } from "@shipboard/client/app";
import { useClient } from "@shipboard/client/react";
import { useMemo } from "react";
import { type Derived, derive } from "./derived";
import { emptyMatrix, type Matrix, nextMatrix } from "./matrix";
import { worstLink } from "./worst-link";

/** How many environments are shown: a shared stream carries 32 scopes, and the rest of the page wants some. */
export const ENVIRONMENTS_LIMIT = 30;

/** An environment that is shown. */
export interface Place {
  readonly env: string;
  readonly name: string;
  readonly store: DeploymentsStore;
}

/** The environments that are shown, and what they say together. */
export interface Fleet {
  readonly tenant: string;
  readonly places: readonly Place[];
  readonly matrix: Derived<Matrix>;
  readonly link: Derived<Link>;
}

/** The fleet of these environments; the same one while they are the same. */
export function useFleet(tenant: string, envs: readonly Env[]): Fleet {
  const client = useClient();
  // Lists are read again and again, and mostly say the same.
  const said = JSON.stringify(envs.slice(0, ENVIRONMENTS_LIMIT).map(({ id, name }) => [id, name || id]));
  return useMemo(() => {
    const named: [string, string][] = JSON.parse(said);
    const places = named.map(([env, name]) => ({
      env,
      name,
      store: client.deployments(deploymentsOf(tenant, env)),
    }));
    return { tenant, places, matrix: matrixOf(places), link: linkOf(places) };
  }, [client, tenant, said]);
}

const matrixOf = (places: readonly Place[]): Derived<Matrix> =>
  derive(
    // The whole state, as an empty environment's first snapshot changes no workflow: what differs is told apart below.
    places.map(({ store }) => ({
      read: () => store.get(),
      subscribe: (listener) => store.subscribe("any", listener),
    })),
    emptyMatrix,
    (before) =>
      nextMatrix(
        before,
        places.map(({ env, name, store }) => {
          const { loaded, workflows, workflows_more: more } = store.get();
          return { id: env, name, loaded, more, workflows };
        }),
      ),
  );

const linkOf = (places: readonly Place[]): Derived<Link> => {
  const worst = () => worstLink(places.map(({ store }) => store.link()));
  return derive(
    places.map(({ store }) => ({
      read: () => store.link(),
      subscribe: (listener) => store.subscribe("link", listener),
    })),
    worst(),
    worst,
  );
};
