import type { Workflow } from "@shipboard/client";
import { at, deployment, workflow } from "@shipboard/client/testing";
import { expect, test } from "vitest";
import { arrange } from "./arrange";
import { attemptOf, type Column, emptyMatrix, type Matrix, nextMatrix } from "./matrix";

/** A workflow of which this version has run since then; a null version runs unnamed. */
const runs = (id: string, version: string | null, since = 1, change: Partial<Workflow> = {}): Workflow => {
  const row = deployment(since, { version, status: "success", standing: "current" });
  return workflow(id, row, { current: { deployment_id: row.id, version, since: at(since) }, ...change });
};

/** A workflow that only ever failed. */
const failed = (id: string): Workflow => workflow(id, deployment(1, { status: "failed" }));

const column = (id: string, rows: readonly Workflow[], change: Partial<Column> = {}): Column => ({
  id,
  name: id,
  loaded: true,
  more: false,
  workflows: new Map(rows.map((row) => [row.id, row])),
  ...change,
});

const matrix = (...columns: Column[]): Matrix => nextMatrix(emptyMatrix, columns);

const drifts = (held: Matrix, id: string) =>
  held.rows.get(id)?.cells.map((cell) => (cell?.drift ? `${cell.drift.env} ${cell.drift.version}` : null));

test("a cell drifts from the nearest environment to its left in which another version runs", () => {
  const held = matrix(
    column("dev", [runs("web", "v3")]),
    column("staging", [runs("web", "v2")]),
    column("production", [runs("web", "v2")]),
  );
  expect(drifts(held, "web")).toEqual([null, "dev v3", null]);
});

test("an environment in which nothing of the workflow runs is passed over", () => {
  const held = matrix(
    column("dev", [runs("web", "v3")]),
    column("test", []),
    column("staging", [failed("web")]),
    column("production", [runs("web", "v2")]),
  );
  expect(drifts(held, "web")).toEqual([null, null, null, "dev v3"]);
});

test("what has no version, or is not known yet, is not said to differ", () => {
  expect(drifts(matrix(column("a", [runs("web", null)]), column("b", [runs("web", "v1")])), "web")).toEqual([
    null,
    null,
  ]);
  const unknown = column("a", [], { loaded: false });
  expect(
    drifts(matrix(column("z", [runs("web", "v9")]), unknown, column("b", [runs("web", "v1")])), "web"),
  ).toEqual([null, null, null]);
});

test("a change gives new cells to what it touches, and to nothing else", () => {
  const dev = column("dev", [runs("web", "v1"), runs("api", "v1")]);
  const production = column("production", [runs("web", "v1"), runs("api", "v1")]);
  const before = matrix(dev, production);
  const after = nextMatrix(before, [
    column("dev", [runs("web", "v2"), ...[...dev.workflows.values()].slice(1)]),
    production,
  ]);
  expect(after.rows.get("api")).toBe(before.rows.get("api"));
  expect(after.rows.get("web")?.cells[0]).not.toBe(before.rows.get("web")?.cells[0]);
  // Its own row is the same, but what stands at its left is not.
  expect(after.rows.get("web")?.cells[1]?.workflow).toBe(before.rows.get("web")?.cells[1]?.workflow);
  expect(drifts(after, "web")).toEqual([null, "dev v2"]);
  expect(nextMatrix(after, [...after.columns])).toBe(after);
});

test("a workflow that is gone everywhere has no row", () => {
  const before = matrix(column("dev", [runs("web", "v1")]), column("production", [runs("web", "v1")]));
  const half = nextMatrix(before, [column("dev", []), ...before.columns.slice(1)]);
  expect(half.rows.get("web")?.cells[0]).toBeNull();
  expect(nextMatrix(half, [column("dev", []), column("production", [])]).rows.size).toBe(0);
});

test("the latest attempt is told where it is not simply what runs", () => {
  expect(attemptOf(runs("web", "v1"))).toBeNull();
  expect(attemptOf(failed("web"))?.status).toBe("failed");
  const current = runs("web", "v1");
  const again = { ...current, latest: current.latest && { ...current.latest, status: "running" as const } };
  expect(attemptOf(again)?.status).toBe("running");
  const next = deployment(5, { version: "v2" });
  expect(attemptOf({ ...current, latest: workflow("web", next).latest })?.version).toBe("v2");
});

test("rows come by last activity or by name, narrowed by text and by drift", () => {
  const held = matrix(
    column("dev", [runs("web", "v1", 9), runs("api", "v2", 1)]),
    column("production", [runs("api", "v1", 20), runs("billing", "v1", 5)]),
  );
  expect(arrange(held, {})).toEqual(["api", "web", "billing"]);
  expect(arrange(held, { sort: "name" })).toEqual(["api", "billing", "web"]);
  expect(arrange(held, { q: "B", sort: "name" })).toEqual(["billing", "web"]);
  expect(arrange(held, { drift: "1" })).toEqual(["api"]);
});
