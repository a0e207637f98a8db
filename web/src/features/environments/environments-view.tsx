// The environments page put together: what is looked for, what is shown, and the matrix or the answers below it.

import type { Env } from "@shipboard/client";
import { clsx } from "clsx";
import { EqualNot, Radar } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { formatNumber, plural } from "~/shared/format";
import { useKeys } from "~/shared/keys";
import { LinkedFrame } from "~/shared/page-frame";
import type { Board } from "~/shared/paths";
import { SearchBox } from "~/shared/search-box";
import { useDerived } from "./derived";
import { ENVIRONMENTS_LIMIT, type Fleet, useFleet } from "./fleet";
import { MatrixPanel } from "./matrix-panel";
import { MATRIX_SORTS, type MatrixSearch, type MatrixSort, sortOf, withField } from "./search";
import { WherePanel } from "./where-panel";

const SORT_WORDS = {
  activity: "Last activity",
  name: "Name",
} satisfies Record<MatrixSort, string>;

/** The page of a tenant's environments in its frame, whose link is the worst of theirs. */
export function EnvironmentsView({
  tenant,
  envs,
  board,
  search,
  asking,
  onChange,
}: {
  tenant: string;
  envs: readonly Env[];
  /** Where the tabs of a single board lead. */
  board: Board;
  search: MatrixSearch;
  /** The reader came to look for something. */
  asking: boolean;
  onChange: (next: MatrixSearch, how?: "push" | "replace") => void;
}) {
  const fleet = useFleet(tenant, envs);
  return (
    <FleetFrame fleet={fleet} board={board}>
      <Page
        fleet={fleet}
        left={envs.length - fleet.places.length}
        search={search}
        asking={asking}
        onChange={onChange}
      />
    </FleetFrame>
  );
}

/** By itself, so that a link that hears of every event renders only what shows it. */
function FleetFrame({ fleet, board, children }: { fleet: Fleet; board: Board; children: ReactNode }) {
  const link = useDerived(fleet.link, (held) => held);
  return (
    <LinkedFrame board={board} link={link} tab="environments">
      {children}
    </LinkedFrame>
  );
}

function Page({
  fleet,
  left,
  search,
  asking,
  onChange,
}: {
  fleet: Fleet;
  left: number;
  search: MatrixSearch;
  asking: boolean;
  onChange: (next: MatrixSearch, how?: "push" | "replace") => void;
}) {
  const whereBox = useRef<HTMLInputElement>(null);
  const filterBox = useRef<HTMLInputElement>(null);
  const { where } = search;
  const set = (field: keyof MatrixSearch, value: string) =>
    onChange(withField(search, field, value), "replace");
  const shown = useMemo(() => withField(search, "where", ""), [search]);

  useEffect(() => {
    if (asking) whereBox.current?.focus();
  }, [asking]);

  const into = (box: HTMLInputElement | null) => (event: KeyboardEvent) => {
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  };
  useKeys({
    w: (event) => into(whereBox.current)(event),
    "/": (event) => into(filterBox.current ?? whereBox.current)(event),
    Escape: () => {
      const active = document.activeElement;
      if (active instanceof HTMLElement && active.closest("[data-cell]")) active.blur();
      else if (where !== undefined) set("where", "");
      else onChange(search.sort ? { sort: search.sort } : {});
    },
  });

  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 pb-3">
        <h1 className="text-lg font-semibold tracking-tight">Environments</h1>
        <Summary fleet={fleet} />
        <SearchBox
          label="Where is a sha, tag or version"
          placeholder="Where is … sha, tag or version"
          value={where ?? ""}
          onChange={(value) => set("where", value)}
          box={whereBox}
          hint="w"
          icon={Radar}
          className="w-full sm:ml-auto sm:w-80"
        />
      </div>
      {where === undefined && (
        <search className="flex flex-wrap items-center gap-2 pb-3 max-sm:gap-1.5">
          <SearchBox
            label="Filter workflows"
            placeholder="Filter workflows"
            value={search.q ?? ""}
            onChange={(value) => set("q", value)}
            box={filterBox}
            hint="/"
            className="max-sm:w-full sm:w-56"
          />
          <button
            type="button"
            aria-pressed={search.drift === "1"}
            onClick={() => set("drift", search.drift === "1" ? "" : "1")}
            className={clsx(
              "flex h-8 items-center gap-1.5 rounded-md border px-2.5 text-cell font-medium",
              search.drift === "1"
                ? "border-accent bg-accent-tint text-accent"
                : "border-edge bg-surface hover:bg-hover",
            )}
          >
            <EqualNot size={14} aria-hidden="true" />
            Only drift
          </button>
          <SortChoice sort={sortOf(search)} onSort={(sort) => set("sort", sort === "activity" ? "" : sort)} />
          <p className="ml-auto flex items-center gap-1.5 text-xs text-faint max-md:hidden">
            <span className="drifting flex h-5 items-center rounded-md px-1 text-waiting">
              <EqualNot size={12} strokeWidth={2.5} aria-hidden="true" />
            </span>
            another version than in the environment to its left
          </p>
        </search>
      )}
      {left > 0 && (
        <p className="pb-3 text-cell text-soft">
          The first {formatNumber(ENVIRONMENTS_LIMIT)} of {formatNumber(left + fleet.places.length)}{" "}
          environments are shown: that is as many as this page can keep live at once.
        </p>
      )}
      {where === undefined ? (
        <MatrixPanel
          fleet={fleet}
          search={shown}
          onClear={() => onChange(search.sort ? { sort: search.sort } : {})}
        />
      ) : (
        <WherePanel fleet={fleet} text={where} onClear={() => set("where", "")} />
      )}
    </>
  );
}

function Summary({ fleet }: { fleet: Fleet }) {
  const workflows = useDerived(fleet.matrix, ({ rows }) => rows.size);
  const differing = useDerived(fleet.matrix, ({ rows }) => {
    let count = 0;
    for (const row of rows.values()) if (row.drifts) count += 1;
    return count;
  });
  if (workflows === 0) return null;
  return (
    <p className="text-soft">
      {plural(workflows, "workflow")} in {plural(fleet.places.length, "environment")}
      {differing > 0 && (
        <>
          , <span className="font-medium text-ink">{formatNumber(differing)}</span> with drift
        </>
      )}
    </p>
  );
}

function SortChoice({ sort, onSort }: { sort: MatrixSort; onSort: (sort: MatrixSort) => void }) {
  return (
    <fieldset className="flex h-8 items-center rounded-md border border-edge bg-surface p-0.5">
      <legend className="sr-only">Order of rows</legend>
      {MATRIX_SORTS.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === sort}
          onClick={() => onSort(one)}
          className={clsx(
            "h-full rounded px-2 text-cell font-medium",
            one === sort ? "bg-quiet-tint text-ink" : "text-soft hover:text-ink",
          )}
        >
          {SORT_WORDS[one]}
        </button>
      ))}
    </fieldset>
  );
}
