// Addresses of the API that a person may open or save by themselves, and that hold nothing but what they may see.

import type { DetailsScope } from "@shipboard/client";

const part = encodeURIComponent;

/** The row and its timeline, as the server sends them. */
export const detailsApiPath = ({ tenant, env, id }: DetailsScope): string =>
  `/api/v1/tenants/${part(tenant)}/envs/${part(env)}/deployments/${part(id)}`;

/** The log as text, from a byte on. */
export const logApiPath = (scope: DetailsScope, offset = 0): string =>
  `${detailsApiPath(scope)}/logs?offset=${offset}`;
