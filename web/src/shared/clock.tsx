// Times that move. A cell hears the one shared clock but renders only when its text changes; a duration that
// runs stops where the link was lost. No component has a timer of its own, and no context carries a tick.

import type { Link } from "@shipboard/client";
import { useClient } from "@shipboard/client/react";
import { createContext, useCallback, useContext, useSyncExternalStore } from "react";
import { describeTime, formatDuration, formatExact, formatRelative } from "~/shared/format";
import { usePreferences } from "~/shared/preferences";

/** The server's time at which the link was lost; null while it is up. Changes only when the link does. */
export const FrozenAt = createContext<number | null>(null);

/** Where running durations stop under this link, as the server's time. */
export function frozenAt(link: Link, offset: number): number | null {
  const { state } = link;
  if (state.status === "reconnecting" || state.status === "offline") return state.since + offset;
  return state.status === "stopped" ? (link.lastEventAt ?? 0) + offset : null;
}

/** A text that depends on the server's time, rendered only when it changes. */
export function useClockText(textAt: (now: number) => string, ticks = true): string {
  const { clock } = useClient();
  const subscribe = useCallback(
    (listener: () => void) => (ticks ? clock.subscribe(listener) : () => undefined),
    [clock, ticks],
  );
  const get = () => textAt(clock.now());
  return useSyncExternalStore(subscribe, get, get);
}

/** The milliseconds from `from` to `to`, or to now while it runs; it stands still without a link. */
export function useElapsedText(from: string, to: string | null, write: (ms: number) => string): string {
  const frozen = useContext(FrozenAt);
  const start = Date.parse(from);
  const end = to === null ? frozen : Date.parse(to);
  return useClockText((now) => write(Math.max(0, (end ?? now) - start)), end === null);
}

/** "3m ago", or the time itself where that was chosen; all of it in the tooltip, after what it is the time of. */
export function RelativeTime({ at, className, what }: { at: string; className?: string; what?: string }) {
  const time = Date.parse(at);
  const { times } = usePreferences();
  const write = times === "exact" ? formatExact : formatRelative;
  const text = useClockText((now) => write(time, now));
  return (
    <time
      dateTime={at}
      data-tip={what ? `${what}\n${describeTime(at)}` : describeTime(at)}
      className={className}
    >
      {text}
    </time>
  );
}

/** `1m 12s`, running while there is no end. */
export function Duration({ from, to, className }: { from: string; to: string | null; className?: string }) {
  const text = useElapsedText(from, to, formatDuration);
  return (
    <span data-number="" className={className}>
      {text}
    </span>
  );
}
