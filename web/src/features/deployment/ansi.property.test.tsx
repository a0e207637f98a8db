// Whatever bytes a log holds: its text is shown, and nothing but its text.

import { fuzz } from "@shipboard/client/testing";
import fc from "fast-check";
import { renderToStaticMarkup } from "react-dom/server";
import { afterAll, expect, test } from "vitest";
import { type AnsiColor, PLAIN, parseAnsi, plainText, styleAfter, visibleLine } from "./ansi";
import { LINE_LIMIT_CHARACTERS, LogDocument } from "./log-document";
import { LogLineView } from "./log-line";

const { runs, patience, tell } = fuzz(4);
afterAll(tell);

const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
const codes = fc.array(
  fc.oneof(
    fc.constantFrom("38", "48", "2", "5", "0", "1", "7", "39", ""),
    fc.nat(300).map(String),
    fc.constant("9".repeat(400)),
  ),
  { maxLength: 8 },
);
const piece = fc.oneof(
  { weight: 3, arbitrary: codes.map((some) => `${ESC}[${some.join(";")}m`) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
  fc.constantFrom(
    ESC,
    `${ESC}[`,
    `${ESC}]`,
    `${ESC}]0;`,
    `${ESC}\\`,
    BEL,
    "m",
    "K",
    ";",
    ":",
    "\r",
    "\t",
    "\0",
    "é",
    "日本",
  ),
  fc.constantFrom(
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;",
    "url(http://x)",
    "error:",
  ),
);
const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""));
const line = text.map((one) => one.replaceAll("\n", " "));

/** The text without its escapes, by another hand: one character after the other, and no pattern. */
function byHand(line: string): string {
  let kept = "";
  let at = 0;
  const skip = (from: string, to: string) => {
    while (at < line.length && line.charAt(at) >= from && line.charAt(at) <= to) at++;
  };
  while (at < line.length) {
    if (line.charAt(at) !== ESC) {
      kept += line.charAt(at++);
      continue;
    }
    const start = at++;
    const kind = line.charAt(at);
    if (kind < "@" || kind > "_") continue;
    at++;
    if (kind === "[") {
      skip("0", "?");
      skip(" ", "/");
      if (line.charAt(at) >= "@" && line.charAt(at) <= "~") at++;
      else at = start + 2;
    } else if (kind === "]") {
      while (at < line.length && line.charAt(at) !== BEL && line.charAt(at) !== ESC) at++;
      if (line.charAt(at) === BEL) at++;
      else if (line.startsWith(`${ESC}\\`, at)) at += 2;
      else at = start + 2;
    }
  }
  return kept;
}

const isColor = (color: AnsiColor | null) =>
  color === null ||
  (typeof color === "number"
    ? Number.isInteger(color) && color >= 0 && color < 16
    : /^#[0-9a-f]{6}$/.test(color));

test(
  "a line's pieces are its text without escapes, in colours that there are",
  () => {
    fc.assert(
      fc.property(line, (one) => {
        const { pieces, style } = parseAnsi(one);
        expect(pieces.map((each) => each.text).join("")).toBe(plainText(one));
        expect(pieces.every((each) => each.text.length > 0)).toBe(true);
        expect(style).toEqual(styleAfter(one, PLAIN));
        for (const each of [...pieces.map((each) => each.style), style]) {
          expect([isColor(each.fg), isColor(each.bg)]).toEqual([true, true]);
        }
      }),
      runs(500),
    );
  },
  patience,
);

test(
  "text keeps every character that is no part of an escape, and an escape none of the next line",
  () => {
    fc.assert(
      fc.property(line, line, (one, other) => {
        const plain = plainText(one);
        expect(plain).not.toContain(ESC);
        expect(plain.length).toBeLessThanOrEqual(one.length);
        expect(plain).toBe(byHand(one));
        // Each line is read by itself, beginning with the style before it.
        const both = styleAfter(other, styleAfter(one, PLAIN));
        expect(parseAnsi(other, styleAfter(one, PLAIN)).style).toEqual(both);
        expect(visibleLine(one)).not.toContain("\r");
      }),
      runs(300),
    );
  },
  patience,
);

test(
  "a log is the same lines wherever its chunks end, and none is too long",
  () => {
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 6 }),
        fc.array(fc.nat(400), { maxLength: 6 }),
        fc.nat(2),
        (lines, cuts, long) => {
          const whole = `${lines.join("\n")}${"x".repeat(long * LINE_LIMIT_CHARACTERS)}`;
          const read = (chunks: readonly string[]) => {
            const log = new LogDocument(0);
            for (const chunk of chunks) log.feed(chunk, chunk.length);
            return log;
          };
          const ends = [...cuts.map((cut) => Math.min(cut, whole.length)), whole.length].sort(
            (a, b) => a - b,
          );
          const inPieces = read(ends.map((end, index) => whole.slice(ends[index - 1] ?? 0, end)));
          const atOnce = read([whole]);
          expect(inPieces.texts).toEqual(atOnce.texts);
          expect(inPieces.styles).toEqual(atOnce.styles);
          expect(inPieces.cells).toEqual(atOnce.cells);
          expect(inPieces.errors).toEqual(atOnce.errors);
          expect([inPieces.end, inPieces.closed]).toEqual([atOnce.end, atOnce.closed]);
          expect(inPieces.texts.every((each) => each.length <= LINE_LIMIT_CHARACTERS)).toBe(true);
        },
      ),
      runs(200),
    );
  },
  patience,
);

test(
  "a drawn line is spans with its text and colours, whatever is written in it",
  () => {
    fc.assert(
      fc.property(line, fc.constantFrom("", "script", "<", "e"), (one, query) => {
        const html = renderToStaticMarkup(
          <LogLineView
            {...{ text: one, style: PLAIN, number: 1, top: 0, rows: 1, gutter: 1, wrap: false, query }}
            {...{ marked: false, error: false, onPick: () => {} }}
          />,
        );
        const drawn = document.createElement("div");
        drawn.innerHTML = html;
        const elements = [...drawn.querySelectorAll("*")];
        const names = new Set(elements.map((element) => element.tagName.toLowerCase()));
        for (const name of names) expect(["div", "span", "a", "mark"]).toContain(name);
        const attributes = new Set(elements.flatMap((element) => element.getAttributeNames()));
        for (const name of attributes)
          expect(["data-line", "style", "class", "href", "tabindex"]).toContain(name);
        for (const link of drawn.querySelectorAll("a")) expect(link.getAttribute("href")).toBe("#L1");
        for (const element of elements) expect(element.getAttribute("style") ?? "").not.toContain("url");
      }),
      runs(100),
    );
  },
  patience,
);
