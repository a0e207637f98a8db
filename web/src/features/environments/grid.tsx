// The table of workflows by environments, whatever stands in its cells. It scrolls within itself in both
// directions, with its heads and its first column in sight; only the rows in sight are in the document.

import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { type CSSProperties, type ReactNode, useCallback, useLayoutEffect, useRef, useState } from "react";
import { useKeys } from "~/shared/keys";
import { usePreferences } from "~/shared/preferences";
import { useReading, useStillOrder } from "~/shared/still-order";
import { useRangeWith } from "~/shared/window-rows";

const ROW_PX = { comfortable: 60, compact: 36 } as const;
const HEAD_PX = 56;
const OVERSCAN_ROWS = 6;

/** How far a key goes, in rows and columns. */
type Step = readonly [rows: number, columns: number];

/** The table. Cells are links that carry `data-place="row column"`. */
export function Grid({
  label,
  ids,
  view,
  columns,
  head,
  row,
}: {
  label: string;
  ids: readonly string[];
  /** Another view has another order, held or not. */
  view: string;
  columns: number;
  head: ReactNode;
  row: (id: string) => ReactNode;
}) {
  const scroller = useRef<HTMLElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const reading = useReading(body);
  const shown = useStillOrder(ids, reading, view);
  const { density } = usePreferences();
  const height = ROW_PX[density];
  const [kept, keep] = useState("");

  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: OVERSCAN_ROWS,
    scrollPaddingStart: HEAD_PX,
    getItemKey: useCallback((index: number) => shown[index] ?? index, [shown]),
    rangeExtractor: useRangeWith(shown, kept),
  });

  useLayoutEffect(() => {
    // The measured sizes are of another density.
    if (height > 0) virtual.measure();
  }, [height, virtual]);

  const go =
    ([rows, across]: Step) =>
    (event: KeyboardEvent) => {
      const [from, column] = placeOf(document.activeElement);
      const at = from === null ? -1 : shown.indexOf(from);
      // What was focused is no cell: arrows scroll as they always do.
      if (at < 0 && event.key.startsWith("Arrow") && document.activeElement !== document.body) return;
      const next = at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + rows));
      const id = shown[next];
      if (id === undefined) return;
      event.preventDefault();
      keep(id);
      virtual.scrollToIndex(next, { align: "auto" });
      const wanted = at < 0 ? 0 : column + across;
      // A row that only now comes into sight is in the document with the next frame.
      requestAnimationFrame(() => focusNear(body.current, id, wanted, across));
    };
  useKeys({
    j: go([1, 0]),
    ArrowDown: go([1, 0]),
    k: go([-1, 0]),
    ArrowUp: go([-1, 0]),
    l: go([0, 1]),
    ArrowRight: go([0, 1]),
    h: go([0, -1]),
    ArrowLeft: go([0, -1]),
  });

  const style: CSSProperties & Record<"--columns", number> = { "--columns": columns };
  return (
    <section
      ref={scroller}
      aria-label={`${label}; scrolls`}
      tabIndex={0}
      className="relative -mb-12 max-h-[max(20rem,calc(100dvh-11rem))] overflow-auto overscroll-x-contain rounded-xl border border-line bg-surface shadow-card focus-visible:outline-offset-0"
    >
      <div role="table" aria-label={label} aria-rowcount={shown.length + 1} className="matrix" style={style}>
        <div role="rowgroup" className="sticky top-0 z-20 border-b border-line bg-surface">
          <div role="row" aria-rowindex={1} className="matrix-grid h-14">
            {head}
          </div>
        </div>
        <div ref={body} role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const id = shown[item.index];
            if (id === undefined) return null;
            return (
              <PlacedRow key={item.key} id={id} index={item.index} top={item.start} height={height}>
                {row(id)}
              </PlacedRow>
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** The first column's cell, which stays in sight. */
export function FirstCell({ head = false, children }: { head?: boolean; children: ReactNode }) {
  return (
    <div
      role={head ? "columnheader" : "rowheader"}
      className={clsx(
        "sticky left-0 z-10 flex min-w-0 flex-col justify-center border-r border-line bg-surface px-3 sm:px-4",
        !head && "group-hover:bg-hover",
      )}
    >
      {children}
    </div>
  );
}

function PlacedRow({
  id,
  index,
  top,
  height,
  children,
}: {
  id: string;
  index: number;
  top: number;
  height: number;
  children: ReactNode;
}) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-workflow={id}
      style={{ top, height }}
      className="matrix-grid group absolute inset-x-0 border-b border-line last:border-b-0 hover:bg-hover"
    >
      {children}
    </div>
  );
}

/** Which row and column an element belongs to. */
function placeOf(element: Element | null): [row: string | null, column: number] {
  const row = element?.closest("[data-workflow]")?.getAttribute("data-workflow") ?? null;
  return [row, Number(element?.closest("[data-column]")?.getAttribute("data-column") ?? 0)];
}

/** Gives the focus to the row's link in this column, or else to the next one on the way. */
function focusNear(body: HTMLElement | null, id: string, column: number, direction: number): void {
  const row = [...(body?.querySelectorAll("[data-workflow]") ?? [])].find(
    (one) => one.getAttribute("data-workflow") === id,
  );
  const links = [...(row?.querySelectorAll<HTMLElement>("[data-column] a[data-cell]") ?? [])].map(
    (link) => [placeOf(link)[1], link] as const,
  );
  const ahead = links.filter(([at]) => (at - column) * (direction || 1) >= 0);
  const nearest = (direction === 0 ? links : ahead).toSorted(
    ([a], [b]) => Math.abs(a - column) - Math.abs(b - column),
  )[0];
  nearest?.[1].focus();
}
