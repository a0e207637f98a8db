// The connection's machine against its table and its numbered invariants (SPEC.md).

import { describe, expect, test } from "vitest";
import { BASE_MS, backoffMs, CAP_MS, REQUESTED_LIMIT_MS } from "./backoff";
import {
  type ConnectionState,
  type Input,
  idleConnection,
  linkStatusOf,
  OFFLINE_AFTER_FAILURES,
  type Phase,
  stopReasonOf,
  TRANSITIONS,
  transition,
  WAKE_JITTER_MS,
  WAKE_SILENCE_MS,
} from "./connection";
import { END_REASONS } from "./protocol/words";

const moment = { now: 1_000_000, random: 0.5 };
const base: Omit<ConnectionState, "phase"> = { ...idleConnection };

/** Every kind of state that a phase can be in, as far as a transition could tell. */
const statesOf: Record<Phase, ConnectionState[]> = {
  idle: [idleConnection, { ...base, phase: "idle", pauses: ["hidden"] }],
  connecting: [
    { ...base, phase: "connecting" },
    { ...base, phase: "connecting", wasLive: true, lostAt: 5, failures: 4, retryMs: 2_000 },
  ],
  live: [
    { ...base, phase: "live", wasLive: true },
    { ...base, phase: "live", wasLive: true, failures: 2, retryMs: 2_000 },
  ],
  waiting: [
    { ...base, phase: "waiting", lostAt: 5, failures: 1 },
    { ...base, phase: "waiting", lostAt: 5, failures: 1, notBefore: 1_030_000 },
  ],
  paused: [
    { ...base, phase: "paused", lostAt: 5, pauses: ["hidden"] },
    { ...base, phase: "paused", lostAt: 5, pauses: ["hidden", "offline"] },
  ],
  stopped: [
    { ...base, phase: "stopped", lostAt: 5, stop: { reason: "not_found", http_status: 404 } },
    { ...base, phase: "stopped", lostAt: 5, pauses: ["hidden"], stop: { reason: "gone", http_status: null } },
  ],
};

const inputsOf: Record<Input["is"], Input[]> = {
  open: [{ is: "open" }],
  close: [{ is: "close" }],
  ready: [{ is: "ready" }],
  retry: [{ is: "retry", ms: 3_000 }],
  refused: [401, 403, 404, 422, 429, 500, 503].map((status) => ({
    is: "refused",
    status,
    retryAfterMs: null,
  })),
  lost: [{ is: "lost" }],
  end: END_REASONS.map((reason) => ({ is: "end", reason, retryMs: 1_500 })),
  timer: [{ is: "timer" }],
  stable: [{ is: "stable" }],
  pause: [
    { is: "pause", reason: "hidden" },
    { is: "pause", reason: "offline" },
    { is: "pause", reason: "follower" },
  ],
  resume: [
    { is: "resume", reason: "hidden" },
    { is: "resume", reason: "offline" },
  ],
  wake: [
    { is: "wake", silentMs: 0 },
    { is: "wake", silentMs: WAKE_SILENCE_MS },
  ],
  again: [{ is: "again" }],
};

const phases = Object.keys(statesOf) as Phase[];
const kinds = Object.keys(inputsOf) as Input["is"][];
const pairs = phases.flatMap((phase) => kinds.map((kind) => [phase, kind] as const));

describe("the table", () => {
  test.each(pairs)("C1 says all and only what the machine does in %s on %s", (phase, kind) => {
    const reached = new Set<Phase>();
    for (const state of statesOf[phase]) {
      for (const input of inputsOf[kind]) reached.add(transition(state, input, moment)[0].phase);
    }
    expect([...reached].sort()).toEqual([...TRANSITIONS[phase][kind]].sort());
  });

  test.each(pairs)("C2 is obeyed by the effects in %s on %s", (phase, kind) => {
    for (const state of statesOf[phase]) {
      for (const input of inputsOf[kind]) {
        const [next, effects] = transition(state, input, moment);
        const does = effects.map((effect) => effect.do);
        // A request exists in two phases only, a wait in one, and each is begun and ended exactly there.
        const wasUp = phase === "connecting" || phase === "live";
        const isUp = next.phase === "connecting" || next.phase === "live";
        if (wasUp && !isUp) expect(does).toContain("disconnect");
        if (!wasUp && isUp) expect(does).toContain("connect");
        if (phase !== "waiting" && next.phase === "waiting") expect(does).toContain("wait");
        expect(does.includes("wait")).toBe(next.phase === "waiting" && next !== state);
        expect(next.stop !== null).toBe(next.phase === "stopped");
        if (next.phase === "paused") expect(next.pauses).not.toEqual([]);
        if (next.phase === "live") expect(next.lostAt).toBeNull();
      }
    }
  });
});

/** Runs inputs one after the other. */
const run = (inputs: readonly Input[], from: ConnectionState = idleConnection, random = 0.5) =>
  inputs.reduce<{ state: ConnectionState; waits: number[] }>(
    ({ state, waits }, input) => {
      const [next, effects] = transition(state, input, { ...moment, random });
      const wait = effects.flatMap((effect) => (effect.do === "wait" ? [effect.ms] : []));
      return { state: next, waits: [...waits, ...wait] };
    },
    { state: from, waits: [] },
  );

const lost: Input = { is: "lost" };
const timer: Input = { is: "timer" };
const up: Input[] = [{ is: "open" }, { is: "ready" }];

