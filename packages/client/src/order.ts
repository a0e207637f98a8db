// The order of rows, and the only place that writes lists of ids. A list is a draft over an immutable
// beginning: it copies at the first change, so a pass that changes nothing gives the same arrays back.

import { keep } from "./equal";
import type { Workflow } from "./protocol/types";
import type { DeploymentKey } from "./state";

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Newest first; the id breaks ties, the greater first. Times are RFC 3339 of one length: text order is theirs. */
export const compareDeployments = (a: DeploymentKey, b: DeploymentKey): number =>
  byText(b.created_at, a.created_at) || byText(b.id, a.id);

/** Last active first; the id breaks ties, the smaller first. */
export const compareWorkflows = (a: Workflow, b: Workflow): number =>
  byText(b.latest?.at ?? "", a.latest?.at ?? "") || byText(a.id, b.id);

/** The old list if the new one has the same ids in the same order: a row may move and stay where it was. */
export const keepIds = (old: readonly string[], fresh: readonly string[]): readonly string[] =>
  old.length === fresh.length && old.every((id, index) => id === fresh[index]) ? old : fresh;

/** An order that is held still, and how many rows wait outside of it. */
export interface HeldOrder {
  readonly ids: readonly string[];
  readonly waiting: number;
}

/**
 * The held ids in their held order, without those that are gone, and behind them whatever was loaded beyond
 * the end: a reader who scrolls on gets the next page though the order is held.
 */
export function holdOrder(held: readonly string[], current: readonly string[]): HeldOrder {
  const places = new Map(current.map((id, index) => [id, index]));
  const kept = held.filter((id) => places.has(id));
  if (kept.length === 0) return { ids: current, waiting: 0 };
  const end = kept.reduce((last, id) => Math.max(last, places.get(id) ?? 0), 0);
  const ids = keepIds(held, [...kept, ...current.slice(end + 1)]);
  return { ids, waiting: current.length - ids.length };
}

/** Rows by id and their ids in order, being changed. */
export class RowList<Row extends { readonly id: string }> {
  #rows: ReadonlyMap<string, Row>;
  #ids: readonly string[];
  #ownRows: Map<string, Row> | null = null;
  #ownIds: string[] | null = null;
  readonly #compare: (a: Row, b: Row) => number;

  constructor(rows: ReadonlyMap<string, Row>, ids: readonly string[], compare: (a: Row, b: Row) => number) {
    this.#rows = rows;
    this.#ids = ids;
    this.#compare = compare;
  }

  /** The rows by id: the ones begun with, if nothing changed. */
  get rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  /** The ids in order: the ones begun with, if the order did not change. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** The last row in order that is not this one. */
  lastBut(id: string | null): Row | undefined {
    const last = this.#ids.at(-1);
    const other = last === id ? this.#ids.at(-2) : last;
    return other === undefined ? undefined : this.#rows.get(other);
  }

  /** Adds or replaces a row; the order is touched only if the row's place in it changed. */
  put(row: Row): void {
    const old = this.#rows.get(row.id);
    if (old && this.#compare(old, row) === 0) {
      this.#writeRows().set(row.id, row);
      return;
    }
    // The row leaves its old place while the map still knows what that place was.
    if (old) this.#cut(old);
    this.#writeRows().set(row.id, row);
    this.#writeIds().splice(this.#placeOf(row), 0, row.id);
  }

  /**
   * Puts a row into a contiguous prefix: while there are more rows beyond the last one, a row that would come
   * to stand behind every other is not held, because what lies between is not known. A row that did not move
   * stays, the last one too.
   */
  admit(row: Row, more: boolean): void {
    const old = this.#rows.get(row.id);
    const move = old ? this.#compare(row, old) : 0;
    const other = this.lastBut(row.id);
    const behind = other ? this.#compare(other, row) < 0 : !old || move > 0;
    if (more && behind && !(old && move === 0)) this.drop(row.id);
    else this.put(row);
  }

  /** Takes out the last rows beyond the limit; whether there were any. */
  trim(limit: number): boolean {
    const beyond = this.#ids.slice(limit);
    for (const id of beyond) this.drop(id);
    return beyond.length > 0;
  }

  /** Takes a row out. */
  drop(id: string): void {
    const old = this.#rows.get(id);
    if (!old) return;
    this.#cut(old);
    this.#writeRows().delete(id);
  }

  /** Becomes these rows, keeping the identity of whatever says the same as before. */
  replace(rows: readonly Row[]): void {
    const next = new Map<string, Row>();
    for (const row of rows) {
      const old = this.#rows.get(row.id);
      next.set(row.id, old ? keep(old, row) : row);
    }
    const sorted = [...next.values()].sort(this.#compare).map((row) => row.id);
    const sameRows =
      next.size === this.#rows.size && [...next].every(([id, row]) => this.#rows.get(id) === row);
    if (!sameRows) {
      this.#ownRows = next;
      this.#rows = next;
    }
    const ids = keepIds(this.#ids, sorted);
    if (ids === this.#ids) return;
    this.#ownIds = sorted;
    this.#ids = sorted;
  }

  #cut(old: Row): void {
    this.#writeIds().splice(this.#placeOf(old), 1);
  }

  /** Where the row is, or would have to be. */
  #placeOf(row: Row): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#rows.get(this.#ids[middle] ?? "");
      if (other && this.#compare(other, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #writeRows(): Map<string, Row> {
    if (!this.#ownRows) {
      this.#ownRows = new Map(this.#rows);
      this.#rows = this.#ownRows;
    }
    return this.#ownRows;
  }

  #writeIds(): string[] {
    if (!this.#ownIds) {
      this.#ownIds = [...this.#ids];
      this.#ids = this.#ownIds;
    }
    return this.#ownIds;
  }
}
