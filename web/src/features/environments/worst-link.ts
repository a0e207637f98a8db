// One link out of several: a page that shows many environments is only as true as the worst of them.

import type { Link, LinkStatus } from "@shipboard/client";

/** The link of nobody. */
const NOBODY: Link = { state: { status: "connecting" }, lastEventAt: null };

const RANK = {
  live: 0,
  connecting: 1,
  reconnecting: 2,
  offline: 3,
  stopped: 4,
} satisfies Record<LinkStatus["status"], number>;

/** The worst of the links, away since the first of those was, with the last event of any. */
export function worstLink(links: readonly Link[]): Link {
  const [first, ...rest] = links;
  if (!first) return NOBODY;
  let { state, lastEventAt } = first;
  for (const link of rest) {
    if (isWorse(link.state, state)) state = link.state;
    if (link.lastEventAt !== null) lastEventAt = Math.max(lastEventAt ?? 0, link.lastEventAt);
  }
  return { state, lastEventAt };
}

function isWorse(a: LinkStatus, b: LinkStatus): boolean {
  if (RANK[a.status] !== RANK[b.status]) return RANK[a.status] > RANK[b.status];
  return "since" in a && "since" in b && a.since < b.since;
}
