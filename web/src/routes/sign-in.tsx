// /sign-in: exchanges a token for a session cookie. The token goes into a request's body once and is kept nowhere.

import { ProblemError } from "@shipboard/client/app";
import { useClient } from "@shipboard/client/react";
import { getRouteApi } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { ShipMark } from "~/shared/brand";
import { Button } from "~/shared/button";
import { safeNext } from "~/shared/session";
import { showTab } from "~/shared/tab";

const route = getRouteApi("/sign-in");

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof ProblemError)) return "Something went wrong. Try again.";
  return cause.status === 401 ? "This token is not valid, or no longer." : cause.message;
};

/** The sign-in page. */
export function SignInPage() {
  const { next } = route.useSearch();
  const { api } = useClient();
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => showTab("Sign in", null), []);

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
    <main className="flex min-h-dvh items-center justify-center px-4">
      <form
        onSubmit={submit}
        className="w-full max-w-sm rounded-xl border border-line bg-surface p-6 shadow-card"
      >
        <div className="mb-5 flex items-center gap-3">
          <ShipMark size={28} />
          <h1 className="text-lg font-semibold tracking-tight">Sign in to Shipboard</h1>
        </div>
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
          weight="primary"
          disabled={busy || token.trim() === ""}
          className="mt-2 h-9 w-full"
        >
          {busy ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}
