// Saved views: queries of the deployments page with a name, kept in this browser for all its tabs and boards. A
// view is what stands in the address, so sending the address is sharing it; what a query means is in search.ts.

import { signal, useSignal } from "~/shared/signal";
import { onStored, readStored, writeStored } from "~/shared/stored";
import { type BoardSearch, readSearch, writeSearch } from "./search";

/** A query with a name. */
export interface SavedView {
  readonly name: string;
  /** As in the address, with its question mark. */
  readonly query: string;
}

const KEY = "shipboard.views";
/** The most views that are kept. */
export const VIEWS_LIMIT = 50;
/** The longest name, in characters. */
export const NAME_LIMIT = 40;

/** What of the page a view is: its filters and its order, not the size of a load or the wall. */
export function queryOf({ limit: _, wall: __, ...search }: BoardSearch): string {
  return writeSearch(search);
}

/** The views of a stored text; what cannot be one is left out. */
export function parseViews(text: string | null): readonly SavedView[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  if (!Array.isArray(parsed)) return [];
  const views = parsed.flatMap((one: unknown): SavedView[] => {
    if (typeof one !== "object" || one === null || !("name" in one) || !("query" in one)) return [];
    const { name, query } = one;
    if (typeof name !== "string" || typeof query !== "string" || name.trim() === "") return [];
    // Read and written again: an edited text opens nothing but a view.
    const search = readSearch(Object.fromEntries(new URLSearchParams(query)));
    return [{ name: name.trim().slice(0, NAME_LIMIT), query: queryOf(search) }];
  });
  return views.filter(({ query }) => query !== "").slice(0, VIEWS_LIMIT);
}

/** The views with one more; one of the same name is replaced where it stands. */
export function withView(views: readonly SavedView[], name: string, query: string): readonly SavedView[] {
  const view = { name: name.trim().slice(0, NAME_LIMIT), query };
  if (view.name === "" || query === "") return views;
  const at = views.findIndex((held) => held.name === view.name);
  if (at >= 0) return views.with(at, view);
  return views.length < VIEWS_LIMIT ? [...views, view] : views;
}

/** The views without the one of that name. */
export const withoutView = (views: readonly SavedView[], name: string): readonly SavedView[] =>
  views.filter((view) => view.name !== name);

const kept = signal(parseViews(readStored(KEY)));
onStored([KEY], () => kept.set(parseViews(readStored(KEY))));

/** The views that are kept. */
export const useSavedViews = (): readonly SavedView[] => useSignal(kept);

/** Keeps these views, here and in the other tabs. */
export function keepViews(change: (views: readonly SavedView[]) => readonly SavedView[]): void {
  const views = change(kept.get());
  writeStored(KEY, views.length === 0 ? null : JSON.stringify(views));
  kept.set(views);
}
