import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cellsOf, LINE_LIMIT_CHARACTERS, LogDocument, looksLikeError } from "./log-document";

const whole = (text: string): LogDocument => {
  const document = new LogDocument(0);
  document.feed(text, text.length);
  return document;
};

const shown = ({ texts, styles, cells, errors, closed, end }: LogDocument) => ({
  texts,
  styles,
  cells,
  errors,
  closed,
  end,
});

test("a log that comes in pieces has the lines of the whole", () => {
  const long = "x".repeat(LINE_LIMIT_CHARACTERS - 1);
  const chunk = fc.array(fc.constantFrom("a", "b", "\n", "\r", "\u001b[31m", "error ", long), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
      const document = new LogDocument(0);
      let text = "";
      for (const part of chunks) {
        text += part.join("");
        document.feed(part.join(""), part.join("").length);
        expect(shown(document)).toEqual(shown(whole(text)));
      }
    }),
  );
});

test("the last line is shown before it is complete, and counts as a line only then", () => {
  const document = whole("one\ntw");
  expect(document.texts).toEqual(["one", "tw"]);
  expect(document.closed).toBe(1);
  document.feed("o\n", 2);
  expect(document.texts).toEqual(["one", "two"]);
  expect(document.closed).toBe(2);
});

test("a line of megabytes is broken into lines", () => {
  const { texts } = whole("x".repeat(3 * LINE_LIMIT_CHARACTERS + 1));
  expect(texts.map((text) => text.length)).toEqual([...Array(3).fill(LINE_LIMIT_CHARACTERS), 1]);
});

test("an error is counted once, though its line came in two pieces", () => {
  const document = whole("ok\nerror: no");
  document.feed(" route\n", 7);
  expect(document.errors).toEqual([1]);
});

test("a cell is a letter; tabs and wide signs take more", () => {
  expect(["abc", "a\tb", "日本"].map(cellsOf)).toEqual([3, 10, 4]);
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
