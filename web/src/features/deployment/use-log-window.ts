// Which lines of a log are in sight, and whether its end is followed. Scrolling renders only when other lines are
// needed; a log that grows, wraps or gets its beginning keeps under the reader's eyes what was there.

import { type RefObject, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { LogDocument } from "./log-document";
import { LogLayout } from "./log-layout";
import { ROW_PX } from "./log-line";

/** How many rows are drawn beyond what is in sight, and by how many the window moves at once. */
const OVERSCAN_ROWS = 24;
const STEP_ROWS = 8;
/** So near the end counts as at the end. */
const END_PX = 24;
/** The room above the first line and below the last. */
export const EDGE_PX = 8;
/** What stands in the probe that a cell is measured by. */
export const PROBE_CELLS = 100;

/** The lines to draw. */
export interface LogWindow {
  readonly first: number;
  /** The line after the last. */
  readonly end: number;
}

/** What the view needs of it. */
export interface LogScrolling {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly probe: RefObject<HTMLSpanElement | null>;
  readonly layout: LogLayout;
  readonly window: LogWindow;
  readonly following: boolean;
  readonly onScroll: () => void;
  readonly toEnd: () => void;
  /** Brings a line into the middle. */
  readonly goTo: (line: number) => void;
  /** The first line in sight. */
  readonly topLine: () => number;
}

/** The scrolling of a document; `change` is a new object whenever the document has changed. */
export function useLogWindow(
  document: LogDocument,
  change: unknown,
  wrap: boolean,
  gutter: number,
): LogScrolling {
  const box = useRef<HTMLDivElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const [size, setSize] = useState({ columns: 80, rows: 30 });
  const [range, setRange] = useState<LogWindow>({ first: 0, end: 0 });
  const [following, setFollowing] = useState(true);
  const columns = wrap ? size.columns : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another document has another layout.
  const layout = useMemo(() => new LogLayout(columns), [columns, document]);
  layout.extend(document.cells, document.closed);
  // Where the reader was, for when everything moves: from the end, and at which line.
  const place = useRef({ fromEnd: 0, line: 0 });

  const look = useCallback(() => {
    const element = box.current;
    if (!element) return;
    const row = Math.floor((element.scrollTop - EDGE_PX) / ROW_PX);
    const from = Math.floor((row - OVERSCAN_ROWS) / STEP_ROWS) * STEP_ROWS;
    const to = Math.ceil((row + element.clientHeight / ROW_PX + OVERSCAN_ROWS) / STEP_ROWS) * STEP_ROWS;
    const first = layout.lineAt(from);
    const end = Math.min(document.length, layout.lineAt(to) + 1);
    setRange((held) => (held.first === first && held.end === end ? held : { first, end }));
    place.current = {
      fromEnd: element.scrollHeight - element.scrollTop,
      line: layout.lineAt(Math.max(0, row)),
    };
  }, [document, layout]);

  const onScroll = useCallback(() => {
    const element = box.current;
    if (!element) return;
    setFollowing(element.scrollHeight - element.scrollTop - element.clientHeight < END_PX);
    look();
  }, [look]);

  const toEnd = useCallback(() => {
    setFollowing(true);
    box.current?.scrollTo({ top: box.current.scrollHeight });
  }, []);

  // The same function for as long as the log is shown: another layout alone is no reason to go anywhere.
  const laidOut = useRef(layout);
  useLayoutEffect(() => {
    laidOut.current = layout;
  });
  const goTo = useCallback((line: number) => {
    const element = box.current;
    if (!element) return;
    setFollowing(false);
    const top = laidOut.current.top(line) * ROW_PX + EDGE_PX;
    element.scrollTo({ top: top - (element.clientHeight - ROW_PX) / 2 });
  }, []);

  // The end that is followed is the end after every change; a reader elsewhere stays where they are.
  const before = useRef({ document, columns });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change moves the end.
  useLayoutEffect(() => {
    const element = box.current;
    const was = before.current;
    before.current = { document, columns };
    if (element && following) element.scrollTop = element.scrollHeight;
    else if (element && was.document !== document) {
      element.scrollTop = element.scrollHeight - place.current.fromEnd;
    } else if (element && was.columns !== columns) {
      element.scrollTop = layout.top(place.current.line) * ROW_PX + EDGE_PX;
    }
    look();
  }, [change, document, columns, layout, following, look, size]);

  useEffect(() => {
    const [element, cells] = [box.current, probe.current];
    if (!element || !cells) return;
    const watch = new ResizeObserver(() => {
      const cell = cells.getBoundingClientRect().width / PROBE_CELLS;
      if (cell === 0) return;
      const next = {
        columns: Math.max(1, Math.floor(element.clientWidth / cell - gutter - 2)),
        rows: Math.ceil(element.clientHeight / ROW_PX),
      };
      setSize((held) => (held.columns === next.columns && held.rows === next.rows ? held : next));
    });
    watch.observe(element);
    // The probe changes its size when the font has come.
    watch.observe(cells);
    return () => watch.disconnect();
  }, [gutter]);

  const topLine = useCallback(() => place.current.line, []);
  return { box, probe, layout, window: range, following, onScroll, toEnd, goTo, topLine };
}
