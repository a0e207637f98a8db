// Between stores and streams: what a store tells of itself and hears, and what brings it there. Own streams are
// streams.ts; streams that scopes or tabs share are in sharing/.

import type { Environment } from "./environment";
import type { LinkStatus, PauseReason } from "./link";
import type { Envelope } from "./protocol/types";
import type { StreamCounters } from "./stream";

/** What the streams carry something for: a scope that is listened to. */
export interface Subscriber {
  readonly tenant: string;
  readonly env: string;
  /** The scope in a shared stream's address: `env`, `env/d/id` or `env/d/id/log`. */
  readonly path: string;
  /** The address below the base where the scope has a stream of its own. */
  ownUrl(): string;
  /** The connection that will deliver from now on has not yet said anything. */
  begin(): void;
  event(event: Envelope): void;
  linked(status: LinkStatus): void;
}

/** Whatever brings subscribers their messages: streams of this page, or another tab's. */
export interface Carrier {
  readonly counters: StreamCounters;
  /** Carries something for this subscriber from now on. */
  want(subscriber: Subscriber): void;
  /** Carries nothing for it any more. */
  unwant(subscriber: Subscriber): void;
  /** What the subscriber has got does not fit together: it starts again, with the usual patience. */
  lost(subscriber: Subscriber): void;
  /** A person asks again. */
  again(): void;
  pause(reason: PauseReason): void;
  resume(reason: PauseReason): void;
  /** The page was shown, restored or connected. */
  wake(): void;
  /** The network went though no pause is due: try it out. */
  suspect(): void;
  close(): void;
}

/** Makes the carrier of a client. */
export type MakeCarrier = (environment: Environment, baseUrl: string) => Carrier;

/** How far each env was heard, by whatever stream: no connection may go back behind it. */
export class Cursors {
  readonly #byEnv = new Map<string, string>();

  of(tenant: string | undefined, env: string): string | undefined {
    return this.#byEnv.get(`${tenant}/${env}`);
  }

  saw(tenant: string, env: string, cursor: string): void {
    this.#byEnv.set(`${tenant}/${env}`, laterCursor(this.of(tenant, env), cursor));
  }
}

/** Streams of one env may be at different events: the later one counts, unless the epoch changed. */
function laterCursor(held: string | undefined, fresh: string): string {
  const split = (cursor: string) => {
    const dot = cursor.lastIndexOf(".");
    return { epoch: cursor.slice(0, dot), number: Number(cursor.slice(dot + 1)) };
  };
  if (held === undefined) return fresh;
  const [a, b] = [split(held), split(fresh)];
  return a.epoch === b.epoch && a.number > b.number ? held : fresh;
}
