// The head of a deployment's page: what it is, how it is doing, what can be done, and how far it has come.

import { type Deployment, type DetailsScope, isActive } from "@shipboard/client";
import { useNow } from "@shipboard/client/react";
import { ArrowRight, ExternalLink, Link2, Undo2 } from "lucide-react";
import { type ReactNode, useContext } from "react";
import { Button, buttonClass } from "~/shared/button";
import { FrozenAt, useElapsedText } from "~/shared/clock";
import { copyText } from "~/shared/copy";
import { formatDuration } from "~/shared/format";
import { sourceName, titleOf } from "~/shared/naming";
import { progressView } from "~/shared/progress";
import { ProgressBar } from "~/shared/progress-bar";
import { lookOf, STANDING_WORDS } from "~/shared/status";
import { StatusBadge } from "~/shared/status-badge";
import { WatchButton } from "./watch-button";

/** The head. */
export function Header({ scope, row, deleted }: { scope: DetailsScope; row: Deployment; deleted: boolean }) {
  return (
    <header className="flex flex-col gap-3 pb-4">
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
            <StatusBadge status={row.status} large />
            <h1 className="min-w-0 text-xl font-semibold tracking-tight wrap-anywhere">{titleOf(row)}</h1>
          </div>
          <p className="mt-2 flex flex-wrap items-center gap-x-2 gap-y-1 text-soft">
            <span className="font-medium text-ink">{row.workflow_id}</span>
            <ArrowRight size={14} className="text-faint" role="img" aria-label="to" />
            <span className="font-medium text-ink">{scope.env}</span>
            {row.version && <span className="font-mono text-cell">{row.version}</span>}
            {row.kind === "rollback" && (
              <span className="flex items-center gap-1">
                <Undo2 size={14} aria-hidden="true" /> rollback
              </span>
            )}
            {row.standing && STANDING_WORDS[row.standing] && <Aside>{STANDING_WORDS[row.standing]}</Aside>}
            {row.attempt > 1 && <Aside>attempt {row.attempt}</Aside>}
            <LiveDuration row={row} />
          </p>
        </div>
        <div className="flex flex-wrap justify-end gap-2 max-sm:justify-start">
          <WatchButton scope={scope} active={isActive(row.status) && !deleted} />
          {/* Read when it is pressed: the address may name a line of the log by then. */}
          <Button onClick={() => void copyText(location.href, "the link")}>
            <Link2 size={14} aria-hidden="true" />
            Copy link
          </Button>
          {row.url && (
            <a href={row.url} target="_blank" rel="noreferrer" className={buttonClass()}>
              Open in {sourceName(row.source)}
              <ExternalLink size={14} aria-hidden="true" />
            </a>
          )}
        </div>
      </div>
      {deleted && (
        <p role="alert" className="rounded-lg bg-waiting-tint px-3 py-2 text-cell font-medium text-waiting">
          This deployment was deleted. What is shown is the last that was known of it.
        </p>
      )}
    </header>
  );
}

/** A remark; the dot before it would begin a line where there is little room. */
function Aside({ children }: { children: ReactNode }) {
  return (
    <span data-number="">
      <span aria-hidden="true" className="max-sm:hidden">
        {"· "}
      </span>
      {children}
    </span>
  );
}

function LiveDuration({ row }: { row: Deployment }) {
  const from = row.started_at ?? (isActive(row.status) ? (row.queued_at ?? row.created_at) : row.finished_at);
  const text = useElapsedText(from ?? row.created_at, row.finished_at, formatDuration);
  if (!from) return null;
  if (isActive(row.status)) {
    return (
      <Aside>
        {lookOf(row.status).word.toLowerCase()} for {text}
      </Aside>
    );
  }
  return row.started_at && row.finished_at ? <Aside>took {text}</Aside> : null;
}

/** The bar under the head; nothing where there is nothing to tell. */
export function ProgressPanel({ row }: { row: Deployment }) {
  const now = useNow();
  const frozen = useContext(FrozenAt);
  const view = progressView(row, frozen ?? now);
  if (!view || (view.from === "unknown" && view.tone !== "running")) return null;
  return (
    <section aria-label="Progress" className="mb-4 rounded-xl border border-line bg-surface p-4 shadow-card">
      <ProgressBar view={view} label={`Progress of ${row.workflow_id}`} large />
      <div className="mt-2.5 flex flex-wrap justify-between gap-x-4 text-cell">
        <span className="font-medium">{view.label}</span>
        {row.expected_ms !== null && isActive(row.status) && (
          <span className="text-faint">usually {formatDuration(row.expected_ms)}</span>
        )}
      </div>
    </section>
  );
}
