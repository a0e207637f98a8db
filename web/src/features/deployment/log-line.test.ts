import { expect, test } from "vitest";
import { PLAIN } from "./ansi";
import { styleOf } from "./log-line";

test("plain text has no style of its own, dim text is faint", () => {
  expect(styleOf(PLAIN)).toEqual({});
  expect(styleOf({ ...PLAIN, dim: true })).toEqual({ color: "var(--faint)" });
});

test("text on a coloured ground can be read, whatever colour the program chose for it", () => {
  const onGreen = { color: "var(--sunken)", backgroundColor: "var(--ansi-2)" };
  expect(styleOf({ ...PLAIN, bg: 2, fg: 0 })).toEqual(onGreen);
  expect(styleOf({ ...PLAIN, fg: 2, inverse: true })).toEqual(onGreen);
  expect(styleOf({ ...PLAIN, inverse: true })).toEqual({
    color: "var(--sunken)",
    backgroundColor: "var(--ink)",
  });
});
