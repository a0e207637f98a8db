// One workflow's row, which selects itself, and the heads above its columns. A narrow window has two lines of it:
// name and latest, and what it leaves out stands in the row's last line or on the workflow's own page.

import type { DeploymentsScope, Workflow } from "@shipboard/client";
import { useWorkflow } from "@shipboard/client/react";
import { clsx } from "clsx";
import { type CSSProperties, memo, useLayoutEffect, useRef } from "react";
import { RelativeTime } from "~/shared/clock";
import { formatNumber } from "~/shared/format";
import { workflowPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { lookOf } from "~/shared/status";
import { StatusIcon } from "~/shared/status-badge";
import { RecentBars } from "./recent-bars";

const COLUMN = {
  name: "flex min-w-0 items-center gap-2",
  latest: "flex min-w-0 items-center gap-2",
  current: "flex min-w-0 items-center gap-2 max-md:hidden",
  recent: "flex items-center max-sm:justify-end",
  active: "flex items-center justify-end max-lg:hidden",
  success: "flex items-center justify-end max-lg:hidden",
} as const;

const HEADS = [
  ["name", "Workflow"],
  ["latest", "Latest"],
  ["current", "Current"],
  ["recent", "Last 12"],
  ["active", "Active"],
  ["success", "Last success"],
] as const satisfies readonly (readonly [keyof typeof COLUMN, string])[];

const ROW_CLASS =
  "workflow-grid border-b border-line last:border-0 hover:bg-hover has-[a:focus-visible]:bg-accent-tint";

/** The heads of the columns. */
export function WorkflowHead() {
  return (
    <div
      role="rowgroup"
      className="sticky top-(--bar-height) z-10 rounded-t-xl border-b border-line bg-surface max-sm:sr-only"
    >
      <div role="row" aria-rowindex={1} className="workflow-grid h-9 text-xs font-medium text-faint">
        {HEADS.map(([column, word]) => (
          <div key={column} role="columnheader" className={COLUMN[column]}>
            {word}
          </div>
        ))}
      </div>
    </div>
  );
}

/** A workflow's row. */
export const WorkflowRow = memo(function WorkflowRow({
  scope,
  id,
  index,
  style,
  focus,
}: {
  scope: DeploymentsScope;
  id: string;
  index: number;
  style: CSSProperties;
  /** Grows when the row shall take the focus; 0 if it shall not. */
  focus: number;
}) {
  const row = useWorkflow(scope, id);
  const link = useRef<HTMLAnchorElement>(null);
  useLayoutEffect(() => {
    if (focus > 0) link.current?.focus({ preventScroll: true });
  }, [focus]);
  if (!row) return null;
  return (
    // The index counts the heads, too.
    <div
      role="row"
      aria-rowindex={index + 2}
      data-workflow={id}
      style={style}
      className={clsx(ROW_CLASS, "absolute inset-x-0 top-0")}
    >
      <div role="cell" className={COLUMN.name}>
        <RowLink
          ref={link}
          href={workflowPath(scope, id)}
          className="truncate font-medium outline-none after:absolute after:inset-0"
        >
          {row.name || id}
        </RowLink>
      </div>
      <div role="cell" className={COLUMN.latest}>
        <Latest row={row} />
      </div>
      <div role="cell" className={COLUMN.current}>
        <Current row={row} />
      </div>
      <div role="cell" className={COLUMN.recent}>
        <RecentBars recent={row.recent} />
      </div>
      <div role="cell" data-number="" className={clsx(COLUMN.active, row.active === 0 && "text-faint")}>
        {formatNumber(row.active)}
      </div>
      <div role="cell" className={COLUMN.success}>
        {row.last_success_at ? (
          <RelativeTime
            at={row.last_success_at}
            what="Last success"
            className="relative text-cell text-soft"
          />
        ) : (
          <span className="text-cell text-faint">never</span>
        )}
      </div>
    </div>
  );
});

function Latest({ row }: { row: Workflow }) {
  if (!row.latest) return null;
  const { status, version, at } = row.latest;
  const { word } = lookOf(status);
  return (
    <>
      <span className="relative" data-tip={word}>
        <StatusIcon status={status} />
        <span className="sr-only">{word}</span>
      </span>
      <span className={clsx("truncate text-cell", version && "font-mono")}>
        {version ?? word.toLowerCase()}
      </span>
      <RelativeTime
        at={at}
        what={`${word}; began`}
        className="relative shrink-0 text-cell whitespace-nowrap text-faint"
      />
    </>
  );
}

function Current({ row }: { row: Workflow }) {
  if (!row.current) {
    return (
      <span className="text-cell text-faint">{row.last_success_at ? "removed" : "nothing runs yet"}</span>
    );
  }
  const { version, since } = row.current;
  return (
    <>
      <span className="truncate font-mono text-cell">{version ?? "unnamed"}</span>
      <RelativeTime
        at={since}
        what="There since"
        className="relative shrink-0 text-cell whitespace-nowrap text-faint"
      />
    </>
  );
}

/** What stands in the rows' place until the first come. */
export function WorkflowSkeleton({ height }: { height: number }) {
  return [28, 20, 24, 16, 26, 22].map((width) => (
    <div role="row" key={width} className={ROW_CLASS} style={{ height }}>
      <div role="cell" className={COLUMN.name}>
        <span className="skeleton h-3.5" style={{ width: `${width * 5}px` }} />
      </div>
      <div role="cell" className={COLUMN.latest}>
        <span className="skeleton h-3.5 w-24" />
      </div>
      <div role="cell" className={COLUMN.current}>
        <span className="skeleton h-3.5 w-20" />
      </div>
    </div>
  ));
}
