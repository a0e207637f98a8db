// The colours that programs write into their output: select-graphic-rendition escapes become styles, all other
// escapes are dropped. A line is read by itself, beginning with the style the line before it ended with.

/** A colour: one of the sixteen by number, or an exact one. */
export type AnsiColor = number | `#${string}`;

/** How a piece of text looks. */
export interface AnsiStyle {
  readonly fg: AnsiColor | null;
  readonly bg: AnsiColor | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
}

/** A piece of a line. */
export interface AnsiPiece {
  readonly text: string;
  readonly style: AnsiStyle;
}

/** No style. */
export const PLAIN: AnsiStyle = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
};

const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
/** Colour escapes with their numbers, any other control sequence, operating-system commands, lone escapes. */
const ESCAPE = new RegExp(
  `${ESC}\\[([0-9;:]*)m|${ESC}\\[[0-?]*[ -/]*[@-~]|${ESC}\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)|${ESC}[@-_]?`,
  "g",
);

/** What of a line is left on the screen: a carriage return begins it anew. */
export function visibleLine(line: string): string {
  const ended = line.endsWith("\r") ? line.slice(0, -1) : line;
  return ended.slice(ended.lastIndexOf("\r") + 1);
}

/** The line's text without any escapes. */
export const plainText = (line: string): string => (line.includes(ESC) ? line.replace(ESCAPE, "") : line);

/** A line's pieces, and the style that the next line begins with. */
export function parseAnsi(line: string, from: AnsiStyle = PLAIN): { pieces: AnsiPiece[]; style: AnsiStyle } {
  if (!line.includes(ESC)) return { pieces: line ? [{ text: line, style: from }] : [], style: from };
  const pieces: AnsiPiece[] = [];
  let style = from;
  let at = 0;
  for (const match of line.matchAll(ESCAPE)) {
    if (match.index > at) pieces.push({ text: line.slice(at, match.index), style });
    at = match.index + match[0].length;
    if (match[1] !== undefined) style = applyCodes(style, match[1]);
  }
  if (at < line.length) pieces.push({ text: line.slice(at), style });
  return { pieces, style };
}

/** The style that follows a line, without making its pieces. */
export function styleAfter(line: string, from: AnsiStyle): AnsiStyle {
  if (!line.includes(ESC)) return from;
  let style = from;
  for (const match of line.matchAll(ESCAPE)) {
    if (match[1] !== undefined) style = applyCodes(style, match[1]);
  }
  return style;
}

function applyCodes(from: AnsiStyle, text: string): AnsiStyle {
  const codes = text.split(/[;:]/).map((code) => Number(code || 0));
  let style = from;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [color, used] = extended(codes, at + 1);
      if (color !== null) style = { ...style, [code === 38 ? "fg" : "bg"]: color };
      at += used;
    } else {
      style = applyCode(style, code);
    }
  }
  return style;
}

function applyCode(style: AnsiStyle, code: number): AnsiStyle {
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 };
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 };
  switch (code) {
    case 0:
      return PLAIN;
    case 1:
      return { ...style, bold: true };
    case 2:
      return { ...style, dim: true };
    case 3:
      return { ...style, italic: true };
    case 4:
      return { ...style, underline: true };
    case 7:
      return { ...style, inverse: true };
    case 22:
      return { ...style, bold: false, dim: false };
    case 23:
      return { ...style, italic: false };
    case 24:
      return { ...style, underline: false };
    case 27:
      return { ...style, inverse: false };
    case 39:
      return { ...style, fg: null };
    case 49:
      return { ...style, bg: null };
    default:
      return style;
  }
}

const hex = (value: number): string => Math.max(0, Math.min(255, value)).toString(16).padStart(2, "0");

const rgb = (red: number, green: number, blue: number): `#${string}` =>
  `#${hex(red)}${hex(green)}${hex(blue)}`;

/** The colour that `38;5;n` or `38;2;r;g;b` names, and how many numbers it took. */
function extended(codes: readonly number[], at: number): [AnsiColor | null, number] {
  if (codes[at] === 5) return [indexed(codes[at + 1] ?? 0), 2];
  if (codes[at] === 2) return [rgb(codes[at + 1] ?? 0, codes[at + 2] ?? 0, codes[at + 3] ?? 0), 4];
  return [null, 0];
}

/** The palette of 256: sixteen by name, a cube of 6 × 6 × 6, and 24 greys. */
function indexed(index: number): AnsiColor {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return rgb(grey, grey, grey);
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return rgb(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}
