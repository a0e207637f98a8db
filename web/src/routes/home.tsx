// /: leads to the board that was looked at last, or lets one be chosen (`?choose=1` always does).

import type { Env, Tenant } from "@shipboard/client";
import { ProblemError } from "@shipboard/client/app";
import { getRouteApi, Navigate } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { ShipMark } from "~/shared/brand";
import { Failure, Notice } from "~/shared/notice";
import { boardPath, lastBoard } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { signInHref } from "~/shared/session";
import { useEnvs, useTenants } from "~/shared/switcher";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/");
const FIRST_BOARD = { tenant: "demo", env: "production" };

/** The first page. */
export function HomePage() {
  const { choose } = route.useSearch();
  const last = choose ? null : lastBoard();
  if (last) return <Navigate to="/t/$tenant/$env" params={last} search={{}} replace />;
  return <Choice />;
}

function Choice() {
  const tenants = useTenants();
  const signedOut = tenants.error instanceof ProblemError && tenants.error.status === 401;
  useEffect(() => showTab("", null), []);
  useEffect(() => {
    if (signedOut) location.replace(signInHref("/"));
  }, [signedOut]);
  return (
    <main className="mx-auto max-w-2xl px-4 pt-16 pb-16">
      <header className="mb-8 flex items-center gap-3">
        <ShipMark size={32} />
        <div>
          <h1 className="text-xl font-semibold tracking-tight">Shipboard</h1>
          <p className="text-soft">Choose a board.</p>
        </div>
      </header>
      {tenants.error && !signedOut && (
        <Panel>
          <Failure
            title="The boards did not load"
            reason={tenants.error.message}
            onRetry={() => void tenants.refetch()}
          />
        </Panel>
      )}
      {tenants.data?.length === 0 && <NoBoards />}
      <div className="flex flex-col gap-4">
        {tenants.data?.map((tenant) => (
          <TenantBoards key={tenant.id} tenant={tenant} />
        ))}
      </div>
    </main>
  );
}

function NoBoards() {
  return (
    <Panel>
      <Notice
        title="No boards yet"
        actions={
          <RowLink href={boardPath(FIRST_BOARD)} className="font-medium text-accent hover:underline">
            Open an empty board and see how
          </RowLink>
        }
      >
        The first report makes one: a board is named by whoever reports to it.
      </Notice>
    </Panel>
  );
}

function TenantBoards({ tenant }: { tenant: Tenant }) {
  const { data: envs, error } = useEnvs(tenant.id);
  return (
    <Panel>
      <h2 className="border-b border-line px-4 py-2.5 text-cell font-medium text-soft">
        {tenant.name || tenant.id}
      </h2>
      {error && <p className="px-4 py-3 text-failed">{error.message}</p>}
      <ul>
        {envs?.map((env) => (
          <EnvLink key={env.id} tenant={tenant.id} env={env} />
        ))}
        {envs?.length === 0 && <li className="px-4 py-3 text-faint">No environments yet</li>}
      </ul>
    </Panel>
  );
}

function EnvLink({ tenant, env }: { tenant: string; env: Env }) {
  return (
    <li className="border-b border-line last:border-0">
      <RowLink
        href={boardPath({ tenant, env: env.id })}
        className="flex items-center justify-between px-4 py-3 hover:bg-hover focus-visible:-outline-offset-2"
      >
        <span className="font-medium">{env.name || env.id}</span>
        {env.tier && <span className="text-xs text-faint">{env.tier}</span>}
      </RowLink>
    </li>
  );
}

function Panel({ children }: { children: ReactNode }) {
  return (
    <section className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
      {children}
    </section>
  );
}
