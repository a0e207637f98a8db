// The root entry: what shows an env's board live. Details, logs, older rows, filtered views and single reads are
// in ./app, streams that scopes or tabs share in ./sharing, hooks in ./react, tools for tests in ./testing.

export type { Carrier, MakeCarrier, Subscriber } from "./carrier";
export type { ClientOptions, LiveClient, ScopeStore, Topic } from "./client";
export type { Clock } from "./clock";
export { createClient } from "./create";
export { browserEnvironment, type Environment, type PageSignal } from "./environment";
export { type Filter, filterKey, isEmptyFilter } from "./filter";
export type { Link, LinkStatus, PauseReason, StopReason } from "./link";
export { compareDeployments, compareWorkflows } from "./order";
export type * from "./protocol/types";
export { ACTIVE_STATUSES, ENTRY_KINDS, isActive, KINDS, STANDINGS, STATUSES } from "./protocol/words";
export {
  type BoardScope,
  type DeploymentsScope,
  type DetailsScope,
  deploymentsOf,
  detailsOf,
  type LogScope,
  logOf,
  type Scope,
  scopeKey,
} from "./scope";
export type { AnyState, DeploymentsState, DetailsState, LogState } from "./state";
export type { StreamCounters } from "./stream";
