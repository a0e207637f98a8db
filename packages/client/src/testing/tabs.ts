// A browser with tabs, in memory: locks are given in the order they were asked for, messages arrive a turn
// later and as copies. A tab that is killed says nothing; its locks just come free.

import type { Browser } from "../sharing/browser";

interface Request {
  readonly tab: string;
  readonly held: () => void;
}

/** The common ground of test tabs. */
export class TestTabs {
  readonly #queues = new Map<string, Request[]>();
  readonly #channels = new Set<{ tab: string; name: string; hear: (message: unknown) => void }>();
  #made = 0;
  /** How many messages were posted. */
  posted = 0;

  /** A new tab. */
  open(): Browser {
    this.#made += 1;
    const tab = `tab-${this.#made}`;
    return {
      tab,
      hold: (name, held) => {
        const request = { tab, held };
        const queue = this.#queues.get(name) ?? [];
        this.#queues.set(name, queue);
        queue.push(request);
        if (queue.length === 1) queueMicrotask(held);
        return () => this.#drop(name, request);
      },
      channel: (name, hear) => {
        const end = { tab, name, hear };
        this.#channels.add(end);
        return {
          post: (message) => {
            this.posted += 1;
            const copy: unknown = structuredClone(message);
            const others = [...this.#channels].filter((other) => other !== end && other.name === name);
            queueMicrotask(() => {
              for (const other of others) if (this.#channels.has(other)) other.hear(copy);
            });
          },
          close: () => this.#channels.delete(end),
        };
      },
    };
  }

  /** The tab is gone, without a word. */
  kill(tab: string): void {
    for (const end of [...this.#channels]) if (end.tab === tab) this.#channels.delete(end);
    for (const [name, queue] of this.#queues) {
      for (const request of queue.filter((one) => one.tab === tab)) this.#drop(name, request);
    }
  }

  #drop(name: string, request: Request): void {
    const queue = this.#queues.get(name) ?? [];
    const at = queue.indexOf(request);
    if (at < 0) return;
    queue.splice(at, 1);
    const next = queue[0];
    if (at === 0 && next) queueMicrotask(next.held);
  }
}
