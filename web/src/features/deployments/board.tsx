// The deployments page put together: counters, filters, table, and what stands in the table's place while there
// are no rows. The view comes from the address and goes back to it.

import type { DeploymentsScope } from "@shipboard/client";
import {
  useClient,
  useCounts,
  useDeploymentIds,
  useLink,
  useLoaded,
  usePaging,
} from "@shipboard/client/react";
import { useMemo, useRef, useState } from "react";
import { useAwake } from "~/shared/awake";
import { useKeys } from "~/shared/keys";
import { obstacleOf } from "~/shared/link-state";
import { Failure } from "~/shared/notice";
import { Surface } from "~/shared/surface";
import { Cards } from "./cards";
import { NothingMatches, NothingYet } from "./empty-board";
import { FilterBar } from "./filter-bar";
import {
  type BoardSearch,
  filterOf,
  limitOf,
  readSearch,
  type Sort,
  sortOf,
  statusesOf,
  toggleStatus,
  withField,
  withoutFilters,
  writeSearch,
} from "./search";
import { DeploymentsTable, TableSkeleton } from "./table";

const MINUTE_MS = 60_000;

/** The scope that the counters and the link's state are read from: the env without a filter. */
export function envScope(tenant: string, env: string, search: BoardSearch): DeploymentsScope {
  const limit = limitOf(search);
  return { kind: "deployments", tenant, env, ...(limit !== undefined && { limit }) };
}

/** The deployments page's content. */
export function DeploymentsBoard({
  env,
  search,
  onChange,
}: {
  env: DeploymentsScope;
  search: BoardSearch;
  onChange: (next: BoardSearch, how?: "push" | "replace") => void;
}) {
  const { clock } = useClient();
  const wall = search.wall === "1";
  const box = useRef<HTMLInputElement>(null);
  const asked = writeSearch({ ...search, sort: "", wall: "" });
  // A period counts back from when it was chosen: a filter that moved with the clock would be a new one each tick.
  const filter = useMemo(() => {
    const now = Math.floor(clock.exact() / MINUTE_MS) * MINUTE_MS;
    return filterOf(readSearch(Object.fromEntries(new URLSearchParams(asked))), now);
  }, [asked, clock]);
  const scope = useMemo(() => ({ ...env, filter }), [env, filter]);
  const clear = () => onChange(withoutFilters(search));

  const leave = () => {
    const active = document.activeElement;
    if (wall) {
      onChange(withField(search, "wall", ""));
      return;
    }
    if (active instanceof HTMLElement && active.closest("[data-row]")) active.blur();
    else if (Object.keys(filter).length > 0) clear();
  };

  useKeys({
    "/": (event) => {
      event.preventDefault();
      box.current?.focus();
      box.current?.select();
    },
    Escape: leave,
    f: () => onChange(withField(search, "wall", wall ? "" : "1")),
  });
  useAwake(wall);

  return (
    <>
      <h1 className="sr-only">
        Deployments of {env.tenant} in {env.env}
      </h1>
      <Cards
        board={env}
        scope={env}
        chosen={statusesOf(search)}
        onToggle={(status) => onChange(toggleStatus(search, status))}
      />
      {wall ? (
        <div className="h-6" />
      ) : (
        <FilterBar scope={env} search={search} onChange={onChange} searchBox={box} />
      )}
      <Content
        env={env}
        scope={scope}
        filtered={Object.keys(filter).length > 0}
        sort={sortOf(search)}
        wall={wall}
        onSort={(sort) => onChange(withField(search, "sort", sort === "newest" ? "" : sort), "replace")}
        onClear={clear}
      />
    </>
  );
}

function Content({
  env,
  scope,
  filtered,
  sort,
  wall,
  onSort,
  onClear,
}: {
  env: DeploymentsScope;
  scope: DeploymentsScope;
  filtered: boolean;
  sort: Sort;
  wall: boolean;
  onSort: (sort: Sort) => void;
  onClear: () => void;
}) {
  const client = useClient();
  const loaded = useLoaded(scope);
  const link = useLink(env);
  const { error, loadMore } = usePaging(scope);
  // While another filter's rows are fetched the rows before it stay, dimmed: no flicker at every letter.
  const [last, setLast] = useState(loaded ? scope : null);
  if (loaded && last !== scope) setLast(scope);
  const shown = loaded ? scope : last?.tenant === env.tenant && last.env === env.env ? last : null;

  if (!loaded && error) {
    return (
      <Surface>
        <Failure
          title="The deployments did not load"
          reason={error.message}
          onRetry={() => void loadMore()}
        />
      </Surface>
    );
  }
  if (!shown) {
    const reason = obstacleOf(link);
    if (reason === null) return <TableSkeleton wall={wall} />;
    return (
      <Surface>
        <Failure title="The deployments did not load" reason={reason} onRetry={() => client.retry()} />
      </Surface>
    );
  }
  return (
    <Rows
      env={env}
      scope={shown}
      filtered={filtered}
      sort={sort}
      wall={wall}
      dimmed={!loaded}
      onSort={onSort}
      onClear={onClear}
    />
  );
}

function Rows({
  env,
  scope,
  filtered,
  sort,
  wall,
  dimmed,
  onSort,
  onClear,
}: {
  env: DeploymentsScope;
  scope: DeploymentsScope;
  filtered: boolean;
  sort: Sort;
  wall: boolean;
  dimmed: boolean;
  onSort: (sort: Sort) => void;
  onClear: () => void;
}) {
  const empty = useDeploymentIds(scope).length === 0;
  const nothingAtAll = useCounts(env)?.deployments.total === 0;
  if (empty && !dimmed) {
    return (
      <Surface>
        {filtered && !nothingAtAll ? <NothingMatches onClear={onClear} /> : <NothingYet scope={env} />}
      </Surface>
    );
  }
  return <DeploymentsTable scope={scope} sort={sort} onSort={onSort} wall={wall} dimmed={dimmed} />;
}
