// Who may come in to a tenant, and who changed what: tokens, webhooks' secrets, signed-in browsers, the audit log.
// A secret is shown once, until the page is left or it is put away.

import { useClient } from "@shipboard/client/react";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { announce } from "~/shared/announce";
import { Button, buttonClass } from "~/shared/button";
import { RelativeTime } from "~/shared/clock";
import { CopyButton } from "~/shared/copy";
import { Failure } from "~/shared/notice";
import { signInHref, useSession } from "~/shared/session";
import { useEnvs } from "~/shared/switcher";
import {
  type AccessApi,
  AccessError,
  accessApi,
  auditFile,
  type Made,
  type NewToken,
  type Token,
} from "./access-api";
import { ACTION, Cell, Row, Section, Table, TakeAway } from "./access-table";
import { NewTokenForm } from "./new-token";

/** The sources that deliver by webhook. */
const SOURCES = ["github", "gitlab", "argocd", "cdevents"] as const;

const when = (at: string | null, never: string): ReactNode => (at ? <RelativeTime at={at} /> : never);

const stateOf = ({ revokedAt, expiresAt }: Token): ReactNode => {
  if (revokedAt) return <>revoked {when(revokedAt, "")}</>;
  if (!expiresAt) return "valid";
  return Date.parse(expiresAt) <= Date.now() ? "expired" : <>until {expiresAt.slice(0, 10)}</>;
};

const holds = ({ revokedAt, expiresAt }: Token): boolean =>
  revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > Date.now());

/** The page's content. */
export function AccessView({ tenant }: { tenant: string }) {
  const api = useMemo(() => accessApi(tenant), [tenant]);
  const queries = useQueryClient();
  const [made, setMade] = useState<Made | null>(null);
  const { api: client } = useClient();
  const isOpen = useSession()?.mode === "open";
  const change = useMutation({
    mutationFn: (work: () => Promise<Made | undefined>) => work(),
    onSuccess: (result) => {
      if (result) setMade(result);
    },
    onError: (cause) =>
      announce(cause instanceof AccessError ? cause.message : "That did not work.", "alert"),
    onSettled: () => queries.invalidateQueries({ queryKey: ["access", tenant] }),
  });
  const take = (work: () => Promise<void>) => () =>
    change.mutate(async () => {
      await work();
      return undefined;
    });
  // The first token closes the doors. If it is an admin's, whoever made it goes in by it and goes on.
  const makeToken = async (token: NewToken): Promise<Made> => {
    const result = await api.makeToken(token);
    if (isOpen && token.role === "admin") {
      // Should it fail, the secret is shown all the same, and may be signed in with.
      await client.signIn(result.secret).then(
        () => queries.invalidateQueries({ queryKey: ["session"] }),
        () => announce("Sign in with the new token.", "alert"),
      );
    }
    return result;
  };
  const parts = { tenant, api, busy: change.isPending, take };
  return (
    <>
      {made && <MadeOnce key={made.secret} made={made} onDone={() => setMade(null)} />}
      <Tokens {...parts} isOpen={isOpen} onMake={(token) => change.mutate(() => makeToken(token))} />
      <Hooks {...parts} onMake={(source) => change.mutate(() => api.makeHook(source))} />
      <Sessions {...parts} />
      <Audit tenant={tenant} api={api} />
    </>
  );
}

interface Parts {
  readonly tenant: string;
  readonly api: AccessApi;
  readonly busy: boolean;
  readonly take: (work: () => Promise<void>) => () => void;
}

/** A list, loading or failed. */
function Loaded<Item>({
  list,
  children,
}: {
  list: { data: Item | undefined; error: Error | null; refetch: () => unknown };
  children: (items: Item) => ReactNode;
}) {
  if (list.error)
    return (
      <Failure title="This did not load" reason={list.error.message} onRetry={() => void list.refetch()} />
    );
  if (!list.data) return <p className="px-4 py-6 text-center text-soft">Loading…</p>;
  return children(list.data);
}

function MadeOnce({ made, onDone }: { made: Made; onDone: () => void }) {
  const box = useRef<HTMLElement>(null);
  // What made it may be far below: the secret is not to be missed.
  useEffect(() => box.current?.focus(), []);
  return (
    <section
      ref={box}
      tabIndex={-1}
      aria-label="New secret"
      className="mb-8 rounded-xl border border-accent bg-surface p-4 shadow-card"
    >
      <h2 className="text-base font-semibold">{made.what}: shown this once</h2>
      <p className="text-cell text-soft">Nobody can read it again, not even here. Keep it well.</p>
      {made.url && <Secret text={made.url} what="the address" />}
      <Secret text={made.secret} what="the secret" />
      <Button className="mt-3" onClick={onDone}>
        Done, put it away
      </Button>
    </section>
  );
}

function Secret({ text, what }: { text: string; what: string }) {
  return (
    <div className="mt-2 flex flex-wrap items-center gap-2">
      <code className="rounded-md bg-quiet-tint px-2 py-1 font-mono text-cell break-all select-all">
        {text}
      </code>
      <CopyButton text={text} what={what}>
        Copy
      </CopyButton>
    </div>
  );
}

