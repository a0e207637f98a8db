import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LogLines, looksLikeError } from "./log-lines";

const all = (text: string) => new LogLines().read({ offset: 0, text });

test("a log that comes in pieces has the lines of the whole", () => {
  const chunk = fc.array(fc.constantFrom("a", "b", "\n", "\r", "\u001b[31m", "error "), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
      const reader = new LogLines();
      let text = "";
      for (const part of chunks) {
        text += part.join("");
        expect(reader.read({ offset: 0, text })).toEqual(all(text));
      }
    }),
  );
});

test("nothing new gives the same lines", () => {
  const reader = new LogLines();
  expect(reader.read({ offset: 0, text: "a\n" })).toBe(reader.read({ offset: 0, text: "a\n" }));
});

test("a log whose beginning was cut off is read anew", () => {
  const reader = new LogLines();
  reader.read({ offset: 0, text: "one\ntwo\n" });
  expect(reader.read({ offset: 4, text: "two\nthree\n" }).map((line) => line.text)).toEqual(["two", "three"]);
});

test.each([
  ["error: no such table", true],
  ["12:41:09 [ERROR] no route", true],
  ["TypeError: x is undefined", true],
  ["==> watch error rate", false],
  ["FATAL could not start", true],
  ["3 tests failed", true],
  ["0 errors, 2 warnings", false],
  ["mirrored to eu-west", false],
])("%s: looks like an error? %s", (text, error) => {
  expect(looksLikeError(text)).toBe(error);
});
