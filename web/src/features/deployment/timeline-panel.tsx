// The timeline drawn: a line down the left, an icon per item, its time and length at the right. Earlier attempts are
// folded, and so is a long message, but for the one of what failed.

import { type DetailsState, isActive } from "@shipboard/client";
import { clsx } from "clsx";
import { ChevronRight, MessageSquare, PencilLine } from "lucide-react";
import { useMemo } from "react";
import { Duration, useElapsedText } from "~/shared/clock";
import { describeTime, formatClockSeconds, formatDuration } from "~/shared/format";
import { lookOf, TONE_TEXT } from "~/shared/status";
import { StatusIcon } from "~/shared/status-badge";
import { Panel } from "./panel";
import {
  type Attempt,
  type GapItem,
  type HappenedItem,
  type TimelineItem,
  timelineAttempts,
} from "./timeline";

/** Messages longer than this, or of several lines, are folded. */
const FOLD_CHARACTERS = 140;

/** The timeline. */
export function TimelinePanel({ details, running }: { details: DetailsState; running: boolean }) {
  const { timeline, timeline_more: more } = details;
  const attempts = useMemo(() => timelineAttempts(timeline, running), [timeline, running]);
  const last = attempts.at(-1);
  const earlier = attempts.slice(0, -1);
  return (
    <Panel title="Timeline" note={more ? "the newest 500 entries" : undefined}>
      {earlier.length > 0 && (
        <div className="mb-3 flex flex-col gap-1.5">
          {earlier.map((attempt) => (
            <EarlierAttempt key={attempt.number} attempt={attempt} />
          ))}
        </div>
      )}
      {last && earlier.length > 0 && (
        <h3 className="flex items-baseline gap-2 pb-1 text-cell font-medium" data-attempt={last.number}>
          Attempt {last.number}
          <span className="font-normal text-faint">the latest</span>
        </h3>
      )}
      {last ? (
        <Items items={last.items} />
      ) : (
        <p className="py-2 text-faint">Nothing has been reported yet.</p>
      )}
    </Panel>
  );
}

/** An attempt that another one followed. */
function EarlierAttempt({ attempt: { number, status, at, ran, items } }: { attempt: Attempt }) {
  // What a later attempt cut short has no end of its own, and is not going on either.
  const over = status !== null && !isActive(status) ? status : null;
  return (
    <details className="group/attempt rounded-lg border border-line" data-attempt={number}>
      <summary className="flex min-h-9 list-none items-center gap-2 rounded-lg px-2.5 py-1.5 text-cell hover:bg-hover">
        <ChevronRight
          size={14}
          aria-hidden="true"
          className="shrink-0 text-faint transition-transform group-open/attempt:rotate-90"
        />
        <span className="font-medium whitespace-nowrap">Attempt {number}</span>
        {over ? (
          <span className={clsx("flex items-center gap-1.5 font-medium", TONE_TEXT[lookOf(over).tone])}>
            <StatusIcon status={over} size={14} />
            {lookOf(over).word}
          </span>
        ) : (
          <span className="text-faint">no end was reported</span>
        )}
        <span className="ml-auto flex items-baseline gap-3">
          {ran && <Duration from={ran.from} to={ran.to} className="whitespace-nowrap text-soft" />}
          <Time at={at} className="max-sm:hidden" />
        </span>
      </summary>
      <div className="px-3 pt-1 pb-2">
        <Items items={items} />
      </div>
    </details>
  );
}

function Items({ items }: { items: readonly TimelineItem[] }) {
  return (
    <ol className="relative">
      {items.map((item) =>
        item.is === "gap" ? <Gap key={item.key} gap={item} /> : <Happened key={item.key} item={item} />,
      )}
    </ol>
  );
}

const LINE_CLASS =
  "relative before:absolute before:top-0 before:bottom-0 before:left-2.5 before:w-px before:bg-line first:before:top-4 last:before:bottom-auto last:before:h-4";

function Happened({ item }: { item: HappenedItem }) {
  return (
    <li className={clsx(LINE_CLASS, "py-1.5 pl-9 compact:py-0.5")} data-timeline={item.kind}>
      <span className="absolute top-1.5 left-0 flex size-5 items-center justify-center rounded-full bg-surface compact:top-0.5">
        <ItemIcon item={item} />
      </span>
      <div className="flex items-baseline gap-3">
        <span className={clsx("min-w-0 grow truncate font-medium", item.failing && "text-failed")}>
          {item.title}
          {item.by && <span className="font-normal text-faint"> · {item.by}</span>}
          {item.late && <span className="font-normal text-faint"> · arrived late</span>}
        </span>
        {item.until !== undefined && (
          <Duration from={item.at} to={item.until} className="shrink-0 text-cell text-soft" />
        )}
        <Time at={item.at} />
      </div>
      {item.message && <Message text={item.message} failing={item.failing} />}
    </li>
  );
}

function Time({ at, className }: { at: string; className?: string }) {
  return (
    <time
      dateTime={at}
      data-tip={describeTime(at)}
      className={clsx("w-16 shrink-0 text-right text-cell text-faint", className)}
    >
      {formatClockSeconds(Date.parse(at))}
    </time>
  );
}

function Message({ text, failing }: { text: string; failing: boolean }) {
  const long = text.length > FOLD_CHARACTERS || text.includes("\n");
  const whole = (
    <p
      className={clsx(
        "text-cell wrap-anywhere whitespace-pre-wrap",
        failing ? "mt-1 rounded-md bg-failed-tint px-2.5 py-1.5 text-failed" : "text-soft",
      )}
    >
      {text}
    </p>
  );
  // What failed is what one came for.
  if (!long || failing) return whole;
  return (
    <details className="group/message">
      <summary className="list-none truncate rounded text-cell text-soft group-open/message:text-faint hover:text-ink">
        <span className="group-open/message:hidden">{text.split("\n", 1)[0]}</span>
        <span className="hidden group-open/message:inline">Fold</span>
      </summary>
      {whole}
    </details>
  );
}

function ItemIcon({ item: { kind, status, active } }: { item: HappenedItem }) {
  if (kind === "correction") return <PencilLine size={14} className="text-faint" aria-hidden="true" />;
  // What was passed through is a mark on the line; what goes on or ended it has its colour.
  if (status !== null && (active || !isActive(status))) return <StatusIcon status={status} size={16} />;
  if (kind === "note") return <MessageSquare size={14} className="text-faint" aria-hidden="true" />;
  return <span className="size-2 rounded-full bg-edge" />;
}

function Gap({ gap }: { gap: GapItem }) {
  const text = useElapsedText(gap.from, gap.to, formatDuration);
  return (
    <li
      className={clsx(
        LINE_CLASS,
        "pb-1.5 pl-9 text-xs text-faint before:[mask-image:repeating-linear-gradient(black_0_3px,transparent_3px_6px)]",
      )}
    >
      {gap.word} {text}
    </li>
  );
}
