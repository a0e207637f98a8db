// The ground that a page's own things stand on.

import type { ReactNode } from "react";

/** A card as wide as the page. */
export function Surface({ children }: { children: ReactNode }) {
  return <div className="rounded-xl border border-line bg-surface shadow-card">{children}</div>;
}
