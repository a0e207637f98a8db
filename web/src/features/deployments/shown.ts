// Which rows are shown, in which order, while the live order moves. A table that is held keeps its rows where
// they are, takes older ones at its end and counts the rest as new; one that is free fades what has gone.

/** How long a row fades before it goes. */
export const LEAVE_MS = 500;
/** More rows than this going at once are a new view, not rows that left. */
export const LEAVERS_LIMIT = 20;

/** What is shown, and what it was made from. */
export interface Shown {
  /** Another key is another view: nothing is kept from the one before. */
  readonly key: string;
  readonly live: readonly string[];
  readonly held: boolean;
  readonly ids: readonly string[];
  /** Shown, but not in the live order any more. */
  readonly leaving: ReadonlySet<string>;
  /** How many live rows a held table does not show. */
  readonly fresh: number;
}

const nobody: ReadonlySet<string> = new Set();

/** A view at its beginning. */
export const beginShown = (key: string, live: readonly string[], held: boolean): Shown => ({
  key,
  live,
  held,
  ids: live,
  leaving: nobody,
  fresh: 0,
});

/** What is shown once the live order, the hold or the view has changed. */
export function nextShown(shown: Shown, key: string, live: readonly string[], held: boolean): Shown {
  if (key !== shown.key || shown.ids.length === 0) return beginShown(key, live, held);
  const now = new Set(live);
  const gone = shown.ids.filter((id) => !now.has(id));
  if (!held) {
    const leaving = gone.filter((id) => !shown.held || !shown.leaving.has(id));
    if (leaving.length === 0 || leaving.length > LEAVERS_LIMIT) return beginShown(key, live, held);
    return {
      ...beginShown(key, live, held),
      ids: withGone(live, shown.ids, leaving),
      leaving: new Set(leaving),
    };
  }
  const before = new Set(shown.ids);
  let lastKept = -1;
  for (let index = live.length - 1; index >= 0 && lastKept < 0; index--) {
    if (before.has(live[index] ?? "")) lastKept = index;
  }
  const older = live.slice(lastKept + 1).filter((id) => !before.has(id));
  const kept = lastKept < 0 ? shown.ids : [...shown.ids, ...older];
  const ids = older.length === 0 ? shown.ids : kept;
  return {
    key,
    live,
    held,
    ids,
    leaving: gone.length > 0 ? new Set(gone) : nobody,
    fresh: live.length + gone.length - ids.length,
  };
}

/** What is shown once the fading is over. */
export const settleShown = (shown: Shown): Shown =>
  shown.held || shown.leaving.size === 0 ? shown : beginShown(shown.key, shown.live, false);

function withGone(live: readonly string[], before: readonly string[], gone: readonly string[]): string[] {
  const ids = [...live];
  for (const id of gone) ids.splice(Math.min(before.indexOf(id), ids.length), 0, id);
  return ids;
}
