// A line of the summary: what it is of at the left, the value at the right.

import type { ReactNode } from "react";

/** The line. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex min-h-9 items-center justify-between gap-4 py-1.5 text-cell compact:min-h-7.5 compact:py-1">
      <dt className="shrink-0 text-faint">{name}</dt>
      <dd className="flex min-w-0 items-center gap-2 text-right">{children}</dd>
    </div>
  );
}
