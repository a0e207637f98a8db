// What an event does to the deployments scope. A draft takes any number of events and gives one state, so a
// batch costs one copy. What is kept for pages that are awaited is in app/page.ts; filters come in as a predicate.

import { keep } from "./equal";
import { compareDeployments, compareWorkflows, keepIds, RowList } from "./order";
import type { Deployment, DeploymentProgress, Envelope, EventOf, Workflow } from "./protocol/types";
import { type DeploymentsState, ROWS_LIMIT, WORKFLOWS_LIMIT } from "./state";

/** Whether a row belongs to the list at all; a list without a filter accepts every row. */
export type Accepts = (row: Deployment) => boolean;

const everything: Accepts = () => true;

/** The row with its progress moved on, or the same row if it is newer or of another attempt. */
export function withProgress(row: Deployment, event_id: number, change: DeploymentProgress): Deployment {
  if (event_id <= row.event_id || change.attempt !== row.attempt) return row;
  return { ...row, progress: keep(row.progress, change.progress), updated_at: change.updated_at, event_id };
}

/** A deployments state being changed; `finish` gives the next one. */
export class DeploymentsDraft {
  readonly #base: DeploymentsState;
  readonly #accepts: Accepts;
  readonly deployments: RowList<Deployment>;
  readonly #workflows: RowList<Workflow>;
  #next: DeploymentsState;

  constructor(state: DeploymentsState, accepts: Accepts = everything) {
    this.#base = state;
    this.#next = state;
    this.#accepts = accepts;
    this.deployments = new RowList(state.deployments, state.deployment_ids, compareDeployments);
    this.#workflows = new RowList(state.workflows, state.workflow_ids, compareWorkflows);
  }

  /** The state so far, but for its lists. */
  get state(): DeploymentsState {
    return this.#next;
  }

  set<
    Field extends
      | "has_more"
      | "workflows_more"
      | "awaited"
      | "stale"
      | "loaded"
      | "snapshot_event_id"
      | "event_id"
      | "epoch",
  >(change: Pick<DeploymentsState, Field>): void {
    for (const field in change) {
      if (this.#next[field] !== change[field]) {
        this.#next = { ...this.#next, ...change };
        return;
      }
    }
  }

  /** Applies one message, and tells whether it did: one that is old or concerns others changes nothing. */
  apply(event: Envelope): boolean {
    if (event.type === "snapshot") return this.#snapshot(event);
    // Before its first snapshot a connection has told nothing that later events could build on.
    if (this.#next.stale || event.event_id <= this.#next.event_id) return false;
    switch (event.type) {
      case "deployment.upsert":
        this.upsert(event.payload.deployment);
        break;
      case "deployment.progress":
        this.progress(event.event_id, event.payload);
        break;
      case "deployment.delete":
        this.deployments.drop(event.payload.id);
        break;
      case "workflow.upsert":
        this.#workflow(event.payload.workflow);
        break;
      case "counts.update":
        this.#next = { ...this.#next, counts: keep(this.#next.counts, event.payload.counts) };
        break;
      default:
        // Logs and ends are numbered by others' rules: they move nothing here, the event id neither.
        return false;
    }
    this.set({ event_id: event.event_id });
    return true;
  }

  /** Puts a row where it belongs, if it is newer than the one held and inside what is loaded. */
  upsert(row: Deployment, limit = ROWS_LIMIT): void {
    const held = this.deployments.get(row.id);
    if (held && row.event_id <= held.event_id) return;
    if (!this.#accepts(row)) {
      this.deployments.drop(row.id);
      return;
    }
    this.deployments.admit(row, this.#next.has_more);
    if (!held && this.deployments.trim(limit)) this.set({ has_more: true });
  }

  /** Moves a loaded row's progress on; never the order. */
  progress(event_id: number, change: DeploymentProgress): void {
    const held = this.deployments.get(change.id);
    if (!held) return;
    const row = withProgress(held, event_id, change);
    if (row !== held) this.deployments.put(row);
  }

  /** The state after all that was applied: the one begun with, if nothing changed. */
  finish(): DeploymentsState {
    const base = this.#base;
    const deployments = this.deployments.rows;
    const deployment_ids = keepIds(base.deployment_ids, this.deployments.ids);
    const workflows = this.#workflows.rows;
    const workflow_ids = keepIds(base.workflow_ids, this.#workflows.ids);
    const ordered = deployment_ids !== base.deployment_ids || workflow_ids !== base.workflow_ids;
    if (!ordered && deployments === base.deployments && workflows === base.workflows) return this.#next;
    return {
      ...this.#next,
      deployments,
      deployment_ids,
      workflows,
      workflow_ids,
      orderRevision: base.orderRevision + (ordered ? 1 : 0),
    };
  }

  #snapshot(event: EventOf<"snapshot">): boolean {
    const snapshot = event.payload;
    if (snapshot.scope !== "deployments") return false;
    const sameEpoch = snapshot.epoch === this.#next.epoch;
    if (!this.#next.stale && sameEpoch && event.event_id < this.#next.event_id) return false;
    this.deployments.replace(snapshot.deployments);
    this.#workflows.replace(snapshot.workflows);
    const next: DeploymentsState = {
      ...this.#next,
      loaded: true,
      stale: false,
      epoch: snapshot.epoch,
      event_id: event.event_id,
      snapshot_event_id: event.event_id,
      has_more: snapshot.has_more,
      workflows_more: snapshot.workflows_more,
      counts: keep(this.#next.counts, snapshot.counts),
    };
    if (
      Object.entries(next).some(([field, value]) => this.#next[field as keyof DeploymentsState] !== value)
    ) {
      this.#next = next;
    }
    return true;
  }

  #workflow(row: Workflow): void {
    const held = this.#workflows.get(row.id);
    if (held && row.event_id <= held.event_id) return;
    if (row.latest === null) this.#workflows.drop(row.id);
    else this.#workflows.admit(row, this.#next.workflows_more);
    if (!held && this.#workflows.trim(WORKFLOWS_LIMIT)) this.set({ workflows_more: true });
  }
}
