// Searching a log in slices, so that neither a letter typed nor a line appended makes the page wait. What was
// searched is never searched again; only the last line, which may still change, is.

import type { LogDocument } from "./log-document";

/** After so many lines the time is looked at. */
const LINES_BETWEEN_LOOKS = 256;

/** One search of one log. */
export class LogSearch {
  /** The indices of the lines that were found, ascending. */
  readonly found: number[] = [];
  readonly #document: LogDocument;
  readonly #wanted: string;
  #next = 0;
  /** Before this line nothing can change any more. */
  #sure = 0;

  constructor(document: LogDocument, query: string) {
    this.#document = document;
    this.#wanted = query.trim().toLowerCase();
  }

  /** Whether all lines that there are have been searched. */
  get done(): boolean {
    return this.#wanted === "" || this.#next >= this.#document.length;
  }

  /** Goes on until the time is `until`, or it is done. */
  advance(until: number, now: () => number): void {
    if (this.#wanted === "") return;
    const { length, closed } = this.#document;
    for (; this.#next < length; this.#next++) {
      if (this.#next % LINES_BETWEEN_LOOKS === LINES_BETWEEN_LOOKS - 1 && now() >= until) break;
      if (this.#document.plain(this.#next).toLowerCase().includes(this.#wanted)) this.found.push(this.#next);
    }
    this.#sure = Math.min(this.#next, closed);
  }

  /** Lines have come or changed since: one that was not complete when it was searched is searched again. */
  reopen(): void {
    this.#next = this.#sure;
    while ((this.found.at(-1) ?? -1) >= this.#next) this.found.pop();
  }
}

/** Where in a text the query stands, as pairs of begin and end. */
export function matchesIn(text: string, query: string): [begin: number, end: number][] {
  const wanted = query.trim().toLowerCase();
  if (wanted === "") return [];
  const lower = text.toLowerCase();
  const matches: [number, number][] = [];
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) {
    matches.push([at, at + wanted.length]);
  }
  return matches;
}
