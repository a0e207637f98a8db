// The workflows page: what each workflow's latest deployment is doing, what runs of it, and its last results. In
// order of last activity, the failing ones on top if that is wished. A row opens the deployments of its workflow.

import type { DeploymentsScope, Workflow } from "@shipboard/client";
import {
  useClient,
  useCounts,
  useDeploymentsStore,
  useLink,
  useLoaded,
  useWorkflow,
  useWorkflowIds,
} from "@shipboard/client/react";
import { clsx } from "clsx";
import { Pin } from "lucide-react";
import { memo, useCallback, useSyncExternalStore } from "react";
import { RelativeTime } from "~/shared/clock";
import { formatNumber } from "~/shared/format";
import { linkWords } from "~/shared/link-state";
import { Failure, Notice } from "~/shared/notice";
import { boardPath, workflowPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { lookOf } from "~/shared/status";
import { StatusIcon } from "~/shared/status-badge";
import { RecentBars } from "./recent-bars";

const COLUMN = {
  name: "flex min-w-0 items-center",
  latest: "flex min-w-0 items-center gap-2",
  current: "flex min-w-0 items-center gap-2 max-md:hidden",
  recent: "flex items-center max-sm:justify-end",
  active: "flex items-center justify-end max-lg:hidden",
  success: "flex items-center justify-end max-lg:hidden",
} as const;

/** The ids with those on top whose latest deployment failed, as text so that it can be compared. */
function useFailing(scope: DeploymentsScope, on: boolean): string {
  const store = useDeploymentsStore(scope);
  const subscribe = useCallback(
    (listener: () => void) => (on ? store.subscribe("any", listener) : () => undefined),
    [store, on],
  );
  const get = () => {
    if (!on) return "";
    const { workflow_ids, workflows } = store.get();
    return workflow_ids.filter((id) => workflows.get(id)?.latest?.status === "failed").join(" ");
  };
  return useSyncExternalStore(subscribe, get, get);
}

/** The table. */
export function WorkflowsTable({
  scope,
  pinFailing,
  onPin,
}: {
  scope: DeploymentsScope;
  pinFailing: boolean;
  onPin: (on: boolean) => void;
}) {
  const client = useClient();
  const live = useWorkflowIds(scope);
  const loaded = useLoaded(scope);
  const link = useLink(scope);
  const counts = useCounts(scope)?.workflows;
  const failing = useFailing(scope, pinFailing).split(" ").filter(Boolean);
  const ids = failing.length === 0 ? live : [...failing, ...live.filter((id) => !failing.includes(id))];
  const away = link.state.status !== "live" && link.state.status !== "connecting";

  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 pb-3">
        <h1 className="text-lg font-semibold tracking-tight">Workflows</h1>
        {counts && (
          <p className="text-soft">
            <span className="font-medium text-ink">{formatNumber(counts.success)}</span> of{" "}
            {formatNumber(counts.total)} succeeding
            {counts.failed > 0 && (
              <>
                , <span className="font-medium text-failed">{formatNumber(counts.failed)} failing</span>
              </>
            )}
            {counts.active > 0 && <>, {formatNumber(counts.active)} active</>}
          </p>
        )}
        <button
          type="button"
          aria-pressed={pinFailing}
          onClick={() => onPin(!pinFailing)}
          className={clsx(
            "ml-auto flex h-8 items-center gap-1.5 rounded-md border px-2.5 text-cell font-medium",
            pinFailing ? "border-accent bg-accent-tint text-accent" : "border-edge bg-surface hover:bg-hover",
          )}
        >
          <Pin size={14} aria-hidden="true" />
          Failing on top
        </button>
      </div>
      <div className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {!loaded && away ? (
          <Failure
            title="The workflows did not load"
            reason={
              link.state.status === "stopped"
                ? `${linkWords(link).word}.`
                : "The server could not be reached."
            }
            onRetry={() => client.retry()}
          />
        ) : loaded && ids.length === 0 ? (
          <Notice
            title="No workflows here yet"
            actions={
              <RowLink href={boardPath(scope)} className="font-medium text-accent hover:underline">
                How to make the first deployment
              </RowLink>
            }
          >
            A workflow appears with its first deployment.
          </Notice>
        ) : (
          <div role="table" aria-label="Workflows" aria-busy={!loaded} data-holds-order>
            <Head />
            <div role="rowgroup">
              {loaded ? ids.map((id) => <Row key={id} scope={scope} id={id} />) : <Skeleton />}
            </div>
          </div>
        )}
      </div>
    </>
  );
}

function Head() {
  return (
    <div role="rowgroup" className="border-b border-line max-sm:sr-only">
      <div role="row" className="workflow-grid h-9 text-xs font-medium text-faint">
        <div role="columnheader" className={COLUMN.name}>
          Workflow
        </div>
        <div role="columnheader" className={COLUMN.latest}>
          Latest
        </div>
        <div role="columnheader" className={COLUMN.current}>
          Current
        </div>
        <div role="columnheader" className={COLUMN.recent}>
          Last 12
        </div>
        <div role="columnheader" className={COLUMN.active}>
          Active
        </div>
        <div role="columnheader" className={COLUMN.success}>
          Last success
        </div>
      </div>
    </div>
  );
}

const ROW_CLASS =
  "workflow-grid relative min-h-14 border-b border-line last:border-0 hover:bg-hover compact:min-h-10 has-[a:focus-visible]:bg-accent-tint";

const Row = memo(function Row({ scope, id }: { scope: DeploymentsScope; id: string }) {
  const row = useWorkflow(scope, id);
  if (!row) return null;
  return (
    <div role="row" data-workflow={id} className={ROW_CLASS}>
      <div role="cell" className={COLUMN.name}>
        <RowLink
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
        {row.current ? (
          <>
            <span className="truncate font-mono text-cell">{row.current.version ?? "unnamed"}</span>
            <span className="relative shrink-0 text-cell text-faint">
              <RelativeTime at={row.current.since} />
            </span>
          </>
        ) : (
          <span className="text-cell text-faint">none</span>
        )}
      </div>
      <div role="cell" className={COLUMN.recent}>
        <RecentBars recent={row.recent} />
      </div>
      <div role="cell" className={clsx(COLUMN.active, row.active === 0 && "text-faint")}>
        {formatNumber(row.active)}
      </div>
      <div role="cell" className={COLUMN.success}>
        {row.last_success_at ? (
          <RelativeTime at={row.last_success_at} className="relative text-cell text-soft" />
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
  return (
    <>
      <StatusIcon status={status} />
      <span className="sr-only">{lookOf(status).word}</span>
      <span className="truncate font-mono text-cell">{version ?? lookOf(status).word}</span>
      <RelativeTime at={at} className="relative shrink-0 text-cell text-faint" />
    </>
  );
}

function Skeleton() {
  return [1, 2, 3, 4, 5, 6].map((row) => (
    <div role="row" key={row} className={ROW_CLASS}>
      <div role="cell" className={COLUMN.name}>
        <span className="skeleton h-3.5 w-28" />
      </div>
      <div role="cell" className={COLUMN.latest}>
        <span className="skeleton h-3.5 w-24" />
      </div>
    </div>
  ));
}
