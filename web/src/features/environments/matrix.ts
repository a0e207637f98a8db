// The matrix as a value: workflows by environments, made anew from what the environments say. Whatever did not
// change keeps its identity, so that one change renders one cell. Which rows are shown is arrange.ts.

import type { CurrentDeployment, Workflow } from "@shipboard/client";

/** What one environment says of its workflows. */
export interface Column {
  readonly id: string;
  readonly name: string;
  readonly loaded: boolean;
  /** It has more workflows than were told. */
  readonly more: boolean;
  readonly workflows: ReadonlyMap<string, Workflow>;
}

/** What runs in the nearest environment to the left, where that is another version. */
export interface Drift {
  readonly env: string;
  readonly version: string;
  readonly since: string;
}

/** A workflow in an environment. */
export interface Cell {
  readonly workflow: Workflow;
  readonly drift: Drift | null;
}

/** A workflow everywhere; null where it never was. */
export interface MatrixRow {
  readonly id: string;
  readonly name: string;
  /** When anything of it last began, anywhere. */
  readonly at: string;
  readonly drifts: boolean;
  readonly cells: readonly (Cell | null)[];
}

/** Everything, in no order. */
export interface Matrix {
  readonly columns: readonly Column[];
  readonly rows: ReadonlyMap<string, MatrixRow>;
}

/** The matrix before anything was said. */
export const emptyMatrix: Matrix = { columns: [], rows: new Map() };

/** The matrix of these columns, made from the one before. */
export function nextMatrix(before: Matrix, columns: readonly Column[]): Matrix {
  const same = columns.length === before.columns.length;
  if (same && columns.every((column, index) => sameColumn(before.columns[index], column))) return before;
  const changed = changedIds(before, columns);
  const rows = new Map(before.rows);
  for (const id of changed) {
    const row = rowOf(id, columns, before.rows.get(id));
    if (row) rows.set(id, row);
    else rows.delete(id);
  }
  return { columns, rows };
}

/** The latest attempt, where it says something that what runs there does not. */
export function attemptOf({ latest, current }: Workflow): Workflow["latest"] {
  if (!latest) return null;
  return latest.deployment_id === current?.deployment_id && latest.status === "success" ? null : latest;
}

const sameColumn = (a: Column | undefined, b: Column): boolean =>
  a !== undefined &&
  a.id === b.id &&
  a.name === b.name &&
  a.loaded === b.loaded &&
  a.more === b.more &&
  a.workflows === b.workflows;

/** The workflows of which a cell may be another; all of them where the columns themselves are others. */
function changedIds(before: Matrix, columns: readonly Column[]): Set<string> {
  const changed = new Set<string>();
  const reshaped =
    columns.length !== before.columns.length ||
    columns.some((column, index) => {
      const old = before.columns[index];
      return old?.id !== column.id || old.name !== column.name || old.loaded !== column.loaded;
    });
  if (reshaped) {
    for (const id of before.rows.keys()) changed.add(id);
    for (const { workflows } of columns) for (const id of workflows.keys()) changed.add(id);
    return changed;
  }
  columns.forEach(({ workflows }, index) => {
    const old = before.columns[index]?.workflows;
    if (old === workflows) return;
    for (const [id, row] of workflows) if (old?.get(id) !== row) changed.add(id);
    for (const id of old?.keys() ?? []) if (!workflows.has(id)) changed.add(id);
  });
  return changed;
}

function rowOf(id: string, columns: readonly Column[], before: MatrixRow | undefined): MatrixRow | null {
  const cells = columns.map(({ workflows }, index): Cell | null => {
    const workflow = workflows.get(id);
    if (!workflow) return null;
    const drift = driftOf(workflow.current, id, columns, index);
    const old = before?.cells[index];
    return old?.workflow === workflow && sameDrift(old.drift, drift) ? old : { workflow, drift };
  });
  const held = cells.flatMap((cell) => cell ?? []);
  if (held.length === 0) return null;
  const at = held.reduce((last, { workflow }) => {
    const own = workflow.latest?.at ?? "";
    return own > last ? own : last;
  }, "");
  const name = held.find(({ workflow }) => workflow.name)?.workflow.name ?? id;
  return { id, name, at, drifts: held.some(({ drift }) => drift !== null), cells };
}

/**
 * Whether another version runs to the left: in the nearest environment where anything of the workflow runs at
 * all, since one that it only failed in has nothing to be compared with. Unnamed versions cannot be told apart.
 */
function driftOf(
  current: CurrentDeployment | null,
  id: string,
  columns: readonly Column[],
  index: number,
): Drift | null {
  if (current === null || current.version === null) return null;
  for (let place = index - 1; place >= 0; place--) {
    const column = columns[place];
    // Nobody knows yet what runs there, so nothing is said of the difference either.
    if (!column?.loaded) return null;
    const left = column.workflows.get(id)?.current;
    if (!left) continue;
    if (left.version === null || left.version === current.version) return null;
    return { env: column.name, version: left.version, since: left.since };
  }
  return null;
}

const sameDrift = (a: Drift | null, b: Drift | null): boolean =>
  a === b || (a !== null && b !== null && a.env === b.env && a.version === b.version && a.since === b.since);
