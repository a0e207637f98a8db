// A deployment's page put together, and what stands there while it has not come or cannot.

import { type Deployment, type DetailsScope, isActive } from "@shipboard/client";
import { useClient, useDetails, useLink } from "@shipboard/client/react";
import { useEffect } from "react";
import { linkWords } from "~/shared/link-state";
import { titleOf } from "~/shared/naming";
import { Failure } from "~/shared/notice";
import { lookOf } from "~/shared/status";
import { showTab } from "~/shared/tab";
import { Header, ProgressPanel } from "./header";
import { LogPanel } from "./log-panel";
import { RawPanel } from "./raw-panel";
import { Summary } from "./summary";
import { TimelinePanel } from "./timeline-panel";

/** The page's content. */
export function DeploymentView({ scope }: { scope: DetailsScope }) {
  const details = useDetails(scope);
  const row = details.deployment;
  const status = row?.status ?? null;
  const percent = row?.status === "running" ? row.progress.percent : null;
  const title = row && tabTitle(row, percent);
  useEffect(() => showTab(title ?? "Deployment", status, percent), [title, status, percent]);

  if (!row) return <Waiting scope={scope} />;
  const running = isActive(row.status);
  return (
    <div className="mx-auto max-w-[84rem]">
      <Header scope={scope} row={row} deleted={details.deleted} />
      <ProgressPanel row={row} />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <TimelinePanel details={details} running={running} />
          <LogPanel scope={scope} row={row} />
          <RawPanel scope={scope} />
        </div>
        <Summary scope={scope} row={row} />
      </div>
    </div>
  );
}

/** The status comes first, since a tab shows little more than the first words. */
function tabTitle(row: Deployment, percent: number | null): string {
  const status = percent === null ? "" : ` ${Math.floor(percent)} %`;
  return `${lookOf(row.status).word}${status}: ${row.workflow_id} ${row.version ?? titleOf(row)}`;
}

function Waiting({ scope }: { scope: DetailsScope }) {
  const client = useClient();
  const link = useLink(scope);
  const { state } = link;
  const missing = state.status === "stopped" && (state.reason === "not_found" || state.reason === "gone");
  const away = state.status === "offline" || state.status === "reconnecting" || state.status === "stopped";
  if (away) {
    return (
      <div className="mx-auto max-w-3xl rounded-xl border border-line bg-surface shadow-card">
        <Failure
          heading="h1"
          title={missing ? "There is no such deployment" : "The deployment did not load"}
          reason={
            missing
              ? "It may have been deleted, or the address is of another board."
              : state.status === "stopped"
                ? `${linkWords(link).word}.`
                : "The server could not be reached."
          }
          onRetry={() => client.retry()}
        />
      </div>
    );
  }
  return (
    <div
      role="status"
      aria-label="Loading the deployment"
      className="mx-auto flex max-w-[84rem] flex-col gap-4"
    >
      <span className="skeleton h-7 w-96 max-w-full" />
      <span className="skeleton h-4 w-64" />
      <div className="grid gap-4 pt-2 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="h-80 rounded-xl border border-line bg-surface" />
        <div className="h-96 rounded-xl border border-line bg-surface" />
      </div>
    </div>
  );
}
