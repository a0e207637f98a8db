// The board's view as its query string and back: filters, sort, limit and wall. Whatever is default is left out,
// and whatever is not understood is dropped, so that an address that was edited by hand still opens.

import { type Filter, STATUSES, type Status } from "@shipboard/client";

/** The query string's fields, as text. */
export interface BoardSearch {
  readonly status?: string;
  readonly workflow?: string;
  readonly actor?: string;
  readonly q?: string;
  readonly since?: string;
  readonly until?: string;
  readonly sort?: string;
  readonly limit?: string;
  readonly wall?: string;
}

/** The orders a table can be shown in; only `newest` is the server's, the others arrange what is loaded. */
export const SORTS = ["newest", "status", "workflow"] as const;

/** One of the orders. */
export type Sort = (typeof SORTS)[number];

/** Periods that count back from now, by their word in the address. */
export const PERIODS = {
  "1h": 3_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
} as const;

/** The word of a period. */
export type Period = keyof typeof PERIODS;

const FIELDS = ["status", "workflow", "actor", "q", "since", "until", "sort", "limit", "wall"] as const;
const LEAST_ROWS = 1;
const MOST_ROWS = 500;

/** Whether a text is the word of a period. */
export const isPeriod = (text: string): text is Period => Object.hasOwn(PERIODS, text);

const isSort = (text: string): text is Sort => SORTS.some((sort) => sort === text);

/** Takes the known fields of a query string. */
export function readSearch(raw: Readonly<Record<string, unknown>>): BoardSearch {
  const read: Partial<Record<(typeof FIELDS)[number], string>> = {};
  for (const field of FIELDS) {
    const value = raw[field];
    if (typeof value === "string" && value.trim() !== "") read[field] = value.trim();
  }
  return read;
}

/** The statuses that are chosen, in their usual order. */
export function statusesOf({ status }: BoardSearch): readonly Status[] {
  const words = new Set(status?.split(","));
  return STATUSES.filter((one) => words.has(one));
}

/** The search with other statuses. */
export function withStatuses(search: BoardSearch, statuses: readonly Status[]): BoardSearch {
  const ordered = STATUSES.filter((one) => statuses.includes(one));
  return withField(search, "status", ordered.join(","));
}

/** The search with one field changed; an empty value takes it out. */
export function withField(search: BoardSearch, field: keyof BoardSearch, value: string): BoardSearch {
  const { [field]: _, ...rest } = search;
  return value === "" ? rest : { ...rest, [field]: value };
}

/** The search with a status put in if it was not, and taken out if it was. */
export function toggleStatus(search: BoardSearch, status: Status): BoardSearch {
  const held = statusesOf(search);
  return withStatuses(
    search,
    held.includes(status) ? held.filter((one) => one !== status) : [...held, status],
  );
}

/** The search without any filter; how it is shown stays. */
export function withoutFilters({ sort, limit, wall }: BoardSearch): BoardSearch {
  return { ...(sort && { sort }), ...(limit && { limit }), ...(wall && { wall }) };
}

/** The moment that a `since` or `until` means; null if it means none. A period counts back from `now`. */
export function momentOf(text: string | undefined, now: number): string | null {
  if (!text) return null;
  if (isPeriod(text)) return new Date(now - PERIODS[text]).toISOString();
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** The filter that the search asks for, at this time. */
export function filterOf(search: BoardSearch, now: number): Filter {
  const { workflow, actor, q } = search;
  const status = statusesOf(search);
  const since = momentOf(search.since, now);
  const until = momentOf(search.until, now);
  return {
    ...(status.length > 0 && { status }),
    ...(workflow && { workflow }),
    ...(actor && { actor }),
    ...(q && { q }),
    ...(since && { since }),
    ...(until && { until }),
  };
}

/** The order that the search asks for. */
export const sortOf = ({ sort }: BoardSearch): Sort => (sort && isSort(sort) ? sort : "newest");

/** How many rows the first load shall have, if the search says. */
export function limitOf({ limit }: BoardSearch): number | undefined {
  const rows = Number(limit);
  return Number.isInteger(rows) && rows >= LEAST_ROWS ? Math.min(rows, MOST_ROWS) : undefined;
}

/** The search as a query string, with its question mark, or nothing. */
export function writeSearch(search: BoardSearch): string {
  const query = new URLSearchParams();
  for (const field of FIELDS) {
    const value = search[field];
    if (value) query.set(field, value);
  }
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text && `?${text}`;
}

/** Of an address's query string what narrows the list: what a deployment's own address takes along. */
export function filtersOf(query: string): string {
  const search = readSearch(Object.fromEntries(new URLSearchParams(query)));
  return writeSearch({ ...search, sort: "", limit: "", wall: "" });
}
