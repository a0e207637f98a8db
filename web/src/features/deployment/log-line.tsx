// One line of the log, with its colours and with what was searched for marked.

import { clsx } from "clsx";
import { type CSSProperties, memo, type ReactNode } from "react";
import { type AnsiColor, type AnsiStyle, parseAnsi } from "./ansi";
import { matchesIn } from "./log-search";

/** A row of a log, in pixels; the class of a line says the same. */
export const ROW_PX = 20;

/** An exact colour is made as dark, or as light, as it takes to be read on the log's ground. */
const readable = (color: string): string =>
  `light-dark(oklch(from ${color} min(l, 0.5) c h), oklch(from ${color} max(l, 0.75) c h))`;

const colorOf = (color: AnsiColor | null): string | undefined =>
  color === null ? undefined : typeof color === "number" ? `var(--ansi-${color})` : readable(color);

/** A piece's colours. On a ground of its own the text has the log's: every colour stands out from that one. */
export function styleOf({ fg, bg, dim, inverse }: AnsiStyle): CSSProperties {
  const ground = inverse ? (colorOf(fg) ?? "var(--ink)") : colorOf(bg);
  if (ground) return { color: "var(--sunken)", backgroundColor: ground };
  const color = colorOf(fg) ?? (dim ? "var(--faint)" : undefined);
  return color ? { color } : {};
}

/** A line at its place. */
export const LogLineView = memo(function LogLineView({
  text,
  style,
  number,
  top,
  rows,
  gutter,
  wrap,
  query,
  marked,
  error,
  onPick,
}: {
  text: string;
  style: AnsiStyle;
  /** Its number in the log; null while that is not known. */
  number: number | null;
  top: number;
  rows: number;
  /** How many cells the numbers take. */
  gutter: number;
  wrap: boolean;
  query: string;
  marked: boolean;
  error: boolean;
  onPick: (number: number) => void;
}) {
  return (
    <div
      data-line={number ?? ""}
      {...(marked && { "data-marked": "" })}
      style={{ top, height: rows * ROW_PX }}
      className={clsx(
        "absolute left-0 flex leading-5",
        wrap ? "w-full" : "min-w-full",
        marked ? "bg-waiting-tint" : error && "bg-failed-tint",
        marked && "shadow-[inset_3px_0_0_var(--bar-waiting)]",
      )}
    >
      <span className="shrink-0 pr-[1ch] text-right select-none" style={{ width: `${gutter}ch` }}>
        {number !== null && (
          <a
            href={`#L${number}`}
            // By keyboard lines are reached through the search and the errors; hundreds of stops help nobody.
            tabIndex={-1}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
              event.preventDefault();
              onPick(number);
            }}
            className={clsx("hover:text-accent hover:underline", marked ? "text-ink" : "text-faint")}
          >
            {number}
          </a>
        )}
      </span>
      <span
        className={clsx(
          "grow pl-[1ch] text-ink",
          wrap ? "break-all whitespace-pre-wrap" : "pr-4 whitespace-pre",
        )}
      >
        <Coloured text={text} style={style} query={query} />
      </span>
    </div>
  );
});

/** The pieces of a line: cut where the colour changes, and where what was searched for begins and ends. */
function Coloured({ text, style, query }: { text: string; style: AnsiStyle; query: string }): ReactNode {
  const { pieces } = parseAnsi(text, style);
  const matches = query ? matchesIn(pieces.map((piece) => piece.text).join(""), query) : [];
  let at = 0;
  return pieces.map((piece) => {
    const begin = at;
    at += piece.text.length;
    return (
      <span
        // Pieces have no identity but their place in the line.
        key={begin}
        style={styleOf(piece.style)}
        className={clsx(
          piece.style.bold && "font-bold",
          piece.style.italic && "italic",
          piece.style.underline && "underline",
        )}
      >
        {matches.length === 0 ? piece.text : marks(piece.text, begin, matches)}
      </span>
    );
  });
}

function marks(text: string, begin: number, matches: readonly [number, number][]): ReactNode[] {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const [from, to] of matches) {
    const start = Math.max(0, from - begin);
    const end = Math.min(text.length, to - begin);
    if (start >= end) continue;
    parts.push(text.slice(at, start));
    parts.push(
      <mark key={start} className="rounded-xs bg-(--bar-waiting) text-black">
        {text.slice(start, end)}
      </mark>,
    );
    at = end;
  }
  parts.push(text.slice(at));
  return parts;
}
