// The facts of a deployment. Queued, started and finished are three times and stay apart; what it replaced and what
// replaced it is chain.tsx.

import { type Deployment, type DetailsScope, isActive } from "@shipboard/client";
import { ExternalLink } from "lucide-react";
import { Duration, RelativeTime } from "~/shared/clock";
import { CopyIcon } from "~/shared/copy";
import { formatClockSeconds, formatDuration, shortSha, subjectOf } from "~/shared/format";
import { sourceName } from "~/shared/naming";
import { workflowPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { KIND_WORDS } from "~/shared/status";
import { Chain } from "./chain";
import { Fact } from "./fact";
import { Panel } from "./panel";

const LINK_CLASS = "rounded hover:text-accent hover:underline";

/** The facts. */
export function Summary({ scope, row }: { scope: DetailsScope; row: Deployment }) {
  const { commit } = row;
  const kind = row.kind === "deploy" ? null : KIND_WORDS[row.kind];
  return (
    <Panel title="Summary">
      <dl className="divide-y divide-line border-t border-line">
        <Fact name="Workflow">
          <RowLink href={workflowPath(scope, row.workflow_id)} className={LINK_CLASS}>
            {row.workflow_id}
          </RowLink>
        </Fact>
        {row.version && (
          <Fact name="Version">
            <span className="truncate font-mono text-cell">{row.version}</span>
            <CopyIcon text={row.version} what="version" className="-my-1 -mr-1.5" />
          </Fact>
        )}
        {commit.sha && (
          <Fact name="Commit">
            <span className="font-mono text-cell" data-tip={commit.sha}>
              {commit.url ? (
                <a href={commit.url} target="_blank" rel="noreferrer" className={LINK_CLASS}>
                  {shortSha(commit.sha)}
                </a>
              ) : (
                shortSha(commit.sha)
              )}
            </span>
            {commit.ref && <span className="truncate text-soft">on {commit.ref}</span>}
            <CopyIcon text={commit.sha} what="commit" className="-my-1 -mr-1.5" />
          </Fact>
        )}
        {commit.author && <Fact name="Author">{commit.author}</Fact>}
        {row.actor && <Fact name="By">{row.actor}</Fact>}
        <Fact name="Queued">
          <Moment at={row.queued_at} open={false} />
        </Fact>
        <Fact name="Started">
          <Moment at={row.started_at} open={isActive(row.status)} />
        </Fact>
        <Fact name="Finished">
          <Moment at={row.finished_at} open={isActive(row.status)} />
        </Fact>
        {row.started_at && (
          <Fact name="Duration">
            <Duration from={row.started_at} to={row.finished_at} />
            {row.expected_ms !== null && (
              <span className="text-faint">usually {formatDuration(row.expected_ms)}</span>
            )}
          </Fact>
        )}
        {kind && (
          <Fact name="Kind">
            {kind}
            {row.inferred && (
              <span
                className="text-faint"
                data-tip="Found out from the versions before it, not sent by the source."
              >
                inferred
              </span>
            )}
          </Fact>
        )}
        {row.attempt > 1 && <Fact name="Attempt">{row.attempt}</Fact>}
        <Chain scope={scope} row={row} />
        <Fact name="Source">
          {row.url ? (
            <a
              href={row.url}
              target="_blank"
              rel="noreferrer"
              className={`${LINK_CLASS} flex items-center gap-1`}
            >
              {sourceName(row.source)}
              <ExternalLink size={13} aria-hidden="true" />
            </a>
          ) : (
            sourceName(row.source)
          )}
        </Fact>
        {row.reason && <LongFact name="Reason" text={row.reason} />}
        {row.message && row.message !== row.reason && <LongFact name="Message" text={row.message} />}
        {commit.message && subjectOf(commit.message) !== commit.message.trim() && (
          <LongFact name="Commit message" text={commit.message} />
        )}
      </dl>
    </Panel>
  );
}

function LongFact({ name, text }: { name: string; text: string }) {
  return (
    <div className="py-2 text-cell">
      <dt className="text-faint">{name}</dt>
      <dd className="mt-0.5 max-h-40 overflow-y-auto wrap-anywhere whitespace-pre-wrap text-soft">{text}</dd>
    </div>
  );
}

/** `open` says that it may still come. */
function Moment({ at, open }: { at: string | null; open: boolean }) {
  if (at === null) return <span className="text-faint">{open ? "not yet" : "not reported"}</span>;
  return (
    <>
      <RelativeTime at={at} className="text-faint" />
      <span data-number="">{formatClockSeconds(Date.parse(at))}</span>
    </>
  );
}
