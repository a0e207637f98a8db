// The answers to "where is …": a row for each workflow of which anything was found, a column for each environment.
// It says as plainly what it does not know: who has not answered, who could not be asked, that nobody knows it.

import { Radar, SearchX } from "lucide-react";
import { Button } from "~/shared/button";
import { formatNumber } from "~/shared/format";
import { Failure, Notice } from "~/shared/notice";
import { Surface } from "~/shared/surface";
import { useDerived } from "./derived";
import { FleetHead } from "./env-head";
import type { Fleet } from "./fleet";
import { FirstCell, Grid } from "./grid";
import { type Closeness, LEAST_CHARACTERS } from "./where";
import { WhereCell } from "./where-cell";
import { type Asked, askAgain, type Search, useWhere } from "./where-store";

const PAGE_ROWS = 100;

const CLOSENESS_WORDS = {
  called: null,
  part: "No version is called exactly so; these contain it.",
  mentioned: "No version or commit is called so; these deployments mention it.",
} satisfies Record<Closeness, string | null>;

/** What stands in the matrix's place while something is looked for. */
export function WherePanel({ fleet, text, onClear }: { fleet: Fleet; text: string; onClear: () => void }) {
  if (text.length < LEAST_CHARACTERS) {
    return (
      <Surface>
        <Notice
          icon={<Radar size={28} aria-hidden="true" />}
          title={`Type at least ${LEAST_CHARACTERS} characters`}
        >
          The beginning of a commit's sha, a tag or a version.
        </Notice>
      </Surface>
    );
  }
  return <Answers key={`${fleet.tenant} ${text}`} fleet={fleet} text={text} onClear={onClear} />;
}

function Answers({ fleet, text, onClear }: { fleet: Fleet; text: string; onClear: () => void }) {
  const search = useWhere(fleet, text);
  const asked = useDerived(search.asked, (all) => all);
  const ids = useDerived(search.where, (where) => where.ids);
  const closeness = useDerived(search.where, (where) => where.closeness);
  const failed = asked.filter(({ error }) => error !== null);
  const waiting = asked.some(({ loaded, error }) => !loaded && !error);
  if (ids.length > 0) {
    return (
      <>
        <div className="flex min-h-8 flex-wrap items-center gap-x-4 gap-y-1 pb-3 text-cell text-soft">
          <h2 className="text-ink">
            Where is <span className="font-mono font-medium">{text}</span>?
          </h2>
          <Remarks fleet={fleet} search={search} asked={asked} said={CLOSENESS_WORDS[closeness]} />
          <Button onClick={onClear} className="ml-auto">
            Back to the matrix
          </Button>
        </div>
        <Grid
          label={`Where ${text} is`}
          ids={ids}
          view={text}
          columns={fleet.places.length}
          head={<FleetHead fleet={fleet} />}
          row={(id) => (
            <>
              <WhereName search={search} id={id} />
              {fleet.places.map((place, column) => (
                <WhereCell key={place.env} fleet={fleet} search={search} id={id} column={column} />
              ))}
            </>
          )}
        />
      </>
    );
  }
  if (waiting) {
    return (
      <Surface>
        <div role="status">
          <Notice title={`Asking ${formatNumber(fleet.places.length)} environments for ${quoted(text)}…`} />
        </div>
      </Surface>
    );
  }
  if (failed.length > 0) {
    return (
      <Surface>
        <Failure
          title={`${namesOf(fleet, asked)} could not be asked`}
          reason={failed[0]?.error?.message ?? ""}
          onRetry={() => askAgain(search)}
        />
      </Surface>
    );
  }
  return (
    <Surface>
      <Notice
        icon={<SearchX size={28} aria-hidden="true" />}
        title={`No environment knows ${quoted(text)}`}
        actions={<Button onClick={onClear}>Back to the matrix</Button>}
      >
        No deployment's version, tag or commit matches. Should one be reported, it appears here by itself.
      </Notice>
    </Surface>
  );
}

function Remarks({
  fleet,
  search,
  asked,
  said,
}: {
  fleet: Fleet;
  search: Search;
  asked: readonly Asked[];
  said: string | null;
}) {
  const failed = asked.some(({ error }) => error !== null);
  const more = asked.some((one) => one.more);
  return (
    <>
      {said && <p>{said}</p>}
      {more && <p>Only the newest {PAGE_ROWS} matches of each environment were looked at.</p>}
      {failed && (
        <p role="alert" className="text-failed">
          {namesOf(fleet, asked)} could not be asked.{" "}
          <button
            type="button"
            onClick={() => askAgain(search)}
            className="rounded font-medium text-accent hover:underline"
          >
            Retry
          </button>
        </p>
      )}
    </>
  );
}

function WhereName({ search, id }: { search: Search; id: string }) {
  const name = useDerived(search.where, (where) => where.rows.get(id)?.name ?? id);
  return (
    <FirstCell>
      <span className="truncate font-medium">{name}</span>
    </FirstCell>
  );
}

const quoted = (text: string): string => `“${text}”`;

const namesOf = (fleet: Fleet, asked: readonly Asked[]): string =>
  fleet.places
    .filter((_, index) => asked[index]?.error)
    .map(({ name }) => name)
    .join(", ");
