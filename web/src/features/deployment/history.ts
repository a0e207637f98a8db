// The server's history read forwards. Lists go from the newest back, so what came next after a moment is looked for
// in growing stretches of time from there on; a search ends after so many requests and then knows nothing.

import type { Deployment, Page } from "@shipboard/client";

/** How many requests one search may cost. */
export const SEARCH_REQUESTS = 20;
/** The most rows of one answer. */
export const PAGE_ROWS = 200;
const FIRST_STRETCH_MS = 3_600_000;
const GROWTH = 8;
/** A stretch as short as this is read page by page instead of being cut further. */
const SHORTEST_STRETCH_MS = 60_000;

/** Reads a page of what was created from `since` on and before `until`; null is for ever. */
export type ReadStretch = (
  since: number,
  until: number | null,
  after: string | null,
) => Promise<Page<Deployment>>;

/** The first deployment, oldest first, created at `since` or later, that is wanted; null if none was found. */
export async function firstAfter(
  read: ReadStretch,
  wanted: (row: Deployment) => boolean,
  since: number,
  now: number,
): Promise<Deployment | null> {
  let from = since;
  let stretch = FIRST_STRETCH_MS;
  for (let requests = 0; requests < SEARCH_REQUESTS; requests++) {
    const last = from + stretch > now;
    const until = last ? null : from + stretch;
    const page = await read(from, until, null);
    if (page.next !== null && stretch > SHORTEST_STRETCH_MS) {
      // Too many at once. An open end is closed first.
      stretch = Math.max(SHORTEST_STRETCH_MS, Math.min(stretch, now - from) / GROWTH);
      continue;
    }
    const rows = page.items;
    for (let next = page.next; next !== null && requests < SEARCH_REQUESTS; requests++) {
      const more = await read(from, until, next);
      rows.push(...more.items);
      next = more.next;
    }
    const found = rows.findLast(wanted);
    if (found) return found;
    if (until === null) return null;
    from = until;
    stretch *= GROWTH;
  }
  return null;
}
