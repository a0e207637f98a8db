// A tiny server that keeps the truth of one env: it numbers changes, can be snapshotted at any moment and
// pages through what it holds. The oracle of the property tests; it shares no code with the reducer.

import type { Deployment, Envelope, Page, Status, Workflow } from "../protocol/types";
import {
  at,
  countsOf,
  countsUpdate,
  deployment,
  progress,
  remove,
  snapshot,
  upsert,
  workflow,
  workflowUpsert,
} from "./build";

/** One thing that happens in the env. Numbers choose among what there is. */
export type Act =
  | { readonly is: "create"; readonly second: number; readonly workflow: number }
  | { readonly is: "status"; readonly which: number; readonly status: Status }
  | { readonly is: "progress"; readonly which: number; readonly percent: number }
  | { readonly is: "retry"; readonly which: number; readonly second: number }
  | { readonly is: "delete"; readonly which: number };

const newestFirst = (a: Deployment, b: Deployment): number =>
  b.created_at.localeCompare(a.created_at) || b.id.localeCompare(a.id);

/** The truth of an env. */
export class EnvModel {
  epoch: string;
  event_id = 0;
  #rows: Deployment[] = [];
  #workflows: Workflow[] = [];
  #made = 0;

  constructor(epoch = "e1") {
    this.epoch = epoch;
  }

  /** All rows, newest first. */
  get rows(): readonly Deployment[] {
    return this.#rows;
  }

  /** All workflows, last active first. */
  get workflows(): readonly Workflow[] {
    return this.#workflows;
  }

  /** A backup is restored: numbers start anew, and only the epoch tells. */
  restart(epoch: string): void {
    this.epoch = epoch;
    this.event_id = 1;
    this.#rows = this.#rows.map((row) => ({ ...row, event_id: 1 }));
    this.#workflows = this.#workflows.map((row) => ({ ...row, event_id: 1 }));
  }

  /** Does it and gives the transaction's events. */
  act(act: Act): Envelope[] {
    if (act.is === "create") {
      this.#made += 1;
      const row = deployment(this.#made, {
        created_at: at(act.second),
        workflow_id: `w${act.workflow}`,
        event_id: this.event_id + 1,
      });
      return this.#commit(null, row);
    }
    const old = this.#rows[act.which % Math.max(1, this.#rows.length)];
    if (!old) return [];
    if (act.is === "delete") return this.#commit(old, null);
    const event_id = this.event_id + 1;
    if (act.is === "status") return this.#commit(old, { ...old, status: act.status, event_id });
    if (act.is === "retry") {
      return this.#commit(old, { ...old, attempt: old.attempt + 1, created_at: at(act.second), event_id });
    }
    this.event_id = event_id;
    const event = progress(event_id, old, act.percent);
    const row = {
      ...old,
      progress: { percent: act.percent, phase: null, step: null },
      updated_at: at(event_id),
      event_id,
    };
    this.#rows = this.#rows.map((held) => (held.id === old.id ? row : held));
    return [event];
  }

  /** The deployments snapshot of this moment. */
  snapshot(limit: number): Envelope {
    return snapshot(this.event_id, {
      epoch: this.epoch,
      deployments: this.#rows.slice(0, limit),
      has_more: this.#rows.length > limit,
      workflows: [...this.#workflows],
      counts: countsOf(this.#rows, this.#workflows),
    });
  }

  /** The page after a row, as a list call reads it at this moment. */
  page(after: { readonly created_at: string; readonly id: string } | null, limit: number): Page<Deployment> {
    const beyond = this.#rows.filter((row) => !after || newestFirst(row, { ...row, ...after }) > 0);
    const items = beyond.slice(0, limit);
    return {
      items,
      next: beyond.length > limit ? (items.at(-1)?.id ?? null) : null,
      event_id: this.event_id,
    };
  }

  #commit(old: Deployment | null, row: Deployment | null): Envelope[] {
    const before = JSON.stringify(countsOf(this.#rows, this.#workflows));
    const events: Envelope[] = [];
    this.event_id += 1;
    if (row) events.push(upsert(this.event_id, row));
    else if (old) events.push(remove(this.event_id, old.id));
    this.#rows = [...this.#rows.filter((held) => held.id !== old?.id), ...(row ? [row] : [])].sort(
      newestFirst,
    );
    events.push(...this.#workflow(row?.workflow_id ?? old?.workflow_id ?? ""));
    const counts = countsOf(this.#rows, this.#workflows);
    if (JSON.stringify(counts) !== before) {
      this.event_id += 1;
      events.push(countsUpdate(this.event_id, counts));
    }
    return events;
  }

  #workflow(id: string): Envelope[] {
    const own = this.#rows.filter((row) => row.workflow_id === id);
    const old = this.#workflows.find((held) => held.id === id);
    const [latest] = own;
    const active = own.filter((row) => ["queued", "waiting", "running"].includes(row.status)).length;
    const fresh = latest && workflow(id, latest, { active, event_id: old?.event_id ?? 0 });
    if (JSON.stringify(fresh) === JSON.stringify(old)) return [];
    this.event_id += 1;
    const row = fresh && { ...fresh, event_id: this.event_id };
    this.#workflows = [...this.#workflows.filter((held) => held.id !== id), ...(row ? [row] : [])].sort(
      (a, b) => (b.latest?.at ?? "").localeCompare(a.latest?.at ?? "") || a.id.localeCompare(b.id),
    );
    if (row) return [workflowUpsert(this.event_id, row)];
    return old ? [workflowUpsert(this.event_id, { ...old, latest: null })] : [];
  }
}
