// Rows of one height over the window's own scrolling: only those in sight are in the document, and the focus goes
// from row to row by j, k and the arrows, by id and not by index. What a row is, and which there are, is the table's.

import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";
import { useKeys } from "~/shared/keys";

const OVERSCAN_ROWS = 8;
/** The sticky header and the column heads, which cover the top of the window. */
const COVERED_PX = 100;
const NOBODY = { id: "", nonce: 0 };

/** Where a row stands. */
export interface Place {
  readonly id: string;
  readonly key: string | number | bigint;
  readonly index: number;
  readonly top: number;
  /** Grows when the row shall take the focus; 0 if it shall not. */
  readonly focus: number;
}

/** The rows to draw, and what holds them. */
export interface WindowRows {
  readonly body: RefObject<HTMLDivElement | null>;
  readonly totalHeight: number;
  readonly places: readonly Place[];
  /** Nobody has the focus any more. */
  readonly letGo: () => void;
}

/** The rows of these ids; `attribute` is where a row's element has its id. */
export function useWindowRows(ids: readonly string[], height: number, attribute: string): WindowRows {
  const body = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [cursor, setCursor] = useState(NOBODY);

  useLayoutEffect(() => {
    const measure = () => setMargin((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, []);

  const virtual = useWindowVirtualizer({
    count: ids.length,
    estimateSize: () => height,
    overscan: OVERSCAN_ROWS,
    scrollMargin: margin,
    scrollPaddingStart: COVERED_PX,
    scrollPaddingEnd: height,
    getItemKey: useCallback((index: number) => ids[index] ?? index, [ids]),
    rangeExtractor: useRangeWith(ids, cursor.id),
  });

  useLayoutEffect(() => {
    // The measured sizes are of another density.
    if (height > 0) virtual.measure();
  }, [height, virtual]);

  const move = (by: 1 | -1) => (event: KeyboardEvent) => {
    const focused = document.activeElement?.closest(`[${attribute}]`)?.getAttribute(attribute);
    const at = ids.indexOf(focused ?? cursor.id);
    const next = at < 0 ? 0 : Math.min(ids.length - 1, Math.max(0, at + by));
    const id = ids[next];
    if (id === undefined) return;
    event.preventDefault();
    virtual.scrollToIndex(next, { align: "auto" });
    setCursor({ id, nonce: cursor.nonce + 1 });
  };
  useKeys({ j: move(1), ArrowDown: move(1), k: move(-1), ArrowUp: move(-1) });

  const places = virtual.getVirtualItems().flatMap(({ index, key, start }) => {
    const id = ids[index];
    if (id === undefined) return [];
    return [{ id, key, index, top: start - margin, focus: cursor.id === id ? cursor.nonce : 0 }];
  });
  return {
    body,
    totalHeight: virtual.getTotalSize(),
    places,
    letGo: useCallback(() => setCursor(NOBODY), []),
  };
}

/** What a virtualiser draws: the row with the focus, too, or the focus would be lost by scrolling. */
export function useRangeWith(ids: readonly string[], focused: string): (range: Range) => number[] {
  return useCallback(
    (range: Range) => {
      const rows = defaultRangeExtractor(range);
      const at = focused ? ids.indexOf(focused) : -1;
      return at < 0 || rows.includes(at) ? rows : [...rows, at].sort((a, b) => a - b);
    },
    [ids, focused],
  );
}

/** A row's style: the same object while its place is the same, so that a row that stays is not rendered. */
export function usePlaceStyle(
  top: number,
  height: number,
): { readonly top: number; readonly height: number } {
  const [style, setStyle] = useState({ top, height });
  if (style.top !== top || style.height !== height) setStyle({ top, height });
  return style;
}
