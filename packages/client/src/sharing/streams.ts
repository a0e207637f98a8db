// The scopes of a tenant share one stream where that works, and every scope has its own where it does not.
// A new stream takes over when it delivers, so that adding a scope is not a gap.

import { type Carrier, Cursors, type MakeCarrier, type Subscriber } from "../carrier";
import { linkStatusOf } from "../connection";
import type { Environment } from "../environment";
import type { PauseReason, StopReason } from "../link";
import type { Envelope } from "../protocol/types";
import { Stream, type StreamCounters } from "../stream";
import { concerns } from "./route";

/** The most scopes one stream may carry. */
export const SCOPES_LIMIT = 32;
/** How many streams a tenant has before they are joined: a browser has six connections per server at HTTP/1.1. */
export const STREAMS_PER_TENANT = 2;

/** How long nothing may have changed before streams are joined that need not be several. */
export const CALM_MS = 10_000;

/** Whether a shared stream may have been refused for the sake of one of its scopes. */
const MAY_BE_ONE_SCOPES = {
  unauthorized: false,
  expired: false,
  revoked: false,
  forbidden: true,
  not_found: true,
  refused: true,
  gone: true,
} as const satisfies Record<StopReason, boolean>;

interface Group {
  readonly stream: Stream;
  /** Whom it is for; who wants it no more leaves. */
  members: Members;
  /** It still brings what somebody who left wanted. */
  shed: boolean;
}

/** A stream's worth of subscribers, as it is or as it is to be. */
type Members = readonly Subscriber[];

/**
 * How the streams of one tenant are laid out. A stream that is complete stays as it is, because a new one means
 * new snapshots, and those shorten a list somebody has paged through. What is new shares a stream of its own;
 * where that makes more streams than there may be, they are joined, but for the one to be kept the longest.
 */
export function layOut(wanted: Members, streams: readonly Members[], most = STREAMS_PER_TENANT): Members[] {
  const complete = streams.toSorted((a, b) => Number(b.some(isLong)) - Number(a.some(isLong)));
  const fresh = (kept: readonly Members[]) =>
    wanted.filter((one) => !kept.some((members) => members.includes(one)));
  if (fresh(complete).length === 0) return complete;
  const fits = complete.length < most;
  const kept = fits ? complete : complete.slice(0, most - 1);
  return [...kept, ...inPieces(fresh(kept), SCOPES_LIMIT)];
}

function inPieces(members: Members, size: number): Members[] {
  const count = Math.ceil(members.length / size);
  return Array.from({ length: count }, (_, index) => members.slice(index * size, (index + 1) * size));
}

/** Whether a scope has more rows than a shared stream would bring: its address alone can ask for them. */
const isLong = (member: Subscriber): boolean => member.ownUrl().includes("?limit=");

/** Whether a shared stream was refused, maybe for the sake of one of its scopes. */
function isMaybeOneScopes({ stream, members }: Group): boolean {
  const { stop } = stream.state;
  return stop !== null && members.length > 1 && MAY_BE_ONE_SCOPES[stop.reason];
}

/** Whether there are more streams than scopes need, or scopes on them that nobody wants. */
function isUntidy(groups: readonly Group[]): boolean {
  const short = groups.filter(({ members }) => !members.some(isLong));
  const scopes = short.reduce((sum, { members }) => sum + members.length, 0);
  return short.length > Math.ceil(scopes / SCOPES_LIMIT) || short.some(({ shed }) => shed);
}

/** All connections of a client, shared by its scopes. */
export class SharedStreams implements Carrier {
  readonly counters: StreamCounters = { unknown: 0, malformed: 0, connects: 0 };
  readonly #environment: Environment;
  readonly #baseUrl: string;
  readonly #wanted = new Set<Subscriber>();
  /** Every subscriber's source now, and the one that is to take over. */
  readonly #source = new Map<Subscriber, Group>();
  #groups: Group[] = [];
  readonly #cursors = new Cursors();
  readonly #pauses = new Set<PauseReason>();
  #planned = false;
  #calm: (() => void) | null = null;

  constructor(environment: Environment, baseUrl: string) {
    this.#environment = environment;
    this.#baseUrl = baseUrl;
  }

