// The table: which rows there are, of fixed height, with the order held while somebody is busy, and older ones loaded
// as its end comes near. Rows render themselves (row.tsx); this renders when the order changes or scrolls.

import type { DeploymentsScope } from "@shipboard/client";
import { usePaging } from "@shipboard/client/react";
import { clsx } from "clsx";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useCallback, useEffect, useRef } from "react";
import { Button } from "~/shared/button";
import { formatNumber, plural } from "~/shared/format";
import { useKeys } from "~/shared/keys";
import { NARROW, useMedia } from "~/shared/media";
import { usePreferences } from "~/shared/preferences";
import { usePlaceStyle, useWindowRows } from "~/shared/window-rows";
import { COLUMN, Row } from "./row";
import type { Sort } from "./search";
import { useBusy, useShown } from "./use-shown";

const ROW_PX = { comfortable: 56, compact: 36, narrow: 68, wall: 84 } as const;
/** Older rows are asked for when the table's end is so close. */
const AHEAD_PX = 600;

/** How high a row is now. */
export function useRowHeight(wall: boolean): number {
  const { density } = usePreferences();
  const narrow = useMedia(NARROW);
  return wall ? ROW_PX.wall : narrow ? ROW_PX.narrow : ROW_PX[density];
}

/** The table of a scope's deployments. */
export function DeploymentsTable({
  scope,
  sort,
  onSort,
  wall,
  dimmed,
}: {
  scope: DeploymentsScope;
  sort: Sort;
  onSort: (sort: Sort) => void;
  wall: boolean;
  dimmed: boolean;
}) {
  const table = useRef<HTMLDivElement>(null);
  const busy = useBusy(table) && !wall;
  const shown = useShown(scope, sort, busy);
  const { ids } = shown;
  const height = useRowHeight(wall);
  const { body, totalHeight, places, letGo } = useWindowRows(ids, height, "data-row");
  const showFresh = useCallback(() => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    window.scrollTo({ top: 0 });
    letGo();
  }, [letGo]);
  useKeys({ n: showFresh });

  return (
    <div className={clsx("relative transition-opacity", dimmed && "opacity-50")}>
      {shown.fresh > 0 && <FreshPill count={shown.fresh} onShow={showFresh} />}
      <div
        ref={table}
        role="table"
        aria-label="Deployments"
        aria-rowcount={ids.length + 1}
        className="rounded-xl border border-line bg-surface shadow-card"
      >
        {!wall && <Head sort={sort} onSort={onSort} />}
        <div ref={body} role="rowgroup" className="relative" style={{ height: totalHeight }}>
          {places.map(({ key, ...place }) => (
            <PlacedRow
              key={key}
              {...place}
              scope={scope}
              height={height}
              leaving={shown.leaving.has(place.id)}
            />
          ))}
        </div>
        <More scope={scope} count={ids.length} sort={sort} />
      </div>
    </div>
  );
}

/** Gives the row a style that is the same object while its place is. */
function PlacedRow({
  top,
  height,
  ...rest
}: { top: number; height: number } & Omit<Parameters<typeof Row>[0], "style">) {
  return <Row {...rest} style={usePlaceStyle(top, height)} />;
}

function FreshPill({ count, onShow }: { count: number; onShow: () => void }) {
  return (
    <div className="pointer-events-none sticky top-[calc(var(--bar-height)+2.75rem)] z-20 flex h-0 justify-center">
      <button
        type="button"
        onClick={onShow}
        className="pointer-events-auto flex h-8 items-center gap-1.5 rounded-full bg-ink px-3.5 text-cell font-medium whitespace-nowrap text-page shadow-float"
      >
        <ArrowUp size={14} aria-hidden="true" />
        {formatNumber(count)} new
      </button>
    </div>
  );
}

