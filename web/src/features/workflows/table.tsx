// The workflows' table: which rows stand where. Virtual over the window's own scrolling, of fixed row height, and
// still while somebody reads it. Rows render themselves (row.tsx); this renders when the order changes or scrolls.

import type { DeploymentsScope } from "@shipboard/client";
import { useDeploymentsStore, useLoaded } from "@shipboard/client/react";
import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useKeys } from "~/shared/keys";
import { NARROW, useMedia } from "~/shared/media";
import { usePreferences } from "~/shared/preferences";
import { useReading, useStillOrder } from "~/shared/still-order";
import { arrange, type Wish } from "./arrange";
import { WorkflowHead, WorkflowRow, WorkflowSkeleton } from "./row";

const ROW_PX = { comfortable: 56, compact: 40, narrow: 64 } as const;
const OVERSCAN_ROWS = 8;
/** The sticky header and the column heads, which cover the top of the window. */
const COVERED_PX = 100;

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
  const body = useRef<HTMLDivElement>(null);
  const reading = useReading(table);
  const shown = useStillOrder(ids, reading, view);
  const { density } = usePreferences();
  const narrow = useMedia(NARROW);
  const height = narrow ? ROW_PX.narrow : ROW_PX[density];
  const [margin, setMargin] = useState(0);
  const [cursor, setCursor] = useState({ id: "", nonce: 0 });

  useLayoutEffect(() => {
    const measure = () => setMargin((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, []);

  const virtual = useWindowVirtualizer({
    count: shown.length,
    estimateSize: () => height,
    overscan: OVERSCAN_ROWS,
    scrollMargin: margin,
    scrollPaddingStart: COVERED_PX,
    scrollPaddingEnd: height,
    getItemKey: useCallback((index: number) => shown[index] ?? index, [shown]),
    // The row with the focus stays in the document, or the focus would be lost by scrolling.
    rangeExtractor: useCallback(
      (range: Range) => {
        const rows = defaultRangeExtractor(range);
        const focused = cursor.id ? shown.indexOf(cursor.id) : -1;
        return focused < 0 || rows.includes(focused) ? rows : [...rows, focused].sort((a, b) => a - b);
      },
      [shown, cursor.id],
    ),
  });

  useLayoutEffect(() => {
    // The measured sizes are of another density.
    if (height > 0) virtual.measure();
  }, [height, virtual]);

  const move = (by: 1 | -1) => (event: KeyboardEvent) => {
    const focused = document.activeElement?.closest("[data-workflow]")?.getAttribute("data-workflow");
    const at = shown.indexOf(focused ?? cursor.id);
    const next = at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by));
    const id = shown[next];
    if (id === undefined) return;
    event.preventDefault();
    virtual.scrollToIndex(next, { align: "auto" });
    setCursor({ id, nonce: cursor.nonce + 1 });
  };
  useKeys({ j: move(1), ArrowDown: move(1), k: move(-1), ArrowUp: move(-1) });

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
        <div ref={body} role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const id = shown[item.index];
            if (id === undefined) return null;
            return (
              <PlacedRow
                key={item.key}
                scope={scope}
                id={id}
                index={item.index}
                top={item.start - margin}
                height={height}
                focus={cursor.id === id ? cursor.nonce : 0}
              />
            );
          })}
        </div>
      ) : (
        <div ref={body} role="rowgroup">
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
  const [style, setStyle] = useState({ top, height });
  if (style.top !== top || style.height !== height) setStyle({ top, height });
  return <WorkflowRow {...rest} style={style} />;
}
