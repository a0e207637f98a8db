// What comes in is checked once, and nothing that comes in can throw.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as decode from "./protocol/decode";
import { decodeEnvelope } from "./protocol/decode";
import { EVENT_TYPES } from "./protocol/words";
import {
  countsOf,
  countsUpdate,
  deployment,
  detailsSnapshot,
  entry,
  event,
  idOf,
  logAppend,
  logSnapshot,
  progress,
  remove,
  snapshot,
  upsert,
  workflow,
  workflowUpsert,
} from "./testing";

const one = deployment(1, { commit: { sha: "abc", ref: "main", message: null, url: null, author: "ann" } });
const events = [
  snapshot(1, { deployments: [one], workflows: [workflow("web", one)] }),
  detailsSnapshot(1, one, { timeline: [entry(1, { step: { name: "build", status: "success" } })] }),
  logSnapshot(1, idOf(1), { text: "hello" }),
  upsert(2, one),
  upsert(2, one, [entry(1)]),
  progress(3, one, 12.5),
  remove(4, idOf(1)),
  workflowUpsert(5, { ...workflow("web", one), latest: null }),
  countsUpdate(6, countsOf([one])),
  logAppend(idOf(1), 5, " world", true),
  event("stream.end", 0, { reason: "unavailable", retry_ms: 2_000 }),
];

const strangers = ["word", 7.5, true, null, [], {}] as const;

/** Fields that may be null, or absent, on the wire. */
const MAY_BE_NULL = new RegExp(
  `(?:^|\\.)(?:${[
    ...[
      "standing",
      "deployments?\\.reason",
      "version",
      "commit",
      "actor",
      "url",
      "logs_url",
      "message",
      "queued_at",
    ],
    ...["started_at", "finished_at", "expected_ms", "replaces", "sha", "ref", "author", "percent", "phase"],
    ...["step", "latest", "current", "last_success_at", "retry_ms", "deployments?\\.progress"],
    ...["(?:entries|timeline|step)\\.status"],
  ].join("|")})$`,
);

const mayBeNull = (path: readonly string[]): boolean =>
  MAY_BE_NULL.test(path.filter((name) => !/^\d+$/.test(name)).join("."));

/** The path of everything below a value. */
function fieldsOf(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    [name],
    ...fieldsOf(inner).map((path) => [name, ...path]),
  ]);
}

/** Puts another value at a path, or takes it away; gives what stood there. */
function replace(value: unknown, path: readonly string[], fresh: unknown): unknown {
  const [name = "", ...rest] = path;
  const holder = value as Record<string, unknown>;
  if (rest.length > 0) return replace(holder[name], rest, fresh);
  const old = holder[name];
  if (fresh === undefined) delete holder[name];
  else holder[name] = fresh;
  return old;
}

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "list" : typeof value;

