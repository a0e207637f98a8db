// A status as people see it: icon, word and colour. Quiet ones have no ground, so that what asks for attention
// stands out in a long list; the ground's space is kept, so that nothing shifts when a status changes.

import type { Status } from "@shipboard/client";
import { clsx } from "clsx";
import { lookOf, TONE_GROUND, TONE_TEXT } from "~/shared/status";

/** A status's icon alone, for where its word stands beside it already. */
export function StatusIcon({ status, size = 15 }: { status: Status; size?: number }) {
  const { icon: Icon, tone } = lookOf(status);
  return (
    <Icon
      aria-hidden="true"
      size={size}
      strokeWidth={2.25}
      className={clsx("shrink-0", TONE_TEXT[tone], status === "running" && "turning")}
    />
  );
}

/** A status's badge. */
export function StatusBadge({ status, large = false }: { status: Status; large?: boolean }) {
  const { word, tone, loud } = lookOf(status);
  return (
    <span
      data-status={status}
      className={clsx(
        "inline-flex items-center gap-1.5 rounded-full font-medium whitespace-nowrap",
        large ? "h-7 px-3 text-sm" : "h-6 px-2 text-cell",
        TONE_TEXT[tone],
        loud || large ? TONE_GROUND[tone] : "max-sm:px-0",
      )}
    >
      <StatusIcon status={status} size={large ? 16 : 14} />
      {word}
    </span>
  );
}
