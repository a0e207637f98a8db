// The log: live, virtual, with colours. It follows its end only while the reader is there; errors are listed above
// it; searching jumps from line to line. The text is the client's, its lines are log-lines.ts.

import type { Deployment, DetailsScope } from "@shipboard/client";
import { logOf } from "@shipboard/client";
import { useLog } from "@shipboard/client/react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, Download, ExternalLink, Search } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button, buttonClass } from "~/shared/button";
import { CopyButton } from "~/shared/copy";
import { plural } from "~/shared/format";
import { plainText } from "./ansi";
import { LogLineView } from "./log-line";
import { type LogLine, LogLines } from "./log-lines";
import { Panel } from "./panel";

const LINE_PX = 20;
const OVERSCAN_LINES = 20;
/** So near the end counts as at the end. */
const END_PX = 24;
/** How many errors are listed above the log. */
const ERRORS_LIMIT = 3;

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

function useFound(lines: readonly LogLine[], query: string): readonly number[] {
  return useMemo(() => {
    const wanted = query.trim().toLowerCase();
    if (!wanted) return [];
    return lines.flatMap((line, index) =>
      plainText(line.text).toLowerCase().includes(wanted) ? [index] : [],
    );
  }, [lines, query]);
}

function LiveLog({ scope, row }: { scope: DetailsScope; row: Deployment }) {
  const log = useLog(logOf(scope.tenant, scope.env, scope.id));
  const [reader] = useState(() => new LogLines());
  const lines = reader.read(log);
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [query, setQuery] = useState("");
  const [hit, setHit] = useState(0);
  const found = useFound(lines, query);
  const marked = found[hit % Math.max(1, found.length)];
  const errors = useMemo(() => lines.filter((line) => line.error), [lines]);

  const virtual = useVirtualizer({
    count: lines.length,
    estimateSize: () => LINE_PX,
    overscan: OVERSCAN_LINES,
    getScrollElement: () => box.current,
  });

  const toEnd = () => {
    setFollowing(true);
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  useLayoutEffect(() => {
    if (following && lines.length > 0) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [following, lines]);
  useEffect(() => {
    if (marked !== undefined) virtual.scrollToIndex(marked, { align: "center" });
  }, [marked, virtual]);

  const jump = (index: number) => {
    setFollowing(false);
    virtual.scrollToIndex(index, { align: "center" });
  };
  const address = `/api/v1/tenants/${scope.tenant}/envs/${scope.env}/deployments/${scope.id}/logs?offset=0`;
  const note = [
    log.stale && log.loaded ? "not live" : log.done ? "ended" : "live",
    plural(lines.length, "line"),
    log.offset > 0 && "the beginning is left out",
  ];

  return (
    <Panel
      title="Log"
      note={note.filter(Boolean).join(" · ")}
      actions={
        <>
          <LogSearch
            query={query}
            onQuery={(next) => {
              setQuery(next);
              setHit(0);
              if (next) setFollowing(false);
            }}
            count={found.length}
            at={found.length === 0 ? 0 : (hit % found.length) + 1}
            onNext={(by) =>
              setHit((held) => (found.length === 0 ? 0 : (held + by + found.length) % found.length))
            }
          />
          <CopyButton text={plainText(log.text)} what="the log" weight="ghost">
            Copy
          </CopyButton>
          <a
            href={address}
            download={`${row.workflow_id}-${row.version ?? row.id}.log`}
            className={buttonClass("ghost")}
          >
            <Download size={14} aria-hidden="true" />
            Download
          </a>
          {row.logs_url && <LogLink url={row.logs_url} />}
        </>
      }
    >
      {errors.length > 0 && <Errors errors={errors} onJump={jump} />}
      <div className="relative">
        <div
          ref={box}
          role="log"
          aria-live="off"
          aria-label="Log lines"
          // Scrollable, so it must be reachable by keyboard.
          tabIndex={0}
          onScroll={(event) => {
            const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
            setFollowing(scrollHeight - scrollTop - clientHeight < END_PX);
          }}
          className="h-[min(28rem,60vh)] overflow-auto overscroll-contain rounded-lg border border-line bg-sunken py-2 font-mono text-xs"
        >
          <div className="relative min-w-full" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const line = lines[item.index];
              return (
                line && (
                  <LogLineView
                    key={item.key}
                    line={line}
                    top={item.start}
                    query={query.trim()}
                    marked={item.index === marked}
                  />
                )
              );
            })}
          </div>
          {lines.length === 0 && (
            <p className="px-3 text-faint">{log.loaded ? "Nothing written yet." : ""}</p>
          )}
        </div>
        {!following && !log.done && (
          <Button onClick={toEnd} className="absolute right-4 bottom-3 shadow-float">
            <ArrowDown size={14} aria-hidden="true" />
            Follow
          </Button>
        )}
      </div>
    </Panel>
  );
}

function LogSearch({
  query,
  onQuery,
  count,
  at,
  onNext,
}: {
  query: string;
  onQuery: (query: string) => void;
  count: number;
  at: number;
  onNext: (by: 1 | -1) => void;
}) {
  return (
    <label className="relative">
      <span className="sr-only">Search the log</span>
      <Search
        size={14}
        aria-hidden="true"
        className="pointer-events-none absolute top-1/2 left-2 -translate-y-1/2 text-faint"
      />
      <input
        type="search"
        value={query}
        placeholder="Search"
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onNext(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") onQuery("");
        }}
        className="h-8 w-36 rounded-md border border-edge bg-surface pr-14 pl-7 text-cell placeholder:text-faint focus-visible:outline-offset-0 [&::-webkit-search-cancel-button]:hidden"
      />
      {query && (
        <span role="status" className="absolute top-1/2 right-2 -translate-y-1/2 text-xs text-faint">
          {at}/{count}
        </span>
      )}
    </label>
  );
}

function Errors({ errors, onJump }: { errors: readonly LogLine[]; onJump: (index: number) => void }) {
  return (
    <ul aria-label="Errors" className="mb-2 overflow-hidden rounded-lg bg-failed-tint py-1">
      {errors.slice(0, ERRORS_LIMIT).map((line) => (
        <li key={line.number}>
          <button
            type="button"
            onClick={() => onJump(line.number - 1)}
            className="flex w-full items-baseline gap-3 px-3 py-0.5 text-left font-mono text-xs text-failed hover:underline focus-visible:-outline-offset-2"
          >
            <span className="shrink-0">{line.number}</span>
            <span className="truncate">{plainText(line.text).trim()}</span>
          </button>
        </li>
      ))}
      {errors.length > ERRORS_LIMIT && (
        <li className="px-3 py-0.5 text-xs text-failed">and {errors.length - ERRORS_LIMIT} more</li>
      )}
    </ul>
  );
}
