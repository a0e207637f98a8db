// The whole of a log for the page: what came before the live tail is read from the server in pieces and joined
// with it by byte offsets. Until then the tail stands alone, without line numbers, since nobody knows them yet.

import type { LogState } from "@shipboard/client";
import { LogDocument } from "./log-document";
import { breathe, SLICE_MS } from "./slices";

/** A log longer than this is read to its beginning only when somebody asks for it. */
export const WHOLE_LOG_BYTES = 24 * 1024 * 1024;
/** How much is read into lines at once. */
const PIECE_BYTES = 32 * 1024;
/** How often it is told how far the reading is. */
const TELL_MS = 150;

/** What there is to show; a new object at every change. */
export interface LogReading {
  readonly document: LogDocument;
  /** How much of the beginning has been read, of how much; null while nothing is being read. */
  readonly progress: { readonly bytes: number; readonly of: number } | null;
  /** Why the beginning is not there. */
  readonly missing: "too_long" | "failed" | null;
}

/** Reads a log's bytes from an offset on. */
export type ReadLog = (offset: number, signal: AbortSignal) => Promise<Response>;

type Live = Pick<LogState, "loaded" | "epoch" | "offset" | "end" | "text">;

/** Joins one log. */
export class LogReader {
  readonly #read: ReadLog;
  readonly #listeners = new Set<() => void>();
  #live: Live | null = null;
  #whole = new LogDocument(0);
  #tail: LogDocument | null = null;
  #filling: AbortController | null = null;
  #asked = false;
  #failed = false;
  #told = -Infinity;
  #reading: LogReading;

  constructor(read: ReadLog) {
    this.#read = read;
    this.#reading = { document: this.#whole, progress: null, missing: null };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly get = (): LogReading => this.#reading;

  /** Takes the live log as it is now. */
  hear(live: Live): void {
    if (!live.loaded) return;
    const held = this.#tail ?? this.#whole;
    if (this.#live && (live.epoch !== this.#live.epoch || live.end < held.end)) this.#restart();
    this.#live = live;
    this.#join();
    this.#tell();
    if (this.#tail && !this.#failed) this.#fill();
  }

  /** Reads the beginning though it is long, or though it did not work before. */
  readonly loadWhole = (): void => {
    this.#asked = true;
    this.#failed = false;
    this.#fill();
    this.#tell();
  };

  /** Reads nothing more. */
  close(): void {
    this.#filling?.abort();
    this.#filling = null;
  }

  #restart(): void {
    this.close();
    this.#whole = new LogDocument(0);
    this.#tail = null;
    this.#asked = false;
    this.#failed = false;
  }

  /** Gives the documents what the live log has beyond them; a hole before it makes the tail begin anew. */
  #join(): void {
    const live = this.#live;
    if (!live) return;
    if (this.#whole.end >= live.offset && !this.#filling) {
      follow(this.#whole, live);
      this.#tail = null;
      return;
    }
    if (!this.#tail || this.#tail.end < live.offset) this.#tail = new LogDocument(live.offset);
    follow(this.#tail, live);
  }

  #fill(): void {
    const live = this.#live;
    if (!live || this.#filling || !this.#tail) return;
    if (live.offset - this.#whole.end > WHOLE_LOG_BYTES && !this.#asked) return;
    const filling = new AbortController();
    this.#filling = filling;
    this.#readUpTo(filling.signal).then(
      () => {
        if (this.#filling !== filling) return;
        this.#filling = null;
        this.#join();
        this.#tell();
      },
      () => {
        if (this.#filling !== filling) return;
        this.#filling = null;
        this.#failed = true;
        this.#tell();
      },
    );
  }

  /** Reads into the whole document until it meets the live log, which may move on meanwhile. */
  async #readUpTo(signal: AbortSignal): Promise<void> {
    const whole = this.#whole;
    const goal = () => this.#live?.offset ?? 0;
    while (whole.end < goal()) {
      const from = whole.end;
      const response = await this.#read(from, signal);
      if (!response.ok || !response.body) throw new Error(`the log could not be read: ${response.status}`);
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      let slice = performance.now();
      for await (const piece of piecesOf(response.body)) {
        signal.throwIfAborted();
        const bytes = piece.subarray(0, Math.max(0, goal() - whole.end));
        whole.feed(decoder.decode(bytes, { stream: true }), bytes.length);
        if (whole.end >= goal()) break;
        if (performance.now() - slice < SLICE_MS) continue;
        if (performance.now() - this.#told > TELL_MS) this.#tell();
        await breathe();
        slice = performance.now();
      }
      if (whole.end === from) throw new Error("the log has ended before its end");
    }
  }

  #tell(): void {
    const live = this.#live;
    const filling = this.#filling !== null && live !== null;
    this.#told = performance.now();
    this.#reading = {
      document: this.#tail ?? this.#whole,
      progress: filling ? { bytes: this.#whole.end, of: live.offset } : null,
      missing: !this.#tail || filling ? null : this.#failed ? "failed" : "too_long",
    };
    for (const listener of this.#listeners) listener();
  }
}

/** Takes into a document what the live log has after its end. */
function follow(document: LogDocument, live: Live): void {
  const bytes = live.end - document.end;
  if (bytes > 0) document.feed(lastBytes(live.text, bytes), bytes);
}

/** The end of a text that has so many bytes on the wire. */
export function lastBytes(text: string, bytes: number): string {
  let left = bytes;
  let at = text.length;
  while (left > 0 && at > 0) {
    at -= 1;
    const unit = text.charCodeAt(at);
    // A half of a surrogate pair stands for two of the pair's four bytes.
    left -= unit <= 0x7f ? 1 : unit <= 0x7ff || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return text.slice(at);
}

/** A body's bytes in small pieces: a fast server's chunks are of megabytes, too many for one slice of work. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      for (let at = 0; at < read.value.length; at += PIECE_BYTES) {
        yield read.value.subarray(at, at + PIECE_BYTES);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
