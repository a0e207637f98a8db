// The normalised state of each scope, as immutable values: unchanged parts keep their identity from one
// state to the next. Only shapes and beginnings stand here; what changes them is reduce.ts.

import type { Counts, Deployment, DeploymentProgress, TimelineEntry, Workflow } from "./protocol/types";

/** What a row's place in the deployments order is made of. */
export interface DeploymentKey {
  readonly created_at: string;
  readonly id: string;
}

/** The latest that was heard of one deployment while a page was awaited. */
export type Kept =
  | { readonly is: "row"; readonly event_id: number; readonly row: Deployment }
  | { readonly is: "progress"; readonly event_id: number; readonly progress: DeploymentProgress }
  | { readonly is: "gone"; readonly event_id: number };

/** A page that was asked for, and what the stream said since then. */
export interface AwaitedPage {
  /** The oldest row that was loaded when the page was asked for. */
  readonly after: DeploymentKey | null;
  readonly kept: ReadonlyMap<string, Kept>;
  /** The page cannot be joined any more (the epoch changed, too much was kept): ask again. */
  readonly void: boolean;
}

/** What every scope knows about itself. */
interface ScopeState {
  /** A snapshot has come; before that the rest is empty. */
  readonly loaded: boolean;
  /** The connection was lost since the last snapshot: shown, but maybe no longer true. */
  readonly stale: boolean;
  readonly epoch: string;
  readonly event_id: number;
}

/** The deployments page: rows, workflows and counts of one env. */
export interface DeploymentsState extends ScopeState {
  readonly kind: "deployments";
  readonly snapshot_event_id: number;
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly deployment_ids: readonly string[];
  readonly has_more: boolean;
  readonly workflows: ReadonlyMap<string, Workflow>;
  readonly workflow_ids: readonly string[];
  readonly workflows_more: boolean;
  readonly counts: Counts | null;
  /** Grows whenever one of the two id lists changes. */
  readonly orderRevision: number;
  readonly awaited: AwaitedPage | null;
}

/** One deployment's page. */
export interface DetailsState extends ScopeState {
  readonly kind: "details";
  readonly deployment: Deployment | null;
  readonly timeline: readonly TimelineEntry[];
  readonly timeline_more: boolean;
  readonly counts: Counts | null;
  /** The deployment was removed; the last of it stays to be shown. */
  readonly deleted: boolean;
}

/** One deployment's log: the retained text starts at byte `offset` and ends at byte `end`. */
export interface LogState extends ScopeState {
  readonly kind: "log";
  readonly offset: number;
  readonly end: number;
  readonly text: string;
  readonly done: boolean;
  /** Bytes between `end` and the last append are missing: the scope has to be subscribed anew. */
  readonly gap: boolean;
}

/** The state of any scope. */
export type AnyState = DeploymentsState | DetailsState | LogState;

const nothing = { loaded: false, stale: true, epoch: "", event_id: 0 } as const;

/** A deployments page before its first snapshot. */
export const emptyDeployments: DeploymentsState = {
  ...nothing,
  kind: "deployments",
  snapshot_event_id: 0,
  deployments: new Map(),
  deployment_ids: [],
  has_more: false,
  workflows: new Map(),
  workflow_ids: [],
  workflows_more: false,
  counts: null,
  orderRevision: 0,
  awaited: null,
};

/** A details page before its first snapshot. */
export const emptyDetails: DetailsState = {
  ...nothing,
  kind: "details",
  deployment: null,
  timeline: [],
  timeline_more: false,
  counts: null,
  deleted: false,
};

/** A log before its first snapshot. */
export const emptyLog: LogState = {
  ...nothing,
  kind: "log",
  offset: 0,
  end: 0,
  text: "",
  done: false,
  gap: false,
};

/** How many deployments are kept by a live page; beyond it a new row costs the oldest its place. */
export const ROWS_LIMIT = 5_000;
/** How many deployments a person may page to. */
export const PAGED_ROWS_LIMIT = 20_000;
/** How many workflows are kept. */
export const WORKFLOWS_LIMIT = 5_000;
/** How many changes are kept while a page is awaited; beyond it the page is asked for again. */
export const KEPT_LIMIT = 10_000;
/** How many timeline entries are kept, the newest. */
export const TIMELINE_LIMIT = 500;
/** How many characters of a log are kept, the last. */
export const LOG_LIMIT = 4 * 1024 * 1024;
