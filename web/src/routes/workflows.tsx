// /t/{tenant}/{env}/workflows: the workflows of a board. The address is the view.

import { deploymentsOf } from "@shipboard/client";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo } from "react";
import type { Wish } from "~/features/workflows/arrange";
import { WorkflowsView } from "~/features/workflows/workflows-view";
import { PageFrame } from "~/shared/page-frame";
import { workflowsPath } from "~/shared/paths";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/t/$tenant/$env/workflows");

/** The workflows page. */
export function WorkflowsPage() {
  const { tenant, env } = route.useParams();
  const { pin, q } = route.useSearch();
  const router = useRouter();
  const scope = deploymentsOf(tenant, env);
  const wish = useMemo(() => ({ pinFailing: pin === "failing", text: q?.trim() ?? "" }), [pin, q]);
  const change = useCallback(
    ({ pinFailing, text }: Wish) => {
      const query = new URLSearchParams({ ...(text && { q: text }), ...(pinFailing && { pin: "failing" }) });
      const search = query.size > 0 ? `?${query}` : "";
      router.history.replace(workflowsPath({ tenant, env }) + search);
    },
    [router, tenant, env],
  );
  useEffect(() => showTab(`Workflows · ${env} · ${tenant}`, null), [tenant, env]);
  return (
    <PageFrame board={{ tenant, env }} scope={scope} tab="workflows">
      <WorkflowsView key={`${tenant}/${env}`} scope={scope} wish={wish} onWish={change} />
    </PageFrame>
  );
}
