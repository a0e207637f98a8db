// One tab's streams for all of a browser's tabs: the one that holds the leader's lock connects, also for what
// the others want, and posts what comes. A follower's stores cannot tell the difference.

import type { Carrier, MakeCarrier, Subscriber } from "../carrier";
import type { LinkStatus, PauseReason } from "../link";
import type { Envelope } from "../protocol/types";

import type { Browser, Channel } from "./browser";
import { sharedStreams } from "./streams";

/** The version of what tabs say to each other; tabs of another version keep to themselves. */
const VERSION = "shipboard tabs 1";

/** What a tab wants to be carried. */
interface Wish {
  readonly tenant: string;
  readonly env: string;
  readonly path: string;
  readonly url: string;
}

type TabMessage =
  /** A follower wants exactly this. */
  | { readonly is: "want"; readonly tab: string; readonly wishes: readonly Wish[] }
  | { readonly is: "lost"; readonly tab: string; readonly key: string }
  | { readonly is: "again" }
  | { readonly is: "wake" }
  /** A tab has begun to lead: everybody tell it what you want. */
  | { readonly is: "leader" }
  | { readonly is: "begin"; readonly tab: string; readonly key: string }
  | { readonly is: "link"; readonly tab: string; readonly key: string; readonly status: LinkStatus }
  | { readonly is: "event"; readonly event: Envelope };

const keyOf = ({ tenant, path }: Pick<Wish, "tenant" | "path">): string => `${tenant} ${path}`;

/** Another tab's subscriber, in the leader. */
class RemoteSubscriber implements Subscriber {
  readonly tenant: string;
  readonly env: string;
  readonly path: string;
  url: string;
  readonly #tab: string;
  readonly #tabs: TabCarrier;

  constructor(wish: Wish, tab: string, tabs: TabCarrier) {
    this.tenant = wish.tenant;
    this.env = wish.env;
    this.path = wish.path;
    this.url = wish.url;
    this.#tab = tab;
    this.#tabs = tabs;
  }

  ownUrl(): string {
    return this.url;
  }

  begin(): void {
    this.#tabs.post({ is: "begin", tab: this.#tab, key: keyOf(this) });
  }

  event(event: Envelope): void {
    this.#tabs.postEvent(event);
  }

  linked(status: LinkStatus): void {
    this.#tabs.post({ is: "link", tab: this.#tab, key: keyOf(this), status });
  }
}

/** Another tab, in the leader. */
interface RemoteTab {
  readonly wants: Map<string, RemoteSubscriber>;
  readonly stopWatching: () => void;
}

class TabCarrier implements Carrier {
  readonly #own: Carrier;
  readonly #browser: Browser;
  readonly #channel: Channel;
  readonly #local = new Set<Subscriber>();
  readonly #tabs = new Map<string, RemoteTab>();
  readonly #letGo: (() => void)[] = [];
  #leading = false;
  #hidden = false;
  #telling = false;
  #lastPosted: Envelope | null = null;

  constructor(own: Carrier, browser: Browser) {
    this.#own = own;
    this.#browser = browser;
    this.#channel = browser.channel(VERSION, (message) => this.#hear(message as TabMessage));
    // Held for as long as this tab lives: whoever gets it after us knows that we are gone.
    this.#letGo.push(browser.hold(`${VERSION} ${browser.tab}`, () => undefined));
    this.#letGo.push(browser.hold(`${VERSION} leader`, () => this.#lead()));
  }

  get counters() {
    return this.#own.counters;
  }

  want(subscriber: Subscriber): void {
    this.#local.add(subscriber);
    if (this.#leading) {
      this.#own.want(subscriber);
      return;
    }
    subscriber.begin();
    subscriber.linked({ status: "connecting" });
    this.#tell();
  }

