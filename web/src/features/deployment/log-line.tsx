// One line of the log, with its colours and with what was searched for marked.

import { clsx } from "clsx";
import { type CSSProperties, memo } from "react";
import { type AnsiColor, type AnsiPiece, type AnsiStyle, parseAnsi } from "./ansi";
import type { LogLine } from "./log-lines";

const colorOf = (color: AnsiColor | null): string | undefined =>
  color === null ? undefined : typeof color === "number" ? `var(--ansi-${color})` : color;

function styleOf(style: AnsiStyle): CSSProperties {
  const fg = colorOf(style.inverse ? style.bg : style.fg);
  const bg = colorOf(style.inverse ? style.fg : style.bg);
  return {
    ...(fg && { color: fg }),
    ...(bg && { backgroundColor: bg }),
    ...(style.inverse && !fg && { color: "var(--sunken)" }),
    ...(style.inverse && !bg && { backgroundColor: "var(--ink)" }),
  };
}

/** A line at its place. */
export const LogLineView = memo(function LogLineView({
  line,
  top,
  query,
  marked,
}: {
  line: LogLine;
  top: number;
  query: string;
  marked: boolean;
}) {
  const { pieces } = parseAnsi(line.text, line.style);
  return (
    <div
      style={{ top }}
      className={clsx(
        "absolute left-0 flex h-5 min-w-full items-center pr-4 leading-5 whitespace-pre",
        marked ? "bg-waiting-tint" : line.error && "bg-failed-tint",
      )}
    >
      <span className="w-14 shrink-0 pr-3 text-right text-faint select-none">{line.number}</span>
      <span className="text-ink">
        {withKeys(pieces).map(({ key, piece }) => (
          <span
            key={key}
            style={styleOf(piece.style)}
            className={clsx(
              piece.style.bold && "font-bold",
              piece.style.dim && "opacity-70",
              piece.style.italic && "italic",
              piece.style.underline && "underline",
            )}
          >
            <Marked text={piece.text} query={query} />
          </span>
        ))}
      </span>
    </div>
  );
});

/** Pieces have no identity but their place in the line. */
function withKeys(pieces: readonly AnsiPiece[]): { key: number; piece: AnsiPiece }[] {
  let at = 0;
  return pieces.map((piece) => {
    const key = at;
    at += piece.text.length;
    return { key, piece };
  });
}

function Marked({ text, query }: { text: string; query: string }) {
  const at = query ? text.toLowerCase().indexOf(query.toLowerCase()) : -1;
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark className="rounded-xs bg-(--bar-waiting) text-black">{text.slice(at, at + query.length)}</mark>
      {text.slice(at + query.length)}
    </>
  );
}
