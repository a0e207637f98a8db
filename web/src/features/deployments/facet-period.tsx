// The facet of time: a period that counts back from now, or two moments of the reader's own clock.

import { clsx } from "clsx";
import { useState } from "react";
import { Button } from "~/shared/button";
import { ChipPanel } from "./facets";
import { type BoardSearch, isPeriod, type Period, withField } from "./search";

const PERIOD_WORDS = {
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
} satisfies Record<Period, string>;

const PERIOD_CHOICES: readonly Period[] = ["1h", "24h", "7d", "30d"];

const short = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

const shown = (text: string): string => {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : short.format(time);
};

/** What the chip says of the search's period. */
export function periodWords({ since, until }: BoardSearch): string {
  if (since && !until && isPeriod(since)) return PERIOD_WORDS[since];
  const from = since && isPeriod(since) ? PERIOD_WORDS[since] : since && `from ${shown(since)}`;
  return [from, until && `until ${shown(until)}`].filter(Boolean).join(" ");
}

/** A moment as an input of type datetime-local wants it. */
function asInput(text: string | undefined): string {
  const time = Date.parse(text ?? "");
  if (Number.isNaN(time)) return "";
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const asMoment = (text: string): string => (text ? new Date(text).toISOString() : "");

/** The facet. */
export function PeriodFacet({
  search,
  onChange,
}: {
  search: BoardSearch;
  onChange: (next: BoardSearch) => void;
}) {
  const set = (since: string, until: string) =>
    onChange(withField(withField(search, "since", since), "until", until));
  return (
    <ChipPanel name="Created" value={periodWords(search)} onClear={() => set("", "")}>
      {(close) => (
        <>
          <div className="flex flex-col">
            {PERIOD_CHOICES.map((period) => (
              <button
                key={period}
                type="button"
                aria-pressed={search.since === period}
                onClick={() => {
                  set(search.since === period ? "" : period, "");
                  close();
                }}
                className={clsx(
                  "h-8 rounded-md px-2 text-left outline-none hover:bg-quiet-tint focus-visible:bg-quiet-tint",
                  search.since === period && "font-medium text-accent",
                )}
              >
                {PERIOD_WORDS[period]}
              </button>
            ))}
          </div>
          <Moments
            key={`${search.since} ${search.until}`}
            search={search}
            onSet={(since, until) => {
              set(since, until);
              close();
            }}
          />
        </>
      )}
    </ChipPanel>
  );
}

function Moments({ search, onSet }: { search: BoardSearch; onSet: (since: string, until: string) => void }) {
  const [since, setSince] = useState(asInput(search.since));
  const [until, setUntil] = useState(asInput(search.until));
  const input = "h-8 w-full rounded-md border border-edge bg-surface px-2 text-cell";
  return (
    <form
      className="mt-1 flex flex-col gap-2 border-t border-line p-2"
      onSubmit={(event) => {
        event.preventDefault();
        onSet(asMoment(since), asMoment(until));
      }}
    >
      <label className="text-xs text-soft">
        From
        <input
          type="datetime-local"
          value={since}
          onChange={(event) => setSince(event.target.value)}
          className={input}
        />
      </label>
      <label className="text-xs text-soft">
        Until
        <input
          type="datetime-local"
          value={until}
          onChange={(event) => setUntil(event.target.value)}
          className={input}
        />
      </label>
      <Button type="submit">Apply</Button>
    </form>
  );
}
