// A workflow in an environment: what runs there at the left, what is being tried at the right if that is something
// else. A cell selects itself, and progress renders what is tried alone.

import { isActive, type Workflow } from "@shipboard/client";
import type { DeploymentsStore } from "@shipboard/client/app";
import { clsx } from "clsx";
import { EqualNot } from "lucide-react";
import { memo, type RefObject, useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { RelativeTime } from "~/shared/clock";
import { flash } from "~/shared/flash";
import { formatAbsolute } from "~/shared/format";
import { deploymentPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { lookOf } from "~/shared/status";
import { StatusIcon } from "~/shared/status-badge";
import { useDerived } from "./derived";
import type { Fleet, Place } from "./fleet";
import { attemptOf, type Cell, type Drift } from "./matrix";

/** The cell of a workflow in the column's environment. */
export const MatrixCell = memo(function MatrixCell({
  fleet,
  id,
  column,
}: {
  fleet: Fleet;
  id: string;
  column: number;
}) {
  const cell = useDerived(fleet.matrix, (matrix) => matrix.rows.get(id)?.cells[column] ?? null);
  const place = fleet.places[column];
  const element = useRef<HTMLDivElement>(null);
  useFlash(element, cell);
  return (
    <div role="cell" data-column={column} data-env={place?.env} className="relative p-1 compact:p-0.5">
      <div
        ref={element}
        data-drift={cell?.drift ? "" : undefined}
        className={clsx(
          "relative grid h-full min-w-0 grid-cols-[minmax(0,1fr)_minmax(0,1fr)] items-center gap-3 rounded-lg px-2.5 has-[a[data-cell]:focus-visible]:bg-accent-tint",
          cell && "hover:bg-quiet-tint",
          cell?.drift && "drifting",
        )}
      >
        {cell && place ? (
          <Filled tenant={fleet.tenant} place={place} cell={cell} />
        ) : (
          <span className="sr-only">Never there</span>
        )}
      </div>
    </div>
  );
});

function Filled({ tenant, place, cell }: { tenant: string; place: Place; cell: Cell }) {
  const { workflow, drift } = cell;
  const { current } = workflow;
  const attempt = attemptOf(workflow);
  const path = (id: string) => deploymentPath({ tenant, env: place.env }, id);
  return (
    <>
      <div className="flex min-w-0 flex-col justify-center compact:flex-row compact:items-center compact:justify-start compact:gap-2">
        {current ? (
          <>
            <span className="flex min-w-0 items-center gap-1.5">
              {drift && <DriftMark drift={drift} />}
              <RowLink
                href={path(current.deployment_id)}
                data-cell=""
                aria-label={`${workflow.name || workflow.id} ${current.version ?? "unnamed"} in ${place.name}`}
                className="truncate font-mono text-cell font-medium text-ink outline-none after:absolute after:inset-0"
              >
                {current.version ?? "unnamed"}
              </RowLink>
            </span>
            <RelativeTime
              at={current.since}
              what="There since"
              className="relative w-fit text-xs whitespace-nowrap text-faint compact:max-lg:hidden"
            />
          </>
        ) : (
          <span className="text-cell text-faint">{workflow.last_success_at ? "removed" : "not yet"}</span>
        )}
      </div>
      {attempt && (
        <Attempt
          store={place.store}
          latest={attempt}
          href={path(attempt.deployment_id)}
          label={`latest of ${workflow.name || workflow.id} in ${place.name}`}
          alone={!current}
        />
      )}
    </>
  );
}

/** Says the difference in words as well: the outline is for those who look for it from afar. */
function DriftMark({ drift }: { drift: Drift }) {
  const words = `Differs from ${drift.env}, which has ${drift.version}`;
  return (
    <span
      role="img"
      aria-label={words}
      data-tip={`${words}\nsince ${formatAbsolute(drift.since)}`}
      className="relative z-1 shrink-0 text-waiting"
    >
      <EqualNot size={14} strokeWidth={2.5} aria-hidden="true" />
    </span>
  );
}

function Attempt({
  store,
  latest,
  href,
  label,
  alone,
}: {
  store: DeploymentsStore;
  latest: NonNullable<Workflow["latest"]>;
  href: string;
  label: string;
  /** It is all there is in the cell. */
  alone: boolean;
}) {
  const { status, version, at } = latest;
  return (
    <RowLink
      href={href}
      {...(alone && { "data-cell": "" })}
      data-tip={`${lookOf(status).word}${version ? ` ${version}` : ""}`}
      className={clsx(
        "z-1 -mx-1 flex w-fit max-w-full min-w-0 flex-col rounded-md px-1 py-0.5",
        alone
          ? "outline-none after:absolute after:inset-0"
          : "relative hover:bg-surface focus-visible:outline-offset-0",
      )}
    >
      <span className="flex max-w-full items-center gap-1.5">
        <StatusIcon status={status} size={14} />
        <span className="truncate font-mono text-cell text-soft">{version ?? lookOf(status).word}</span>
      </span>
      <span className="sr-only">{label}</span>
      <span className="text-xs whitespace-nowrap text-faint compact:sr-only">
        {isActive(status) ? (
          <Percent store={store} id={latest.deployment_id} word={lookOf(status).word} />
        ) : (
          <>
            {lookOf(status).word.toLowerCase()} <RelativeTime at={at} what="Began" />
          </>
        )}
      </span>
    </RowLink>
  );
}

/** How far it is, if that was reported and the deployment is among the newest of its environment. */
export function Percent({ store, id, word }: { store: DeploymentsStore; id: string; word: string }) {
  const subscribe = useCallback(
    (listener: () => void) => store.subscribe(`row ${id}`, listener),
    [store, id],
  );
  const percent = useSyncExternalStore(subscribe, () => {
    const said = store.get().deployments.get(id)?.progress.percent ?? null;
    return said === null ? null : Math.floor(said);
  });
  return (
    <span data-percent="" data-number="">
      {percent === null ? word.toLowerCase() : `${word.toLowerCase()} ${percent} %`}
    </span>
  );
}

/** Tints the element for a moment when what runs there, or is tried there, has become something else. */
function useFlash(element: RefObject<HTMLElement | null>, cell: Cell | null): void {
  const before = useRef<Workflow>(undefined);
  const workflow = cell?.workflow;
  useEffect(() => {
    const was = before.current;
    before.current = workflow;
    if (!workflow || !was || was === workflow) return;
    const same =
      was.current?.deployment_id === workflow.current?.deployment_id &&
      was.latest?.deployment_id === workflow.latest?.deployment_id &&
      was.latest?.status === workflow.latest?.status;
    if (!same) flash(element.current);
  }, [element, workflow]);
}
