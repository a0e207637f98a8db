// The counters above the table. Their numbers are the server's counts and nothing else; each is a toggle that
// narrows the table, and says its rule. Widths are fixed by the grid, so that no number moves its neighbour.

import type { Counts, DeploymentsScope, Status } from "@shipboard/client";
import { useCounts } from "@shipboard/client/react";
import { clsx } from "clsx";
import { useEffect, useRef, useState } from "react";
import { formatNumber } from "~/shared/format";
import { type Board, workflowsPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { lookOf, TONE_TEXT } from "~/shared/status";

const CARDS: readonly Status[] = ["running", "queued", "waiting", "success", "failed", "cancelled"];
const WORKFLOWS_RULE =
  "Workflows whose latest deployment here succeeded, of all workflows that were ever deployed here.";
/** How often the numbers are told to a screen reader at most. */
const SAY_EVERY_MS = 10_000;

const CARD_CLASS =
  "group relative flex min-w-0 flex-col gap-0.5 px-3.5 py-2.5 text-left transition-colors focus-visible:z-10";

/** The row of counters. */
export function Cards({
  board,
  scope,
  chosen,
  onToggle,
}: {
  board: Board;
  scope: DeploymentsScope;
  chosen: readonly Status[];
  onToggle: (status: Status) => void;
}) {
  const counts = useCounts(scope);
  return (
    <section aria-label="Counters">
      <div className="grid grid-cols-3 gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card md:grid-cols-6 lg:grid-cols-[repeat(6,minmax(0,1fr))_minmax(0,1.7fr)]">
        {CARDS.map((status) => (
          <StatusCard
            key={status}
            status={status}
            value={counts?.deployments[status] ?? null}
            pressed={chosen.includes(status)}
            onToggle={onToggle}
          />
        ))}
        <WorkflowsCard board={board} counts={counts} />
      </div>
      <Spoken counts={counts} />
    </section>
  );
}

function StatusCard({
  status,
  value,
  pressed,
  onToggle,
}: {
  status: Status;
  value: number | null;
  pressed: boolean;
  onToggle: (status: Status) => void;
}) {
  const { word, icon: Icon, tone, rule } = lookOf(status);
  const some = value !== null && value > 0;
  return (
    <button
      type="button"
      aria-pressed={pressed}
      aria-describedby={`rule-${status}`}
      data-tip={rule}
      data-card={status}
      onClick={() => onToggle(status)}
      className={clsx(CARD_CLASS, pressed ? "bg-accent-tint" : "bg-surface hover:bg-hover")}
    >
      <span className={clsx("flex items-center gap-1.5 text-cell", pressed ? "text-ink" : "text-soft")}>
        <Icon
          aria-hidden="true"
          size={14}
          strokeWidth={2.25}
          className={clsx(some ? TONE_TEXT[tone] : "text-faint", some && status === "running" && "turning")}
        />
        <span className="truncate">{word}</span>
      </span>
      <Value value={value} />
      <span
        aria-hidden="true"
        className={clsx("absolute inset-x-0 bottom-0 h-0.5 bg-accent", pressed ? "opacity-100" : "opacity-0")}
      />
      <span id={`rule-${status}`} className="sr-only">
        {rule}
      </span>
    </button>
  );
}

function Value({ value }: { value: number | null }) {
  return (
    <span
      data-number=""
      className={clsx(
        "block h-7 text-xl leading-7 font-semibold tracking-tight wall:h-11 wall:text-4xl wall:leading-11",
        value === 0 && "text-faint",
      )}
    >
      {value === null ? <span className="skeleton mt-1 block h-5 w-10" /> : formatNumber(value)}
    </span>
  );
}

function WorkflowsCard({ board, counts }: { board: Board; counts: Counts | null }) {
  const total = counts?.workflows.total ?? 0;
  const success = counts?.workflows.success ?? 0;
  const failed = counts?.workflows.failed ?? 0;
  const share = (part: number) => ({ width: `${total === 0 ? 0 : (part / total) * 100}%` });
  return (
    <RowLink
      href={workflowsPath(board)}
      aria-describedby="rule-workflows"
      data-tip={WORKFLOWS_RULE}
      data-card="workflows"
      className={clsx(CARD_CLASS, "bg-surface hover:bg-hover max-lg:col-span-full")}
    >
      <span className="truncate text-cell text-soft">Workflows succeeding</span>
      <span className="flex h-7 items-center gap-4 wall:h-11">
        {counts === null ? (
          <span className="skeleton block h-5 w-20" />
        ) : (
          <span data-number="" className="whitespace-nowrap">
            <span className="text-xl font-semibold tracking-tight wall:text-4xl">
              {formatNumber(success)}
            </span>
            <span className="text-soft"> of {formatNumber(total)}</span>
          </span>
        )}
        <span
          aria-hidden="true"
          className="flex h-1.5 min-w-0 grow gap-px overflow-hidden rounded-full bg-(--bar-quiet)"
        >
          <span className="h-full bg-(--bar-success)" style={share(success)} />
          <span className="h-full bg-(--bar-failed)" style={share(failed)} />
        </span>
      </span>
      <span id="rule-workflows" className="sr-only">
        {WORKFLOWS_RULE}
      </span>
    </RowLink>
  );
}

/** The numbers for those who hear them: told once they have been changing for a while, never one by one. */
function Spoken({ counts }: { counts: Counts | null }) {
  const [text, setText] = useState("");
  const latest = useRef(counts);
  useEffect(() => {
    latest.current = counts;
  }, [counts]);
  useEffect(() => {
    const say = () => {
      const now = latest.current?.deployments;
      if (now)
        setText(CARDS.map((status) => `${now[status]} ${lookOf(status).word.toLowerCase()}`).join(", "));
    };
    const timer = setInterval(say, SAY_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <p role="status" className="sr-only">
      {text}
    </p>
  );
}