  want(subscriber: Subscriber): void {
    this.#wanted.add(subscriber);
    this.#replan();
  }

  unwant(subscriber: Subscriber): void {
    this.#wanted.delete(subscriber);
    this.#source.delete(subscriber);
    for (const group of this.#groups) {
      const members = group.members.filter((member) => member !== subscriber);
      group.shed ||= members.length < group.members.length;
      group.members = members;
    }
    this.#replan();
  }

  lost(subscriber: Subscriber): void {
    this.#source.get(subscriber)?.stream.input({ is: "lost" });
  }

  again(): void {
    for (const { stream } of this.#groups) {
      if (stream.state.phase !== "live") stream.input({ is: "again" });
    }
  }

  pause(reason: PauseReason): void {
    this.#pauses.add(reason);
    for (const { stream } of this.#groups) stream.input({ is: "pause", reason });
  }

  resume(reason: PauseReason): void {
    this.#pauses.delete(reason);
    for (const { stream } of this.#groups) stream.input({ is: "resume", reason });
  }

  wake(): void {
    for (const { stream } of this.#groups) stream.input({ is: "wake", silentMs: stream.silentMs() });
  }

  suspect(): void {
    for (const { stream } of this.#groups) stream.input({ is: "lost" });
  }

  close(): void {
    this.#calm?.();
    this.#calm = null;
    this.#wanted.clear();
    this.#source.clear();
    for (const { stream } of this.#groups) stream.input({ is: "close" });
    this.#groups = [];
  }

  /** Once per turn: pages mount several scopes at once. */
  #replan(): void {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      this.#arrange();
    });
  }

  #arrange(calm = false): void {
    const groups: Group[] = [];
    const fresh: Group[] = [];
    const planned = this.#groups.filter((group) => this.#isPlanned(group));
    for (const tenant of new Set([...this.#wanted].map((member) => member.tenant))) {
      const wanted = [...this.#wanted].filter((member) => member.tenant === tenant);
      const held = planned.filter(({ members }) => members[0]?.tenant === tenant);
      const layout = this.#layOut(wanted, held, calm);
      for (const members of layout) {
        const same = held.find((group) => group.members === members);
        const group = same ?? this.#group(members);
        if (!same) fresh.push(group);
        groups.push(group);
      }
    }
    this.#calm?.();
    const untidy = [...new Set([...this.#wanted].map(({ tenant }) => tenant))].some((tenant) =>
      isUntidy(groups.filter(({ members, stream }) => members[0]?.tenant === tenant && !stream.state.stop)),
    );
    this.#calm = untidy ? this.#environment.after(CALM_MS, () => this.#arrange(true)) : null;
    // Old streams go on for as long as somebody's new one has not taken over.
    const old = this.#groups.filter((group) => !groups.includes(group));
    this.#groups = [...groups, ...old];
    for (const group of fresh) group.stream.input({ is: "open" });
    for (const group of groups) {
      for (const member of group.members) {
        const source = this.#source.get(member);
        if (source === group) continue;
        if (!source || group.stream.state.phase === "live" || source.stream.state.phase !== "live") {
          this.#adopt(member, group);
        }
      }
    }
    this.#sweep();
  }

  #layOut(wanted: Members, held: readonly Group[], calm: boolean): Members[] {
    const refused = held.filter(isMaybeOneScopes);
    // What has stopped stays so until a person asks, and takes nobody along.
    const stopped = held.filter((group) => group.stream.state.stop && !refused.includes(group));
    const running = held.filter((group) => !group.stream.state.stop);
    // By halves: the one that is refused for is found in few streams, however many scopes there are.
    const halves = refused.flatMap(({ members }) => inPieces(members, Math.ceil(members.length / 2)));
    const apart = [...stopped.map(({ members }) => members), ...halves];
    const rest = wanted.filter((member) => !apart.some((members) => members.includes(member)));
    const join = calm && isUntidy(running) && running.every(({ stream }) => stream.state.phase === "live");
    const keep = join ? running.filter(({ members }) => members.some(isLong)) : running;
    return [
      ...apart,
      ...layOut(
        rest,
        keep.map(({ members }) => members),
        join ? keep.length + 1 : undefined,
      ),
    ];
  }

  #group(members: Members): Group {
    const stream = new Stream(
      this.#environment,
      {
        target: () => ({
          url: this.#baseUrl + this.#url(group.members),
          lastEventId: this.#lastEventId(group.members),
        }),
        ready: () => this.#ready(group),
        event: (event) => this.#event(group, event),
        id: (id) => this.#id(members, id),
        state: () => this.#state(group),
      },
      this.counters,
    );
    for (const reason of this.#pauses) stream.input({ is: "pause", reason });
    const group: Group = { stream, members, shed: false };
    return group;
  }

  #adopt(member: Subscriber, group: Group): void {
    this.#source.set(member, group);
    member.begin();
    member.linked(linkStatusOf(group.stream.state));
  }

  #ready(group: Group): void {
    for (const member of group.members) {
      if (!this.#wanted.has(member)) continue;
      if (this.#isPlanned(group)) this.#source.set(member, group);
      if (this.#source.get(member) === group) member.begin();
    }
    this.#sweep();
  }

  /** Whether this group is the newest plan for its members, not one on its way out. */
  #isPlanned(group: Group): boolean {
    return (
      this.#groups.find((held) => held.members.some((member) => group.members.includes(member))) === group
    );
  }

  #event(group: Group, event: Envelope): void {
    for (const member of group.members) {
      if (this.#source.get(member) !== group) continue;
      if (event.env_id !== member.env || event.tenant_id !== member.tenant) continue;
      if (concerns(member.path, event)) member.event(event);
    }
  }

  #state(group: Group): void {
    const { state } = group.stream;
    if (isMaybeOneScopes(group)) {
      this.#replan();
      return;
    }
    // A refusal is the answer to whoever is to move here: the old stream must not hold them for ever.
    const takesOver = state.stop !== null && this.#isPlanned(group);
    for (const member of group.members) {
      if (this.#source.get(member) === group) member.linked(linkStatusOf(state));
      else if (takesOver) this.#adopt(member, group);
    }
    if (state.phase === "waiting" || state.phase === "stopped") this.#replan();
  }

  /** Ends streams that nobody gets anything from. */
  #sweep(): void {
    const planned = new Set(this.#groups.filter((group) => this.#isPlanned(group)));
    const inUse = new Set(this.#source.values());
    const [stay, go]: [Group[], Group[]] = [[], []];
    for (const group of this.#groups) {
      const wanted = group.members.some((member) => this.#wanted.has(member));
      (wanted && (planned.has(group) || inUse.has(group)) ? stay : go).push(group);
    }
    this.#groups = stay;
    for (const { stream } of go) stream.input({ is: "close" });
  }

  #url(members: Members): string {
    const [first, ...others] = members;
    if (!first) return "";
    if (others.length === 0) return first.ownUrl();
    // Several tabs may want the same scope: it is named once, and all of them hear it. The address that one of
    // them would have alone will not do: it may begin where that tab's log ends.
    const paths = new Set(members.map((member) => member.path));
    const scopes = [...paths].map((path) => `s=${encodeURIComponent(path).replaceAll("%2F", "/")}`);
    return `/api/v1/tenants/${encodeURIComponent(first.tenant)}/stream?${scopes.join("&")}`;
  }

  #lastEventId(members: Members): string | null {
    const envs = [...new Set(members.map((member) => member.env))];
    const known = envs.flatMap((env) => {
      const cursor = this.#cursors.of(members[0]?.tenant, env);
      return cursor === undefined ? [] : [[env, cursor] as const];
    });
    if (known.length === 0) return null;
    if (members.length === 1) return known[0]?.[1] ?? null;
    return known.map(([env, cursor]) => `${env}=${cursor}`).join(",");
  }

  #id(members: Members, id: string): void {
    const [first] = members;
    if (!first) return;
    for (const part of id.split(",")) {
      const [left = "", right] = part.split("=");
      if (right === undefined) this.#cursors.saw(first.tenant, first.env, left);
      else this.#cursors.saw(first.tenant, left, right);
    }
  }
}

/** For a page with several scopes: `createClient({ carrier: sharedStreams })`. */
export const sharedStreams: MakeCarrier = (environment, baseUrl) => new SharedStreams(environment, baseUrl);
