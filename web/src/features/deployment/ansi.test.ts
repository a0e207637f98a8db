import { describe, expect, test } from "vitest";
import { PLAIN, parseAnsi, plainText, styleAfter, visibleLine } from "./ansi";

const ESC = String.fromCharCode(27);
const sgr = (codes: string) => `${ESC}[${codes}m`;

test("a line without escapes is one plain piece", () => {
  expect(parseAnsi("hello")).toEqual({ pieces: [{ text: "hello", style: PLAIN }], style: PLAIN });
});

test("a colour holds until it is taken back", () => {
  const { pieces } = parseAnsi(`${sgr("31")}red${sgr("0")} plain`);
  expect(pieces.map(({ text, style }) => [text, style.fg])).toEqual([
    ["red", 1],
    [" plain", null],
  ]);
});

test("bright, bold and several codes at once are understood", () => {
  const [piece] = parseAnsi(`${sgr("1;4;92;44")}x`).pieces;
  expect(piece?.style).toMatchObject({ bold: true, underline: true, fg: 10, bg: 4 });
});

describe("extended colours", () => {
  test.each([
    ["38;5;9", 9],
    ["38;5;196", "#ff0000"],
    ["38;5;232", "#080808"],
    ["38;2;1;2;255", "#0102ff"],
  ])("%s is %s", (codes, color) => {
    expect(parseAnsi(`${sgr(codes)}x`).pieces[0]?.style.fg).toBe(color);
  });
});

test("a style goes on into the next line", () => {
  const after = styleAfter(`${sgr("33")}warning:`, PLAIN);
  expect(parseAnsi("more of it", after).pieces[0]?.style.fg).toBe(3);
});

test("escapes that are no colours vanish", () => {
  const BEL = String.fromCharCode(7);
  expect(plainText(`${ESC}[2K${ESC}[1Ga${ESC}]0;title${BEL}b${ESC}]8;;http://x${ESC}\\c${ESC}`)).toBe("abc");
});

test("a carriage return begins the line anew", () => {
  expect(visibleLine("10%\r50%\r100%")).toBe("100%");
  expect(visibleLine("done\r")).toBe("done");
});
