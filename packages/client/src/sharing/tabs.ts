// One tab's streams for all of a browser's tabs: the one that holds the leader's name connects, also for what
// the others want, and posts each what its own streams would have said. What tabs say is in messages.ts.

import type { Carrier, MakeCarrier, Subscriber } from "../carrier";
import type { Environment } from "../environment";
import type { PauseReason } from "../link";
import type { Browser, Channel } from "./browser";
import type { Said, TabMessage, Told, Wish } from "./messages";
import { RemoteTab } from "./remote";
import { sharedStreams } from "./streams";

/** The version of what tabs say to each other. */
const VERSION = "shipboard tabs 2";
/** How often a tab tells its leader what it wants, which tells it whether the leader is awake. */
export const BEAT_MS = 5_000;
/** How long a leader may take to answer; a frozen one holds its name and never does. */
export const ANSWER_MS = 2_000;
/** Tabs that miss their leader together spread over this long. */
export const STEAL_JITTER_MS = 500;
/** How much later than due a timer may run before the tab knows that it was asleep itself. */
export const OVERSLEPT_MS = 1_000;

/**
 * For `createClient({ carrier: acrossTabs(browserTabs(), import.meta.url) })`. Tabs share if they give the same
 * build: decoded messages go from tab to tab, so both ends have to be of one make. Without a browser each tab is
 * alone.
 */
export const acrossTabs =
  (browser: Browser | null, build: string): MakeCarrier =>
  (environment, baseUrl) => {
    const own = sharedStreams(environment, baseUrl);
    return browser ? new TabCarrier(own, browser, environment, `${VERSION} ${build} ${baseUrl}`) : own;
  };

class TabCarrier implements Carrier {
  readonly #own: Carrier;
  readonly #browser: Browser;
  readonly #environment: Environment;
  readonly #name: string;
  readonly #common: Channel;
  readonly #inbox: Channel;
  /** This tab's subscribers by the key that they have among tabs: a new one whenever one is wanted anew. */
  readonly #local = new Map<number, Subscriber>();
  readonly #remote = new Map<string, RemoteTab>();
  readonly #letGoOfTab: () => void;
  #letGoOfLead: () => void;
  #made = 0;
  #leading = false;
  /** Whose word counts: leaders number their terms, the greatest is the present one. */
  #term = 0;
  #hidden = false;
  #telling = false;
  /** The next beat, or the wait for an answer to the last. */
  #watch: (() => void) | null = null;
  #unanswered = false;

  constructor(own: Carrier, browser: Browser, environment: Environment, name: string) {
    this.#own = own;
    this.#browser = browser;
    this.#environment = environment;
    this.#name = name;
    this.#common = browser.channel(name, (message) => this.#hear(message as TabMessage));
    this.#inbox = browser.channel(`${name} to ${browser.tab}`, (message) => this.#hearTold(message as Told));
    // Held for as long as this tab lives: whoever gets it after us knows that we are gone.
    this.#letGoOfTab = browser.hold(`${name} ${browser.tab}`, { held: () => undefined });
    this.#letGoOfLead = this.#stand(false);
  }

  get counters() {
    return this.#own.counters;
  }

  want(subscriber: Subscriber): void {
    this.#made += 1;
    this.#local.set(this.#made, subscriber);
    if (this.#leading) {
      this.#own.want(subscriber);
      return;
    }
    this.#begin(subscriber);
    this.#tell();
  }

