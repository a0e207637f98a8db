// What one stream carries, as a value a page can write down: the deployments of an env, one deployment, or
// one deployment's log. Scopes are compared by key, so a page may build a new object at every render.

import { type Filter, filterKey, isEmptyFilter } from "./filter";

/** The deployments page of an env; with a filter, a view of it that the server's history completes. */
export interface DeploymentsScope {
  readonly kind: "deployments";
  readonly tenant: string;
  readonly env: string;
  /** How many rows the snapshot shall have: 100 unless asked, at most 500. */
  readonly limit?: number;
  readonly filter?: Filter;
}

/** The newest deployments of an env, as a stream alone can show them. */
export interface BoardScope extends Omit<DeploymentsScope, "filter"> {
  readonly filter?: never;
}

/** One deployment with its timeline. */
export interface DetailsScope {
  readonly kind: "details";
  readonly tenant: string;
  readonly env: string;
  readonly id: string;
}

/** One deployment's log. */
export interface LogScope {
  readonly kind: "log";
  readonly tenant: string;
  readonly env: string;
  readonly id: string;
}

/** Anything that can be looked at live. */
export type Scope = DeploymentsScope | DetailsScope | LogScope;

/** The same text for the same scope, whatever object says it. */
export function scopeKey(scope: Scope): string {
  if (scope.kind !== "deployments") return `${scope.kind} ${scope.tenant}/${scope.env}/${scope.id}`;
  const filter = scope.filter && !isEmptyFilter(scope.filter) ? ` ${filterKey(scope.filter)}` : "";
  return `deployments ${scope.tenant}/${scope.env} ${scope.limit ?? ""}${filter}`;
}

/** The deployments scope of an env. */
export function deploymentsOf(tenant: string, env: string): BoardScope;
export function deploymentsOf(tenant: string, env: string, filter: Filter | undefined): DeploymentsScope;
export function deploymentsOf(tenant: string, env: string, filter?: Filter): DeploymentsScope {
  return filter ? { kind: "deployments", tenant, env, filter } : { kind: "deployments", tenant, env };
}

/** The details scope of a deployment. */
export const detailsOf = (tenant: string, env: string, id: string): DetailsScope => ({
  kind: "details",
  tenant,
  env,
  id,
});

/** The log scope of a deployment. */
export const logOf = (tenant: string, env: string, id: string): LogScope => ({
  kind: "log",
  tenant,
  env,
  id,
});
