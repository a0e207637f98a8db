// The root entry: everything but React and the tools for tests.

export { type Api, type ListQuery, ProblemError } from "./api";
export type {
  ClientOptions,
  DeploymentsStore,
  Paging,
  ScopeStore,
  ShipboardClient,
  Topic,
} from "./client";
export type { Clock } from "./clock";
export { createClient } from "./create";
export { browserEnvironment, type Environment, type PageSignal } from "./environment";
export { type Filter, filterKey, isEmptyFilter, matches } from "./filter";
export type { Link, LinkStatus, PauseReason, StopReason } from "./link";
export { compareDeployments, compareWorkflows } from "./order";
export type * from "./protocol/types";
export { ACTIVE_STATUSES, ENTRY_KINDS, isActive, KINDS, STANDINGS, STATUSES } from "./protocol/words";
export {
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
export type { Carrier } from "./streams";
