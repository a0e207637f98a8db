// The REST interface, for what is read once: history, one deployment, the choice of tenants and envs, and
// signing in. No caching and no retrying here; answers are decoded like everything else that comes in.

import { envPath } from "../address";
import { retryAfterMs } from "../backoff";
import type { Environment } from "../environment";
import { type Filter, filterKey } from "../filter";
import * as decode from "../protocol/decode";
import type {
  Counts,
  Deployment,
  DeploymentAnswer,
  Env,
  Page,
  Problem,
  Session,
  Tenant,
  Workflow,
} from "../protocol/types";

/** An answer that is none: the server's problem, or that there was no usable answer at all. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;
  /** What `Retry-After` asked for, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(problem: Problem, retryAfterMs: number | null = null, options?: ErrorOptions) {
    super(problem.detail ?? problem.title, options);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  /** The status code; 0 if the server was not reached or not understood. */
  get status(): number {
    return this.problem.status;
  }
}

/** What a list of deployments is asked with. */
export interface ListQuery {
  readonly filter?: Filter;
  readonly after?: string;
  readonly limit?: number;
}

/** The calls that pages make. Every one rejects with a `ProblemError` and nothing else, but for an abort. */
export interface Api {
  tenants(signal?: AbortSignal): Promise<Tenant[]>;
  envs(tenant: string, signal?: AbortSignal): Promise<Env[]>;
  deployments(
    tenant: string,
    env: string,
    query?: ListQuery,
    signal?: AbortSignal,
  ): Promise<Page<Deployment>>;
  deployment(tenant: string, env: string, id: string, signal?: AbortSignal): Promise<DeploymentAnswer>;
  workflows(tenant: string, env: string, after?: string, signal?: AbortSignal): Promise<Page<Workflow>>;
  workflow(
    tenant: string,
    env: string,
    id: string,
    signal?: AbortSignal,
  ): Promise<{ workflow: Workflow; event_id: number }>;
  counts(tenant: string, env: string, signal?: AbortSignal): Promise<{ counts: Counts; event_id: number }>;
  /** Who this browser is, and whether it has to sign in. */
  session(signal?: AbortSignal): Promise<Session>;
  /** Exchanges a token for a session cookie, so that no token stands in a URL. */
  signIn(token: string, signal?: AbortSignal): Promise<Session>;
  /** Ends the session. */
  signOut(signal?: AbortSignal): Promise<void>;
  /** Ends every session of whoever is signed in, in other browsers too. */
  signOutEverywhere(signal?: AbortSignal): Promise<void>;
}

/** The API at this base address (empty: the page's own). */
export function createApi(baseUrl: string, environment: Environment): Api {
  const call = async (path: string, init: RequestInit): Promise<Response> => {
    let response: Response;
    try {
      response = await environment.fetch(baseUrl + path, { credentials: "same-origin", ...init });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new ProblemError(unreached("The server could not be reached."), null, { cause });
    }
    if (response.ok) return response;
    throw new ProblemError(await problemOf(response), retryAfterMs(response.headers, environment.now()));
  };
  const read = async <Value>(
    path: string,
    as: (value: unknown) => Value | null,
    init: RequestInit,
  ): Promise<Value> => {
    const headers = { Accept: "application/json", ...init.headers };
    const value = as(await bodyOf(await call(path, { ...init, headers })));
    if (value === null) throw new ProblemError(unreached("The server's answer was not understood."));
    return value;
  };
  const get = <Value>(
    path: string,
    as: (value: unknown) => Value | null,
    signal?: AbortSignal,
  ): Promise<Value> => read(path, as, signal ? { signal } : {});

  return {
    tenants: async (signal) => (await get("/api/v1/tenants", decode.tenants, signal)).items,
    envs: async (tenant, signal) =>
      (await get(`/api/v1/tenants/${encodeURIComponent(tenant)}/envs`, decode.envs, signal)).items,
    deployments: (tenant, env, query = {}, signal) => {
      const search = new URLSearchParams(query.filter ? filterKey(query.filter) : "");
      if (query.after !== undefined) search.set("after", query.after);
      if (query.limit !== undefined) search.set("limit", String(query.limit));
      const text = search.toString();
      return get(`${envPath(tenant, env)}/deployments${text && `?${text}`}`, decode.deploymentsPage, signal);
    },
    deployment: (tenant, env, id, signal) =>
      get(`${envPath(tenant, env)}/deployments/${encodeURIComponent(id)}`, decode.deploymentAnswer, signal),
    workflows: (tenant, env, after, signal) =>
      get(
        `${envPath(tenant, env)}/workflows${after === undefined ? "" : `?after=${encodeURIComponent(after)}`}`,
        decode.workflowsPage,
        signal,
      ),
    workflow: (tenant, env, id, signal) =>
      get(`${envPath(tenant, env)}/workflows/${encodeURIComponent(id)}`, decode.workflowAnswer, signal),
    counts: (tenant, env, signal) => get(`${envPath(tenant, env)}/counts`, decode.countsAnswer, signal),
    session: (signal) => get("/api/v1/session", decode.session, signal),
    signIn: (token, signal) =>
      read("/api/v1/session", decode.session, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token }),
        ...(signal && { signal }),
      }),
    signOut: async (signal) => {
      await call("/api/v1/session", { method: "DELETE", ...(signal && { signal }) });
    },
    signOutEverywhere: async (signal) => {
      await call("/api/v1/sessions", { method: "DELETE", ...(signal && { signal }) });
    },
  };
}

const unreached = (title: string): Problem => ({
  type: "about:blank",
  title,
  status: 0,
  detail: null,
  request_id: null,
});

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const title = response.statusText || `HTTP ${response.status}`;
  const plain: Problem = {
    type: "about:blank",
    title,
    status: response.status,
    detail: null,
    request_id: null,
  };
  if (!response.headers.get("Content-Type")?.includes("json")) return plain;
  return decode.problem(await bodyOf(response), plain);
}
