// The timeline drawn: a line down the left, an icon per item, its time and length at the right. A long message is
// folded, but for the one of what failed.

import { type DetailsState, isActive } from "@shipboard/client";
import { clsx } from "clsx";
import { MessageSquare, PencilLine } from "lucide-react";
import { useMemo } from "react";
import { Duration, useElapsedText } from "~/shared/clock";
import { describeTime, formatClockSeconds, formatDuration } from "~/shared/format";
import { StatusIcon } from "~/shared/status-badge";
import { Panel } from "./panel";
import { type GapItem, type HappenedItem, timelineItems } from "./timeline";

/** Messages longer than this, or of several lines, are folded. */
const FOLD_CHARACTERS = 140;

/** The timeline. */
export function TimelinePanel({ details, running }: { details: DetailsState; running: boolean }) {
  const { timeline, timeline_more: more } = details;
  const items = useMemo(() => timelineItems(timeline, running), [timeline, running]);
  return (
    <Panel title="Timeline" note={more ? "the newest 500 entries" : undefined}>
      <ol className="relative">
        {items.map((item) =>
          item.is === "attempt" ? (
            <li key={item.key} className="pt-2 pb-1 text-xs font-medium text-faint first:pt-0">
              Attempt {item.attempt}
            </li>
          ) : item.is === "gap" ? (
            <Gap key={item.key} gap={item} />
          ) : (
            <Happened key={item.key} item={item} />
          ),
        )}
        {items.length === 0 && <li className="py-2 text-faint">Nothing has been reported yet.</li>}
      </ol>
    </Panel>
  );
}

const LINE_CLASS =
  "relative before:absolute before:top-0 before:bottom-0 before:left-2.5 before:w-px before:bg-line first:before:top-4 last:before:bottom-auto last:before:h-4";

function Happened({ item }: { item: HappenedItem }) {
  return (
    <li className={clsx(LINE_CLASS, "py-1.5 pl-9")} data-timeline={item.kind}>
      <span className="absolute top-2 left-0 flex size-5 items-center justify-center rounded-full bg-surface">
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
        <time
          dateTime={item.at}
          data-tip={describeTime(item.at)}
          className="w-16 shrink-0 text-right text-cell text-faint"
        >
          {formatClockSeconds(Date.parse(item.at))}
        </time>
      </div>
      {item.message && <Message text={item.message} failing={item.failing} />}
    </li>
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
  if (!long) return whole;
  return (
    <details open={failing} className="group/message">
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
