// A world for tests: an Environment whose time stands still until it is moved, whose chance is fixed, and
// whose network is a script. Nothing sleeps; `settle` lets what is due between two moments happen.

import type { Environment, PageSignal } from "../environment";

/** What a test answers a request with. */
export type Answer = Response | Promise<Response>;

/** A request that was made. */
export interface Request {
  readonly url: string;
  readonly init: RequestInit;
  readonly headers: Headers;
}

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Lets everything that is already due (promises, streams) happen. */
export async function settle(): Promise<void> {
  // Streams pass a chunk through several promises; so many turns are more than any path here has.
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** An environment in a test's hands. */
export class World implements Environment {
  time: number;
  /** What `random` gives. */
  chance = 0.5;
  isHidden = false;
  isOnline = true;
  /** Whether frames are drawn; a test draws them by `draw`, and `advance` does by itself. */
  readonly requests: Request[] = [];
  #answer: (request: Request) => Answer = () => Response.error();
  #timers = new Set<Timer>();
  #frames = new Set<() => void>();
  #listeners = new Set<(signal: PageSignal) => void>();

  constructor(time = Date.UTC(2026, 0, 1)) {
    this.time = time;
  }

  readonly now = (): number => this.time;
  readonly random = (): number => this.chance;
  readonly hidden = (): boolean => this.isHidden;
  readonly online = (): boolean => this.isOnline;

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const request = { url, init, headers: new Headers(init.headers) };
    this.requests.push(request);
    const aborted = new Promise<never>((_, reject) => {
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
    return Promise.race([this.#answer(request), aborted]);
  };

  readonly after = (ms: number, callback: () => void): (() => void) => {
    const timer = { at: this.time + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  readonly frame = (callback: () => void): (() => void) => {
    this.#frames.add(callback);
    return () => this.#frames.delete(callback);
  };

  readonly onPage = (listener: (signal: PageSignal) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** How requests are answered from now on. */
  answer(answer: (request: Request) => Answer): void {
    this.#answer = answer;
  }

  /** The page tells something. */
  signal(signal: PageSignal): void {
    for (const listener of [...this.#listeners]) listener(signal);
  }

  /** How many timers are running. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Draws a frame. */
  draw(): void {
    const frames = [...this.#frames];
    this.#frames.clear();
    for (const frame of frames) frame();
  }

  /** Moves time on, firing timers in order and letting their consequences happen. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      await settle();
    }
    this.time = end;
    await settle();
  }

  /** Lets what has come be applied and told: a frame is drawn. */
  async tick(): Promise<void> {
    await settle();
    this.draw();
    await settle();
  }
}
