import { deployment, workflow } from "@shipboard/client/testing";
import { expect, test } from "vitest";
import { arrange } from "./arrange";

const rows = [
  workflow("web", deployment(3)),
  workflow("api", deployment(2, { status: "failed" })),
  workflow("mail", deployment(1), { name: "Mail API" }),
];
const ids = rows.map(({ id }) => id);
const workflows = new Map(rows.map((row) => [row.id, row]));

test("the order is that of last activity, and the same one if nothing is wished", () => {
  expect(arrange(ids, workflows, { pinFailing: false, text: "" })).toBe(ids);
});

test("failing ones come to the top, otherwise in order", () => {
  expect(arrange(ids, workflows, { pinFailing: true, text: "" })).toEqual(["api", "web", "mail"]);
});

test("a text is looked for in slug and name, in any case", () => {
  expect(arrange(ids, workflows, { pinFailing: false, text: "API" })).toEqual(["api", "mail"]);
});
