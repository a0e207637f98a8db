// The shell of one connection: does what connection.ts decides, over a fetch whose status and headers are
// seen, and feeds what comes back into it. What the events mean is for whoever gets them.

import { retryAfterMs } from "./backoff";
import {
  type ConnectionState,
  type Effect,
  type Input,
  idleConnection,
  SILENCE_MS,
  STABLE_MS,
  transition,
} from "./connection";
import type { Environment } from "./environment";
import { decodeEnvelope } from "./protocol/decode";
import type { Envelope } from "./protocol/types";
import { createBlockReader } from "./sse";

/** How many characters of one message are taken; a longer one is malformed. */
export const MESSAGE_LIMIT = 16 * 1024 * 1024;

/** What a stream tells its owner. */
export interface StreamListener {
  /** Where to connect; asked at every attempt. */
  target(): { readonly url: string; readonly lastEventId: string | null };
  /** A connection's first snapshot is about to be delivered. */
  ready(): void;
  event(event: Envelope): void;
  id(id: string): void;
  state(state: ConnectionState): void;
}

/** What a stream has met and not acted on. */
export interface StreamCounters {
  unknown: number;
  malformed: number;
  connects: number;
}

/** One connection that keeps itself up. */
export class Stream {
  #state = idleConnection;
  #request: AbortController | null = null;
  #lastByteAt = 0;
  #timers: { wait?: () => void; settle?: () => void; silence?: () => void } = {};
  readonly #environment: Environment;
  readonly #listener: StreamListener;
  readonly #counters: StreamCounters;

  constructor(environment: Environment, listener: StreamListener, counters: StreamCounters) {
    this.#environment = environment;
    this.#listener = listener;
    this.#counters = counters;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** How long no byte has come. */
  silentMs(): number {
    return this.#environment.now() - this.#lastByteAt;
  }

  /** Something happened to the connection. */
  input(input: Input): void {
    const moment = { now: this.#environment.now(), random: this.#environment.random() };
    const [next, effects] = transition(this.#state, input, moment);
    if (next === this.#state) return;
    this.#state = next;
    if (next.phase !== "waiting") this.#stop("wait");
    if (next.phase !== "live") this.#stop("settle");
    for (const effect of effects) this.#do(effect);
    this.#listener.state(next);
  }

  #do(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        this.#disconnect();
        void this.#connect();
        break;
      case "disconnect":
        this.#disconnect();
        break;
      case "wait":
        this.#start("wait", effect.ms, () => this.input({ is: "timer" }));
        break;
      case "settle":
        this.#start("settle", STABLE_MS, () => this.input({ is: "stable" }));
        break;
    }
  }

  #disconnect(): void {
    this.#stop("silence");
    // Cleared first: whatever the abort sets free must find that it is no longer the current request.
    const request = this.#request;
    this.#request = null;
    request?.abort();
  }

  async #connect(): Promise<void> {
    const request = new AbortController();
    this.#request = request;
    this.#counters.connects += 1;
    this.#lastByteAt = this.#environment.now();
    this.#watch();
    const { url, lastEventId } = this.#listener.target();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (lastEventId !== null) headers["Last-Event-ID"] = lastEventId;
    try {
      const response = await this.#environment.fetch(url, {
        headers,
        cache: "no-store",
        credentials: "same-origin",
        signal: request.signal,
      });
      if (this.#request !== request) {
        void response.body?.cancel().catch(() => undefined);
        return;
      }
      if (response.status !== 200) {
        const retryAfter = retryAfterMs(response.headers, this.#environment.now());
        this.input({ is: "refused", status: response.status, retryAfterMs: retryAfter });
        return;
      }
      const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;
      if (isStream && response.body) await this.#read(response.body, request);
    } catch {
      // A network error and a clean end lead the same way; an abort of ours is no longer the current request.
    }
    if (this.#request === request) this.input({ is: "lost" });
  }

  async #read(body: ReadableStream<Uint8Array>, request: AbortController): Promise<void> {
    const current = () => this.#request === request;
    const malformed = () => {
      if (!current()) return;
      this.#counters.malformed += 1;
      this.input({ is: "lost" });
    };
    const feed = createBlockReader(MESSAGE_LIMIT, {
      message: (data) => current() && this.#message(data, malformed),
      id: (id) => current() && id !== "" && this.#listener.id(id),
      retry: (ms) => current() && this.input({ is: "retry", ms }),
      overflow: malformed,
    });
    const decoder = new TextDecoder();
    const reader = body.getReader();
    while (current()) {
      const { done, value } = await reader.read();
      if (done || !current()) break;
      this.#lastByteAt = this.#environment.now();
      feed(decoder.decode(value, { stream: true }));
    }
    if (!current()) void reader.cancel().catch(() => undefined);
  }

  #message(data: string, malformed: () => void): void {
    const decoded = decodeEnvelope(data);
    if (decoded.is === "malformed") {
      malformed();
      return;
    }
    if (decoded.is === "unknown") {
      this.#counters.unknown += 1;
      return;
    }
    const { event } = decoded;
    if (event.type === "stream.end") {
      this.input({ is: "end", reason: event.payload.reason, retryMs: event.payload.retry_ms });
      return;
    }
    if (event.type === "snapshot" && this.#state.phase === "connecting") {
      this.#listener.ready();
      this.input({ is: "ready" });
    }
    this.#listener.event(event);
  }

  /** One timer for the whole connection: it looks when the last byte came and sleeps for the rest. */
  #watch(): void {
    const left = SILENCE_MS - this.silentMs();
    this.#start("silence", left, () => {
      if (this.silentMs() >= SILENCE_MS) this.input({ is: "lost" });
      else this.#watch();
    });
  }

  #start(name: "wait" | "settle" | "silence", ms: number, callback: () => void): void {
    this.#stop(name);
    this.#timers[name] = this.#environment.after(Math.max(0, ms), callback);
  }

  #stop(name: "wait" | "settle" | "silence"): void {
    this.#timers[name]?.();
    delete this.#timers[name];
  }
}
