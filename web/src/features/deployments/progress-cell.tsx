// The cell between who and when: a bar while there is progress to tell of, and the duration always at its right
// end. An estimate moves with the clock, a report only with its event.

import { type Deployment, isActive } from "@shipboard/client";
import { useNow } from "@shipboard/client/react";
import { useContext } from "react";
import { Duration, FrozenAt } from "~/shared/clock";
import { type ProgressView, progressView } from "~/shared/progress";
import { ProgressBar } from "~/shared/progress-bar";

/** The cell of progress and duration. */
export function ProgressCell({ row }: { row: Deployment }) {
  const estimated = row.status === "running" && row.progress.percent === null && row.expected_ms !== null;
  return estimated ? <Estimated row={row} /> : <Drawn row={row} view={progressView(row, 0)} />;
}

function Estimated({ row }: { row: Deployment }) {
  const now = useNow();
  const frozen = useContext(FrozenAt);
  return <Drawn row={row} view={progressView(row, frozen ?? now)} />;
}

/** What is said where there is no bar: why it waits, or nothing. */
function idleWords(row: Deployment): string {
  switch (row.status) {
    case "queued":
      return "in the queue";
    case "waiting":
      return row.message ?? "for an approval";
    case "lost":
      return "gone silent";
    default:
      return "";
  }
}

function Drawn({ row, view }: { row: Deployment; view: ProgressView | null }) {
  const from = row.started_at ?? (isActive(row.status) ? (row.queued_at ?? row.created_at) : null);
  const running = isActive(row.status);
  const words = view?.label ?? idleWords(row);
  return (
    <div className="flex min-w-0 items-center gap-3 sm:relative">
      <span data-progress-words="" className="min-w-0 grow truncate text-xs text-soft max-sm:hidden">
        {words}
      </span>
      {from && (running || row.finished_at) && (
        <Duration
          from={from}
          to={row.finished_at}
          className="ml-auto min-w-14 shrink-0 text-right text-cell text-ink"
        />
      )}
      {/* Under the words and out of the flow: a bar that comes or goes moves nothing. */}
      {view && (
        <div className="absolute max-sm:inset-x-0 max-sm:bottom-0 sm:inset-x-0 sm:top-full sm:mt-1 sm:compact:mt-0.5 compact:*:h-0.5 max-sm:*:h-0.5 max-sm:*:rounded-none">
          <ProgressBar view={view} label={`Progress of ${row.workflow_id}`} />
        </div>
      )}
    </div>
  );
}
