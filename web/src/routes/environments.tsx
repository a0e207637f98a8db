// /t/{tenant}: all environments of a tenant beside each other. The address is the view.

import { ProblemError } from "@shipboard/client/app";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo } from "react";
import { EnvironmentsView } from "~/features/environments/environments-view";
import { type MatrixSearch, readSearch, writeSearch } from "~/features/environments/search";
import { buttonClass } from "~/shared/button";
import { Failure, Notice } from "~/shared/notice";
import { type Board, boardPath, environmentsPath, lastBoard } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { signInHref } from "~/shared/session";
import { useEnvs } from "~/shared/switcher";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/t/$tenant");
/** No stream tells that an environment was made, so the list of them is read again while the page is looked at. */
const ENVS_AGAIN_MS = 15_000;
const FIRST_ENV = "production";

/** The environments page. */
export function EnvironmentsPage() {
  const { tenant } = route.useParams();
  const raw = route.useSearch();
  const router = useRouter();
  const search = useMemo(() => readSearch(raw), [raw]);
  const { data: envs, error, refetch } = useEnvs(tenant, ENVS_AGAIN_MS);
  const signedOut = error instanceof ProblemError && error.status === 401;
  const change = useCallback(
    (next: MatrixSearch, how: "push" | "replace" = "push") => {
      const href = environmentsPath(tenant) + writeSearch(next);
      if (how === "replace") router.history.replace(href);
      else router.history.push(href);
    },
    [router, tenant],
  );
  useEffect(() => showTab(`Environments · ${tenant}`, null), [tenant]);
  useEffect(() => {
    if (signedOut) location.replace(signInHref(location.pathname + location.search));
  }, [signedOut]);

  if (!envs) {
    if (!error || signedOut) return null;
    return (
      <main className="mx-auto max-w-xl pt-24">
        <Failure
          heading="h1"
          title="The environments did not load"
          reason={error.message}
          onRetry={() => void refetch()}
        />
      </main>
    );
  }
  const board = nearBoard(
    tenant,
    envs.map(({ id }) => id),
  );
  if (envs.length === 0) {
    return (
      <main className="mx-auto max-w-xl pt-24">
        <Notice
          heading="h1"
          title="No environments yet"
          actions={
            <RowLink href={boardPath(board)} className={buttonClass()}>
              How to make the first deployment
            </RowLink>
          }
        >
          The first report to one makes it.
        </Notice>
      </main>
    );
  }
  return (
    <EnvironmentsView
      key={tenant}
      tenant={tenant}
      envs={envs}
      board={board}
      search={search}
      asking={raw["where"] === ""}
      onChange={change}
    />
  );
}

/** The board that the other tabs lead to: the one looked at last, or else the last in order. */
function nearBoard(tenant: string, envs: readonly string[]): Board {
  const last = lastBoard();
  if (last?.tenant === tenant && envs.includes(last.env)) return last;
  return { tenant, env: envs.at(-1) ?? FIRST_ENV };
}
