// The log of a deployment with its tools: search, wrapping, copying, downloading. A line has an address, so that a
// colleague can be sent to it. Where the lines come from is log-reader.ts, how they are drawn log-view.tsx.

import { type Deployment, type DetailsScope, isActive, logOf } from "@shipboard/client";
import { useLog } from "@shipboard/client/react";
import { useLocation, useRouter } from "@tanstack/react-router";
import { Copy, Download, ExternalLink, Search, WrapText } from "lucide-react";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Button, buttonClass } from "~/shared/button";
import { copyText } from "~/shared/copy";
import { formatNumber, plural } from "~/shared/format";
import { useKeys } from "~/shared/keys";
import { NARROW } from "~/shared/media";
import { logApiPath } from "./api-paths";
import { LogReader, type LogReading } from "./log-reader";
import { LogView } from "./log-view";
import { Panel } from "./panel";
import { type FoundLines, stepFrom, useLogSearch } from "./use-log-search";
import { useLogWindow } from "./use-log-window";

const WRAP_KEY = "shipboard.log-wrap";
/** The fewest digits that there is room for before the lines. */
const GUTTER_LEAST_DIGITS = 4;
const MEBIBYTE = 1024 * 1024;

/** The log of a deployment, or where it is. */
export function LogPanel({ scope, row }: { scope: DetailsScope; row: Deployment }) {
  if (row.has_log) return <LiveLog scope={scope} row={row} />;
  return (
    <Panel title="Log" actions={row.logs_url && <LogLink url={row.logs_url} />}>
      <p className="text-cell text-faint">
        {row.logs_url ? "The log is kept by its source." : "No log was sent for this deployment."}
      </p>
    </Panel>
  );
}

function LogLink({ url }: { url: string }) {
  return (
    <a href={url} target="_blank" rel="noreferrer" className={buttonClass("ghost")}>
      Open at its source
      <ExternalLink size={14} aria-hidden="true" />
    </a>
  );
}