  unwant(subscriber: Subscriber): void {
    this.#local.delete(subscriber);
    if (this.#leading) this.#own.unwant(subscriber);
    else this.#tell();
  }

  lost(subscriber: Subscriber): void {
    if (this.#leading) this.#own.lost(subscriber);
    else this.post({ is: "lost", tab: this.#browser.tab, key: keyOf(subscriber) });
  }

  again(): void {
    if (this.#leading) this.#own.again();
    else this.post({ is: "again" });
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
    if (this.#leading) this.#own.wake();
    else this.post({ is: "wake" });
  }

  suspect(): void {
    this.#own.suspect();
  }

  close(): void {
    this.#local.clear();
    if (!this.#leading) this.post({ is: "want", tab: this.#browser.tab, wishes: [] });
    for (const letGo of this.#letGo) letGo();
    for (const { stopWatching } of this.#tabs.values()) stopWatching();
    this.#tabs.clear();
    this.#channel.close();
    this.#own.close();
  }

  post(message: TabMessage): void {
    this.#channel.post(message);
  }

  /** Every remote subscriber of a stream gets the same event; the channel brings it to all at once. */
  postEvent(event: Envelope): void {
    if (event === this.#lastPosted) return;
    this.#lastPosted = event;
    this.post({ is: "event", event });
  }

  #lead(): void {
    this.#leading = true;
    for (const subscriber of this.#local) this.#own.want(subscriber);
    this.#rest();
    this.post({ is: "leader" });
  }

  #setHidden(hidden: boolean): void {
    this.#hidden = hidden;
    if (this.#leading) this.#rest();
    else this.#tell();
  }

  /** A hidden leader rests only if it carries nothing for others. */
  #rest(): void {
    const carries = [...this.#tabs.values()].some(({ wants }) => wants.size > 0);
    if (this.#hidden && !carries) this.#own.pause("hidden");
    else this.#own.resume("hidden");
  }

  /** Tells the leader, once per turn, what this tab wants: nothing while it has been hidden for long. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      if (this.#leading) return;
      const wanted = this.#hidden ? [] : [...this.#local];
      const wishes = wanted.map((one) => ({
        tenant: one.tenant,
        env: one.env,
        path: one.path,
        url: one.ownUrl(),
      }));
      this.post({ is: "want", tab: this.#browser.tab, wishes });
    });
  }

  #hear(message: TabMessage): void {
    if (this.#leading) this.#hearAsLeader(message);
    else this.#hearAsFollower(message);
  }

  #hearAsFollower(message: TabMessage): void {
    switch (message.is) {
      case "leader":
        this.#tell();
        break;
      case "event": {
        const { event } = message;
        for (const one of this.#local) {
          if (one.env === event.env_id && one.tenant === event.tenant_id) one.event(event);
        }
        break;
      }
      case "begin":
        if (message.tab === this.#browser.tab) for (const one of this.#named(message.key)) one.begin();
        break;
      case "link":
        if (message.tab === this.#browser.tab)
          for (const one of this.#named(message.key)) one.linked(message.status);
        break;
      default:
        // What followers tell their leader is not for us.
        break;
    }
  }

  #hearAsLeader(message: TabMessage): void {
    switch (message.is) {
      case "want":
        this.#carry(message.tab, message.wishes);
        break;
      case "lost": {
        const subscriber = this.#tabs.get(message.tab)?.wants.get(message.key);
        if (subscriber) this.#own.lost(subscriber);
        break;
      }
      case "again":
        this.#own.again();
        break;
      case "wake":
        this.#own.wake();
        break;
      default:
        // There is one leader: the rest is only ever said by us.
        break;
    }
  }

  #carry(tab: string, wishes: readonly Wish[]): void {
    let remote = this.#tabs.get(tab);
    if (!remote) {
      if (wishes.length === 0) return;
      // Granted when that tab lets go of its own name, which it does by going.
      const stopWatching = this.#browser.hold(`${VERSION} ${tab}`, () => this.#forget(tab));
      remote = { wants: new Map(), stopWatching };
      this.#tabs.set(tab, remote);
    }
    const keys = new Set(wishes.map(keyOf));
    for (const [key, subscriber] of [...remote.wants]) {
      if (keys.has(key)) continue;
      remote.wants.delete(key);
      this.#own.unwant(subscriber);
    }
    for (const wish of wishes) {
      const held = remote.wants.get(keyOf(wish));
      if (held) {
        held.url = wish.url;
        continue;
      }
      const subscriber = new RemoteSubscriber(wish, tab, this);
      remote.wants.set(keyOf(wish), subscriber);
      this.#own.want(subscriber);
    }
    this.#rest();
  }

  #forget(tab: string): void {
    const remote = this.#tabs.get(tab);
    this.#tabs.delete(tab);
    for (const subscriber of remote?.wants.values() ?? []) this.#own.unwant(subscriber);
    remote?.stopWatching();
    this.#rest();
  }

  #named(key: string): Subscriber[] {
    return [...this.#local].filter((subscriber) => keyOf(subscriber) === key);
  }
}

/** For `createClient({ carrier: acrossTabs(browserTabs()) })`. Without a browser each tab is alone. */
export const acrossTabs =
  (browser: Browser | null): MakeCarrier =>
  (environment, baseUrl) => {
    const own = sharedStreams(environment, baseUrl);
    return browser ? new TabCarrier(own, browser) : own;
  };
