// /t/{tenant}/{env}/workflows: the workflows of a board.

import { deploymentsOf } from "@shipboard/client";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { WorkflowsTable } from "~/features/workflows/table";
import { PageFrame } from "~/shared/page-frame";
import { workflowsPath } from "~/shared/paths";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/t/$tenant/$env/workflows");

/** The workflows page. */
export function WorkflowsPage() {
  const { tenant, env } = route.useParams();
  const { pin } = route.useSearch();
  const router = useRouter();
  const board = { tenant, env };
  const scope = deploymentsOf(tenant, env);
  useEffect(() => showTab(`Workflows · ${env} · ${tenant}`, null), [tenant, env]);
  return (
    <PageFrame board={board} scope={scope} tab="workflows">
      <WorkflowsTable
        scope={scope}
        pinFailing={pin === "failing"}
        onPin={(on) => router.history.replace(workflowsPath(board) + (on ? "?pin=failing" : ""))}
      />
    </PageFrame>
  );
}
