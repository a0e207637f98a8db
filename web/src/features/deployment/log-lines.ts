// A log's text as lines that can be shown one by one. What is appended is read once; only a log whose beginning
// was cut off, or that is another, is read anew. Colours are made where a line is drawn.

import type { LogState } from "@shipboard/client";
import { type AnsiStyle, PLAIN, plainText, styleAfter, visibleLine } from "./ansi";

/** A line. */
export interface LogLine {
  /** Counted from the first line that is held, from 1. */
  readonly number: number;
  readonly text: string;
  /** The style that it begins with. */
  readonly style: AnsiStyle;
  readonly error: boolean;
}

/** As a level at the beginning or before a colon or bracket; "error rate" in a sentence is none. */
const ERROR =
  /^\W*(?:error|fatal)\b|\b(?:\w*error|fatal)[:\]]|\b(?:panic(?:ked)?|exception|failed|failure)\b/i;
const NO_ERROR = /\b(?:0|no) (?:errors?|failed|failures?)\b/i;

/** Whether a line looks like the reason of a failure. */
export const looksLikeError = (text: string): boolean => ERROR.test(text) && !NO_ERROR.test(text);

/** The lines of one log; `read` gives the same array while nothing has come. */
export class LogLines {
  #offset = -1;
  #length = 0;
  #lines: readonly LogLine[] = [];
  #open = "";
  #style: AnsiStyle = PLAIN;
  #closed: LogLine[] = [];

  read({ offset, text }: Pick<LogState, "offset" | "text">): readonly LogLine[] {
    if (offset !== this.#offset || text.length < this.#length) {
      this.#offset = offset;
      this.#length = 0;
      this.#closed = [];
      this.#open = "";
      this.#style = PLAIN;
      this.#lines = [];
    }
    if (text.length === this.#length) return this.#lines;
    const parts = (this.#open + text.slice(this.#length)).split("\n");
    this.#length = text.length;
    this.#open = parts.pop() ?? "";
    for (const part of parts) {
      this.#closed.push(this.#line(part));
      this.#style = styleAfter(part, this.#style);
    }
    this.#lines = this.#open ? [...this.#closed, this.#line(this.#open)] : [...this.#closed];
    return this.#lines;
  }

  #line(part: string): LogLine {
    const text = visibleLine(part);
    return {
      number: this.#closed.length + 1,
      text,
      style: this.#style,
      error: looksLikeError(plainText(text)),
    };
  }
}
