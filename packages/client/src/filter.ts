// The filters of the deployments page: one meaning, twice used, as the query of a list call (the server's
// history) and as a predicate on live rows. What `matches` says must equal what the server answers.

import type { Deployment, Status } from "./protocol/types";

/** What a deployments list is narrowed to; an absent or empty field narrows nothing. */
export interface Filter {
  /** Any of these statuses. */
  readonly status?: readonly Status[];
  /** The workflow's slug, or several with commas. */
  readonly workflow?: string;
  /** The actor, as reported. */
  readonly actor?: string;
  /** Start of the commit's sha, or part of version, message, commit message or id (of both kinds), in any case. */
  readonly q?: string;
  /** `created_at` at or after this time (RFC 3339). */
  readonly since?: string;
  /** `created_at` before this time (RFC 3339). */
  readonly until?: string;
}

/** Whether a filter narrows nothing. */
export const isEmptyFilter = (filter: Filter): boolean => filterKey(filter) === "";

/** The filter as the query parameters of a list call, without a leading `?`; the same for the same meaning. */
export function filterKey(filter: Filter): string {
  const query = new URLSearchParams();
  if (filter.status?.length) query.set("status", [...new Set(filter.status)].sort().join(","));
  for (const name of ["workflow", "actor", "q", "since", "until"] as const) {
    const value = filter[name]?.trim();
    if (value) query.set(name, value);
  }
  return query.toString();
}

const includes = (text: string | null, part: string): boolean => text?.toLowerCase().includes(part) ?? false;

/** Whether the server's list would contain this row under the filter. */
export function matches(filter: Filter, row: Deployment): boolean {
  if (filter.status?.length && !filter.status.includes(row.status)) return false;
  const workflows = filter.workflow?.split(",").flatMap((slug) => slug.trim() || []) ?? [];
  if (workflows.length > 0 && !workflows.includes(row.workflow_id)) return false;
  const actor = filter.actor?.trim();
  if (actor && row.actor !== actor) return false;
  const q = filter.q?.trim().toLowerCase();
  if (q && !matchesText(q, row)) return false;
  const created = Date.parse(row.created_at);
  if (filter.since && created < Date.parse(filter.since)) return false;
  if (filter.until && created >= Date.parse(filter.until)) return false;
  return true;
}

function matchesText(q: string, row: Deployment): boolean {
  return (
    (row.commit.sha?.toLowerCase().startsWith(q) ?? false) ||
    includes(row.version, q) ||
    includes(row.message, q) ||
    includes(row.commit.message, q) ||
    includes(row.id, q) ||
    includes(row.external_id, q)
  );
}
