// The addresses of pages, in one place, and the board that was looked at last. Links are real addresses: they
// can be opened in another tab and sent to a colleague.

import { readStored, writeStored } from "~/shared/stored";

const LAST_BOARD_KEY = "shipboard.board";

/** A board's tenant and env. */
export interface Board {
  readonly tenant: string;
  readonly env: string;
}

const part = encodeURIComponent;

/** The deployments page. */
export const boardPath = ({ tenant, env }: Board): string => `/t/${part(tenant)}/${part(env)}`;

/** The workflows page. */
export const workflowsPath = (board: Board): string => `${boardPath(board)}/workflows`;

/** One deployment's page. */
export const deploymentPath = (board: Board, id: string): string => `${boardPath(board)}/d/${part(id)}`;

/** The deployments page narrowed to a workflow. */
export const workflowPath = (board: Board, workflow: string): string =>
  `${boardPath(board)}?workflow=${part(workflow)}`;

/** The environments page. */
export const environmentsPath = (tenant: string): string => `/t/${part(tenant)}`;

/** The page of a tenant's admins. */
export const accessPath = (tenant: string): string => `/access/${part(tenant)}`;

/** Remembers where to begin next time. */
export const rememberBoard = ({ tenant, env }: Board): void =>
  writeStored(LAST_BOARD_KEY, `${tenant}/${env}`);

/** The board that was looked at last, if any. */
export function lastBoard(): Board | null {
  const [tenant, env, ...rest] = (readStored(LAST_BOARD_KEY) ?? "").split("/");
  return tenant && env && rest.length === 0 ? { tenant, env } : null;
}

/** Forgets it, where it turned out to be nothing. */
export const forgetBoard = (): void => writeStored(LAST_BOARD_KEY, null);