  unwant(subscriber: Subscriber): void {
    const key = this.#keyOf(subscriber);
    if (key !== undefined) this.#local.delete(key);
    if (this.#leading) this.#own.unwant(subscriber);
    else this.#tell();
  }

  lost(subscriber: Subscriber): void {
    const key = this.#keyOf(subscriber);
    if (this.#leading) this.#own.lost(subscriber);
    else if (key !== undefined) this.#post({ is: "lost", tab: this.#browser.tab, key });
  }

  again(): void {
    if (this.#leading) this.#own.again();
    else this.#post({ is: "again" });
  }

  pause(reason: PauseReason): void {
    if (reason === "hidden") this.#setHidden(true);
    else this.#own.pause(reason);
  }

  resume(reason: PauseReason): void {
    if (reason === "hidden") this.#setHidden(false);
    else this.#own.resume(reason);
  }

  wake(): void {
    if (this.#leading) {
      this.#own.wake();
      return;
    }
    this.#post({ is: "wake" });
    this.#tell();
  }

  suspect(): void {
    this.#own.suspect();
  }

  close(): void {
    this.#local.clear();
    if (!this.#leading) this.#post({ is: "want", tab: this.#browser.tab, wishes: [] });
    this.#rest();
    this.#letGoOfLead();
    this.#letGoOfTab();
    for (const remote of this.#remote.values()) remote.close();
    this.#remote.clear();
    this.#common.close();
    this.#inbox.close();
    this.#own.close();
  }

  /** Waits for its turn to lead, or takes it. */
  #stand(steal: boolean): () => void {
    return this.#browser.hold(`${this.#name} leader`, {
      steal,
      held: () => this.#lead(),
      lost: () => this.#follow(),
    });
  }

  #lead(): void {
    this.#leading = true;
    this.#rest();
    this.#term = Math.max(this.#term + 1, this.#environment.now());
    for (const subscriber of this.#local.values()) this.#own.want(subscriber);
    this.#pauseOrNot();
    this.#post({ is: "leader", term: this.#term });
  }

  /** Another leads: this tab was taken for frozen, and maybe it was. */
  #follow(): void {
    if (!this.#leading) return;
    this.#leading = false;
    for (const remote of this.#remote.values()) this.#forget(remote);
    for (const subscriber of this.#local.values()) {
      this.#own.unwant(subscriber);
      this.#begin(subscriber);
    }
    this.#letGoOfLead();
    this.#letGoOfLead = this.#stand(false);
    this.#tell();
  }

  #setHidden(hidden: boolean): void {
    this.#hidden = hidden;
    if (this.#leading) this.#pauseOrNot();
    else this.#tell();
  }

  /** A hidden leader rests only if it carries nothing for others. */
  #pauseOrNot(): void {
    if (this.#hidden && this.#remote.size === 0) this.#own.pause("hidden");
    else this.#own.resume("hidden");
  }

  /** Tells the leader, once per turn, what this tab wants: nothing while it has been hidden for long. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      if (this.#leading) return;
      this.#post({ is: "want", tab: this.#browser.tab, wishes: this.#wishes() });
      this.#awaitAnswer();
    });
  }

  #wishes(): readonly Wish[] {
    if (this.#hidden) return [];
    return [...this.#local].map(([key, one]) => {
      const { tenant, env, path } = one;
      return { key, tenant, env, path, url: one.ownUrl() };
    });
  }

  #awaitAnswer(): void {
    if (this.#unanswered && this.#local.size > 0 && !this.#hidden) return;
    this.#rest();
    if (this.#local.size === 0 || this.#hidden) return;
    this.#unanswered = true;
    const ms = ANSWER_MS + this.#environment.random() * STEAL_JITTER_MS;
    const due = this.#environment.now() + ms;
    this.#watch = this.#environment.after(ms, () => {
      this.#rest();
      // A tab that was asleep itself has not listened: it asks once more.
      if (this.#environment.now() > due + OVERSLEPT_MS) {
        this.#tell();
        return;
      }
      this.#letGoOfLead();
      this.#letGoOfLead = this.#stand(true);
    });
  }

  #rest(): void {
    this.#watch?.();
    this.#watch = null;
    this.#unanswered = false;
  }

  /** As if its stream had just been opened. */
  #begin(subscriber: Subscriber): void {
    subscriber.begin();
    subscriber.linked({ status: "connecting" });
  }

  #hear(message: TabMessage): void {
    if (message.is === "leader") {
      // Not heard of as lost yet, but so it is.
      if (message.term <= this.#term) return;
      this.#term = message.term;
      if (this.#leading) this.#follow();
      else this.#tell();
      return;
    }
    if (!this.#leading) return;
    switch (message.is) {
      case "want":
        this.#carry(message.tab, message.wishes);
        break;
      case "lost": {
        const subscriber = this.#remote.get(message.tab)?.subscriber(message.key);
        if (subscriber) this.#own.lost(subscriber);
        break;
      }
      case "again":
        this.#own.again();
        break;
      case "wake":
        this.#own.wake();
        break;
    }
  }

  #hearTold({ term, said }: Told): void {
    // A leader that was frozen may speak before it knows that it is none.
    if (this.#leading || term < this.#term) return;
    this.#term = term;
    this.#rest();
    if (this.#local.size > 0 && !this.#hidden)
      this.#watch = this.#environment.after(BEAT_MS, () => this.#tell());
    for (const one of said) this.#pass(one);
  }

  #pass(said: Said): void {
    for (const key of said.keys) {
      const subscriber = this.#local.get(key);
      if (said.is === "begin") subscriber?.begin();
      else if (said.is === "link") subscriber?.linked(said.status);
      else subscriber?.event(said.event);
    }
  }

  #carry(tab: string, wishes: readonly Wish[]): void {
    let remote = this.#remote.get(tab);
    if (!remote) {
      if (wishes.length === 0) return;
      const channel = this.#browser.channel(`${this.#name} to ${tab}`, () => undefined);
      const fresh = new RemoteTab(tab, channel, this.#term, this.#own, this.#environment, () =>
        this.#forget(fresh),
      );
      // Granted when that tab lets go of its own name, which it does by going.
      fresh.watch = this.#browser.hold(`${this.#name} ${tab}`, { held: () => this.#forget(fresh) });
      this.#remote.set(tab, fresh);
      remote = fresh;
    }
    // A tab that wants nothing is not watched: what somebody waits for keeps a browser from letting it sleep.
    if (wishes.length === 0) this.#forget(remote);
    else remote.want(wishes);
    this.#pauseOrNot();
  }

  #forget(remote: RemoteTab): void {
    this.#remote.delete(remote.tab);
    remote.close();
    if (this.#leading) this.#pauseOrNot();
  }

  #keyOf(subscriber: Subscriber): number | undefined {
    return [...this.#local].find(([, one]) => one === subscriber)?.[0];
  }

  #post(message: TabMessage): void {
    this.#common.post(message);
  }
}
