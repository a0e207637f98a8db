// /t/{tenant}/{env}/d/{id}: one deployment. The query string is the list's filter that one came with: it says which
// deployments stand beside this one, and where the way back leads.

import { detailsOf } from "@shipboard/client";
import { useClient } from "@shipboard/client/react";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { DeploymentView } from "~/features/deployment/deployment-view";
import { NeighbourBar } from "~/features/deployment/neighbour-bar";
import { filterOf, filtersOf, readSearch } from "~/features/deployments/search";
import { PageFrame } from "~/shared/page-frame";

const route = getRouteApi("/t/$tenant/$env/d/$id");
const MINUTE_MS = 60_000;

/** One deployment's page. */
export function DeploymentPage() {
  const { tenant, env, id } = route.useParams();
  const raw = route.useSearch();
  const { clock } = useClient();
  const scope = detailsOf(tenant, env, id);
  const search = filtersOf(new URLSearchParams(raw).toString());
  // A period counts back from when the page was opened, as on the list.
  const filter = useMemo(() => {
    const now = Math.floor(clock.exact() / MINUTE_MS) * MINUTE_MS;
    return filterOf(readSearch(Object.fromEntries(new URLSearchParams(search))), now);
  }, [search, clock]);
  return (
    <PageFrame board={{ tenant, env }} scope={scope} tab="deployments">
      <NeighbourBar scope={scope} filter={filter} search={search} />
      <DeploymentView key={id} scope={scope} />
    </PageFrame>
  );
}
