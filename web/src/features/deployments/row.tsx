// One row of the table. It takes an id and selects itself, so that one event renders one row; text that moves
// with the clock renders its own cell. Where the row stands and whether it stays is the table's business.

import type { Deployment, DeploymentsScope } from "@shipboard/client";
import { useClient, useDeployment } from "@shipboard/client/react";
import { clsx } from "clsx";
import { Undo2 } from "lucide-react";
import { type CSSProperties, memo, useEffect, useLayoutEffect, useRef, useState } from "react";
import { RelativeTime } from "~/shared/clock";
import { CopyIcon } from "~/shared/copy";
import { flash } from "~/shared/flash";
import { shortSha, subjectOf } from "~/shared/format";
import { titleOf } from "~/shared/naming";
import { deploymentPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { STANDING_WORDS } from "~/shared/status";
import { StatusBadge } from "~/shared/status-badge";
import { ProgressCell } from "./progress-cell";
import { RowMenu } from "./row-menu";
import { filtersOf } from "./search";

/** A row that was changed so lately is news when it first appears. */
const FRESH_MS = 2_000;

/** The columns' classes, for the header and the rows alike: which ones a narrower window leaves out. */
export const COLUMN = {
  status: "flex items-center max-sm:col-start-1 max-sm:row-start-2 max-sm:h-6 max-sm:min-w-0 max-sm:gap-2",
  deployment: "flex min-w-0 flex-col justify-center",
  workflow: "flex min-w-0 items-center max-lg:hidden",
  commit: "flex min-w-0 items-center gap-0.5 max-lg:hidden wall:hidden",
  actor: "flex min-w-0 items-center max-xl:hidden wall:hidden",
  progress: "flex min-w-0 flex-col justify-center",
  started: "flex items-center justify-end text-right max-sm:row-start-2",
  actions: "flex items-center justify-end max-sm:hidden wall:hidden",
} as const;

/** Whether something changed that is worth a glance; progress moves too often for that. */
function differs(a: Deployment, b: Deployment): boolean {
  return (
    a.status !== b.status || a.standing !== b.standing || a.attempt !== b.attempt || a.version !== b.version
  );
}

/** A row. */
export const Row = memo(function Row({
  scope,
  id,
  index,
  style,
  leaving,
  focus,
}: {
  scope: DeploymentsScope;
  id: string;
  index: number;
  style: CSSProperties;
  leaving: boolean;
  /** Grows when the row shall take the focus; 0 if it shall not. */
  focus: number;
}) {
  const live = useDeployment(scope, id);
  // A row that left the list is shown as it was, while it fades or its place is held.
  const [last, setLast] = useState(live);
  if (live && live !== last) setLast(live);
  const row = live ?? last;
  const link = useRef<HTMLAnchorElement>(null);
  const element = useFlash(row);

  useLayoutEffect(() => {
    if (focus > 0) link.current?.focus({ preventScroll: true });
  }, [focus]);

  if (!row) return null;
  const muted = row.standing === "superseded" || row.standing === "rolled_back" || row.standing === "removed";
  return (
    // The index counts the header, too.
    <div
      ref={element}
      role="row"
      aria-rowindex={index + 2}
      data-row={id}
      style={style}
      className={clsx(
        "row-grid group absolute inset-x-0 top-0 border-b border-line hover:bg-hover has-[a[data-row-link]:focus-visible]:bg-accent-tint has-[a[data-row-link]:focus-visible]:shadow-[inset_3px_0_0_var(--accent)]",
        leaving && "leaving",
      )}
    >
      <div role="cell" className={COLUMN.status}>
        <span className="flex w-full items-center gap-1 max-sm:w-auto">
          <StatusBadge status={row.status} />
          {row.kind === "rollback" && (
            <Undo2
              size={14}
              className="shrink-0 text-faint"
              role="img"
              aria-label="Rollback"
              data-tip="Rollback"
            />
          )}
        </span>
        <span className="truncate text-xs text-soft sm:hidden">
          {row.workflow_id}
          {row.version && titleOf(row) !== row.version && (
            <span className="font-mono text-faint"> {row.version}</span>
          )}
        </span>
      </div>
      <div role="cell" className={COLUMN.deployment}>
        <div className="flex min-w-0 flex-col compact:flex-row compact:items-baseline compact:gap-2.5 max-sm:compact:flex-col">
          <RowLink
            ref={link}
            href={deploymentPath(scope, id) + filtersOf(location.search)}
            data-row-link=""
            className={clsx(
              "truncate font-medium outline-none after:absolute after:inset-0",
              muted ? "text-faint" : "text-ink",
            )}
          >
            {titleOf(row)}
          </RowLink>
          <SecondLine row={row} />
        </div>
      </div>
      <div role="cell" className={COLUMN.workflow}>
        <span className={clsx("truncate", muted ? "text-faint" : "text-ink")}>{row.workflow_id}</span>
      </div>
      <div role="cell" className={COLUMN.commit}>
        <CommitCell row={row} />
      </div>
      <div role="cell" className={COLUMN.actor}>
        <span className="truncate text-soft">{row.actor}</span>
      </div>
      <div role="cell" className={COLUMN.progress}>
        <ProgressCell row={row} />
      </div>
      <div role="cell" className={COLUMN.started}>
        <RelativeTime
          at={row.started_at ?? row.created_at}
          what={row.started_at ? "Started" : "Created; no start was reported"}
          className={clsx(
            "relative text-cell whitespace-nowrap",
            row.started_at ? "text-soft" : "text-faint italic",
          )}
        />
      </div>
      <div role="cell" className={COLUMN.actions}>
        <RowMenu scope={scope} row={row} />
      </div>
    </div>
  );
});

function SecondLine({ row }: { row: Deployment }) {
  const standing = row.standing && STANDING_WORDS[row.standing];
  const title = titleOf(row);
  // What stands in a version's place is a version, or else a name that the source gave: nothing that repeats the title.
  const own = row.version ?? (row.external_id === row.id ? null : row.external_id);
  const version = own === title ? null : own;
  return (
    <span className="flex min-h-4.5 min-w-0 items-center gap-2 text-xs text-faint max-sm:hidden compact:shrink-0 compact:max-xl:hidden">
      <span className="truncate lg:hidden">{row.workflow_id}</span>
      <span className="max-w-56 truncate font-mono">{version}</span>
      {standing && (
        <span
          className={clsx(
            "rounded px-1.5 text-2xs leading-4 font-medium",
            row.standing === "current" ? "bg-success-tint text-success" : "bg-quiet-tint text-quiet",
          )}
        >
          {standing}
        </span>
      )}
      {row.attempt > 1 && <span className="whitespace-nowrap">attempt {row.attempt}</span>}
    </span>
  );
}

function CommitCell({ row }: { row: Deployment }) {
  const { sha, url, message } = row.commit;
  if (!sha) return null;
  const tip = [message && subjectOf(message), sha].filter(Boolean).join("\n");
  return (
    <>
      {url ? (
        <a
          href={url}
          rel="noreferrer"
          target="_blank"
          data-tip={tip}
          className="relative font-mono text-xs text-soft hover:text-accent hover:underline"
        >
          {shortSha(sha)}
        </a>
      ) : (
        <span data-tip={tip} className="relative font-mono text-xs text-soft">
          {shortSha(sha)}
        </span>
      )}
      <CopyIcon
        text={sha}
        what="commit"
        className="relative opacity-0 group-hover:opacity-100 focus-visible:opacity-100 pointer-coarse:opacity-100"
      />
    </>
  );
}

/** Tints the element for a moment when its row has changed or has only just been made. */
function useFlash(row: Deployment | undefined) {
  const { clock } = useClient();
  const element = useRef<HTMLDivElement>(null);
  const before = useRef<Deployment>(undefined);
  useEffect(() => {
    const was = before.current;
    before.current = row;
    if (!row || was === row) return;
    // A row may also come into sight by scrolling: then it is not news.
    const news = was ? differs(was, row) : clock.exact() - Date.parse(row.updated_at) < FRESH_MS;
    if (news) flash(element.current);
  }, [row, clock]);
  return element;
}
