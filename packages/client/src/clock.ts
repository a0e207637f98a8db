// The one clock that all relative times are read from: the server's time, as far as the last snapshot told
// it, in steps of a second. It stands still while nobody listens. A context must never carry its value.

import type { Environment } from "./environment";

/** How often the clock moves. */
export const TICK_MS = 1_000;

/** The shared clock. */
export interface Clock {
  /** The server's time at the last tick, in milliseconds since 1970; constant between ticks. */
  now(): number;
  /** The server's time at this very moment. */
  exact(): number;
  /** How far the server's clock is ahead of this machine's. */
  offset(): number;
  /** Hears of every tick; returns what stops it. */
  subscribe(listener: () => void): () => void;
  /** Learns the server's time from a message that has just come. */
  correct(serverTime: string): void;
}

/** A clock over this environment. */
export function createClock(environment: Environment): Clock {
  const listeners = new Set<() => void>();
  let offset = 0;
  let shown = environment.now();
  let stop: (() => void) | null = null;

  const exact = () => environment.now() + offset;
  const tick = () => {
    shown = exact();
    // Aimed at the next full second, so that a late timer does not make the seconds drift.
    stop = environment.after(TICK_MS - (shown % TICK_MS), tick);
    for (const listener of [...listeners]) listener();
  };

  return {
    // Without a listener nothing ticks, so a reading must be fresh; to the second, so that it is stable.
    now: () => (stop ? shown : Math.floor(exact() / TICK_MS) * TICK_MS),
    exact,
    offset: () => offset,
    subscribe(listener) {
      listeners.add(listener);
      if (!stop) {
        shown = exact();
        stop = environment.after(TICK_MS - (shown % TICK_MS), tick);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stop?.();
        stop = null;
      };
    },
    correct(serverTime) {
      const time = Date.parse(serverTime);
      if (!Number.isNaN(time)) offset = time - environment.now();
    },
  };
}
