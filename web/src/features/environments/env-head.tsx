// The heads of a fleet's table: for each environment its name, which leads to its board, and what is going on there.

import type { DeploymentsStore } from "@shipboard/client/app";
import { useCallback, useSyncExternalStore } from "react";
import { formatNumber } from "~/shared/format";
import { linkWords } from "~/shared/link-state";
import { boardPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { StatusIcon } from "~/shared/status-badge";
import type { Fleet, Place } from "./fleet";
import { FirstCell } from "./grid";

/** The row of heads. */
export function FleetHead({ fleet }: { fleet: Fleet }) {
  return (
    <>
      <FirstCell head>
        <span className="text-xs font-medium text-faint">Workflow</span>
      </FirstCell>
      {fleet.places.map((place) => (
        <EnvHead key={place.env} tenant={fleet.tenant} place={place} />
      ))}
    </>
  );
}

function EnvHead({ tenant, place }: { tenant: string; place: Place }) {
  const { env, name, store } = place;
  return (
    <div
      role="columnheader"
      data-env-head={env}
      className="flex min-w-0 flex-col justify-center gap-0.5 px-3.5"
    >
      <RowLink
        href={boardPath({ tenant, env })}
        className="w-fit max-w-full truncate rounded font-semibold hover:text-accent hover:underline"
      >
        {name}
      </RowLink>
      <Going store={store} />
    </div>
  );
}

function Going({ store }: { store: DeploymentsStore }) {
  const counts = useSyncExternalStore(
    useCallback((listener: () => void) => store.subscribe("counts", listener), [store]),
    () => store.get().counts,
  );
  const trouble = useSyncExternalStore(
    useCallback((listener: () => void) => store.subscribe("link", listener), [store]),
    () => troubleOf(store),
  );
  if (trouble) return <span className="truncate text-xs text-failed">{trouble}</span>;
  if (!counts) return <span className="skeleton h-3 w-20" />;
  const running = counts.deployments.running;
  const { failed } = counts.workflows;
  return (
    <span className="flex items-center gap-3 text-xs whitespace-nowrap text-faint">
      <span data-running="" data-tip="Deployments running here now" className="flex items-center gap-1">
        {running > 0 && <StatusIcon status="running" size={12} />}
        <span data-number="" className={running > 0 ? "text-soft" : undefined}>
          {formatNumber(running)} running
        </span>
      </span>
      <span
        data-failing=""
        data-tip="Workflows whose latest deployment here failed"
        className="flex items-center gap-1"
      >
        {failed > 0 && <StatusIcon status="failed" size={12} />}
        <span data-number="" className={failed > 0 ? "text-failed" : undefined}>
          {formatNumber(failed)} failing
        </span>
      </span>
    </span>
  );
}

/** What keeps this one environment from being shown, where it is not what the page says already. */
function troubleOf(store: DeploymentsStore): string | null {
  const link = store.link();
  return link.state.status === "stopped" ? linkWords(link).word : null;
}
