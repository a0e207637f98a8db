// What a deployment replaced, and what replaced it. The row names its predecessor by id; who came after it is
// nowhere in it, so it is looked for in the history, anew whenever the row's standing changes.

import type { Deployment, DetailsScope, Standing } from "@shipboard/client";
import { isActive } from "@shipboard/client";
import { useClient } from "@shipboard/client/react";
import { useQuery } from "@tanstack/react-query";
import { RelativeTime } from "~/shared/clock";
import { between, formatRough } from "~/shared/format";
import { deploymentPath, workflowPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { Fact } from "./fact";
import { firstAfter, PAGE_ROWS } from "./history";

/** One that was created so much earlier may still have finished later. */
const OVERLAP_MS = 3_600_000;
const LINK_CLASS = "truncate rounded font-mono text-cell hover:text-accent hover:underline";

const SUCCESSOR_WORDS = {
  superseded: "Superseded by",
  rolled_back: "Rolled back by",
} satisfies Partial<Record<Standing, string>>;

/** The neighbours of a deployment in the chain of its workflow. */
export function Chain({ scope, row }: { scope: DetailsScope; row: Deployment }) {
  const { standing } = row;
  return (
    <>
      {row.replaces && <Predecessor scope={scope} row={row} id={row.replaces} />}
      {standing === "current" && <Fact name="Standing">runs here now</Fact>}
      {standing === "removed" && <Fact name="Standing">removed</Fact>}
      {(standing === "superseded" || standing === "rolled_back") && (
        <Successor scope={scope} row={row} word={SUCCESSOR_WORDS[standing]} />
      )}
    </>
  );
}

const nameOf = (row: Deployment): string => row.version ?? row.id.slice(-8);

function Predecessor({ scope, row, id }: { scope: DetailsScope; row: Deployment; id: string }) {
  const { api } = useClient();
  const { data } = useQuery({
    queryKey: ["deployment", scope.tenant, scope.env, id],
    queryFn: ({ signal }) => api.deployment(scope.tenant, scope.env, id, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const before = data?.deployment;
  // Whatever has not succeeded has replaced nothing yet, or never did.
  const word = row.standing !== null ? "Replaced" : isActive(row.status) ? "Will replace" : "Was to replace";
  const ran =
    row.standing !== null && row.finished_at && before?.status === "success" && before.finished_at
      ? formatRough(between(before.finished_at, row.finished_at))
      : null;
  return (
    <Fact name={word}>
      {ran && <span className="shrink-0 text-faint">after {ran}</span>}
      <RowLink href={deploymentPath(scope, id)} className={LINK_CLASS}>
        {before ? nameOf(before) : id.slice(-8)}
      </RowLink>
    </Fact>
  );
}

function Successor({ scope, row, word }: { scope: DetailsScope; row: Deployment; word: string }) {
  const { api, clock } = useClient();
  const { tenant, env } = scope;
  const { data, isPending, isError } = useQuery({
    // The row changes with its standing, and with nothing else once it has ended.
    queryKey: ["successor", tenant, env, row.id, row.standing, row.event_id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) =>
      firstAfter(
        (from, until, after) => {
          const filter = {
            workflow: row.workflow_id,
            since: timeOf(from),
            ...(until !== null && { until: timeOf(until) }),
          };
          const query = { filter, limit: PAGE_ROWS, ...(after !== null && { after }) };
          return api.deployments(tenant, env, query, signal);
        },
        // Those that have not succeeded name whom they would replace, too.
        (other) => other.replaces === row.id && other.standing !== null,
        Date.parse(row.created_at) - OVERLAP_MS,
        clock.exact(),
      ),
  });
  return (
    <Fact name={word}>
      {data ? (
        <>
          {data.finished_at && (
            <RelativeTime at={data.finished_at} what="Finished" className="shrink-0 text-faint" />
          )}
          <RowLink href={deploymentPath(scope, data.id)} className={LINK_CLASS} data-successor={data.id}>
            {nameOf(data)}
          </RowLink>
        </>
      ) : (
        <RowLink href={workflowPath(scope, row.workflow_id)} className={LINK_CLASS.replace("font-mono ", "")}>
          {isPending ? "…" : isError ? "not known now" : "a later one"}
        </RowLink>
      )}
    </Fact>
  );
}

const timeOf = (ms: number): string => new Date(ms).toISOString();
