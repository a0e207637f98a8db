// The deployment as the server sends it, for whoever writes a reporter or a client. It is read when somebody opens
// it and again when they ask, never by itself; there is no credential in it.

import type { DetailsScope } from "@shipboard/client";
import { useQuery } from "@tanstack/react-query";
import { ChevronRight, Copy, ExternalLink, RefreshCw } from "lucide-react";
import { useState } from "react";
import { Button, buttonClass } from "~/shared/button";
import { copyText } from "~/shared/copy";
import { formatClockSeconds } from "~/shared/format";
import { detailsApiPath } from "./api-paths";

async function readRaw(scope: DetailsScope, signal: AbortSignal): Promise<string> {
  const response = await fetch(detailsApiPath(scope), { signal, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const body: unknown = await response.json();
  return JSON.stringify(body, null, 2);
}

/** The disclosure. */
export function RawPanel({ scope }: { scope: DetailsScope }) {
  const [open, setOpen] = useState(false);
  return (
    <details
      className="group/raw rounded-xl border border-line bg-surface shadow-card"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className="flex min-h-12 list-none items-center gap-2 rounded-xl px-4 py-2 hover:bg-hover">
        <ChevronRight
          size={14}
          aria-hidden="true"
          className="shrink-0 text-faint transition-transform group-open/raw:rotate-90"
        />
        <h2 className="font-semibold">Raw JSON</h2>
        <span className="text-cell text-faint max-sm:hidden">row and timeline, as the server sends them</span>
      </summary>
      {open && <Raw scope={scope} />}
    </details>
  );
}

function Raw({ scope }: { scope: DetailsScope }) {
  const { data, error, isFetching, refetch, dataUpdatedAt } = useQuery({
    queryKey: ["raw", scope.tenant, scope.env, scope.id],
    queryFn: ({ signal }) => readRaw(scope, signal),
    gcTime: 0,
  });
  return (
    <div className="px-4 pb-4">
      <div className="flex flex-wrap items-center gap-1 pb-2">
        <span data-number="" className="grow text-cell text-faint">
          {data ? `as of ${formatClockSeconds(dataUpdatedAt)}` : "Reading…"}
        </span>
        <Button weight="ghost" disabled={isFetching} onClick={() => void refetch()}>
          <RefreshCw size={14} aria-hidden="true" />
          Read again
        </Button>
        <Button weight="ghost" disabled={!data} onClick={() => void copyText(data ?? "", "the JSON")}>
          <Copy size={14} aria-hidden="true" />
          Copy
        </Button>
        <a href={detailsApiPath(scope)} target="_blank" rel="noreferrer" className={buttonClass("ghost")}>
          Open
          <ExternalLink size={14} aria-hidden="true" />
        </a>
      </div>
      {error && (
        <p role="alert" className="text-cell text-failed">
          It could not be read. {error.message}
        </p>
      )}
      <pre
        // Scrollable, so it must be reachable by keyboard.
        tabIndex={0}
        aria-label="Raw JSON"
        role="region"
        className="h-96 overflow-auto overscroll-contain rounded-lg border border-line bg-sunken p-3 font-mono text-xs leading-5 focus-visible:-outline-offset-2"
      >
        {data}
      </pre>
    </div>
  );
}
