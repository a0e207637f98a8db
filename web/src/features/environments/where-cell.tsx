// What an environment says when it is asked where something is: an icon, words and a time. The looks of a verdict
// are a closed set; what the verdict is was decided in where.ts.

import type { DeploymentsStore } from "@shipboard/client/app";
import { clsx } from "clsx";
import { CircleCheck, CircleDashed, CircleX, History, LoaderCircle, type LucideIcon } from "lucide-react";
import { memo } from "react";
import { RelativeTime } from "~/shared/clock";
import { deploymentPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { lookOf, TONE_TEXT, type Tone } from "~/shared/status";
import { StatusIcon } from "~/shared/status-badge";
import { Percent } from "./cell";
import { useDerived } from "./derived";
import type { Fleet } from "./fleet";
import type { Found, Verdict, VerdictIs } from "./where";
import type { Search } from "./where-store";

interface Looks {
  readonly words: string;
  readonly icon: LucideIcon;
  readonly tone: Tone;
}

const LOOKS = {
  there: { words: "There", icon: CircleCheck, tone: "success" },
  coming: { words: "On its way", icon: LoaderCircle, tone: "running" },
  was: { words: "Was there", icon: History, tone: "quiet" },
  failed: { words: "Did not arrive", icon: CircleX, tone: "failed" },
  not_yet: { words: "Not yet", icon: CircleDashed, tone: "quiet" },
} satisfies Record<VerdictIs, Looks>;

/** The answer of the column's environment about a workflow. */
export const WhereCell = memo(function WhereCell({
  fleet,
  search,
  id,
  column,
}: {
  fleet: Fleet;
  search: Search;
  id: string;
  column: number;
}) {
  const verdict = useDerived(search.where, (where) => where.rows.get(id)?.verdicts[column] ?? null);
  const place = fleet.places[column];
  const store = search.stores[column];
  return (
    <div role="cell" data-column={column} data-env={place?.env} className="relative p-1 compact:p-0.5">
      <div
        data-verdict={verdict?.is}
        className={clsx(
          "relative flex h-full min-w-0 flex-col justify-center rounded-lg px-2.5 has-[a:focus-visible]:bg-accent-tint compact:flex-row compact:items-center compact:justify-start compact:gap-2",
          verdict?.found && "hover:bg-quiet-tint",
        )}
      >
        {verdict && place && store ? (
          <Answer
            verdict={verdict}
            store={store}
            label={`in ${place.name}`}
            path={(found) => deploymentPath({ tenant: fleet.tenant, env: place.env }, found.id)}
          />
        ) : (
          <span className="skeleton h-3.5 w-24" role="img" aria-label="Not answered yet" />
        )}
      </div>
    </div>
  );
});

function Answer({
  verdict,
  store,
  label,
  path,
}: {
  verdict: Verdict;
  store: DeploymentsStore;
  label: string;
  path: (found: Found) => string;
}) {
  const { words, icon: Icon, tone } = LOOKS[verdict.is];
  const { found } = verdict;
  return (
    <>
      <span className={clsx("flex min-w-0 items-center gap-1.5 text-cell font-medium", TONE_TEXT[tone])}>
        {found && (verdict.is === "coming" || verdict.is === "failed") ? (
          <StatusIcon status={found.status} size={14} />
        ) : (
          <Icon size={14} strokeWidth={2.25} aria-hidden="true" className="shrink-0" />
        )}
        {found ? (
          <RowLink
            href={path(found)}
            data-cell=""
            aria-label={`${words} ${label}${found.version ? `: ${found.version}` : ""}`}
            className="truncate outline-none after:absolute after:inset-0"
          >
            {words}
          </RowLink>
        ) : (
          <span className="truncate">{words}</span>
        )}
        {found?.version && (
          <span className="truncate font-mono text-xs font-normal text-faint">{found.version}</span>
        )}
      </span>
      <span className="truncate text-xs text-faint compact:max-lg:hidden">
        <Detail verdict={verdict} store={store} />
      </span>
    </>
  );
}

function Detail({ verdict, store }: { verdict: Verdict; store: DeploymentsStore }) {
  const { is, found, current, passed } = verdict;
  const version = <span className="font-mono">{current?.version ?? "unnamed"}</span>;
  if (!found) {
    if (!current) return "nothing of it runs here";
    return passed ? (
      <>
        {version} went there since, <Ago at={current.since} what="There since" />
      </>
    ) : (
      <>
        runs {version}, <Ago at={current.since} what="There since" />
      </>
    );
  }
  switch (is) {
    case "there":
      return (
        <>
          since <Ago at={found.at} what="There since" />
        </>
      );
    case "coming":
      return <Percent store={store} id={found.id} word={lookOf(found.status).word} />;
    case "was":
      if (found.rolled_back) return <>rolled back{current && <> to {version}</>}</>;
      return current ? <>superseded, now {version}</> : "removed";
    default:
      return (
        <>
          {lookOf(found.status).word.toLowerCase()} <Ago at={found.at} what="Ended" />
        </>
      );
  }
}

function Ago({ at, what }: { at: string; what: string }) {
  return <RelativeTime at={at} what={what} className="relative" />;
}
