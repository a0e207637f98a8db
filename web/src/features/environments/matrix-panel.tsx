// The matrix itself and what stands in its place while there is none. It renders when rows come, go or move; what
// is in them renders itself.

import { useClient } from "@shipboard/client/react";
import { memo, useMemo } from "react";
import { Button } from "~/shared/button";
import { formatNumber } from "~/shared/format";
import { obstacleOf } from "~/shared/link-state";
import { Failure, Notice } from "~/shared/notice";
import { boardPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { Surface } from "~/shared/surface";
import { arrange } from "./arrange";
import { MatrixCell } from "./cell";
import { derive, useDerived } from "./derived";
import { FleetHead } from "./env-head";
import type { Fleet } from "./fleet";
import { FirstCell, Grid } from "./grid";
import { type MatrixSearch, sortOf, writeSearch } from "./search";

const NO_IDS: readonly string[] = [];

/** The matrix of a fleet, as the address wants it. */
export function MatrixPanel({
  fleet,
  search,
  onClear,
}: {
  fleet: Fleet;
  search: MatrixSearch;
  onClear: () => void;
}) {
  const view = `${fleet.tenant} ${writeSearch(search)}`;
  const order = useMemo(
    () =>
      derive(
        [{ read: () => fleet.matrix.get(), subscribe: fleet.matrix.subscribe }],
        NO_IDS,
        (before): readonly string[] => {
          const ids = arrange(fleet.matrix.get(), search);
          return ids.length === before.length && ids.every((id, index) => id === before[index])
            ? before
            : ids;
        },
      ),
    [fleet, search],
  );
  const ids = useDerived(order, (all) => all);
  const loaded = useDerived(fleet.matrix, ({ columns }) => columns.some((column) => column.loaded));
  const empty = useDerived(fleet.matrix, ({ rows }) => rows.size === 0);
  const whole = useDerived(fleet.matrix, ({ columns }) => columns.every((column) => column.loaded));
  const more = useDerived(fleet.matrix, ({ columns }) =>
    columns
      .filter((column) => column.more)
      .map(({ name }) => name)
      .join(", "),
  );

  if (!loaded) return <NotLoaded fleet={fleet} />;
  if (empty && whole) return <Empty fleet={fleet} />;
  if (ids.length === 0 && whole) {
    const narrowed = search.q !== undefined;
    return (
      <Surface>
        <Notice
          title={narrowed ? "No workflow matches" : "Nothing differs"}
          actions={<Button onClick={onClear}>{narrowed ? "Clear filters" : "Show all workflows"}</Button>}
        >
          {!narrowed && "Everywhere runs the same version as in the environment to its left."}
        </Notice>
      </Surface>
    );
  }
  return (
    <>
      <Grid
        label="Environments"
        ids={ids}
        view={`${view} ${sortOf(search)}`}
        columns={fleet.places.length}
        head={<FleetHead fleet={fleet} />}
        row={(id) => <Cells fleet={fleet} id={id} />}
      />
      {more && (
        <p className="pt-14 text-xs text-faint">
          There are more workflows in {more} than the {formatNumber(WORKFLOWS_TOLD)} last active ones, which
          are shown.
        </p>
      )}
    </>
  );
}

/** How many workflows of an environment a snapshot tells. */
const WORKFLOWS_TOLD = 1_000;

const Cells = memo(function Cells({ fleet, id }: { fleet: Fleet; id: string }) {
  const name = useDerived(fleet.matrix, (matrix) => matrix.rows.get(id)?.name ?? id);
  const envs = useDerived(fleet.matrix, (matrix) => {
    const cells = matrix.rows.get(id)?.cells ?? [];
    return cells.filter((cell) => cell !== null).length;
  });
  return (
    <>
      <FirstCell>
        <span className="truncate font-medium" data-tip={name === id ? undefined : id}>
          {name}
        </span>
        {envs < fleet.places.length && (
          <span className="truncate text-xs text-faint compact:hidden">
            in {envs} of {fleet.places.length}
          </span>
        )}
      </FirstCell>
      {fleet.places.map((place, column) => (
        <MatrixCell key={place.env} fleet={fleet} id={id} column={column} />
      ))}
    </>
  );
});

function NotLoaded({ fleet }: { fleet: Fleet }) {
  const client = useClient();
  const link = useDerived(fleet.link, (held) => held);
  const reason = obstacleOf(link);
  if (reason === null) return <MatrixSkeleton />;
  return (
    <Surface>
      <Failure title="The environments did not load" reason={reason} onRetry={() => client.retry()} />
    </Surface>
  );
}

function Empty({ fleet }: { fleet: Fleet }) {
  const last = fleet.places.at(-1);
  return (
    <Surface>
      <Notice
        title="No workflows here yet"
        actions={
          last && (
            <RowLink
              href={boardPath({ tenant: fleet.tenant, env: last.env })}
              className="font-medium text-accent hover:underline"
            >
              How to make the first deployment
            </RowLink>
          )
        }
      >
        A workflow appears with its first deployment, in whichever environment.
      </Notice>
    </Surface>
  );
}

/** What stands in the matrix's place until it is known. */
export function MatrixSkeleton() {
  return (
    <div
      role="status"
      aria-label="Loading environments"
      className="overflow-hidden rounded-xl border border-line bg-surface shadow-card"
    >
      <div className="h-14 border-b border-line" />
      {[62, 48, 71, 55, 66, 44].map((width) => (
        <div key={width} className="flex h-15 items-center gap-12 border-b border-line px-4 last:border-0">
          <span className="skeleton h-3.5 shrink-0" style={{ width: `${width * 2}px` }} />
          <span className="skeleton h-3.5 w-20" />
          <span className="skeleton h-3.5 w-20" />
        </div>
      ))}
    </div>
  );
}
