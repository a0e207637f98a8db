// /sign-in: the way to the provider, if there is one, and the exchange of a token for a session cookie. The token goes
// into a request's body once and is kept nowhere. Why somebody is here again is told too.

import { ProblemError } from "@shipboard/client/app";
import { useClient } from "@shipboard/client/react";
import { getRouteApi } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { ShipMark } from "~/shared/brand";
import { Button, buttonClass } from "~/shared/button";
import {
  PROVIDER_END,
  providerHref,
  SIGN_IN_PROBLEMS,
  type SignInProblem,
  safeNext,
  signInHref,
  useSession,
} from "~/shared/session";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/sign-in");

/** What is said of each problem but `refused`, which is a page of its own. */
const WORDS = {
  over: () => "Your session is over. Sign in again to go on where you were.",
  unavailable: (provider) => `${provider} does not answer. Try again in a moment.`,
  broken: (provider) => `${provider} gave an answer that cannot be used. The reason is in this server's log.`,
  stale: () => "That took too long, or was begun in another window. Begin again.",
  denied: (provider) => `${provider} did not let you in. You can try again.`,
} satisfies Record<Exclude<SignInProblem, "refused">, (provider: string) => string>;

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof ProblemError)) return "Something went wrong. Try again.";
  return cause.status === 401 ? "This token is not valid, or no longer." : cause.message;
};

/** The sign-in page. */
export function SignInPage() {
  const { next, problem: said } = route.useSearch();
  const session = useSession();
  const problem = SIGN_IN_PROBLEMS.find((known) => known === said);
  useEffect(() => showTab("Sign in", null), []);
  // Nothing is drawn before it is known what there is: it would shift.
  if (session === undefined) return null;
  const provider = session?.provider ?? null;
  if (problem === "refused" && provider !== null)
    return <Refused provider={provider} account={session?.refused ?? null} next={next} />;
  return (
    <Card title="Sign in to Shipboard">
      {problem && problem !== "refused" && (
        <p role="alert" className="mb-4 rounded-md bg-waiting-tint px-3 py-2 text-cell">
          {WORDS[problem](provider ?? "The provider")}
        </p>
      )}
      {provider !== null && (
        <>
          <a href={providerHref(next)} className={buttonClass("primary", "h-9 w-full")}>
            <span className="truncate">Sign in with {provider}</span>
          </a>
          <div className="my-5 flex items-center gap-3 text-xs text-faint">
            <span className="h-px grow bg-line" />
            or with a token
            <span className="h-px grow bg-line" />
          </div>
        </>
      )}
      <TokenForm next={next} weight={provider === null ? "primary" : "plain"} />
    </Card>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh items-center justify-center px-4 py-8">
      <div className="w-full max-w-sm rounded-xl border border-line bg-surface p-6 shadow-card">
        <div className="mb-5 flex items-center gap-3">
          <ShipMark size={28} />
          <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
        </div>
        {children}
      </div>
    </main>
  );
}

/** The provider knows them, and nobody here has let them in. */
function Refused({
  provider,
  account,
  next,
}: {
  provider: string;
  account: string | null;
  next: string | undefined;
}) {
  return (
    <Card title="No access">
      <p role="alert" className="text-cell">
        {account === null ? (
          "This account"
        ) : (
          <>
            You are signed in to {provider} as <strong className="break-words">{account}</strong>. This
            account
          </>
        )}{" "}
        is in no group that has access to this Shipboard.
      </p>
      <p className="mt-2 text-cell text-soft">Ask whoever looks after it to let one of your groups in.</p>
      <div className="mt-5 flex flex-col gap-2">
        <a href={providerHref(next, true)} className={buttonClass("primary", "h-9 w-full")}>
          Sign in with another account
        </a>
        <a href={PROVIDER_END} className={buttonClass("plain", "h-9 w-full")}>
          <span className="truncate">Sign out of {provider}</span>
        </a>
        <a href={signInHref(safeNext(next))} className={buttonClass("ghost", "h-9 w-full")}>
          Sign in with a token
        </a>
      </div>
    </Card>
  );
}

function TokenForm({ next, weight }: { next: string | undefined; weight: "primary" | "plain" }) {
  const { api } = useClient();
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    api.signIn(token.trim()).then(
      // A whole load, so that every stream begins with the new session.
      () => location.replace(safeNext(next)),
      (cause: unknown) => {
        setBusy(false);
        setProblem(reasonOf(cause));
      },
    );
  };

  return (
    <form onSubmit={submit}>
      <label className="block text-cell font-medium" htmlFor="token">
        Token
      </label>
      <input
        id="token"
        type="password"
        autoComplete="current-password"
        required
        value={token}
        onChange={(event) => setToken(event.target.value)}
        aria-describedby="token-help"
        aria-invalid={problem !== null}
        className="mt-1.5 h-9 w-full rounded-md border border-edge bg-surface px-2.5 font-mono text-sm"
      />
      <p id="token-help" className="mt-1.5 text-xs text-faint">
        Made by <code className="font-mono">shipboard token create</code>.
      </p>
      <p role="alert" className="mt-2 min-h-5 text-cell text-failed">
        {problem}
      </p>
      <Button
        type="submit"
        weight={weight}
        disabled={busy || token.trim() === ""}
        className="mt-2 h-9 w-full"
      >
        {busy ? "Signing in…" : "Sign in"}
      </Button>
    </form>
  );
}
