// Where a sha, tag or version is: what each environment's matching deployments say, as one verdict for each
// workflow and environment. Pure; what asks the environments is where-store.ts.

import { type CurrentDeployment, type Deployment, isActive, type Status } from "@shipboard/client";
import type { Matrix } from "./matrix";

/** Fewer characters than this are in everything. */
export const LEAST_CHARACTERS = 3;

/** What an environment says of it. */
export type VerdictIs = "there" | "coming" | "was" | "failed" | "not_yet";

/** The deployment a verdict speaks of. */
export interface Found {
  readonly id: string;
  readonly version: string | null;
  readonly status: Status;
  /** Since when it is there; else when it ended, or began. */
  readonly at: string;
  readonly rolled_back: boolean;
}

/** One answer to "is it there?". */
export interface Verdict {
  readonly is: VerdictIs;
  readonly found: Found | null;
  /** What runs there instead. */
  readonly current: CurrentDeployment | null;
  /** What runs there instead came later than what is looked for was first heard of. */
  readonly passed: boolean;
}

/** How closely what was found fits: it is called so, its version contains it, or it only mentions it. */
export type Closeness = "called" | "part" | "mentioned";

/** A workflow of which anything was found, and what each environment says. */
export interface WhereRow {
  readonly id: string;
  readonly name: string;
  /** Null where that environment has not answered. */
  readonly verdicts: readonly (Verdict | null)[];
}

/** All answers. */
export interface Where {
  readonly closeness: Closeness;
  readonly rows: ReadonlyMap<string, WhereRow>;
  readonly ids: readonly string[];
}

/** Nothing was found. */
export const nowhere: Where = { closeness: "called", rows: new Map(), ids: [] };

/** How closely a deployment fits what is looked for, or null. */
export function closenessOf(text: string, row: Deployment): Closeness {
  const wanted = bare(text);
  const { sha, ref } = row.commit;
  const names = [row.version, ref?.replace(/^refs\/tags\//, "") ?? null, row.external_id, row.id];
  if (names.some((name) => name !== null && bare(name) === wanted)) return "called";
  if (sha?.toLowerCase().startsWith(text.trim().toLowerCase())) return "called";
  return row.version && bare(row.version).includes(wanted) ? "part" : "mentioned";
}

/** The answers of all environments; `found` has what each one's search found, null where it has not answered. */
export function nextWhere(
  before: Where,
  text: string,
  matrix: Matrix,
  found: readonly (readonly Deployment[] | null)[],
): Where {
  const all = found.flatMap((rows) => rows ?? []).map((row) => [closenessOf(text, row), row] as const);
  const closeness = CLOSENESS.find((one) => all.some(([own]) => own === one));
  if (!closeness) return before.ids.length === 0 ? before : nowhere;
  const fits = (row: Deployment) => closenessOf(text, row) === closeness;
  const first = new Map<string, string>();
  for (const [own, row] of all) {
    const known = first.get(row.workflow_id);
    if (own === closeness && (!known || row.created_at < known)) first.set(row.workflow_id, row.created_at);
  }
  const rows = new Map<string, WhereRow>();
  for (const [id, since] of first) {
    const verdicts = found.map((matching, index) => {
      if (matching === null) return null;
      const current = matrix.columns[index]?.workflows.get(id)?.current ?? null;
      const own = matching.filter((row) => row.workflow_id === id && fits(row));
      return keep(before.rows.get(id)?.verdicts[index], verdictOf(own, current, since));
    });
    rows.set(id, { id, name: matrix.rows.get(id)?.name ?? id, verdicts });
  }
  const ids = [...rows.values()]
    .sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
  const same = ids.length === before.ids.length && ids.every((id, index) => id === before.ids[index]);
  return { closeness, rows, ids: same ? before.ids : ids };
}

/** What the matching deployments of a workflow in an environment come to. */
export function verdictOf(
  rows: readonly Deployment[],
  current: CurrentDeployment | null,
  firstHeard: string,
): Verdict {
  const newest = [...rows].sort((a, b) => (a.created_at > b.created_at ? -1 : 1));
  const say = (is: VerdictIs, row: Deployment, at: string): Verdict => ({
    is,
    found: {
      id: row.id,
      version: row.version,
      status: row.status,
      at,
      rolled_back: row.standing === "rolled_back",
    },
    current,
    passed: false,
  });
  const there = newest.find((row) => row.standing === "current");
  if (there) {
    const since = current?.deployment_id === there.id ? current.since : there.finished_at;
    return say("there", there, since ?? there.updated_at);
  }
  const coming = newest.find((row) => isActive(row.status));
  if (coming) return say("coming", coming, coming.started_at ?? coming.created_at);
  const was = newest.find((row) => row.standing !== null);
  if (was) return say("was", was, was.finished_at ?? was.updated_at);
  const [failed] = newest;
  if (failed) return say("failed", failed, failed.finished_at ?? failed.updated_at);
  return { is: "not_yet", found: null, current, passed: current !== null && current.since > firstHeard };
}

const CLOSENESS = ["called", "part", "mentioned"] as const satisfies readonly Closeness[];

/** A version as it is compared: people leave the `v` out. */
const bare = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/^v(?=\d)/, "");

function keep(old: Verdict | null | undefined, fresh: Verdict): Verdict {
  if (!old || old.is !== fresh.is || old.current !== fresh.current || old.passed !== fresh.passed)
    return fresh;
  const [a, b] = [old.found, fresh.found];
  const same =
    a === b ||
    (a !== null &&
      b !== null &&
      a.id === b.id &&
      a.version === b.version &&
      a.status === b.status &&
      a.at === b.at &&
      a.rolled_back === b.rolled_back);
  return same ? old : fresh;
}
