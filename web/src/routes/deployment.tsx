// /t/{tenant}/{env}/d/{id}: one deployment.

import { detailsOf } from "@shipboard/client";
import { getRouteApi } from "@tanstack/react-router";
import { DeploymentView } from "~/features/deployment/deployment-view";
import { PageFrame } from "~/shared/page-frame";

const route = getRouteApi("/t/$tenant/$env/d/$id");

/** One deployment's page. */
export function DeploymentPage() {
  const { tenant, env, id } = route.useParams();
  const scope = detailsOf(tenant, env, id);
  return (
    <PageFrame board={{ tenant, env }} scope={scope} tab="deployments">
      <DeploymentView key={id} scope={scope} />
    </PageFrame>
  );
}