function Head({ sort, onSort }: { sort: Sort; onSort: (sort: Sort) => void }) {
  const cell = "text-xs font-medium text-faint";
  return (
    <div
      role="rowgroup"
      className="sticky top-(--bar-height) z-10 rounded-t-xl border-b border-line bg-surface max-sm:sr-only"
    >
      <div role="row" aria-rowindex={1} className="row-grid h-9!">
        <div
          role="columnheader"
          aria-sort={sort === "status" ? "other" : "none"}
          className={clsx(COLUMN.status, cell)}
        >
          <SortButton word="Status" by="status" sort={sort} onSort={onSort} />
        </div>
        <div role="columnheader" className={clsx(COLUMN.deployment, cell)}>
          Deployment
        </div>
        <div
          role="columnheader"
          aria-sort={sort === "workflow" ? "ascending" : "none"}
          className={clsx(COLUMN.workflow, cell)}
        >
          <SortButton word="Workflow" by="workflow" sort={sort} onSort={onSort} />
        </div>
        <div role="columnheader" className={clsx(COLUMN.commit, cell)}>
          Commit
        </div>
        <div role="columnheader" className={clsx(COLUMN.actor, cell)}>
          By
        </div>
        <div role="columnheader" className={clsx(COLUMN.progress, cell)}>
          <span className="flex justify-between">
            Progress <span>Duration</span>
          </span>
        </div>
        <div
          role="columnheader"
          aria-sort={sort === "newest" ? "descending" : "none"}
          className={clsx(COLUMN.started, cell)}
        >
          <SortButton word="Started" by="newest" sort={sort} onSort={onSort} />
        </div>
        <div role="columnheader" className={COLUMN.actions}>
          <span className="sr-only">Actions</span>
        </div>
      </div>
    </div>
  );
}

function SortButton({
  word,
  by,
  sort,
  onSort,
}: {
  word: string;
  by: Sort;
  sort: Sort;
  onSort: (sort: Sort) => void;
}) {
  const on = sort === by;
  return (
    <button
      type="button"
      onClick={() => onSort(on ? "newest" : by)}
      className={clsx("flex items-center gap-1 rounded hover:text-ink", on && by !== "newest" && "text-ink")}
    >
      {word}
      <ArrowDown size={12} aria-hidden="true" className={on && by !== "newest" ? "" : "hidden"} />
    </button>
  );
}

function More({ scope, count, sort }: { scope: DeploymentsScope; count: number; sort: Sort }) {
  const { has_more, loading, error, loadMore } = usePaging(scope);
  const foot = useRef<HTMLDivElement>(null);
  // In another order older rows would come in anywhere, so there a person has to ask.
  const endless = has_more && !loading && !error && sort === "newest";
  useEffect(() => {
    if (!endless || !foot.current) return;
    const watch = new IntersectionObserver(
      (seen) => {
        if (seen.some((one) => one.isIntersecting)) void loadMore();
      },
      { rootMargin: `${AHEAD_PX}px` },
    );
    watch.observe(foot.current);
    return () => watch.disconnect();
  }, [endless, loadMore]);
  return (
    <div ref={foot} className="flex h-14 items-center justify-center gap-3 px-4 text-cell text-faint">
      {error ? (
        <span role="alert" className="text-failed">
          {error.message}
        </span>
      ) : (
        <span>
          {has_more ? `Showing ${plural(count, "deployment")}` : `All ${plural(count, "deployment")}`}
          {has_more && sort !== "newest" && ", sorted among those loaded"}
        </span>
      )}
      {(has_more || error) && (
        <Button onClick={() => void loadMore()} disabled={loading}>
          {error ? "Retry" : loading ? "Loading…" : "Load more"}
        </Button>
      )}
    </div>
  );
}

/** What stands in the table's place until the first rows come. */
export function TableSkeleton({ wall }: { wall: boolean }) {
  const height = useRowHeight(wall);
  return (
    <div
      role="status"
      aria-label="Loading deployments"
      className="overflow-hidden rounded-xl border border-line bg-surface shadow-card"
    >
      <div className="h-9 border-b border-line max-sm:hidden" />
      {[62, 48, 71, 55, 66, 44, 58, 50, 68, 53].map((width) => (
        <div key={width} className="row-grid border-b border-line" style={{ height }}>
          <div className={COLUMN.status}>
            <span className="skeleton h-5 w-20" />
          </div>
          <div className={COLUMN.deployment}>
            <span className="skeleton h-3.5" style={{ width: `${width}%` }} />
          </div>
          <div className={COLUMN.workflow}>
            <span className="skeleton h-3.5 w-20" />
          </div>
          <div className={COLUMN.commit}>
            <span className="skeleton h-3.5 w-14" />
          </div>
          <div className={COLUMN.actor}>
            <span className="skeleton h-3.5 w-16" />
          </div>
          <div className={COLUMN.progress} />
          <div className={COLUMN.started}>
            <span className="skeleton h-3.5 w-12" />
          </div>
        </div>
      ))}
    </div>
  );
}
