// The live state of a scope: collects messages, applies them once per pass, tells listeners by topic, and
// wants a stream while it has any. What a message does is reduce.ts; paging and filters are elsewhere.

import type { ScopeStore, Topic } from "./client";
import type { Batched, Hub } from "./hub";
import { LINGER_MS } from "./hub";
import { initialLink, type Link, type LinkStatus } from "./link";
import type { Envelope } from "./protocol/types";
import { markStale } from "./reduce";
import type { AnyState } from "./state";

/** A message, or the note that from here on a new connection speaks. */
export type Said = Envelope | "begin";

/** Hears whether a store has listeners. */
export type OnUse = (inUse: boolean) => void;

/** Listeners by topic. */
export class Topics {
  readonly #listeners = new Map<Topic, Set<() => void>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(topic: Topic, listener: () => void): void {
    const held = this.#listeners.get(topic) ?? new Set();
    if (held.has(listener)) return;
    held.add(listener);
    this.#listeners.set(topic, held);
    this.#size += 1;
  }

  remove(topic: Topic, listener: () => void): void {
    const held = this.#listeners.get(topic);
    if (!held?.delete(listener)) return;
    this.#size -= 1;
    if (held.size === 0) this.#listeners.delete(topic);
  }

  collect(topic: Topic, tell: Set<() => void>): void {
    for (const listener of this.#listeners.get(topic) ?? []) tell.add(listener);
  }

  /** Whoever listens to something that differs between two states. */
  collectChanges(before: AnyState, after: AnyState, tell: Set<() => void>): void {
    if (before === after) return;
    this.collect("any", tell);
    if (before.kind === "log" || after.kind === "log") return;
    if (before.counts !== after.counts) this.collect("counts", tell);
    if (before.kind !== "deployments" || after.kind !== "deployments") return;
    if (before.deployment_ids !== after.deployment_ids) this.collect("order", tell);
    if (before.workflow_ids !== after.workflow_ids) this.collect("workflow_order", tell);
    const rows = before.deployments !== after.deployments;
    const workflows = before.workflows !== after.workflows;
    if (!rows && !workflows) return;
    for (const topic of this.#listeners.keys()) {
      // By who listens, not by what changed: a page shows some fifty rows of the thousands there may be.
      if (rows && topic.startsWith("row ")) {
        const id = topic.slice(4);
        if (before.deployments.get(id) !== after.deployments.get(id)) this.collect(topic, tell);
      } else if (workflows && topic.startsWith("workflow ")) {
        const id = topic.slice(9);
        if (before.workflows.get(id) !== after.workflows.get(id)) this.collect(topic, tell);
      }
    }
  }
}

/** The state of one scope with its listeners; what it listens to itself is up to its kinds. */
export abstract class LiveState<State extends AnyState> implements ScopeStore<State>, Batched {
  readonly key: string;
  protected readonly hub: Hub;
  protected readonly topics = new Topics();
  protected state: State;
  #told: State;
  #link: Link = initialLink;
  #linkTold: Link = initialLink;
  #awake = false;
  #leave: (() => void) | null = null;
  readonly #onUse: OnUse;

  constructor(key: string, hub: Hub, empty: State, onUse: OnUse) {
    this.key = key;
    this.hub = hub;
    this.state = empty;
    this.#told = empty;
    this.#onUse = onUse;
  }

  // Arrows, so that they can be handed out by themselves.
  readonly get = (): State => this.#told;
  readonly link = (): Link => this.#linkTold;

  readonly subscribe = (topic: Topic, listener: () => void): (() => void) => {
    // One callback may listen to several topics; the wrapper keeps its subscriptions apart.
    const own = () => listener();
    this.topics.add(topic, own);
    this.#leave?.();
    this.#leave = null;
    if (!this.#awake) {
      this.#awake = true;
      this.#onUse(true);
      this.wakeUp();
    }
    return () => {
      this.topics.remove(topic, own);
      if (this.topics.size > 0 || !this.#awake || this.#leave) return;
      this.#leave = this.hub.environment.after(LINGER_MS, () => {
        this.#leave = null;
        this.#awake = false;
        this.fallAsleep();
        this.state = markStale(this.state);
        this.hub.schedule(this);
        this.#onUse(false);
      });
    };
  };

  apply(tell: Set<() => void>): void {
    this.work(tell);
    this.topics.collectChanges(this.#told, this.state, tell);
    this.#told = this.state;
    if (this.#linkTold === this.#link) return;
    this.#linkTold = this.#link;
    this.topics.collect("link", tell);
  }

  protected setLink(change: Partial<Link>): void {
    this.#link = { ...this.#link, ...change };
    this.hub.schedule(this);
  }

  /** Somebody listens now. */
  protected abstract wakeUp(): void;
  /** Nobody listens any more. */
  protected abstract fallAsleep(): void;
  /** Applies what has come to `state`. */
  protected abstract work(tell: Set<() => void>): void;
}

/** How a scope is carried and reduced. */
export interface ScopeRules<State extends AnyState> {
  readonly tenant: string;
  readonly env: string;
  readonly path: string;
  readonly empty: State;
  url(state: State): string;
  reduce(state: State, events: readonly Envelope[]): State;
}

const hasGap = (state: AnyState): boolean => state.kind === "log" && state.gap;

/** A scope that a stream carries. */
export class StreamedScope<State extends AnyState> extends LiveState<State> {
  readonly tenant: string;
  readonly env: string;
  readonly path: string;
  readonly #rules: ScopeRules<State>;
  #queue: Said[] = [];
  /** Views that hear everything this scope hears, after it was applied. */
  readonly taps = new Set<(said: readonly Said[]) => void>();

  constructor(key: string, hub: Hub, rules: ScopeRules<State>, onUse: OnUse) {
    super(key, hub, rules.empty, onUse);
    this.tenant = rules.tenant;
    this.env = rules.env;
    this.path = rules.path;
    this.#rules = rules;
  }

  /** The state with everything applied so far, told or not. */
  get held(): State {
    return this.state;
  }

  /** Puts a state that did not come from the stream in place, such as one with a page joined. */
  replace(state: State): void {
    this.state = state;
    this.hub.schedule(this);
  }

  readonly ownUrl = (): string => this.#rules.url(this.state);

  readonly begin = (): void => this.#say("begin");

  readonly event = (event: Envelope): void => {
    if (event.type === "snapshot") this.hub.clock.correct(event.payload.server_time);
    this.#say(event);
    this.setLink({ lastEventAt: this.hub.environment.now() });
  };

  /** The connection's status changed. */
  readonly linked = (status: LinkStatus): void => {
    // A shown state that no live connection stands behind may be false.
    if (status.status !== "live") this.#say("begin");
    this.setLink({ state: status });
  };

  protected override wakeUp(): void {
    this.hub.streams.want(this);
  }

  protected override fallAsleep(): void {
    this.hub.streams.unwant(this);
  }

  protected override work(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    const hadGap = hasGap(this.state);
    let events: Envelope[] = [];
    const reduce = () => {
      this.state = this.#rules.reduce(this.state, events);
      events = [];
    };
    for (const said of queue) {
      if (said === "begin") {
        reduce();
        this.state = markStale(this.state);
      } else {
        events.push(said);
      }
    }
    reduce();
    for (const tap of this.taps) tap(queue);
    // Only when it opens: the connection that is to heal it must not be taken for the one that made it.
    if (!hadGap && hasGap(this.state)) this.hub.streams.lost(this);
  }

  #say(said: Said): void {
    this.#queue.push(said);
    this.hub.schedule(this);
  }
}