describe("an envelope", () => {
  test("of every type comes through as it is", () => {
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(EVENT_TYPES));
    for (const sent of events)
      expect(decodeEnvelope(JSON.stringify(sent))).toEqual({ is: "event", event: sent });
  });

  test("with unknown fields loses them", () => {
    const { payload, ...head } = remove(4, idOf(1));
    const sent = { ...head, extra: 1, payload: { ...payload, more: [] } };
    expect(decodeEnvelope(JSON.stringify(sent))).toEqual({ is: "event", event: remove(4, idOf(1)) });
  });

  test("without its nullable fields has null there", () => {
    const { actor: _, commit: __, progress: ___, ...row } = one;
    const result = decodeEnvelope(
      JSON.stringify(event("deployment.upsert", 2, { deployment: one })).replace(
        JSON.stringify(one),
        JSON.stringify(row),
      ),
    );
    const bare = deployment(1, { actor: null });
    expect(result).toEqual({ is: "event", event: event("deployment.upsert", 2, { deployment: bare }) });
  });

  test("of an unknown type is unknown, not malformed", () => {
    expect(decodeEnvelope('{"type":"weather.update","payload":{}}')).toEqual({
      is: "unknown",
      type: "weather.update",
    });
  });

  test("that inherits a type's name from Object is unknown too", () => {
    expect(decodeEnvelope('{"type":"constructor"}')).toEqual({ is: "unknown", type: "constructor" });
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    '"x"',
    '{"type":1}',
    '{"type":"snapshot"}',
    '{"type":"deployment.delete","event_id":-1}',
  ])("that is %s is malformed", (data) => {
    expect(decodeEnvelope(data).is).toBe("malformed");
  });

  test("with a field of another kind is malformed, unless it is none where there may be none", () => {
    const cases = events.flatMap((sent) => fieldsOf(sent).map((path) => ({ sent, path })));
    fc.assert(
      fc.property(fc.constantFrom(...cases), fc.constantFrom(...strangers), ({ sent, path }, stranger) => {
        const value: unknown = JSON.parse(JSON.stringify(sent));
        const old = replace(value, path, stranger);
        // A null says nothing of what else could stand there.
        if (old === null || kindOf(old) === kindOf(stranger)) return;
        const unknown = path.length === 1 && path[0] === "type" && typeof stranger === "string";
        const fits = stranger === null && mayBeNull(path);
        expect(decodeEnvelope(JSON.stringify(value)).is, `${sent.type} ${path.join(".")}`).toBe(
          unknown ? "unknown" : fits ? "event" : "malformed",
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("without a field has null there if it may, and is malformed if not", () => {
    for (const sent of events) {
      for (const path of fieldsOf(sent)) {
        const name = path.at(-1) ?? "";
        // An item of a list is not missed.
        if (/^\d+$/.test(name)) continue;
        const value: unknown = JSON.parse(JSON.stringify(sent));
        replace(value, path, undefined);
        const optional = mayBeNull(path) || name === "entries";
        expect(decodeEnvelope(JSON.stringify(value)).is, `${sent.type} ${path.join(".")}`).toBe(
          optional ? "event" : "malformed",
        );
      }
    }
  });

  test("comes out of the decoder as it would come out again", () => {
    fc.assert(
      fc.property(fc.constantFrom(...events), fc.nat(200), fc.jsonValue(), (sent, which, value) => {
        let count = 0;
        const data = JSON.stringify(sent, (_, held: unknown) => (count++ === which ? value : held));
        const first = decodeEnvelope(data);
        if (first.is === "event") expect(decodeEnvelope(JSON.stringify(first.event))).toEqual(first);
      }),
    );
  });

  test.each([
    ["a number beyond what a double holds exactly", "offset", "9007199254740993"],
    ["a number that is none", "offset", "1e999"],
    ["a part of a byte", "offset", "0.5"],
    ["fewer bytes than none", "offset", "-1"],
  ])("with %s is malformed", (_, field, written) => {
    const data = JSON.stringify(logAppend(idOf(1), 5, "x")).replace(`"${field}":5`, `"${field}":${written}`);
    expect(data).toContain(written);
    expect(decodeEnvelope(data).is).toBe("malformed");
  });

  test("with any field gone wrong is malformed or harmless, and never throws", () => {
    fc.assert(
      fc.property(fc.constantFrom(...events), fc.nat(200), fc.jsonValue(), (sent, which, value) => {
        let count = 0;
        const data = JSON.stringify(sent, (_, held: unknown) => (count++ === which ? value : held));
        expect(["event", "malformed", "unknown"]).toContain(decodeEnvelope(data).is);
      }),
    );
  });
});

describe("an answer", () => {
  test("that is a list is a page of rows", () => {
    expect(decode.deploymentsPage({ items: [one], next: null, event_id: 3 })?.items).toEqual([one]);
    expect(decode.deploymentsPage({ items: [{}] })).toBeNull();
    expect(decode.workflowsPage({ items: [workflow("web", one)], next: "c", event_id: 3 })?.next).toBe("c");
  });

  test("for one thing may leave out what a change does not tell", () => {
    expect(decode.deploymentAnswer({ deployment: one, event_id: 3 })).toEqual({
      deployment: one,
      timeline: [],
      timeline_more: false,
      event_id: 3,
    });
    expect(decode.workflowAnswer({ workflow: workflow("web", one), event_id: 1 })?.workflow.id).toBe("web");
  });

  test("that names places has what a choice needs", () => {
    expect(decode.tenants({ items: [{ id: "acme", name: "Acme" }], next: null })?.items).toHaveLength(1);
    const places = [{ id: "prod", name: "Production", tier: "production", position: 2, event_id: 7 }];
    expect(decode.envs({ items: places, next: null })?.items).toEqual([
      { id: "prod", name: "Production", tier: "production", position: 2, counts: null },
    ]);
  });

  test("that is a problem keeps the status it came with", () => {
    const plain = { type: "about:blank", title: "Conflict", status: 409, detail: null, request_id: null };
    expect(decode.problem({ detail: "a gap", status: 200, request_id: "r" }, plain)).toEqual({
      ...plain,
      detail: "a gap",
      request_id: "r",
    });
    expect(decode.problem("oops", plain)).toBe(plain);
  });
});
