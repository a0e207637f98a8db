import { STATUSES } from "@shipboard/client";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BoardSearch,
  filterOf,
  filtersOf,
  limitOf,
  readSearch,
  sortOf,
  statusesOf,
  toggleStatus,
  withoutFilters,
  withStatuses,
  writeSearch,
} from "./search";

const NOW = Date.UTC(2026, 0, 2);
const parse = (query: string): BoardSearch => readSearch(Object.fromEntries(new URLSearchParams(query)));

const text = fc.string({ minLength: 1, maxLength: 20 }).filter((value) => value.trim() !== "");
const moment = fc
  .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
  .map((date) => date.toISOString());
const searches = fc
  .record(
    {
      status: fc.subarray([...STATUSES], { minLength: 1 }).map((statuses) => statuses.join(",")),
      workflow: text,
      actor: text,
      q: text,
      since: fc.oneof(moment, fc.constantFrom("1h", "24h", "7d", "30d")),
      until: moment,
      sort: fc.constantFrom("status", "workflow"),
      limit: fc.integer({ min: 1, max: 500 }).map(String),
      wall: fc.constant("1"),
    },
    { requiredKeys: [] },
  )
  .map((search) => readSearch(search));

test("every view survives being written into an address and read from it", () => {
  fc.assert(
    fc.property(searches, (search) => {
      expect(parse(writeSearch(search))).toEqual(search);
      expect(filterOf(parse(writeSearch(search)), NOW)).toEqual(filterOf(search, NOW));
    }),
  );
});

test("an address reads well", () => {
  expect(writeSearch({ status: "failed,lost", workflow: "web", since: "2026-01-01T00:00:00.000Z" })).toBe(
    "?status=failed,lost&workflow=web&since=2026-01-01T00:00:00.000Z",
  );
  expect(writeSearch({})).toBe("");
});

describe("an address edited by hand", () => {
  test("still opens: what is not understood is dropped", () => {
    const search = parse("?status=failed,nonsense&since=yesterday&sort=up&limit=-3&colour=red&q=%20");
    expect(filterOf(search, NOW)).toEqual({ status: ["failed"] });
    expect(sortOf(search)).toBe("newest");
    expect(limitOf(search)).toBeUndefined();
  });

  test("asks for no more rows than the server gives", () => {
    expect(limitOf({ limit: "9000" })).toBe(500);
  });
});

test("a card puts its status in and takes it out again", () => {
  const with2 = toggleStatus(toggleStatus({}, "lost"), "failed");
  expect(statusesOf(with2)).toEqual(["failed", "lost"]);
  expect(toggleStatus(toggleStatus(with2, "lost"), "failed")).toEqual({});
});

test("a period counts back from now", () => {
  expect(filterOf({ since: "24h" }, NOW)).toEqual({ since: "2026-01-01T00:00:00.000Z" });
});

test("clearing keeps how the table is shown", () => {
  expect(
    withoutFilters(withStatuses({ sort: "workflow", limit: "50", q: "x", wall: "1" }, ["failed"])),
  ).toEqual({
    sort: "workflow",
    limit: "50",
    wall: "1",
  });
});

test("a deployment's address takes along what narrows the list, and nothing else", () => {
  expect(filtersOf("?status=failed,lost&sort=status&limit=200&wall=1&since=24h&x=y")).toBe(
    "?status=failed,lost&since=24h",
  );
  expect(filtersOf("?sort=status")).toBe("");
});
