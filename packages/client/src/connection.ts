// The life of one connection as a pure function: state and input give the next state and what to do. It has
// no clock, no chance and no network (stream.ts has); SPEC.md tells its states and table in words.

import { backoffMs } from "./backoff";
import type { LinkStatus, PauseReason, StopReason } from "./link";
import type { EndReason } from "./protocol/types";

/** Where a connection stands. */
export type Phase = "idle" | "connecting" | "live" | "waiting" | "paused" | "stopped";

/** Everything a connection remembers. */
export interface ConnectionState {
  readonly phase: Phase;
  /** Connections lost or refused since the last one that stayed for a minute. */
  readonly failures: number;
  /** It was live at least once. */
  readonly wasLive: boolean;
  /** When it stopped being live, or first failed to become so. */
  readonly lostAt: number | null;
  /** What the stream's `retry:` asked for. */
  readonly retryMs: number;
  /** Before this time the server does not want to be asked. */
  readonly notBefore: number;
  readonly pauses: readonly PauseReason[];
  readonly stop: { readonly reason: StopReason; readonly http_status: number | null } | null;
}

/** What can happen to a connection. */
export type Input =
  /** Somebody wants the stream. */
  | { readonly is: "open" }
  /** Nobody wants it any more. */
  | { readonly is: "close" }
  /** A first snapshot came: the stream is what it should be. */
  | { readonly is: "ready" }
  /** The stream's `retry:` field. */
  | { readonly is: "retry"; readonly ms: number }
  /** An answer other than a stream. */
  | { readonly is: "refused"; readonly status: number; readonly retryAfterMs: number | null }
  /** The stream broke, ended, fell silent, or said what nobody understands. */
  | { readonly is: "lost" }
  /** The stream said why it ends. */
  | { readonly is: "end"; readonly reason: EndReason; readonly retryMs: number }
  /** The wait is over. */
  | { readonly is: "timer" }
  /** It has been live for a minute. */
  | { readonly is: "stable" }
  | { readonly is: "pause"; readonly reason: PauseReason }
  | { readonly is: "resume"; readonly reason: PauseReason }
  /** The page was shown, restored or connected; so long no byte has come. */
  | { readonly is: "wake"; readonly silentMs: number }
  /** A person, or a change of what is wanted, asks for a new connection at once. */
  | { readonly is: "again" };

/** What the shell has to do. Timers of a phase end with the phase. */
export type Effect =
  | { readonly do: "connect" }
  | { readonly do: "disconnect" }
  | { readonly do: "wait"; readonly ms: number }
  /** Tell `stable` after a minute. */
  | { readonly do: "settle" };

/** The moment and the chance of a transition. */
export interface Moment {
  readonly now: number;
  readonly random: number;
}

/** No byte for this long: the connection is lost. */
export const SILENCE_MS = 40_000;
/** Live for this long: earlier failures are forgotten. */
export const STABLE_MS = 60_000;
/** Silent for this long when the page wakes: do not wait for the watchdog. A heartbeat comes every 15 s. */
export const WAKE_SILENCE_MS = 20_000;
/** Pages that wake together spread over this long. */
export const WAKE_JITTER_MS = 500;
/** So many failures in a row are called offline, not reconnecting. */
export const OFFLINE_AFTER_FAILURES = 3;

/** A connection that nobody has wanted yet. */
export const idleConnection: ConnectionState = {
  phase: "idle",
  failures: 0,
  wasLive: false,
  lostAt: null,
  retryMs: 0,
  notBefore: 0,
  pauses: [],
  stop: null,
};

