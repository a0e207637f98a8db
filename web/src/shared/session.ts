// Who is signed in. The session is a cookie that scripts cannot read; this asks the server about it. Signing in
// by a token and out are in the client's API; the provider is a place to go to. No token is kept or put into a URL here.

import { useQuery } from "@tanstack/react-query";

/** What the server says of this browser's session. */
export interface Session {
  readonly mode: "open" | "required";
  readonly signed_in: boolean;
  readonly tenant: string | null;
  readonly role: string | null;
  /** What people call whoever is signed in. */
  readonly name: string | null;
  /** What the session was begun with. */
  readonly by: "token" | "provider" | null;
  /** What people call the provider that they may sign in by, if there is one. */
  readonly provider: string | null;
  /** The provider's account that was just found to have no access here. */
  readonly refused: string | null;
  /** Whether this browser may do everything in all of a tenant. */
  administers(tenant: string): boolean;
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

async function readSession(signal: AbortSignal): Promise<Session | null> {
  const asked = fetch("/api/v1/session", { signal, headers: { Accept: "application/json" } });
  const body: unknown = await asked.then(
    (response) => (response.ok ? response.json() : null),
    () => null,
  );
  if (typeof body !== "object" || body === null) return null;
  const fields = new Map<string, unknown>(Object.entries(body));
  const mode = fields.get("mode") === "required" ? "required" : "open";
  const by = fields.get("by");
  const granted = fields.get("grants");
  const grants = Array.isArray(granted)
    ? granted.map((grant: object) => new Map<string, unknown>(Object.entries(grant)))
    : [];
  return {
    mode,
    signed_in: fields.get("signed_in") === true,
    tenant: text(fields.get("tenant")),
    role: text(fields.get("role")),
    name: text(fields.get("name")),
    by: by === "token" || by === "provider" ? by : null,
    provider: text(fields.get("provider")),
    refused: text(fields.get("refused")),
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

/** Why the sign-in page is shown, where somebody was not just on their way in. */
export const SIGN_IN_PROBLEMS = ["over", "unavailable", "broken", "stale", "denied", "refused"] as const;
export type SignInProblem = (typeof SIGN_IN_PROBLEMS)[number];

/** The address of the sign-in page that leads back to where one was. */
export const signInHref = (back: string, problem?: SignInProblem): string =>
  `/sign-in?next=${encodeURIComponent(back)}${problem ? `&problem=${problem}` : ""}`;

/** The way to the provider, and from there back to `next`; `again`: it asks who it is even if it knows. */
export const providerHref = (next: string | undefined, again = false): string =>
  `/api/v1/session/oidc?next=${encodeURIComponent(safeNext(next))}${again ? "&again=1" : ""}`;

/** Where the provider is told that one has signed out; it leads back to the sign-in page. */
export const PROVIDER_END = "/api/v1/session/oidc/end";

/** Where to go after signing out here: whoever came by the provider signs out there too. */
export const afterSignOut = (session: Session | null | undefined): string =>
  session?.by === "provider" ? PROVIDER_END : "/sign-in";

/** Where to go after signing in: only ever a page of this origin. Browsers leave tabs and line ends out of addresses,
 * and take a backslash for a slash, and two of them for the beginning of a host. The server has the same rule. */
export function safeNext(next: string | undefined): string {
  if (next === undefined || !/^\/[\x21-\x5b\x5d-\x7e]*$/.test(next)) return "/";
  const path = next.split(/[?#]/, 1)[0] ?? "";
  return path.includes("//") || path === "/api" || path.startsWith("/api/") ? "/" : next;
}
