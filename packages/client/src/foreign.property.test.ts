// Whatever a server, or somebody in its place, sends: blocks are found, messages are read or dropped, and the state
// holds together.

import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { decodeEnvelope } from "./protocol/decode";
import type { Envelope } from "./protocol/types";
import { reduce } from "./reduce";
import { createBlockReader } from "./sse";
import { type DeploymentsState, emptyDeployments } from "./state";
import { EnvModel, fuzz } from "./testing";

const { runs, patience, tell } = fuzz(2);
afterAll(tell);

const LIMIT = 1_000_000;

/** A true history, to be spoilt. */
const history: readonly Envelope[] = (() => {
  const model = new EnvModel();
  const events: Envelope[] = [];
  for (let n = 0; n < 6; n++) events.push(...model.act({ is: "create", second: n % 4, workflow: n % 2 }));
  events.push(model.snapshot(4));
  events.push(...model.act({ is: "progress", which: 1, percent: 40 }));
  events.push(...model.act({ is: "status", which: 1, status: "success" }));
  events.push(...model.act({ is: "delete", which: 2 }), model.snapshot(2));
  return events;
})();

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, -1, 0, 1.5, 2 ** 53, 1e308, "", "__proto__", "\0", "success", [], {}),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.nat(30),
);
/** Walks through a message's tree, with what is put where each ends. */
const spoilings = fc.array(
  fc.tuple(fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }), fc.option(scalar)),
  { maxLength: 3 },
);

function spoil(place: Json, path: readonly number[], value: Json): Json {
  const [turn = 0, ...rest] = path;
  if (path.length === 0 || typeof place !== "object" || place === null) return value;
  if (Array.isArray(place)) {
    const at = turn % Math.max(1, place.length);
    return place.map((one, index) => (index === at ? spoil(one, rest, value) : one));
  }
  const names = Object.keys(place);
  const name = names[turn % Math.max(1, names.length)];
  return name === undefined ? value : { ...place, [name]: spoil(place[name] ?? null, rest, value) };
}

const message = fc
  .tuple(fc.nat(history.length - 1), spoilings)
  .map(([which, changes]) =>
    changes.reduce<Json>(
      (held, [path, value]) => spoil(held, path, value),
      JSON.parse(JSON.stringify(history[which])),
    ),
  );

function read(text: string): Envelope | null {
  const decoded = decodeEnvelope(text);
  return decoded.is === "event" ? decoded.event : null;
}

function holdsTogether(state: DeploymentsState): void {
  expect(new Set(state.deployment_ids).size).toBe(state.deployment_ids.length);
  expect(new Set(state.workflow_ids).size).toBe(state.workflow_ids.length);
  expect([...state.deployments.keys()].sort()).toEqual([...state.deployment_ids].sort());
  expect([...state.workflows.keys()].sort()).toEqual([...state.workflow_ids].sort());
  for (const [id, row] of state.deployments) expect(row.id).toBe(id);
  const rows = state.deployment_ids.map((id) => state.deployments.get(id));
  for (const [index, row] of rows.entries()) {
    const above = rows[index - 1];
    if (row && above) expect(above.created_at >= row.created_at).toBe(true);
  }
}

test(
  "messages that say what cannot be are dropped, and all others leave a state that holds together",
  () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
        let state = emptyDeployments;
        for (const one of messages) {
          const event = read(JSON.stringify(one));
          if (!event) continue;
          // What was read is read as the same when it is written down.
          expect(read(JSON.stringify(event))).toEqual(event);
          const next = reduce(state, event);
          expect(next.event_id).toBeGreaterThanOrEqual(0);
          if (event.type !== "snapshot") expect(next.event_id).toBeGreaterThanOrEqual(state.event_id);
          expect(reduce(next, event)).toBe(next);
          holdsTogether(next);
          state = next;
        }
      }),
      runs(300),
    );
  },
  patience,
);

test(
  "a stream of whatever bytes is the same blocks wherever its chunks end, and breaks nothing",
  () => {
    const block = fc.oneof(
      { weight: 3, arbitrary: message.map((one) => `id: k3.7\ndata: ${JSON.stringify(one)}\n\n`) },
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.constantFrom("data:", "id:", "retry: 5\n", "\r", "\r\n", "\n\n", ": x\n", "\ufeff", "\0"),
    );
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 6 }),
        fc.array(fc.nat(2_000), { maxLength: 5 }),
        (blocks, cuts) => {
          const bytes = new TextEncoder().encode(blocks.join(""));
          const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort(
            (a, b) => a - b,
          );
          const readAll = (chunks: readonly Uint8Array[]) => {
            const found: unknown[] = [];
            let state = emptyDeployments;
            const feed = createBlockReader(LIMIT, {
              id: (id) => found.push(id),
              message: (data) => {
                found.push(data);
                const event = read(data);
                if (event) state = reduce(state, event);
              },
              retry: (ms) => found.push(ms),
              overflow: () => found.push("overflow"),
            });
            const decoder = new TextDecoder();
            for (const chunk of chunks) feed(decoder.decode(chunk, { stream: true }));
            return { found, state };
          };
          const inPieces = readAll(ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end)));
          expect(inPieces).toEqual(readAll([bytes]));
          holdsTogether(inPieces.state);
        },
      ),
      runs(200),
    );
  },
  patience,
);