/** For every phase and input the phases that may follow; the machine does nothing that is not here. */
export const TRANSITIONS = {
  idle: {
    open: ["connecting", "paused"],
    close: ["idle"],
    ready: ["idle"],
    retry: ["idle"],
    refused: ["idle"],
    lost: ["idle"],
    end: ["idle"],
    timer: ["idle"],
    stable: ["idle"],
    pause: ["idle"],
    resume: ["idle"],
    wake: ["idle"],
    again: ["idle"],
  },
  connecting: {
    open: ["connecting"],
    close: ["idle"],
    ready: ["live"],
    retry: ["connecting"],
    refused: ["waiting", "stopped"],
    lost: ["waiting"],
    end: ["waiting", "stopped"],
    timer: ["connecting"],
    stable: ["connecting"],
    pause: ["paused"],
    resume: ["connecting"],
    wake: ["connecting", "waiting"],
    again: ["connecting"],
  },
  live: {
    open: ["live"],
    close: ["idle"],
    ready: ["live"],
    retry: ["live"],
    refused: ["live"],
    lost: ["waiting"],
    end: ["waiting", "stopped"],
    timer: ["live"],
    stable: ["live"],
    pause: ["paused"],
    resume: ["live"],
    wake: ["live", "waiting"],
    again: ["connecting"],
  },
  waiting: {
    open: ["waiting"],
    close: ["idle"],
    ready: ["waiting"],
    retry: ["waiting"],
    refused: ["waiting"],
    lost: ["waiting"],
    end: ["waiting"],
    timer: ["connecting"],
    stable: ["waiting"],
    pause: ["paused"],
    resume: ["waiting"],
    wake: ["waiting"],
    again: ["connecting"],
  },
  paused: {
    open: ["paused"],
    close: ["idle"],
    ready: ["paused"],
    retry: ["paused"],
    refused: ["paused"],
    lost: ["paused"],
    end: ["paused"],
    timer: ["paused"],
    stable: ["paused"],
    pause: ["paused"],
    resume: ["paused", "waiting"],
    wake: ["paused"],
    again: ["paused"],
  },
  stopped: {
    open: ["stopped"],
    close: ["idle"],
    ready: ["stopped"],
    retry: ["stopped"],
    refused: ["stopped"],
    lost: ["stopped"],
    end: ["stopped"],
    timer: ["stopped"],
    stable: ["stopped"],
    pause: ["stopped"],
    resume: ["stopped"],
    wake: ["stopped"],
    again: ["connecting", "paused"],
  },
} as const satisfies Record<Phase, Record<Input["is"], readonly Phase[]>>;

/** The next state and what to do about it. */
export type Transition = readonly [ConnectionState, readonly Effect[]];

const END_STOPS = {
  drain: null,
  unavailable: null,
  expired: "expired",
  revoked: "revoked",
  gone: "gone",
} as const satisfies Record<EndReason, StopReason | null>;

/** Why a status code ends all attempts; null if another attempt makes sense. */
export function stopReasonOf(status: number): StopReason | null {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404 || status === 410) return "not_found";
  // 408, 425 and 429 are about the moment, other 4xx about the request: repeating it changes nothing.
  if (status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429) return "refused";
  return null;
}

/** The next state of a connection. */
export function transition(state: ConnectionState, input: Input, moment: Moment): Transition {
  switch (input.is) {
    case "open":
      return state.phase === "idle" ? start(state, moment) : [state, []];
    case "close":
      return state.phase === "idle"
        ? [state, []]
        : [{ ...idleConnection, pauses: state.pauses }, [{ do: "disconnect" }]];
    case "ready":
      if (state.phase !== "connecting") return [state, []];
      return [{ ...state, phase: "live", wasLive: true, lostAt: null }, [{ do: "settle" }]];
    case "retry":
      return isUp(state) ? [{ ...state, retryMs: input.ms }, []] : [state, []];
    case "refused": {
      if (state.phase !== "connecting") return [state, []];
      const reason = stopReasonOf(input.status);
      if (reason) return stop(state, reason, input.status, moment);
      return lose(state, input.retryAfterMs ?? 0, moment);
    }
    case "lost":
      return isUp(state) ? lose(state, state.retryMs, moment) : [state, []];
    case "end": {
      if (!isUp(state)) return [state, []];
      const reason = END_STOPS[input.reason];
      return reason ? stop(state, reason, null, moment) : lose(state, input.retryMs, moment);
    }
    case "timer":
      return state.phase === "waiting"
        ? [{ ...state, phase: "connecting" }, [{ do: "connect" }]]
        : [state, []];
    case "stable":
      return state.phase === "live" ? [{ ...state, failures: 0 }, []] : [state, []];
    case "pause":
      return pause(state, input.reason, moment);
    case "resume":
      return resume(state, input.reason, moment);
    case "wake":
      return wake(state, input.silentMs, moment);
    case "again":
      if (state.phase === "idle" || state.phase === "paused") return [state, []];
      return start({ ...state, stop: null, failures: 0 }, moment);
  }
}