/** The line, from 0, that an address's `L12` means; null if it means none. */
export function lineOfHash(hash: string): number | null {
  const number = Number(/^#?L(\d{1,8})$/.exec(hash)?.[1] ?? 0);
  return number > 0 ? number - 1 : null;
}

function LiveLog({ scope, row }: { scope: DetailsScope; row: Deployment }) {
  const log = useLog(logOf(scope.tenant, scope.env, scope.id));
  const [reader] = useState(
    () => new LogReader((offset, signal) => fetch(logApiPath(scope, offset), { signal })),
  );
  useEffect(() => reader.hear(log), [reader, log]);
  useEffect(() => () => reader.close(), [reader]);
  const reading = useSyncExternalStore(reader.subscribe, reader.get);
  const { document } = reading;

  const [wrap, setWrap] = useWrap();
  const [query, setQuery] = useState("");
  const searchBox = useRef<HTMLInputElement>(null);
  const gutter = Math.max(GUTTER_LEAST_DIGITS, String(document.length).length) + 2;
  const scrolling = useLogWindow(document, reading, wrap, gutter);
  const found = useLogSearch(document, reading, query, scrolling.topLine, scrolling.goTo);
  const [addressed, pick] = useAddressedLine(reading, scrolling.goTo, scrolling.box);
  const marked = found.line ?? addressed;
  // A frame that fits an ended log would shrink under a reader who has watched it end.
  const [fitted] = useState(!isActive(row.status));

  const toError = (by: 1 | -1) => () => {
    const line = stepFrom(document.errors, marked ?? (by > 0 ? -1 : document.length), by);
    if (line !== null) pick(line);
  };
  useKeys({
    "/": (event) => {
      event.preventDefault();
      searchBox.current?.focus();
      searchBox.current?.select();
    },
    e: toError(1),
    E: toError(-1),
  });

  return (
    <Panel
      title="Log"
      note={
        <Note
          lines={document.length}
          reading={reading}
          word={log.stale && log.loaded ? "not live" : log.done ? "ended" : "live"}
        />
      }
      actions={
        <>
          <SearchBox box={searchBox} query={query} onQuery={setQuery} found={found} />
          <Button
            weight="ghost"
            aria-pressed={wrap}
            onClick={() => setWrap(!wrap)}
            className={wrap ? "bg-quiet-tint text-ink" : ""}
          >
            <WrapText size={14} aria-hidden="true" />
            <span className="max-sm:sr-only">Wrap</span>
          </Button>
          <Button weight="ghost" onClick={() => void copyText(document.plainText(), "the log")}>
            <Copy size={14} aria-hidden="true" />
            <span className="max-sm:sr-only">Copy</span>
          </Button>
          <a
            href={logApiPath(scope)}
            download={`${row.workflow_id}-${row.version ?? row.id}.log`}
            className={buttonClass("ghost")}
          >
            <Download size={14} aria-hidden="true" />
            <span className="max-sm:sr-only">Download</span>
          </a>
          {row.logs_url && <LogLink url={row.logs_url} />}
        </>
      }
    >
      <Beginning reading={reading} onLoad={reader.loadWhole} />
      <LogView
        document={document}
        scrolling={scrolling}
        gutter={gutter}
        wrap={wrap}
        query={query.trim()}
        marked={marked}
        live={!log.done}
        fitted={fitted}
        empty={log.loaded ? "Nothing written yet." : ""}
        onPick={pick}
        onNextError={toError(1)}
      />
    </Panel>
  );
}

/** Whether lines wrap: as was chosen before, else where a line would not fit anyway. */
function useWrap(): [boolean, (wrap: boolean) => void] {
  const [wrap, set] = useState(() => {
    try {
      const stored = localStorage.getItem(WRAP_KEY);
      if (stored !== null) return stored === "yes";
    } catch {
      // Without storage the width decides.
    }
    return matchMedia(NARROW).matches;
  });
  const choose = (next: boolean) => {
    set(next);
    try {
      localStorage.setItem(WRAP_KEY, next ? "yes" : "no");
    } catch {
      // It holds for as long as the page does.
    }
  };
  return [wrap, choose];
}

/** The line that the address names, once it is there, and what makes the address name one. */
function useAddressedLine(
  { document, progress }: LogReading,
  goTo: (line: number) => void,
  box: { readonly current: HTMLElement | null },
): [number | null, (line: number) => void] {
  const router = useRouter();
  const hash = useLocation({ select: (location) => location.hash });
  const wanted = lineOfHash(hash);
  const there = wanted !== null && document.start === 0 && progress === null && wanted < document.length;
  const shown = there ? wanted : null;
  useEffect(() => {
    if (shown === null) return;
    goTo(shown);
    box.current?.scrollIntoView({ block: "nearest" });
  }, [shown, goTo, box]);
  const pick = useCallback(
    (line: number) => {
      goTo(line);
      if (document.start > 0) return;
      void router.navigate({
        to: ".",
        search: true,
        hash: `L${line + 1}`,
        replace: true,
        resetScroll: false,
        hashScrollIntoView: false,
      });
    },
    [router, goTo, document],
  );
  return [shown, pick];
}

function Note({ word, lines, reading }: { word: string; lines: number; reading: LogReading }) {
  const { progress } = reading;
  return (
    <span data-number="">
      {word} · {plural(lines, "line")}
      {progress &&
        ` · reading the beginning, ${Math.floor((100 * progress.bytes) / Math.max(1, progress.of))} %`}
    </span>
  );
}

/** What is said where the beginning of the log is not shown. */
function Beginning({ reading: { missing, document }, onLoad }: { reading: LogReading; onLoad: () => void }) {
  if (missing === null) return null;
  const size = `${formatNumber(Math.ceil(document.start / MEBIBYTE))} MB`;
  return (
    <p
      {...(missing === "failed" && { role: "alert" })}
      className="mb-2 flex items-center justify-between gap-3 rounded-lg bg-quiet-tint py-1 pr-1 pl-3 text-cell text-soft"
    >
      {missing === "failed"
        ? "The beginning of the log could not be read."
        : `The first ${size} are left out.`}
      <Button weight="ghost" onClick={onLoad}>
        {missing === "failed" ? "Retry" : "Read them"}
      </Button>
    </p>
  );
}

function SearchBox({
  box,
  query,
  onQuery,
  found,
}: {
  box: React.RefObject<HTMLInputElement | null>;
  query: string;
  onQuery: (query: string) => void;
  found: FoundLines;
}) {
  return (
    <label className="relative max-sm:min-w-0 max-sm:flex-1">
      <span className="sr-only">Search the log</span>
      <Search
        size={14}
        aria-hidden="true"
        className="pointer-events-none absolute top-1/2 left-2 -translate-y-1/2 text-faint"
      />
      <input
        ref={box}
        type="search"
        value={query}
        placeholder="Search"
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") found.step(event.shiftKey ? -1 : 1);
          if (event.key !== "Escape") return;
          // As in every search box: first what was typed goes, then the focus.
          if (query) onQuery("");
          else event.currentTarget.blur();
          event.preventDefault();
        }}
        className="h-8 w-52 rounded-md border border-edge bg-surface pr-20 pl-7 text-cell placeholder:text-faint focus-visible:outline-offset-0 max-sm:w-full [&::-webkit-search-cancel-button]:hidden"
      />
      {query.trim() && (
        <span
          role="status"
          data-number=""
          className="absolute top-1/2 right-2 -translate-y-1/2 text-xs text-faint"
        >
          {formatNumber(found.at)}/{formatNumber(found.count)}
          {found.searching && "…"}
        </span>
      )}
    </label>
  );
}
