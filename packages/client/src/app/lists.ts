// The two kinds of deployments lists: the env's own, which the stream fills, and a filtered view of it, whose
// rows the server's history fills and the stream keeps up to date by the same predicate.

import { type Filter, matches } from "../filter";
import type { Hub } from "../hub";
import type { Deployment, Envelope, EventOf, Page } from "../protocol/types";
import { markStale } from "../reduce";
import { deploymentsRules, rowsToAskFor } from "../rules";
import type { DeploymentsScope } from "../scope";
import { type DeploymentsState, emptyDeployments } from "../state";
import { LiveState, type OnUse, type Said, StreamedScope } from "../store";
import { type Api, ProblemError } from "./api";
import type { DeploymentsStore, Paging } from "./client";
import { reducePaged } from "./page";
import { loadPage, PAGE_ATTEMPTS, type PagedList, restingPaging } from "./paging";

/** How many events are kept while a view's first page is awaited; more, and it is asked for again. */
export const HELD_EVENTS_LIMIT = 5_000;
/** How long to wait before a page that came too early is asked for again. */
export const TOO_EARLY_MS = 250;

/** Paging for a list: one page at a time. */
class Pager {
  paging: Paging = restingPaging;
  #running: Promise<void> | null = null;
  readonly #list: PagedList;

  constructor(list: Omit<PagedList, "paging">, changed: () => void) {
    this.#list = {
      ...list,
      paging: (paging) => {
        this.paging = paging;
        changed();
      },
    };
  }

  more(): Promise<void> {
    this.#running ??= loadPage(this.#list).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }
}

/** The deployments of an env. */
export class DeploymentsList extends StreamedScope<DeploymentsState> implements DeploymentsStore {
  readonly #pager: Pager;
  #paging: Paging = restingPaging;

  constructor(key: string, hub: Hub, api: Api, scope: DeploymentsScope, onUse: OnUse) {
    super(key, hub, { ...deploymentsRules(scope), reduce: reducePaged }, onUse);
    const { tenant, env } = scope;
    this.#pager = new Pager(
      {
        api,
        tenant,
        env,
        filter: {},
        accepts: () => true,
        current: () => {
          hub.flush();
          return this.held;
        },
        replace: (state) => this.replace(state),
      },
      () => hub.schedule(this),
    );
  }

  readonly paging = (): Paging => this.#paging;
  readonly loadMore = (): Promise<void> => this.#pager.more();

  override apply(tell: Set<() => void>): void {
    super.apply(tell);
    if (this.#paging === this.#pager.paging) return;
    this.#paging = this.#pager.paging;
    this.topics.collect("paging", tell);
  }
}

/** A filtered view of an env's deployments. */
export class FilteredList extends LiveState<DeploymentsState> implements DeploymentsStore {
  readonly #api: Api;
  readonly #scope: DeploymentsScope;
  readonly #base: DeploymentsList;
  readonly #filter: Filter;
  readonly #pager: Pager;
  #paging: Paging = restingPaging;
  #first: Paging = restingPaging;
  /** Events since the first page was asked for; null while none is awaited. */
  #held: Envelope[] | null = null;
  /** Answers to anything but the latest request are nobody's. */
  #request: AbortController | null = null;
  #stop: (() => void)[] = [];

  constructor(key: string, hub: Hub, api: Api, scope: DeploymentsScope, base: DeploymentsList, onUse: OnUse) {
    super(key, hub, emptyDeployments, onUse);
    this.#api = api;
    this.#scope = scope;
    this.#base = base;
    this.#filter = scope.filter ?? {};
    this.#pager = new Pager(
      {
        api,
        tenant: scope.tenant,
        env: scope.env,
        filter: this.#filter,
        accepts: (row) => matches(this.#filter, row),
        current: () => {
          hub.flush();
          return this.state;
        },
        replace: (state) => {
          this.state = state;
          hub.schedule(this);
        },
      },
      () => hub.schedule(this),
    );
  }

  readonly paging = (): Paging => this.#paging;