/** What a person may be told of the connection. */
export function linkStatusOf(state: ConnectionState): LinkStatus {
  if (state.stop) return { status: "stopped", ...state.stop };
  if (state.phase === "live") return { status: "live" };
  if (state.lostAt === null) return { status: "connecting" };
  const away = state.failures >= OFFLINE_AFTER_FAILURES || state.pauses.includes("offline");
  if (away) return { status: "offline", since: state.lostAt };
  return state.wasLive ? { status: "reconnecting", since: state.lostAt } : { status: "connecting" };
}

const isUp = (state: ConnectionState): boolean => state.phase === "connecting" || state.phase === "live";

const away = (state: ConnectionState, { now }: Moment): ConnectionState => ({
  ...state,
  lostAt: state.lostAt ?? now,
});

function start(state: ConnectionState, moment: Moment): Transition {
  if (state.pauses.length > 0) return [away({ ...state, phase: "paused" }, moment), []];
  const lostAt = state.wasLive ? (state.lostAt ?? moment.now) : state.lostAt;
  return [{ ...state, phase: "connecting", lostAt }, [{ do: "connect" }]];
}

function stop(
  state: ConnectionState,
  reason: StopReason,
  http_status: number | null,
  moment: Moment,
): Transition {
  return [
    away({ ...state, phase: "stopped", stop: { reason, http_status } }, moment),
    [{ do: "disconnect" }],
  ];
}

function lose(state: ConnectionState, requestedMs: number, moment: Moment): Transition {
  const ms = backoffMs(state.failures, requestedMs, moment.random);
  // The spread on top is ours; only what the server asked for binds a page that wakes.
  const notBefore = requestedMs > 0 ? moment.now + ms : 0;
  const next = away({ ...state, phase: "waiting", failures: state.failures + 1, notBefore }, moment);
  return [next, [{ do: "disconnect" }, { do: "wait", ms }]];
}

/** Connects after a short random while, but not before the server wants it. */
function soon(state: ConnectionState, moment: Moment): Transition {
  const ms = Math.max(Math.round(moment.random * WAKE_JITTER_MS), state.notBefore - moment.now);
  return [away({ ...state, phase: "waiting" }, moment), [{ do: "wait", ms }]];
}

function pause(state: ConnectionState, reason: PauseReason, moment: Moment): Transition {
  if (state.pauses.includes(reason)) return [state, []];
  const next = { ...state, pauses: [...state.pauses, reason] };
  if (state.phase === "idle" || state.phase === "stopped" || state.phase === "paused") return [next, []];
  return [away({ ...next, phase: "paused" }, moment), [{ do: "disconnect" }]];
}

function resume(state: ConnectionState, reason: PauseReason, moment: Moment): Transition {
  if (!state.pauses.includes(reason)) return [state, []];
  const next = { ...state, pauses: state.pauses.filter((held) => held !== reason) };
  if (state.phase !== "paused" || next.pauses.length > 0) return [next, []];
  return soon({ ...next, failures: 0 }, moment);
}

function wake(state: ConnectionState, silentMs: number, moment: Moment): Transition {
  if (state.phase === "waiting") return soon(state, moment);
  if (!isUp(state) || silentMs < WAKE_SILENCE_MS) return [state, []];
  const [next, effects] = soon(state, moment);
  return [next, [{ do: "disconnect" }, ...effects]];
}
