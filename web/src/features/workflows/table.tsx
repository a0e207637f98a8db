// The workflows' table: which rows there are, of fixed height, and still while somebody reads it. Rows render
// themselves (row.tsx); this renders when the order changes or scrolls.

import type { DeploymentsScope } from "@shipboard/client";
import { useDeploymentsStore, useLoaded } from "@shipboard/client/react";
import { useCallback, useMemo, useRef, useSyncExternalStore } from "react";
import { NARROW, useMedia } from "~/shared/media";
import { usePreferences } from "~/shared/preferences";
import { useReading, useStillOrder } from "~/shared/still-order";
import { usePlaceStyle, useWindowRows } from "~/shared/window-rows";
import { arrange, type Wish } from "./arrange";
import { WorkflowHead, WorkflowRow, WorkflowSkeleton } from "./row";

const ROW_PX = { comfortable: 56, compact: 40, narrow: 64 } as const;

/** The ids to show; a new array only when it is another order. */
export function useArranged(scope: DeploymentsScope, { pinFailing, text }: Wish): readonly string[] {
  const store = useDeploymentsStore(scope);
  const get = useMemo(() => {
    let held: readonly string[] = [];
    let seen: ReturnType<typeof store.get> | null = null;
    return () => {
      const state = store.get();
      if (state === seen) return held;
      seen = state;
      const ids = arrange(state.workflow_ids, state.workflows, { pinFailing, text });
      if (ids.length !== held.length || ids.some((id, index) => id !== held[index])) held = ids;
      return held;
    };
  }, [store, pinFailing, text]);
  const subscribe = useCallback((listener: () => void) => store.subscribe("any", listener), [store]);
  return useSyncExternalStore(subscribe, get, get);
}

/** The table of these workflows. */
export function WorkflowsTable({
  scope,
  ids,
  view,
}: {
  scope: DeploymentsScope;
  ids: readonly string[];
  /** Another view has another order, held or not. */
  view: string;
}) {
  const loaded = useLoaded(scope);
  const table = useRef<HTMLDivElement>(null);
  const reading = useReading(table);
  const shown = useStillOrder(ids, reading, view);
  const { density } = usePreferences();
  const narrow = useMedia(NARROW);
  const height = narrow ? ROW_PX.narrow : ROW_PX[density];
  const rows = useWindowRows(shown, height, "data-workflow");

  return (
    <div
      ref={table}
      role="table"
      aria-label="Workflows"
      aria-busy={!loaded}
      aria-rowcount={shown.length + 1}
      className="rounded-xl border border-line bg-surface shadow-card"
    >
      <WorkflowHead />
      {loaded ? (
        <div ref={rows.body} role="rowgroup" className="relative" style={{ height: rows.totalHeight }}>
          {rows.places.map(({ key, ...place }) => (
            <PlacedRow key={key} {...place} scope={scope} height={height} />
          ))}
        </div>
      ) : (
        <div ref={rows.body} role="rowgroup">
          <WorkflowSkeleton height={height} />
        </div>
      )}
    </div>
  );
}

/** Gives the row a style that is the same object while its place is. */
function PlacedRow({
  top,
  height,
  ...rest
}: { top: number; height: number } & Omit<Parameters<typeof WorkflowRow>[0], "style">) {
  return <WorkflowRow {...rest} style={usePlaceStyle(top, height)} />;
}