  readonly loadMore = async (): Promise<void> => {
    if (this.#first.error) await this.#ask();
    else await this.#pager.more();
  };

  override apply(tell: Set<() => void>): void {
    super.apply(tell);
    const paging = this.#first === restingPaging ? this.#pager.paging : this.#first;
    if (this.#paging === paging) return;
    this.#paging = paging;
    this.topics.collect("paging", tell);
  }

  protected override wakeUp(): void {
    const tap = (said: readonly Said[]) => this.#hear(said);
    this.#base.taps.add(tap);
    this.#stop = [
      () => this.#base.taps.delete(tap),
      this.#base.subscribe("link", () => this.setLink(this.#base.link())),
    ];
    this.setLink(this.#base.link());
    if (!this.#base.held.stale) void this.#ask();
  }

  protected override fallAsleep(): void {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    this.#request?.abort();
    this.#request = null;
    this.#held = null;
    this.#first = restingPaging;
  }

  protected override work(): void {
    // All of it was done when it was heard.
  }

  #hear(said: readonly Said[]): void {
    let events: Envelope[] = [];
    const reduce = () => {
      this.state = reducePaged(this.state, events, (row) => matches(this.#filter, row));
      events = [];
    };
    for (const one of said) {
      if (one === "begin") {
        reduce();
        this.state = markStale(this.state);
      } else if (one.type === "snapshot") {
        reduce();
        // The snapshot is of other rows; what it stands for is that events may be missing before it.
        void this.#ask();
      } else if (this.#held) {
        this.#held.push(one);
        if (this.#held.length > HELD_EVENTS_LIMIT) void this.#ask();
      } else {
        events.push(one);
      }
    }
    reduce();
    this.hub.schedule(this);
  }

  /** Asks for the first page, again and again until it is as new as the stream's snapshot. */
  async #ask(): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.#held = [];
    this.#setFirst({ loading: true, error: null });
    try {
      for (let attempt = 1; attempt <= PAGE_ATTEMPTS; attempt++) {
        const { tenant, env } = this.#scope;
        const query = { filter: this.#filter, limit: rowsToAskFor(this.state) };
        const page = await this.#api.deployments(tenant, env, query, request.signal);
        if (this.#request !== request) return;
        if (page.event_id >= this.#base.held.snapshot_event_id) {
          this.#begin(page, request);
          return;
        }
        await new Promise<void>((resolve) => this.hub.environment.after(TOO_EARLY_MS, resolve));
        if (this.#request !== request) return;
      }
      throw new ProblemError({
        type: "about:blank",
        title: "The server's history is behind its stream. Try again.",
        status: 0,
        detail: null,
        request_id: null,
      });
    } catch (cause) {
      if (this.#request !== request) return;
      this.#setFirst({ loading: false, error: cause instanceof ProblemError ? cause : unexpected(cause) });
    }
  }

  /** The first page is the view's snapshot; what was heard since then follows it. */
  #begin(page: Page<Deployment>, request: AbortController): void {
    // Everything heard up to now has to be in `held`, or it would be applied to what the page replaces.
    this.hub.flush();
    if (this.#request !== request) return;
    const { epoch, counts, workflows, workflow_ids, workflows_more } = this.#base.held;
    if (!counts) return;
    const snapshot: EventOf<"snapshot"> = {
      event_id: page.event_id,
      type: "snapshot",
      tenant_id: this.#scope.tenant,
      env_id: this.#scope.env,
      ts: "",
      payload: {
        scope: "deployments",
        epoch,
        server_time: "",
        counts,
        deployments: page.items,
        has_more: page.next !== null,
        workflows: workflow_ids.flatMap((id) => workflows.get(id) ?? []),
        workflows_more,
      },
    };
    const accepts = (row: Deployment) => matches(this.#filter, row);
    this.state = reducePaged(markStale(this.state), [snapshot, ...(this.#held ?? [])], accepts);
    if (this.#base.held.stale) this.state = markStale(this.state);
    this.#held = null;
    this.#request = null;
    this.#setFirst(restingPaging);
  }

  #setFirst(paging: Paging): void {
    this.#first = paging;
    this.hub.schedule(this);
  }
}

const unexpected = (cause: unknown): ProblemError =>
  new ProblemError(
    {
      type: "about:blank",
      title: "Something went wrong.",
      status: 0,
      detail: String(cause),
      request_id: null,
    },
    null,
    { cause },
  );
