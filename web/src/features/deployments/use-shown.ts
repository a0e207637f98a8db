// The hooks behind a table that keeps still under its reader: whether somebody is busy with it, which rows are
// shown, and in which order. The rules are in shown.ts; the live order itself is the client's.

import { compareDeployments, type DeploymentsScope, scopeKey } from "@shipboard/client";
import { useDeploymentIds, useDeploymentsStore } from "@shipboard/client/react";
import { type RefObject, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { STATUS_LOOKS } from "~/shared/status";
import { useReading } from "~/shared/still-order";
import type { Sort } from "./search";
import { beginShown, LEAVE_MS, nextShown, type Shown, settleShown } from "./shown";

/** Scrolled further than this, the top of the list is out of sight. */
const SCROLLED_PX = 8;

/** Whether somebody has scrolled, or reads in the table. */
export function useBusy(table: RefObject<HTMLElement | null>): boolean {
  const [scrolled, setScrolled] = useState(() => window.scrollY > SCROLLED_PX);
  useEffect(() => {
    const onScroll = () => setScrolled(window.scrollY > SCROLLED_PX);
    window.addEventListener("scroll", onScroll, { passive: true });
    return () => window.removeEventListener("scroll", onScroll);
  }, []);
  const reading = useReading(table);
  return scrolled || reading;
}

const ATTENTION = [
  "failed",
  "lost",
  "running",
  "waiting",
  "queued",
  "success",
  "cancelled",
  "skipped",
] as const satisfies readonly (keyof typeof STATUS_LOOKS)[];

/** The loaded ids in the wanted order; a new array only when it changed. */
export function useSortedIds(scope: DeploymentsScope, sort: Sort): readonly string[] {
  const store = useDeploymentsStore(scope);
  const newest = useDeploymentIds(scope);
  const sorted = useMemo(() => {
    let held: readonly string[] = [];
    return (): readonly string[] => {
      const rows = [...store.get().deployments.values()].sort((a, b) => {
        const first =
          sort === "workflow"
            ? a.workflow_id.localeCompare(b.workflow_id)
            : ATTENTION.indexOf(a.status) - ATTENTION.indexOf(b.status);
        return first || compareDeployments(a, b);
      });
      const same = rows.length === held.length && rows.every((row, index) => row.id === held[index]);
      if (!same) held = rows.map((row) => row.id);
      return held;
    };
  }, [store, sort]);
  const subscribe = useCallback(
    (listener: () => void) => (sort === "newest" ? () => undefined : store.subscribe("any", listener)),
    [store, sort],
  );
  const get = useMemo(() => {
    let state = store.get();
    let ids = sort === "newest" ? newest : sorted();
    return () => {
      if (sort === "newest") return newest;
      const now = store.get();
      if (now !== state) {
        state = now;
        ids = sorted();
      }
      return ids;
    };
  }, [store, sort, newest, sorted]);
  return useSyncExternalStore(subscribe, get, get);
}

/** The rows to show of a view. */
export function useShown(scope: DeploymentsScope, sort: Sort, held: boolean): Shown {
  const live = useSortedIds(scope, sort);
  const key = `${scopeKey(scope)} ${sort}`;
  const [kept, keep] = useState(() => beginShown(key, live, held));
  const changed = kept.key !== key || kept.live !== live || kept.held !== held;
  const shown = changed ? nextShown(kept, key, live, held) : kept;
  // Set while rendering, so that no frame shows the state before.
  if (changed) keep(shown);

  const fading = !shown.held && shown.leaving.size > 0;
  useEffect(() => {
    if (!fading) return;
    const timer = setTimeout(() => keep(settleShown), LEAVE_MS);
    return () => clearTimeout(timer);
  }, [fading]);
  return shown;
}
