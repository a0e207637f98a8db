// A log as lines, read once while it grows. Lines are kept in parallel arrays, since there may be a million; their
// colours are made where a line is drawn. It is changed in place: whoever shows it goes by the reader's revision.

import { type AnsiStyle, PLAIN, plainText, styleAfter, visibleLine } from "./ansi";

/** A longer line is broken: neither a pattern nor a page shall meet a line of megabytes. */
export const LINE_LIMIT_CHARACTERS = 8_192;
/** How wide a tab is at most. */
const TAB_CELLS = 8;

/** As a level at the beginning or before a colon or bracket; "error rate" in a sentence is none. */
const ERROR =
  /^\W*(?:error|fatal)\b|\b(?:\w*error|fatal)[:\]]|\b(?:panic(?:ked)?|exception|failed|failure)\b/i;
const NO_ERROR = /\b(?:0|no) (?:errors?|failed|failures?)\b/i;
/** Scripts and signs that a terminal may draw two cells wide. */
const WIDE = /[\u1000-\uffff]/g;

/** Whether a line looks like the reason of a failure. */
export const looksLikeError = (text: string): boolean => ERROR.test(text) && !NO_ERROR.test(text);

/** How many cells a text takes at most. */
export function cellsOf(text: string): number {
  let cells = text.length;
  for (let at = text.indexOf("\t"); at >= 0; at = text.indexOf("\t", at + 1)) cells += TAB_CELLS - 1;
  const wide = text.match(WIDE);
  return wide ? cells + wide.length : cells;
}

/** The lines of a log from a byte on. */
export class LogDocument {
  /** The byte it begins at; only from 0 on are its line numbers the log's. */
  readonly start: number;
  /** The byte after its last. */
  end: number;
  /** How many lines are complete; there may be one more, which may still change. */
  closed = 0;
  /** The greatest number of cells of any line. */
  widest = 0;
  readonly texts: string[] = [];
  /** The style that each line begins with. */
  readonly styles: AnsiStyle[] = [];
  readonly cells: number[] = [];
  /** The indices of lines that look like errors, ascending. */
  readonly errors: number[] = [];
  #open = "";
  #style: AnsiStyle = PLAIN;

  constructor(start: number) {
    this.start = start;
    this.end = start;
  }

  get length(): number {
    return this.texts.length;
  }

  /** Takes what follows; `bytes` is its length in the log. */
  feed(text: string, bytes: number): void {
    this.end += bytes;
    this.#forgetOpen();
    const parts = (this.#open + text).split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) this.#close(this.#broken(part));
    this.#open = this.#broken(last);
    if (this.#open) this.#push(this.#open);
  }

  /** A line's text without colours. */
  plain(index: number): string {
    return plainText(this.texts[index] ?? "");
  }

  /** All of it without colours. */
  plainText(): string {
    return this.texts.map((text) => `${plainText(text)}\n`).join("");
  }

  /** Closes whole pieces of a line that is too long; the rest of it. */
  #broken(part: string): string {
    let rest = part;
    while (rest.length > LINE_LIMIT_CHARACTERS) {
      this.#close(rest.slice(0, LINE_LIMIT_CHARACTERS));
      rest = rest.slice(LINE_LIMIT_CHARACTERS);
    }
    return rest;
  }

  #close(part: string): void {
    this.#push(part);
    this.#style = styleAfter(part, this.#style);
    this.closed += 1;
  }

  #push(part: string): void {
    const text = visibleLine(part);
    const plain = plainText(text);
    const cells = cellsOf(plain);
    if (looksLikeError(plain)) this.errors.push(this.texts.length);
    if (cells > this.widest) this.widest = cells;
    this.texts.push(text);
    this.styles.push(this.#style);
    this.cells.push(cells);
  }

  #forgetOpen(): void {
    if (this.texts.length === this.closed) return;
    this.texts.length = this.closed;
    this.styles.length = this.closed;
    this.cells.length = this.closed;
    if ((this.errors.at(-1) ?? -1) >= this.closed) this.errors.pop();
  }
}
