// Who is signed in. The session is a cookie that scripts cannot read; this asks the server about it. Signing in
// and out are in the client's API. No token is kept or put into a URL here.

import { useQuery } from "@tanstack/react-query";

/** What the server says of this browser's session. */
export interface Session {
  readonly mode: "open" | "required";
  readonly signed_in: boolean;
  readonly tenant: string | null;
  readonly role: string | null;
  /** Whether this browser may do everything in all of a tenant. */
  administers(tenant: string): boolean;
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

async function readSession(signal: AbortSignal): Promise<Session | null> {
  const response = await fetch("/api/v1/session", { signal, headers: { Accept: "application/json" } });
  if (!response.ok) return null;
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null) return null;
  const fields = new Map<string, unknown>(Object.entries(body));
  const mode = fields.get("mode") === "required" ? "required" : "open";
  const granted = fields.get("grants");
  const grants = Array.isArray(granted)
    ? granted.map((grant: object) => new Map<string, unknown>(Object.entries(grant)))
    : [];
  return {
    mode,
    signed_in: fields.get("signed_in") === true,
    tenant: text(fields.get("tenant")),
    role: text(fields.get("role")),
    administers: (tenant) =>
      mode === "open" ||
      grants.some(
        (grant) =>
          grant.get("tenant") === tenant && grant.get("role") === "admin" && grant.get("envs") === null,
      ),
  };
}

/** The session; undefined while it is asked for, null if the server does not say. */
export function useSession(): Session | null | undefined {
  return useQuery({
    queryKey: ["session"],
    queryFn: ({ signal }) => readSession(signal),
    staleTime: 60_000,
    retry: false,
  }).data;
}

/** The address of the sign-in page that leads back to where one was. */
export const signInHref = (back: string): string => `/sign-in?next=${encodeURIComponent(back)}`;

/** Where to go after signing in: only ever a path of this origin. */
export function safeNext(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/";
}
