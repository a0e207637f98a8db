// A search of the log as it is shown: the lines that were found, and the one of them that the reader is at.

import { useCallback, useEffect, useMemo, useReducer, useState } from "react";
import type { LogDocument } from "./log-document";
import { LogSearch } from "./log-search";
import { SLICE_MS } from "./slices";

/** What the view needs of it. */
export interface FoundLines {
  readonly count: number;
  /** Which of them the reader is at, from 1; 0 if at none. */
  readonly at: number;
  /** The line the reader is at. */
  readonly line: number | null;
  readonly searching: boolean;
  /** Goes to the next one or the one before, round the end. */
  readonly step: (by: 1 | -1) => void;
}

/** How many of ascending numbers are below a limit. */
export function countBelow(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The number that comes by one step after or before `from`, round the end; null if there is none. */
export function stepFrom(ascending: readonly number[], from: number, by: 1 | -1): number | null {
  const index = by > 0 ? countBelow(ascending, from + 1) : countBelow(ascending, from) - 1;
  return ascending.at(index % ascending.length) ?? null;
}

/** Searches a document; `change` is a new object whenever it has changed. */
export function useLogSearch(
  document: LogDocument,
  change: unknown,
  query: string,
  topLine: () => number,
  goTo: (line: number) => void,
): FoundLines {
  const search = useMemo(() => new LogSearch(document, query), [document, query]);
  const [, told] = useReducer((count: number) => count + 1, 0);
  const [held, hold] = useState<{ search: LogSearch; line: number } | null>(null);
  const line = held?.search === search ? held.line : null;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a change has lines to search.
  useEffect(() => {
    search.reopen();
    if (search.done) return;
    let timer: ReturnType<typeof setTimeout>;
    const slice = () => {
      const now = () => performance.now();
      search.advance(now() + SLICE_MS, now);
      told();
      if (!search.done) timer = setTimeout(slice);
    };
    slice();
    return () => clearTimeout(timer);
  }, [search, change]);

  // The first to be shown is the next one from where the reader is.
  const { found } = search;
  const next = found[countBelow(found, topLine())] ?? (search.done ? found[0] : undefined);
  const first = line === null && query !== "" ? next : undefined;
  useEffect(() => {
    if (first === undefined) return;
    hold({ search, line: first });
    goTo(first);
  }, [first, search, goTo]);

  const step = useCallback(
    (by: 1 | -1) => {
      const to = stepFrom(search.found, line ?? topLine(), by);
      if (to === null) return;
      hold({ search, line: to });
      goTo(to);
    },
    [search, line, topLine, goTo],
  );
  const at = line === null ? 0 : countBelow(found, line) + 1;
  return { count: found.length, at: found.length === 0 ? 0 : at, line, searching: !search.done, step };
}
