// Streams in pieces: the same blocks wherever chunks end, and the same as a parser that many use.

import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BlockListener, createBlockReader } from "./sse";

const LIMIT = 60;

type Found = [what: keyof BlockListener, value?: string | number];

function read(chunks: readonly string[], limit = LIMIT): Found[] {
  const found: Found[] = [];
  const feed = createBlockReader(limit, {
    id: (id) => found.push(["id", id]),
    message: (data) => found.push(["message", data]),
    retry: (ms) => found.push(["retry", ms]),
    overflow: () => found.push(["overflow"]),
  });
  for (const chunk of chunks) feed(chunk);
  return found;
}

/** The same by another hand. */
function readByOther(text: string): Found[] {
  const found: Found[] = [];
  const parser = createParser({
    onId: (id) => found.push(["id", id]),
    onEvent: ({ data }) => found.push(["message", data]),
    onRetry: (ms) => found.push(["retry", ms]),
  });
  parser.feed(text);
  return found;
}

const piece = fc.constantFrom(
  ...["data", "data:", "data: ", "data:x", "id:7", "id", "id: \0", "retry: 20", "retry: 2s", "event: a"],
  ...[": c", "datax: 1", "\n", "\n", "\n\n", "\r\n", "\r", "x", " ", ":", "é", "\u2028"],
);
const stream = fc.array(piece, { maxLength: 25 }).map((pieces) => `${pieces.join("")}\n`);

describe("a block reader", () => {
  test("finds what another parser finds", () => {
    fc.assert(
      fc.property(stream, (text) => {
        expect(read([text], 1_000)).toEqual(readByOther(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test("finds the same wherever chunks end", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(60), { maxLength: 6 }), (text, cuts) => {
        const ends = [...cuts, text.length].sort((a, b) => a - b);
        const chunks = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
        expect(read(chunks, 1_000)).toEqual(read([text], 1_000));
        expect(read([...text], 1_000)).toEqual(read([text], 1_000));
      }),
      { numRuns: 500 },
    );
  });

  test("says once that a block is too long, in one line or in many, and is silent from then on", () => {
    for (const text of ["x".repeat(LIMIT + 1), `data:${"y".repeat(30)}\n`.repeat(3)]) {
      expect(read([...`data:ok\n\ndata:${text}`, "\n\n", "data:later\n\n"])).toEqual([
        ["message", "ok"],
        ["overflow"],
      ]);
    }
  });
});
