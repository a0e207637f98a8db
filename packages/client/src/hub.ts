// What all stores of a client share: the streams, the clock, and the one moment at which everything that has
// come is applied and told. It knows no scope's rules.

import { isLoopback } from "./address";
import type { Carrier } from "./carrier";
import type { Clock } from "./clock";
import type { Environment, PageSignal } from "./environment";

/** The longest that an event waits for a frame. */
export const NOTIFY_MS = 100;
/** How many messages wait for a frame; more are applied at once. */
export const QUEUE_LIMIT = 5_000;
/** How long a scope's stream stays open after its last listener left: for a step back and forth. */
export const LINGER_MS = 5_000;
/** How many scopes that nobody listens to keep their last state. */
export const IDLE_SCOPES_LIMIT = 20;
/** How long a page may be hidden before its streams rest. */
export const HIDDEN_GRACE_MS = 5 * 60_000;

/** Something that collects messages and applies them together. */
export interface Batched {
  /** Applies what has come; adds to the set whom to tell. */
  apply(tell: Set<() => void>): void;
}

/** The middle of a client. */
export class Hub {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly streams: Carrier;
  readonly baseUrl: string;
  readonly #loopback: boolean;
  readonly #dirty = new Set<Batched>();
  #queued = 0;
  #scheduled: (() => void) | null = null;
  #hidden: (() => void) | null = null;
  readonly #stopPage: () => void;

  constructor(environment: Environment, clock: Clock, streams: Carrier, baseUrl: string) {
    this.environment = environment;
    this.clock = clock;
    this.streams = streams;
    this.baseUrl = baseUrl;
    this.#loopback = isLoopback(baseUrl);
    this.#stopPage = environment.onPage((signal) => this.#page(signal));
    if (environment.hidden()) this.#page({ is: "hidden" });
    if (!environment.online()) this.#page({ is: "offline" });
  }

  /** The store has something to apply, at the next frame or soon. */
  schedule(batched: Batched): void {
    this.#dirty.add(batched);
    this.#queued += 1;
    if (this.#queued > QUEUE_LIMIT) {
      this.flush();
      return;
    }
    if (this.#scheduled) return;
    const run = () => this.flush();
    const stopFrame = this.environment.frame(run);
    // No frames are drawn while the page is hidden, and the tab's title has to follow all the same.
    const stopTimer = this.environment.after(NOTIFY_MS, run);
    this.#scheduled = () => {
      stopFrame();
      stopTimer();
    };
  }

  /** Applies and tells everything now. */
  flush(): void {
    this.#scheduled?.();
    this.#scheduled = null;
    this.#queued = 0;
    const tell = new Set<() => void>();
    // What is applied may make others dirty (a view of a list): they belong to the same pass.
    while (this.#dirty.size > 0) {
      const dirty = [...this.#dirty];
      this.#dirty.clear();
      for (const batched of dirty) batched.apply(tell);
    }
    for (const listener of tell) listener();
  }

  close(): void {
    this.#scheduled?.();
    this.#scheduled = null;
    this.#dirty.clear();
    this.#hidden?.();
    this.#stopPage();
    this.streams.close();
  }

  #page(signal: PageSignal): void {
    if (signal.is === "hidden") {
      this.#hidden ??= this.environment.after(HIDDEN_GRACE_MS, () => this.streams.pause("hidden"));
      return;
    }
    if (signal.is === "offline") {
      // A server on this very machine is there without any network; whether it is, an attempt tells.
      if (this.#loopback) this.streams.suspect();
      else this.streams.pause("offline");
      return;
    }
    if (signal.why !== "online") {
      this.#hidden?.();
      this.#hidden = null;
      this.streams.resume("hidden");
    }
    if (signal.why === "online" || this.environment.online()) this.streams.resume("offline");
    this.streams.wake();
  }
}
