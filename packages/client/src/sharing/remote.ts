// Another tab, in the leader: what it wants, as subscribers of the leader's streams, and what they said that has
// not been posted yet. Each hears its own stream and no other: streams of one env are not at the same event.

import type { Carrier, Subscriber } from "../carrier";
import type { Environment } from "../environment";
import type { LinkStatus } from "../link";
import type { Envelope } from "../protocol/types";
import type { Channel } from "./browser";
import type { Said, Told, Wish } from "./messages";

/** How long a tab is carried for without a word. Timers of a hidden tab may run once a minute. */
export const LEASE_MS = 3 * 60_000;

/** A tab that the leader carries for. */
export class RemoteTab {
  readonly tab: string;
  /** Stops waiting for the tab to go. */
  watch: () => void = () => undefined;
  readonly #channel: Channel;
  readonly #term: number;
  readonly #own: Carrier;
  readonly #environment: Environment;
  readonly #expired: () => void;
  readonly #wants = new Map<number, RemoteSubscriber>();
  #outbox: Said[] = [];
  #posting = false;
  #lease: (() => void) | null = null;

  constructor(
    tab: string,
    channel: Channel,
    term: number,
    own: Carrier,
    environment: Environment,
    expired: () => void,
  ) {
    this.tab = tab;
    this.#channel = channel;
    this.#term = term;
    this.#own = own;
    this.#environment = environment;
    this.#expired = expired;
  }

  subscriber(key: number): Subscriber | undefined {
    return this.#wants.get(key);
  }

  /** The tab wants exactly this from now on. It is answered in any case. */
  want(wishes: readonly Wish[]): void {
    this.#lease?.();
    this.#lease = this.#environment.after(LEASE_MS, this.#expired);
    const keys = new Set(wishes.map(({ key }) => key));
    for (const [key, subscriber] of [...this.#wants]) {
      if (keys.has(key)) continue;
      this.#wants.delete(key);
      this.#own.unwant(subscriber);
    }
    for (const wish of wishes) {
      const held = this.#wants.get(wish.key);
      if (held) {
        held.url = wish.url;
        continue;
      }
      const subscriber = new RemoteSubscriber(wish, this);
      this.#wants.set(wish.key, subscriber);
      this.#own.want(subscriber);
    }
    this.#post();
  }

  say(said: Said): void {
    this.#outbox.push(said);
    this.#post();
  }

  /** A message that several scopes of the tab get is posted once. */
  sayEvent(key: number, event: Envelope): void {
    const last = this.#outbox.at(-1);
    if (last?.is === "event" && last.event === event) {
      this.#outbox[this.#outbox.length - 1] = { ...last, keys: [...last.keys, key] };
    } else {
      this.say({ is: "event", keys: [key], event });
    }
  }

  close(): void {
    this.watch();
    this.#lease?.();
    for (const subscriber of this.#wants.values()) this.#own.unwant(subscriber);
    this.#wants.clear();
    this.#outbox = [];
    this.#channel.close();
  }

  /** Once per turn: a chunk of a stream has many messages. */
  #post(): void {
    if (this.#posting) return;
    this.#posting = true;
    queueMicrotask(() => {
      this.#posting = false;
      // Closed in the meantime, there is nobody to post to.
      if (this.#wants.size === 0) return;
      const told: Told = { term: this.#term, said: this.#outbox };
      this.#outbox = [];
      this.#channel.post(told);
    });
  }
}

/** Another tab's subscriber, in the leader. */
class RemoteSubscriber implements Subscriber {
  readonly tenant: string;
  readonly env: string;
  readonly path: string;
  url: string;
  readonly #key: number;
  readonly #remote: RemoteTab;

  constructor({ key, tenant, env, path, url }: Wish, remote: RemoteTab) {
    this.tenant = tenant;
    this.env = env;
    this.path = path;
    this.url = url;
    this.#key = key;
    this.#remote = remote;
  }

  ownUrl(): string {
    return this.url;
  }

  begin(): void {
    this.#remote.say({ is: "begin", keys: [this.#key] });
  }

  event(event: Envelope): void {
    this.#remote.sayEvent(this.#key, event);
  }

  linked(status: LinkStatus): void {
    this.#remote.say({ is: "link", keys: [this.#key], status });
  }
}
