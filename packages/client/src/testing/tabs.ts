// A browser with tabs, in memory: locks are given in the order they were asked for, messages arrive a turn
// later and as copies. A tab that is killed says nothing, its locks come free; a frozen one keeps them.

import type { Browser, Holder } from "../sharing/browser";

interface Request {
  readonly tab: string;
  readonly holder: Holder;
}

interface End {
  readonly tab: string;
  readonly name: string;
  readonly hear: (message: unknown) => void;
}

/** The common ground of test tabs. */
export class TestTabs {
  readonly #queues = new Map<string, Request[]>();
  readonly #channels = new Set<End>();
  /** What frozen tabs will do once they are thawed. */
  readonly #frozen = new Map<string, (() => void)[]>();
  #made = 0;
  /** How many messages were posted. */
  posted = 0;
  /** How many messages each tab heard, with the characters in them. */
  readonly heard = new Map<string, { messages: number; characters: number }>();

  /** A new tab. */
  open(): Browser {
    this.#made += 1;
    const tab = `tab-${this.#made}`;
    return {
      tab,
      hold: (name, holder) => {
        const request = { tab, holder };
        const queue = this.#queues.get(name) ?? [];
        this.#queues.set(name, queue);
        if (holder.steal) {
          const [old] = queue.splice(0, 1, request);
          if (old) this.#inTab(old.tab, () => old.holder.lost?.());
        } else {
          queue.push(request);
        }
        if (queue[0] === request) this.#inTab(tab, () => this.#grant(name, request));
        return () => this.#drop(name, request);
      },
      channel: (name, hear) => {
        const end = { tab, name, hear };
        this.#channels.add(end);
        const post = (message: unknown) => {
          if (!this.#channels.has(end)) return;
          this.posted += 1;
          const copy: unknown = structuredClone(message);
          for (const other of this.#channels) {
            if (other !== end && other.name === name) this.#inTab(other.tab, () => this.#hear(other, copy));
          }
        };
        return {
          post: (message) => {
            const waiting = this.#frozen.get(tab);
            if (waiting) {
              waiting.push(() => post(message));
              return;
            }
            post(message);
          },
          close: () => this.#channels.delete(end),
        };
      },
    };
  }

  /** The tab is gone, without a word. */
  kill(tab: string): void {
    this.#frozen.delete(tab);
    for (const end of [...this.#channels]) if (end.tab === tab) this.#channels.delete(end);
    for (const [name, queue] of this.#queues) {
      for (const request of queue.filter((one) => one.tab === tab)) this.#drop(name, request);
    }
  }

  /** The tab stands still, and keeps what it holds. Its world has to stand still by other means. */
  freeze(tab: string): void {
    if (!this.#frozen.has(tab)) this.#frozen.set(tab, []);
  }

  /** The tab goes on, with all that came meanwhile. */
  thaw(tab: string): void {
    const due = this.#frozen.get(tab) ?? [];
    this.#frozen.delete(tab);
    for (const task of due) this.#inTab(tab, task);
  }

  #hear(end: End, message: unknown): void {
    if (!this.#channels.has(end)) return;
    const { messages, characters } = this.heard.get(end.tab) ?? { messages: 0, characters: 0 };
    const length = JSON.stringify(message).length;
    this.heard.set(end.tab, { messages: messages + 1, characters: characters + length });
    end.hear(message);
  }

  #inTab(tab: string, task: () => void): void {
    queueMicrotask(() => {
      const waiting = this.#frozen.get(tab);
      if (waiting) waiting.push(task);
      else task();
    });
  }

  #grant(name: string, request: Request): void {
    if (this.#queues.get(name)?.[0] === request) request.holder.held();
  }

  #drop(name: string, request: Request): void {
    const queue = this.#queues.get(name) ?? [];
    const at = queue.indexOf(request);
    if (at < 0) return;
    queue.splice(at, 1);
    const next = queue[0];
    if (at === 0 && next) this.#inTab(next.tab, () => this.#grant(name, next));
  }
}