function Tokens({
  tenant,
  api,
  busy,
  take,
  isOpen,
  onMake,
}: Parts & { isOpen: boolean; onMake: (token: NewToken) => void }) {
  const list = useQuery({
    queryKey: ["access", tenant, "tokens"],
    queryFn: ({ signal }) => api.tokens(signal),
  });
  const envs = (useEnvs(tenant).data ?? []).map(({ id }) => id);
  return (
    <Section title="Tokens" about="For reporters, scripts, walls, and people who sign in with one.">
      <NewTokenForm key={String(isOpen)} envs={envs} busy={busy} first={isOpen} onMake={onMake} />
      <Loaded list={list}>
        {(tokens) => (
          <Table
            label="Tokens"
            none="There is no token yet."
            heads={["Name", "Role", "Environments", "State", "Last used", "Made", "By", ACTION]}
          >
            {[...tokens]
              .sort((a, b) => Number(holds(b)) - Number(holds(a)) || b.createdAt.localeCompare(a.createdAt))
              .map((token) => (
                <Row key={token.id} faint={!holds(token)}>
                  <Cell>{token.name || <span className="font-mono text-xs">{token.id}</span>}</Cell>
                  <Cell>{token.role}</Cell>
                  <Cell>{token.envs?.join(", ") ?? "all"}</Cell>
                  <Cell>{stateOf(token)}</Cell>
                  <Cell>{when(token.usedAt, "never")}</Cell>
                  <Cell>{when(token.createdAt, "")}</Cell>
                  <Cell>{token.createdBy}</Cell>
                  <Cell>
                    {token.revokedAt === null && (
                      <TakeAway
                        word="Revoke"
                        what={`token ${token.name || token.id}`}
                        onTake={take(() => api.revokeToken(token.id))}
                      />
                    )}
                  </Cell>
                </Row>
              ))}
          </Table>
        )}
      </Loaded>
    </Section>
  );
}

function Hooks({ tenant, api, busy, take, onMake }: Parts & { onMake: (source: string) => void }) {
  const list = useQuery({
    queryKey: ["access", tenant, "hooks"],
    queryFn: ({ signal }) => api.hooks(signal),
  });
  return (
    <Section
      title="Webhooks"
      about="Secrets that sources sign with. To rotate one: make another, tell the source, revoke the old one."
      action={SOURCES.map((source) => (
        <Button key={source} disabled={busy} onClick={() => onMake(source)}>
          New secret for {source}
        </Button>
      ))}
    >
      <Loaded list={list}>
        {(hooks) => (
          <Table
            label="Webhooks"
            none="No source has a secret here."
            heads={["Source", "Id", "State", "Made", "By", ACTION]}
          >
            {hooks.map((hook) => (
              <Row key={hook.id} faint={hook.revokedAt !== null}>
                <Cell>{hook.source}</Cell>
                <Cell mono>{hook.id}</Cell>
                <Cell>{hook.revokedAt ? <>revoked {when(hook.revokedAt, "")}</> : "valid"}</Cell>
                <Cell>{when(hook.createdAt, "")}</Cell>
                <Cell>{hook.createdBy}</Cell>
                <Cell>
                  {hook.revokedAt === null && (
                    <TakeAway
                      word="Revoke"
                      what={`secret ${hook.id}`}
                      onTake={take(() => api.revokeHook(hook))}
                    />
                  )}
                </Cell>
              </Row>
            ))}
          </Table>
        )}
      </Loaded>
    </Section>
  );
}

function Sessions({ tenant, api, take }: Parts) {
  const list = useQuery({
    queryKey: ["access", tenant, "sessions"],
    queryFn: ({ signal }) => api.sessions(signal),
  });
  return (
    <Section title="Signed in" about="Browsers that may see or change something in this tenant.">
      <Loaded list={list}>
        {(sessions) => (
          <Table
            label="Signed in"
            none="Nobody is signed in."
            heads={["Who", "Role", "Last used", "Ends at the latest", ACTION]}
          >
            {sessions.map((session) => (
              <Row key={session.id}>
                <Cell>
                  {session.name || <span className="font-mono text-xs">{session.id}</span>}
                  {session.current && <span className="text-faint"> (this browser)</span>}
                </Cell>
                <Cell>{session.role}</Cell>
                <Cell>{when(session.usedAt, "")}</Cell>
                <Cell>{session.expiresAt?.slice(0, 10)}</Cell>
                <Cell>
                  <TakeAway
                    word="End"
                    what={`session of ${session.name || session.id}`}
                    onTake={take(async () => {
                      await api.endSession(session.id);
                      if (session.current) location.assign(signInHref(location.pathname, "over"));
                    })}
                  />
                </Cell>
              </Row>
            ))}
          </Table>
        )}
      </Loaded>
    </Section>
  );
}

function Audit({ tenant, api }: { tenant: string; api: AccessApi }) {
  const list = useInfiniteQuery({
    queryKey: ["access", tenant, "audit"],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => api.audit(pageParam, signal),
    getNextPageParam: ({ next }) => next,
  });
  return (
    <Section
      title="Audit log"
      about="Who changed what. Nothing here is ever changed or removed."
      action={
        <a href={auditFile(tenant)} download={`audit-${tenant}.jsonl`} className={buttonClass()}>
          All of it, as JSON lines
        </a>
      }
    >
      <Loaded list={list}>
        {({ pages }) => (
          <Table
            label="Audit log"
            none="Nothing has been changed yet."
            heads={["When", "What", "Of", "Who", "From", "Details"]}
          >
            {pages.flatMap(({ items }) =>
              items.map((line) => (
                <Row key={line.id}>
                  <Cell>{when(line.at, "")}</Cell>
                  <Cell>{line.action}</Cell>
                  <Cell mono>{line.subject}</Cell>
                  <Cell>{line.actor}</Cell>
                  <Cell mono>{line.address ?? ""}</Cell>
                  <Cell mono>{line.detail}</Cell>
                </Row>
              )),
            )}
          </Table>
        )}
      </Loaded>
      {list.hasNextPage && (
        <div className="border-t border-line p-2 text-center">
          <Button weight="ghost" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Older
          </Button>
        </div>
      )}
    </Section>
  );
}
