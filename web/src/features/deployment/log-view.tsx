// The log drawn: errors above, and below them a window of lines over their whole height. It has no idea where its
// lines come from, and the frame's height never depends on what is written.

import { clsx } from "clsx";
import { ArrowDown } from "lucide-react";
import { type ReactNode, useMemo } from "react";
import { Button } from "~/shared/button";
import { formatNumber } from "~/shared/format";
import type { LogDocument } from "./log-document";
import { LogLineView, ROW_PX } from "./log-line";
import { countBelow } from "./use-log-search";
import { EDGE_PX, type LogScrolling, PROBE_CELLS } from "./use-log-window";

/** How many errors are listed above the log. */
const ERRORS_LIMIT = 3;
/** The most rows that an ended log's frame grows to. */
const FITTED_ROWS = 30;
const FITTED_LEAST_ROWS = 4;

/** The log's frame. */
export function LogView({
  document,
  scrolling,
  gutter,
  wrap,
  query,
  marked,
  live,
  fitted,
  empty,
  onPick,
  onNextError,
}: {
  document: LogDocument;
  scrolling: LogScrolling;
  gutter: number;
  wrap: boolean;
  query: string;
  marked: number | null;
  /** Whether more may come. */
  live: boolean;
  /** Whether the frame is as high as its lines need, because no more will come. */
  fitted: boolean;
  empty: ReactNode;
  onPick: (line: number) => void;
  onNextError: () => void;
}) {
  const { layout, window, following } = scrolling;
  const { errors } = document;
  const ErrorsAbove = fitted ? Errors : ErrorsSoFar;
  const height = layout.rows * ROW_PX + 2 * EDGE_PX;
  const numbered = document.start === 0;
  const pickNumber = useMemo(() => (number: number) => onPick(number - 1), [onPick]);
  const lines: ReactNode[] = [];
  for (let index = window.first; index < Math.min(window.end, document.length); index++) {
    const style = document.styles[index];
    if (!style) continue;
    lines.push(
      <LogLineView
        key={index}
        text={document.texts[index] ?? ""}
        style={style}
        number={numbered ? index + 1 : null}
        top={layout.top(index) * ROW_PX + EDGE_PX}
        rows={layout.height(index)}
        gutter={gutter}
        wrap={wrap}
        query={query}
        marked={index === marked}
        error={errors[countBelow(errors, index)] === index}
        onPick={pickNumber}
      />,
    );
  }
  const rows = Math.min(FITTED_ROWS, Math.max(FITTED_LEAST_ROWS, layout.rows));
  return (
    <div className="relative overflow-hidden rounded-lg border border-line bg-sunken">
      <div className={clsx("flex flex-col", !fitted && "h-[min(32rem,70vh)]")}>
        <ErrorsAbove document={document} onPick={onPick} onNext={onNextError} />
        <div
          ref={scrolling.box}
          role="log"
          aria-live="off"
          aria-label="Log lines"
          // Scrollable, so it must be reachable by keyboard.
          tabIndex={0}
          onScroll={scrolling.onScroll}
          {...(fitted && { style: { height: rows * ROW_PX + 2 * EDGE_PX + 2 } })}
          className={clsx(
            "relative overflow-auto overscroll-contain font-mono text-xs [overflow-anchor:none] focus-visible:-outline-offset-2",
            fitted ? "max-h-[70vh]" : "grow",
          )}
        >
          <span ref={scrolling.probe} aria-hidden="true" className="invisible absolute whitespace-pre">
            {"0".repeat(PROBE_CELLS)}
          </span>
          <div
            className="relative min-w-full"
            style={{ height, ...(!wrap && { width: `calc(${gutter + document.widest}ch + 2rem)` }) }}
          >
            {lines}
          </div>
          {document.length === 0 && (
            <p className="absolute inset-x-4 top-3 font-sans text-cell text-faint">{empty}</p>
          )}
        </div>
      </div>
      {!following && (
        <Button onClick={scrolling.toEnd} className="absolute right-4 bottom-3 shadow-float">
          <ArrowDown size={14} aria-hidden="true" />
          {live ? "Follow" : "To the end"}
        </Button>
      )}
    </div>
  );
}

interface ErrorsProps {
  readonly document: LogDocument;
  readonly onPick: (line: number) => void;
  readonly onNext: () => void;
}

/** The first errors of an ended log. */
function Errors({ document, onPick, onNext }: ErrorsProps) {
  const { errors } = document;
  const more = errors.length - ERRORS_LIMIT;
  if (errors.length === 0) return null;
  return (
    <ul aria-label="Errors" className="shrink-0 border-b border-line bg-failed-tint py-1">
      {errors.slice(0, ERRORS_LIMIT).map((line) => (
        <li key={line}>
          <ErrorLine document={document} line={line} onPick={onPick} />
        </li>
      ))}
      {more > 0 && (
        <li>
          <NextError count={more} onNext={onNext} />
        </li>
      )}
    </ul>
  );
}

/** One row for whatever a running log brings, there from the beginning, so that nothing moves when an error comes. */
function ErrorsSoFar({ document, onPick, onNext }: ErrorsProps) {
  const [first] = document.errors;
  if (first === undefined) {
    return (
      <p className="h-8 shrink-0 border-b border-line px-3 text-xs leading-[1.9375rem] text-faint">
        No errors so far
      </p>
    );
  }
  const more = document.errors.length - 1;
  return (
    <div
      role="group"
      aria-label="Errors"
      className="flex h-8 shrink-0 items-center border-b border-line bg-failed-tint"
    >
      <ErrorLine document={document} line={first} onPick={onPick} />
      {more > 0 && <NextError count={more} onNext={onNext} />}
    </div>
  );
}

function ErrorLine({
  document,
  line,
  onPick,
}: {
  document: LogDocument;
  line: number;
  onPick: (line: number) => void;
}) {
  return (
    <button
      type="button"
      onClick={() => onPick(line)}
      className="flex min-h-6 w-full min-w-0 grow items-baseline gap-3 px-3 py-0.5 text-left font-mono text-xs leading-5 text-failed hover:underline focus-visible:-outline-offset-2"
    >
      {document.start === 0 && <span className="shrink-0">{line + 1}</span>}
      <span className="truncate">{document.plain(line).trim()}</span>
    </button>
  );
}

function NextError({ count, onNext }: { count: number; onNext: () => void }) {
  return (
    <button
      type="button"
      onClick={onNext}
      aria-keyshortcuts="e"
      className="min-h-6 shrink-0 px-3 py-0.5 text-left text-xs leading-5 text-failed hover:underline focus-visible:-outline-offset-2"
    >
      {formatNumber(count)} more
      <span className="max-sm:sr-only">
        {" · next error "}
        <kbd className="font-mono">(e)</kbd>
      </span>
    </button>
  );
}
