// How one deployment and one log are carried and reduced: where their streams are, and which reducers take their
// messages.

import { envPath } from "../address";
import { reduceAllDetails } from "../details";
import { reduceAllLog } from "../log";
import type { DetailsScope, LogScope } from "../scope";
import { type DetailsState, emptyDetails, emptyLog, type LogState } from "../state";
import type { ScopeRules } from "../store";

/** One deployment. */
export const detailsRules = ({ tenant, env, id }: DetailsScope): ScopeRules<DetailsState> => ({
  tenant,
  env,
  path: `${env}/d/${id}`,
  empty: emptyDetails,
  url: () => `${deploymentPath(tenant, env, id)}/stream`,
  reduce: (state, events) => reduceAllDetails(state, events, id),
});

/** One log. */
export const logRules = ({ tenant, env, id }: LogScope): ScopeRules<LogState> => ({
  tenant,
  env,
  path: `${env}/d/${id}/log`,
  empty: emptyLog,
  url: ({ loaded, end }) => `${deploymentPath(tenant, env, id)}/logs/stream${loaded ? `?offset=${end}` : ""}`,
  reduce: (state, events) => reduceAllLog(state, events, id),
});

const deploymentPath = (tenant: string, env: string, id: string): string =>
  `${envPath(tenant, env)}/deployments/${encodeURIComponent(id)}`;
