// A deployment's progress as a bar. The width moves smoothly only forwards; whoever reads with their ears gets
// a value only where one was reported. What it says is decided in progress.ts.

import { clsx } from "clsx";
import type { ProgressView } from "~/shared/progress";
import { TONE_BAR } from "~/shared/status";

/** The bar alone, without words. */
export function ProgressBar({ view, label, large }: { view: ProgressView; label: string; large?: boolean }) {
  const reported = view.from === "reported";
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuetext={view.label}
      {...(reported && {
        "aria-valuenow": Math.floor(view.percent),
        "aria-valuemin": 0,
        "aria-valuemax": 100,
      })}
      className={clsx("w-full overflow-hidden rounded-full bg-quiet-tint", large ? "h-2" : "h-1")}
    >
      <div
        className={clsx(
          "h-full rounded-full transition-[width] duration-300 ease-out",
          TONE_BAR[view.tone],
          view.from === "estimate" && "estimated",
        )}
        style={{ width: `${view.percent}%` }}
      />
    </div>
  );
}
