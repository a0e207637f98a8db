// /access/{tenant}: who may come in, for the tenant's admins.

import { getRouteApi } from "@tanstack/react-router";
import { useEffect } from "react";
import { AccessView } from "~/features/access/access-view";
import { ShipMark } from "~/shared/brand";
import { Notice } from "~/shared/notice";
import { accessPath, environmentsPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { signInHref, useSession } from "~/shared/session";
import { SettingsMenu } from "~/shared/settings-menu";
import { Surface } from "~/shared/surface";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/access/$tenant");

/** The page of a tenant's admins. */
export function AccessPage() {
  const { tenant } = route.useParams();
  const session = useSession();
  useEffect(() => showTab(`Access · ${tenant}`, null), [tenant]);
  const signedOut = session?.signed_in === false;
  useEffect(() => {
    if (signedOut) location.replace(signInHref(accessPath(tenant)));
  }, [signedOut, tenant]);
  return (
    <div className="min-h-dvh">
      <header className="sticky top-0 z-30 border-b border-line bg-surface">
        <div className="mx-auto flex h-(--bar-height) max-w-[80rem] items-center gap-3 px-3 sm:px-6">
          <RowLink
            href="/?choose=1"
            aria-label="Shipboard, all boards"
            className="flex items-center gap-2 rounded-md"
          >
            <ShipMark />
          </RowLink>
          <RowLink
            href={environmentsPath(tenant)}
            className="rounded-md px-2 font-medium hover:bg-quiet-tint"
          >
            {tenant}
          </RowLink>
          <span className="text-faint">/</span>
          <h1 className="font-medium">Access</h1>
          <div className="ml-auto">
            <SettingsMenu tenant={tenant} />
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1} className="mx-auto max-w-[80rem] px-3 pt-5 pb-16 outline-none sm:px-6">
        {session?.mode === "open" && (
          <p role="note" className="mb-6 rounded-xl border border-line bg-quiet-tint px-4 py-3 text-cell">
            The doors are open: everybody who reaches this server is admin of everything. The first token
            closes them, for this browser too: keep its secret to sign in with, and let it be an admin’s.
          </p>
        )}
        {session?.mode === "required" && session.signed_in && !session.administers(tenant) ? (
          <Surface>
            <Notice title="This page is for admins of the tenant">
              Ask somebody who is one, or sign in with a token whose role is admin in all environments.
            </Notice>
          </Surface>
        ) : (
          session?.signed_in && <AccessView tenant={tenant} />
        )}
      </main>
    </div>
  );
}
