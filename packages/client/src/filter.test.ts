// What a filter means, on live rows and as a query.

import { describe, expect, test } from "vitest";
import { type Filter, filterKey, isEmptyFilter, matches } from "./filter";
import { at, deployment } from "./testing";

const row = deployment(5, {
  status: "failed",
  workflow_id: "web",
  actor: "Ann",
  version: "v1.4.2-RC",
  message: "Rollout TIMED out",
  external_id: "Run-77/2",
  commit: { sha: "ABCDEF0123", ref: "main", message: "fix: the thing", url: null, author: null },
});

const yes: Filter[] = [
  {},
  { status: [] },
  { status: ["queued", "failed"] },
  { workflow: "web" },
  { workflow: "api, web" },
  { workflow: "," },
  { actor: "Ann" },
  { q: "abcd" },
  { q: "1.4.2-rc" },
  { q: "timed" },
  { q: "THE thing" },
  { q: "run-77" },
  { q: row.id.toUpperCase() },
  { q: "  " },
  { since: at(5) },
  { until: at(6) },
  { status: ["failed"], workflow: "web", q: "timed", since: at(4), until: at(6) },
];
const no: Filter[] = [
  { status: ["success"] },
  { workflow: "we" },
  { workflow: "api,jobs" },
  { actor: "Bob" },
  { q: "bcdef" },
  { since: at(6) },
  { until: at(5) },
  { status: ["failed"], workflow: "api" },
];

describe("a filter", () => {
  test.each(yes)("%j keeps the row", (filter) => expect(matches(filter, row)).toBe(true));
  test.each(no)("%j leaves the row out", (filter) => expect(matches(filter, row)).toBe(false));

  test("is the same text for the same meaning", () => {
    expect(filterKey({ q: " a b ", status: ["success", "failed", "failed"] })).toBe(
      "status=failed%2Csuccess&q=a+b",
    );
    expect(filterKey({ status: [], q: " " })).toBe("");
    expect(isEmptyFilter({ workflow: "" })).toBe(true);
    expect(isEmptyFilter({ workflow: "web" })).toBe(false);
  });
});
