// A titled surface of the details page.

import { clsx } from "clsx";
import type { ReactNode } from "react";

/** The surface. */
export function Panel({
  title,
  note,
  actions,
  className,
  children,
}: {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section
      aria-label={title}
      className={clsx("rounded-xl border border-line bg-surface shadow-card", className)}
    >
      <div className="flex min-h-12 flex-wrap items-center gap-x-3 gap-y-2 px-4 py-2">
        <h2 className="font-semibold">{title}</h2>
        {note && <span className="text-cell text-faint">{note}</span>}
        {actions && (
          <div className="ml-auto flex flex-wrap items-center gap-1 max-sm:ml-0 max-sm:w-full">{actions}</div>
        )}
      </div>
      <div className="px-4 pb-4">{children}</div>
    </section>
  );
}
