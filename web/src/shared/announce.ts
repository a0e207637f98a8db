// What the page says in passing: one line, polite and short-lived, for eyes and for screen readers. Tables are
// never live regions; whatever is worth hearing of a busy board is said here, at most once a while.

import { signal, useSignal } from "~/shared/signal";

/** How long a line stays. */
export const SAID_MS = 4_000;

/** A line that was said. */
export interface Said {
  readonly text: string;
  readonly tone: "plain" | "alert";
  readonly id: number;
}

const said = signal<Said | null>(null);
let count = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Says a line; `alert` is for an action that failed. */
export function announce(text: string, tone: Said["tone"] = "plain"): void {
  clearTimeout(timer);
  count += 1;
  said.set({ text, tone, id: count });
  timer = setTimeout(() => said.set(null), SAID_MS);
}

/** What is being said. */
export const useSaid = (): Said | null => useSignal(said);
