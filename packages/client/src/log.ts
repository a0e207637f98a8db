// What an event does to the log scope. A log is not numbered by event ids but by byte offsets: what was seen
// already is trimmed, and a gap asks for a new subscription. Colours and lines are for the page.

import type { Envelope } from "./protocol/types";
import { LOG_LIMIT, type LogState } from "./state";

const encoder = new TextEncoder();
// A mark of byte order inside a log is text like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** How many bytes a text has on the wire. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // A half of a surrogate pair stands for two of the pair's four bytes.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** The state after a message. The id tells which deployment's log the scope is of. */
export function reduceLog(state: LogState, event: Envelope, id: string): LogState {
  if (event.type === "snapshot") {
    const fresh = event.payload;
    if (fresh.scope !== "log" || fresh.id !== id) return state;
    const known = { loaded: true, stale: false, gap: false, epoch: fresh.epoch, event_id: event.event_id };
    const end = fresh.offset + byteLength(fresh.text);
    // The same log, continued: what is retained from before the snapshot stays.
    const joins =
      state.loaded && state.epoch === fresh.epoch && fresh.offset <= state.end && end >= state.end;
    if (joins && fresh.offset >= state.offset) {
      return append({ ...state, ...known }, fresh.offset, fresh.text, fresh.done);
    }
    return cut({ kind: "log", ...known, offset: fresh.offset, end, text: fresh.text, done: fresh.done });
  }
  if (event.type !== "log.append" || event.payload.id !== id || state.stale) return state;
  return append(state, event.payload.offset, event.payload.text, event.payload.done);
}

/** The state after several messages. */
export const reduceAllLog = (state: LogState, events: readonly Envelope[], id: string): LogState =>
  events.reduce((held, event) => reduceLog(held, event, id), state);

function append(state: LogState, offset: number, text: string, done: boolean): LogState {
  if (offset > state.end) return state.gap ? state : { ...state, gap: true };
  const seen = state.end - offset;
  const fresh = seen === 0 ? text : decoder.decode(encoder.encode(text).subarray(seen));
  if (fresh === "" && done === state.done) return state;
  return cut({ ...state, text: state.text + fresh, end: state.end + byteLength(fresh), done });
}

/** Forgets the oldest lines beyond what is retained, a quarter at once so that it is rarely done. */
function cut(state: LogState): LogState {
  if (state.text.length <= LOG_LIMIT) return state;
  const from = state.text.length - Math.floor(LOG_LIMIT * 0.75);
  const line = state.text.indexOf("\n", from) + 1;
  let at = line > 0 ? line : from;
  // Not through the middle of a character of two code units.
  if (line === 0 && /[\udc00-\udfff]/.test(state.text.charAt(at))) at += 1;
  return { ...state, offset: state.offset + byteLength(state.text.slice(0, at)), text: state.text.slice(at) };
}
