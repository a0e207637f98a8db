// Loading more rows of a list, whatever keeps the list: asks for pages, has them joined, and asks again for
// the ones that came too late. Where a page begins is told by time, so no cursor outlives a snapshot.

import type { Accepts } from "../deployments";
import type { Filter } from "../filter";
import { PAGE_ROWS } from "../rules";
import { type DeploymentsState, PAGED_ROWS_LIMIT } from "../state";
import { type Api, ProblemError } from "./api";
import type { Paging } from "./client";
import { awaitPage, forgetPage, joinPage } from "./page";

/** How often a page is asked for before giving up. */
export const PAGE_ATTEMPTS = 5;

/** Nothing is under way and nothing went wrong. */
export const restingPaging: Paging = { loading: false, error: null };

/** A list that grows at its end. */
export interface PagedList {
  readonly api: Api;
  readonly tenant: string;
  readonly env: string;
  readonly filter: Filter;
  readonly accepts: Accepts;
  /** The state with everything that has come so far. */
  current(): DeploymentsState;
  replace(state: DeploymentsState): void;
  paging(paging: Paging): void;
}

/** Loads the next rows; the outcome is in the list's state and its paging. */
export async function loadPage(list: PagedList): Promise<void> {
  list.paging({ loading: true, error: null });
  try {
    await grow(list);
    list.paging(restingPaging);
  } catch (cause) {
    list.replace(forgetPage(list.current()));
    if (!(cause instanceof ProblemError)) throw cause;
    list.paging({ loading: false, error: cause });
  }
}

async function grow(list: PagedList): Promise<void> {
  let after: string | undefined;
  for (let attempt = 1; attempt <= PAGE_ATTEMPTS; attempt++) {
    const state = awaitPage(list.current());
    const count = state.deployment_ids.length;
    if (!state.has_more || count >= PAGED_ROWS_LIMIT) return;
    list.replace(state);
    const filter = { ...list.filter, ...untilOf(state, list.filter) };
    const query = { filter, limit: PAGE_ROWS, ...(after === undefined ? {} : { after }) };
    const page = await list.api.deployments(list.tenant, list.env, query);
    const joined = joinPage(list.current(), page, list.accepts);
    list.replace(joined.state);
    if (joined.again) {
      after = undefined;
      continue;
    }
    if (joined.state.deployment_ids.length > count || page.next === null) return;
    // A page of nothing but rows of the very millisecond it began at, all of them known.
    after = page.next;
  }
  throw new ProblemError({
    type: "about:blank",
    title: "The list changes too fast to be continued. Try again.",
    status: 0,
    detail: null,
    request_id: null,
  });
}

/** The page begins with the oldest loaded row's millisecond; rows that are known already join harmlessly. */
function untilOf({ awaited }: DeploymentsState, { until }: Filter): Pick<Filter, "until"> {
  if (!awaited?.after) return until === undefined ? {} : { until };
  const end = Date.parse(awaited.after.created_at) + 1;
  const wanted = until ? Date.parse(until) : Number.POSITIVE_INFINITY;
  return { until: new Date(Math.min(end, wanted)).toISOString() };
}
