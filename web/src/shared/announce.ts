// What the page says in passing: one line, polite and short-lived, for eyes and for screen readers. Tables are
// never live regions; whatever is worth hearing of a busy board is said here, at most once a while.

import { useSyncExternalStore } from "react";

/** How long a line stays. */
export const SAID_MS = 4_000;

/** A line that was said. */
export interface Said {
  readonly text: string;
  readonly tone: "plain" | "alert";
  readonly id: number;
}

let said: Said | null = null;
let count = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function tell(next: Said | null): void {
  said = next;
  for (const listener of listeners) listener();
}

/** Says a line; `alert` is for an action that failed. */
export function announce(text: string, tone: Said["tone"] = "plain"): void {
  clearTimeout(timer);
  count += 1;
  tell({ text, tone, id: count });
  timer = setTimeout(() => tell(null), SAID_MS);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** What is being said. */
export const useSaid = (): Said | null => useSyncExternalStore(subscribe, () => said);
