import type { Deployment } from "@shipboard/client";
import { at, deployment } from "@shipboard/client/testing";
import { expect, test } from "vitest";
import { emptyMatrix } from "./matrix";
import { closenessOf, nextWhere, nowhere, verdictOf } from "./where";

const FIRST = at(1);
const sha = "4f2c9ab0d1e2f3a4b5c6d7e8f90123456789abcd";

const of = (number: number, change: Partial<Deployment>): Deployment =>
  deployment(number, { version: "v42", finished_at: at(number + 1), ...change });

test("a version is known with and without its v, a tag by its ref, a commit by its beginning", () => {
  const row = of(1, {
    commit: { sha, ref: "refs/tags/Release-7", message: "Fix v41", url: null, author: null },
  });
  expect(closenessOf("42", row)).toBe("called");
  expect(closenessOf("V42", row)).toBe("called");
  expect(closenessOf("release-7", row)).toBe("called");
  expect(closenessOf("4F2C", row)).toBe("called");
  expect(closenessOf("v4", row)).toBe("part");
  expect(closenessOf("v41", row)).toBe("mentioned");
});

test("what runs there is there, whatever else was tried with it", () => {
  const rows = [of(9, { status: "failed" }), of(3, { status: "success", standing: "current" })];
  expect(verdictOf(rows, null, FIRST)).toMatchObject({ is: "there", found: { at: at(4) } });
});

test("what is under way is on its way, even if it was there before", () => {
  const rows = [of(3, { status: "success", standing: "superseded" }), of(9, { status: "waiting" })];
  expect(verdictOf(rows, null, FIRST)).toMatchObject({ is: "coming", found: { status: "waiting" } });
});

test("what was there says whether it was rolled back", () => {
  expect(verdictOf([of(3, { status: "success", standing: "rolled_back" })], null, FIRST)).toMatchObject({
    is: "was",
    found: { rolled_back: true },
  });
  expect(verdictOf([of(3, { status: "success", standing: "superseded" })], null, FIRST).is).toBe("was");
});

test("what only failed did not arrive; what was never tried is not there yet", () => {
  expect(verdictOf([of(3, { status: "failed" })], null, FIRST).is).toBe("failed");
  const current = { deployment_id: "x", version: "v41", since: at(0) };
  expect(verdictOf([], current, FIRST)).toMatchObject({ is: "not_yet", passed: false });
  expect(verdictOf([], { ...current, since: at(7) }, FIRST)).toMatchObject({ is: "not_yet", passed: true });
});

test("only the closest matches count, in all environments together", () => {
  const exact = of(1, { workflow_id: "web" });
  const longer = of(2, { workflow_id: "api", version: "v420" });
  const where = nextWhere(nowhere, "v42", emptyMatrix, [[exact], [longer], null]);
  expect(where.closeness).toBe("called");
  expect(where.ids).toEqual(["web"]);
  expect(where.rows.get("web")?.verdicts.map((verdict) => verdict?.is ?? null)).toEqual([
    "coming",
    "not_yet",
    null,
  ]);
  expect(nextWhere(nowhere, "v42", emptyMatrix, [[], [longer], []]).closeness).toBe("part");
});

test("an answer that says the same stays the same", () => {
  const row = of(1, { workflow_id: "web" });
  const before = nextWhere(nowhere, "v42", emptyMatrix, [[row], []]);
  const moved = { ...row, progress: { ...row.progress, percent: 40 } };
  const after = nextWhere(before, "v42", emptyMatrix, [[moved], []]);
  expect(after.rows.get("web")?.verdicts[0]).toBe(before.rows.get("web")?.verdicts[0]);
  expect(after.ids).toBe(before.ids);
});
