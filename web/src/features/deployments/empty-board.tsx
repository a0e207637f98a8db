// The two ways a table can be empty: nobody has reported yet, and nothing matches. The first one shows how the
// first deployment is made, with this very board's address.

import type { DeploymentsScope } from "@shipboard/client";
import { SearchX, Ship } from "lucide-react";
import { Button } from "~/shared/button";
import { CopyIcon } from "~/shared/copy";
import { Notice } from "~/shared/notice";
import { useSession } from "~/shared/session";

/** Two ways to make the first deployment of a board. */
export function firstDeploymentSnippets(
  origin: string,
  { tenant, env }: Pick<DeploymentsScope, "tenant" | "env">,
  withToken: boolean,
): { curl: string; cli: string } {
  const address = `${origin}/api/v1/tenants/${tenant}/envs/${env}/deployments`;
  const lines = [
    `curl ${address}`,
    ...(withToken ? [`-H "Authorization: Bearer $SHIPBOARD_TOKEN"`] : []),
    `-H "Content-Type: application/json"`,
    `-d '{"workflow": "web", "version": "v1", "status": "running"}'`,
  ];
  return {
    curl: lines.join(" \\\n  "),
    cli: [
      `shipboard run --server ${origin}`,
      `--tenant ${tenant} --env ${env} --workflow web -- ./deploy.sh`,
    ].join(" \\\n  "),
  };
}

/** Nobody has reported to this board yet. */
export function NothingYet({ scope }: { scope: DeploymentsScope }) {
  const session = useSession();
  const { curl, cli } = firstDeploymentSnippets(location.origin, scope, session?.mode === "required");
  return (
    <Notice icon={<Ship size={28} strokeWidth={1.5} aria-hidden="true" />} title="No deployments here yet">
      <p>Run one of these and the first one appears here by itself.</p>
      <div className="mt-5 flex flex-col gap-3 text-left">
        <Snippet title="With curl" text={curl} />
        <Snippet title="With the command line" text={cli} />
      </div>
    </Notice>
  );
}

function Snippet({ title, text }: { title: string; text: string }) {
  return (
    <figure className="overflow-hidden rounded-lg border border-line bg-sunken">
      <figcaption className="flex h-9 items-center justify-between border-b border-line pr-1.5 pl-3 text-xs font-medium text-soft">
        {title}
        <CopyIcon text={text} what="the command" />
      </figcaption>
      <pre className="px-3 py-2.5 font-mono text-xs leading-5 wrap-anywhere whitespace-pre-wrap text-ink">
        {text}
      </pre>
    </figure>
  );
}

/** The filters leave nothing. */
export function NothingMatches({ onClear }: { onClear: () => void }) {
  return (
    <Notice
      icon={<SearchX size={28} strokeWidth={1.5} aria-hidden="true" />}
      title="No deployment matches"
      actions={<Button onClick={onClear}>Clear filters</Button>}
    >
      New ones that match will appear here by themselves.
    </Notice>
  );
}
