// The last twelve results as small bars, the newest at the right. Height says it as well as colour: a failure is
// the tallest, a success lower, what did not count the lowest.

import type { Status } from "@shipboard/client";
import { clsx } from "clsx";
import { lookOf, TONE_BAR } from "~/shared/status";

const SLOTS = 12;

const HEIGHT = {
  queued: "h-2",
  waiting: "h-4",
  running: "h-4",
  success: "h-4",
  failed: "h-5",
  cancelled: "h-2",
  skipped: "h-2",
  lost: "h-5",
} satisfies Record<Status, string>;

/** The results in words: `10 success, 2 failed; the newest failed`. */
export function recentWords(recent: readonly Status[]): string {
  const counts = new Map<Status, number>();
  for (const status of recent) counts.set(status, (counts.get(status) ?? 0) + 1);
  const words = [...counts].map(([status, count]) => `${count} ${wordOf(status)}`).join(", ");
  const newest = recent.at(-1);
  return newest && counts.size > 1 ? `${words}; the newest ${wordOf(newest)}` : words;
}

const wordOf = (status: Status): string => lookOf(status).word.toLowerCase();

/** The bars; there is room for twelve whether there are as many or not. */
export function RecentBars({ recent }: { recent: readonly Status[] }) {
  const words = recentWords(recent);
  const slots = [...Array<null>(Math.max(0, SLOTS - recent.length)).fill(null), ...recent];
  return (
    <span
      role="img"
      aria-label={`Last results: ${words || "none"}`}
      data-tip={words}
      className="relative flex h-5 items-end gap-0.75"
    >
      {slots.map((status, slot) => {
        const place = `slot-${slot}`;
        return (
          <span
            key={place}
            className={clsx(
              "w-1.25 rounded-xs",
              status === null ? "h-1.5 bg-quiet-tint" : [TONE_BAR[lookOf(status).tone], HEIGHT[status]],
            )}
          />
        );
      })}
    </span>
  );
}
