// /t/{tenant}/{env}: the deployments page. The address is the view.

import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo } from "react";
import { DeploymentsBoard, envScope } from "~/features/deployments/board";
import { type BoardSearch, readSearch, writeSearch } from "~/features/deployments/search";
import { PageFrame } from "~/shared/page-frame";
import { boardPath } from "~/shared/paths";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/t/$tenant/$env");

/** The deployments page. */
export function DeploymentsPage() {
  const { tenant, env } = route.useParams();
  const raw = route.useSearch();
  const router = useRouter();
  const search = useMemo(() => readSearch(raw), [raw]);
  const scope = envScope(tenant, env, search);
  const change = useCallback(
    (next: BoardSearch, how: "push" | "replace" = "push") => {
      const href = boardPath({ tenant, env }) + writeSearch(next);
      if (how === "replace") router.history.replace(href);
      else router.history.push(href);
    },
    [router, tenant, env],
  );
  useEffect(() => showTab(`${env} · ${tenant}`, null), [tenant, env]);
  return (
    <PageFrame board={{ tenant, env }} scope={scope} tab="deployments" wall={search.wall === "1"}>
      <DeploymentsBoard key={`${tenant}/${env}`} env={scope} search={search} onChange={change} />
    </PageFrame>
  );
}