describe("a connection", () => {
  test("C3 waits longer after each failure, up to the cap, anywhere below the limit (F7)", () => {
    const failures = Array.from({ length: 8 }, () => [lost, timer]).flat();
    const limits = [1, 2, 4, 8, 16, 20, 20, 20].map((seconds) => seconds * 1_000);
    expect(run([{ is: "open" }, ...failures], idleConnection, 0.5).waits).toEqual(limits.map((ms) => ms / 2));
    expect(run([{ is: "open" }, ...failures], idleConnection, 0).waits).toEqual(limits.map(() => 0));
    expect(CAP_MS).toBe(20_000);
  });

  test("C4 forgets its failures only after a stable minute", () => {
    const flapping = run([...up, lost, timer, { is: "ready" }, lost, timer, { is: "ready" }]).state;
    expect(flapping.failures).toBe(2);
    expect(run([{ is: "stable" }], flapping).state.failures).toBe(0);
  });

  test("C5 respects what the server asks for, spread by up to a second", () => {
    expect(run([...up, { is: "end", reason: "drain", retryMs: 7_000 }]).waits).toEqual([7_500]);
    expect(run([{ is: "open" }, { is: "retry", ms: 2_000 }, lost]).waits).toEqual([2_500]);
    expect(run([{ is: "open" }, { is: "refused", status: 429, retryAfterMs: 30_000 }]).waits).toEqual([
      30_500,
    ]);
    expect(backoffMs(0, 86_400_000, 0)).toBe(REQUESTED_LIMIT_MS);
    expect(backoffMs(0, 0, 0.25)).toBe(BASE_MS / 4);
  });

  test.each([
    [401, "unauthorized"],
    [403, "forbidden"],
    [404, "not_found"],
    [410, "not_found"],
    [422, "refused"],
  ] as const)("C6 stops on %i and says so", (status, reason) => {
    const { state, waits } = run([
      { is: "open" },
      { is: "refused", status, retryAfterMs: null },
      timer,
      lost,
    ]);
    expect(linkStatusOf(state)).toEqual({ status: "stopped", reason, http_status: status });
    expect(waits).toEqual([]);
  });

  test.each([200, 204, 302, 408, 425, 429, 500, 502, 503, 504])("C6 does not stop on %i", (status) => {
    expect(stopReasonOf(status)).toBeNull();
  });

  test.each(["expired", "revoked", "gone"] as const)("C7 stops when the stream ends as %s", (reason) => {
    const { state } = run([...up, { is: "end", reason, retryMs: 1 }]);
    expect(linkStatusOf(state)).toEqual({ status: "stopped", reason, http_status: null });
  });

  test("C8 takes a clean end for a reconnect (F4)", () => {
    expect(run([...up, lost]).state.phase).toBe("waiting");
    expect(run([...up, { is: "end", reason: "drain", retryMs: 1 }]).state.phase).toBe("waiting");
  });

  test("C9 rests while there is any reason to, and goes on when the last one is gone", () => {
    const both: Input[] = [
      { is: "pause", reason: "hidden" },
      { is: "pause", reason: "offline" },
      { is: "resume", reason: "hidden" },
    ];
    const paused = run([...up, ...both]).state;
    expect(paused).toMatchObject({ phase: "paused", pauses: ["offline"] });
    const { state, waits } = run([{ is: "resume", reason: "offline" }], paused);
    expect(state.phase).toBe("waiting");
    expect(waits).toEqual([WAKE_JITTER_MS / 2]);
  });

  test("C10 looks at once when the page wakes, with jitter, but not before the server wants it (P13)", () => {
    expect(run([...up, lost, { is: "wake", silentMs: 0 }]).waits).toEqual([500, 250]);
    expect(run([...up, { is: "wake", silentMs: WAKE_SILENCE_MS }]).waits).toEqual([250]);
    expect(run([...up, { is: "wake", silentMs: 1_000 }]).state.phase).toBe("live");
    const refused: Input = { is: "refused", status: 429, retryAfterMs: 30_000 };
    expect(run([{ is: "open" }, refused, { is: "wake", silentMs: 0 }]).waits).toEqual([30_500, 30_500]);
  });

  test("C11 connects at once when a person asks, from a stop too", () => {
    const stopped = run([{ is: "open" }, { is: "refused", status: 401, retryAfterMs: null }]).state;
    expect(run([{ is: "again" }], stopped).state).toMatchObject({
      phase: "connecting",
      stop: null,
      failures: 0,
    });
  });
});

describe("the link", () => {
  test("C12 tells how things are: connecting, live, reconnecting since, offline since", () => {
    const since = moment.now;
    expect(linkStatusOf(idleConnection)).toEqual({ status: "connecting" });
    expect(linkStatusOf(run([{ is: "open" }, lost]).state)).toEqual({ status: "connecting" });
    expect(linkStatusOf(run(up).state)).toEqual({ status: "live" });
    expect(linkStatusOf(run([...up, lost, timer]).state)).toEqual({ status: "reconnecting", since });
    const failures = Array.from({ length: OFFLINE_AFTER_FAILURES }, () => [lost, timer]).flat();
    expect(linkStatusOf(run([...up, ...failures]).state)).toEqual({ status: "offline", since });
    expect(linkStatusOf(run([...up, { is: "pause", reason: "offline" }]).state)).toEqual({
      status: "offline",
      since,
    });
    expect(linkStatusOf(run([...up, lost, timer, { is: "ready" }]).state)).toEqual({ status: "live" });
  });
});
