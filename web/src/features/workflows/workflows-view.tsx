// The workflows page: how they fare, what to see of them, the table, and what stands in its place. A row opens the
// deployments of its workflow.

import type { DeploymentsScope } from "@shipboard/client";
import {
  useClient,
  useCounts,
  useDeploymentsStore,
  useLink,
  useLoaded,
  useWorkflowIds,
} from "@shipboard/client/react";
import { clsx } from "clsx";
import { Pin } from "lucide-react";
import { useRef } from "react";
import { Button } from "~/shared/button";
import { formatNumber } from "~/shared/format";
import { useKeys } from "~/shared/keys";
import { linkWords } from "~/shared/link-state";
import { Failure, Notice } from "~/shared/notice";
import { boardPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { SearchBox } from "~/shared/search-box";
import { Surface } from "~/shared/surface";
import type { Wish } from "./arrange";
import { useArranged, WorkflowsTable } from "./table";

/** The page's content. */
export function WorkflowsView({
  scope,
  wish,
  onWish,
}: {
  scope: DeploymentsScope;
  wish: Wish;
  onWish: (next: Wish) => void;
}) {
  const box = useRef<HTMLInputElement>(null);
  const { pinFailing, text } = wish;
  const clear = () => onWish({ ...wish, text: "" });
  useKeys({
    "/": (event) => {
      event.preventDefault();
      box.current?.focus();
      box.current?.select();
    },
    Escape: () => {
      const active = document.activeElement;
      if (active instanceof HTMLElement && active.closest("[data-workflow]")) active.blur();
      else if (text) clear();
    },
  });
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 pb-3">
        <h1 className="text-lg font-semibold tracking-tight">Workflows</h1>
        <Summary scope={scope} />
        <search className="flex items-center gap-2 max-sm:w-full sm:ml-auto">
          <SearchBox
            label="Filter workflows"
            placeholder="Filter workflows"
            value={text}
            onChange={(value) => onWish({ ...wish, text: value })}
            box={box}
            hint="/"
            className="max-sm:grow sm:w-56"
          />
          <button
            type="button"
            aria-pressed={pinFailing}
            onClick={() => onWish({ ...wish, pinFailing: !pinFailing })}
            className={clsx(
              "flex h-8 shrink-0 items-center gap-1.5 rounded-md border px-2.5 text-cell font-medium",
              pinFailing
                ? "border-accent bg-accent-tint text-accent"
                : "border-edge bg-surface hover:bg-hover",
            )}
          >
            <Pin size={14} aria-hidden="true" />
            Failing on top
          </button>
        </search>
      </div>
      <Content scope={scope} wish={wish} onClear={clear} />
    </>
  );
}

function Summary({ scope }: { scope: DeploymentsScope }) {
  const counts = useCounts(scope)?.workflows;
  if (!counts) return null;
  return (
    <p className="text-soft">
      <span className="font-medium text-ink">{formatNumber(counts.success)}</span> of{" "}
      {formatNumber(counts.total)} succeeding
      {counts.failed > 0 && (
        <>
          , <span className="font-medium text-failed">{formatNumber(counts.failed)} failing</span>
        </>
      )}
      {counts.active > 0 && <>, {formatNumber(counts.active)} active</>}
    </p>
  );
}

function Content({ scope, wish, onClear }: { scope: DeploymentsScope; wish: Wish; onClear: () => void }) {
  const client = useClient();
  const loaded = useLoaded(scope);
  const link = useLink(scope);
  const none = useWorkflowIds(scope).length === 0;
  const ids = useArranged(scope, wish);
  const more = useDeploymentsStore(scope).get().workflows_more;
  const away = link.state.status !== "live" && link.state.status !== "connecting";
  if (!loaded && away) {
    const { status } = link.state;
    return (
      <Surface>
        <Failure
          title="The workflows did not load"
          reason={status === "stopped" ? `${linkWords(link).word}.` : "The server could not be reached."}
          onRetry={() => client.retry()}
        />
      </Surface>
    );
  }
  if (loaded && none) {
    return (
      <Surface>
        <Notice
          title="No workflows here yet"
          actions={
            <RowLink href={boardPath(scope)} className="font-medium text-accent hover:underline">
              How to make the first deployment
            </RowLink>
          }
        >
          A workflow appears with its first deployment.
        </Notice>
      </Surface>
    );
  }
  if (loaded && ids.length === 0) {
    return (
      <Surface>
        <Notice title="No workflow matches" actions={<Button onClick={onClear}>Clear the filter</Button>}>
          None is called anything with “{wish.text}”.
        </Notice>
      </Surface>
    );
  }
  return (
    <>
      <WorkflowsTable scope={scope} ids={ids} view={`${scope.tenant}/${scope.env} ${JSON.stringify(wish)}`} />
      {more && (
        <p className="pt-3 text-center text-cell text-faint">
          There are more workflows than these, which were active last.
        </p>
      )}
    </>
  );
}
