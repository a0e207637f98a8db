// The package's front: one client per page, which hands out a store for each scope and keeps streams open
// only while somebody listens. Here it shows boards; what an app needs beside them is added in app/.

import type { MakeCarrier } from "./carrier";
import type { Clock } from "./clock";
import type { Environment } from "./environment";
import type { Hub } from "./hub";
import type { Link } from "./link";
import type { BoardScope } from "./scope";
import type { AnyState, DeploymentsState } from "./state";
import type { StreamCounters } from "./stream";

/** What of a scope a listener wants to hear of. `row` and `workflow` take an id. */
export type Topic =
  | "any"
  | "order"
  | "workflow_order"
  | "counts"
  | "link"
  | "paging"
  | `row ${string}`
  | `workflow ${string}`;

/** The live state of one scope. Its stream is open while it has a listener, and a while longer. */
export interface ScopeStore<State extends AnyState> {
  readonly key: string;
  get(): State;
  link(): Link;
  /** Calls back after the topic changed, at most once per frame; returns what stops it. */
  subscribe(topic: Topic, listener: () => void): () => void;
}

/** One client serves a whole page, be it one board or many. */
export interface LiveClient {
  /** What its stores share, for what adds other stores to them. */
  readonly hub: Hub;
  readonly clock: Clock;
  deployments(scope: BoardScope): ScopeStore<DeploymentsState>;
  /** Applies and tells everything that has come by now: for a person's action, which shall not wait. */
  flush(): void;
  /** A person asks again: streams that stopped or wait connect at once. */
  retry(): void;
  /** What streams have met: messages of unknown type, malformed ones, and connections made. */
  counters(): Readonly<StreamCounters>;
  /** Ends all streams and timers. */
  close(): void;
}

/** How a client is made. */
export interface ClientOptions {
  /** Where the server is, without a slash at the end; empty is the page's own origin. */
  readonly baseUrl?: string;
  readonly environment?: Environment;
  /** What brings the stores their messages: a stream each, or what the entry `./sharing` has. */
  readonly carrier?: MakeCarrier;
}
