// Deployments that somebody wants to be told of when they end. A watch belongs to the tab, not to a page: it goes on
// wherever one goes in the app, and through a reload. The permission is asked for by whoever is pressed, not here.

import { type Deployment, type DetailsScope, isActive, scopeKey } from "@shipboard/client";
import type { ShipboardClient } from "@shipboard/client/app";
import { useSyncExternalStore } from "react";
import { formatDuration } from "~/shared/format";
import { titleOf } from "~/shared/naming";
import { lookOf } from "~/shared/status";
import { iconOf } from "~/shared/tab";

const HELD_KEY = "shipboard.watched";
/** How many deployments one tab watches; the oldest watch gives way. */
export const WATCHES_LIMIT = 20;
/** How often a tab that nobody sees asks by itself: after minutes its streams rest, and a watch must not. */
export const ASK_MS = 30_000;

/** Tells a person. */
export type Tell = (row: Deployment, scope: DetailsScope) => void;

const watches = new Map<string, { readonly scope: DetailsScope; readonly stop: () => void }>();
const listeners = new Set<() => void>();

function changed(): void {
  try {
    sessionStorage.setItem(HELD_KEY, JSON.stringify([...watches.values()].map(({ scope }) => scope)));
  } catch {
    // Without storage a watch ends with the page.
  }
  for (const listener of listeners) listener();
}

/** Begins to watch; tells once, when the deployment has ended. */
export function watch(client: ShipboardClient, scope: DetailsScope, tell: Tell): void {
  const key = scopeKey(scope);
  if (watches.has(key)) return;
  const [oldest] = watches.keys();
  if (watches.size >= WATCHES_LIMIT && oldest !== undefined) end(oldest);
  const store = client.details(scope);
  const look = (row: Deployment | null) => {
    if (!watches.has(key)) return;
    if (row && !isActive(row.status)) {
      end(key);
      tell(row, scope);
    } else if (store.get().deleted) end(key);
  };
  const stopHearing = store.subscribe("any", () => look(store.get().deployment));
  const timer = setInterval(() => {
    if (store.link().state.status === "live") return;
    client.api.deployment(scope.tenant, scope.env, scope.id).then(
      ({ deployment }) => look(deployment),
      () => undefined,
    );
  }, ASK_MS);
  watches.set(key, {
    scope,
    stop: () => {
      stopHearing();
      clearInterval(timer);
    },
  });
  changed();
  look(store.get().deployment);
}

/** Ends a watch. */
export const unwatch = (scope: DetailsScope): void => end(scopeKey(scope));

function end(key: string): void {
  watches.get(key)?.stop();
  if (watches.delete(key)) changed();
}

const text = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Takes up what was watched before a reload. */
export function resumeWatches(client: ShipboardClient, tell: Tell): void {
  let held: unknown;
  try {
    held = JSON.parse(sessionStorage.getItem(HELD_KEY) ?? "[]");
  } catch {
    return;
  }
  if (!Array.isArray(held)) return;
  for (const one of held.slice(0, WATCHES_LIMIT)) {
    const { tenant, env, id }: { tenant?: unknown; env?: unknown; id?: unknown } = Object(one);
    if (text(tenant) && text(env) && text(id)) watch(client, { kind: "details", tenant, env, id }, tell);
  }
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** Whether a deployment is watched. */
export const useWatched = (scope: DetailsScope): boolean =>
  useSyncExternalStore(subscribe, () => watches.has(scopeKey(scope)));

/** What a notification says of a deployment that has ended. */
export function noteOf(
  row: Deployment,
  scope: DetailsScope,
): { title: string; options: NotificationOptions } {
  const { started_at: from, finished_at: to } = row;
  const took = from && to ? `took ${formatDuration(Date.parse(to) - Date.parse(from))}` : "";
  const where = [`${row.workflow_id} → ${scope.env}`, took].filter(Boolean).join(" · ");
  const reason = row.status === "success" ? null : row.message;
  return {
    title: `${lookOf(row.status).word}: ${[row.workflow_id, row.version ?? titleOf(row)].join(" ")}`,
    options: {
      body: [where, reason].filter(Boolean).join("\n"),
      icon: iconOf(row.status, null),
      // Several tabs that watch the same one show one notification.
      tag: row.id,
    },
  };
}
