// The calls of a tenant's admins. Few and rarely made, they are the app's own and not the client package's. What comes
// in is checked field by field, like everything else.

/** What a credential allows. */
export type Role = "viewer" | "reporter" | "admin";

/** A token, without its secret. */
export interface Token {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  /** `null`: all of the tenant's. */
  readonly envs: readonly string[] | null;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly usedAt: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

/** A webhook's secret, without what it is. */
export interface Hook {
  readonly id: string;
  readonly source: string;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly revokedAt: string | null;
}

/** A signed-in browser. */
export interface SignedIn {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly usedAt: string | null;
  readonly expiresAt: string | null;
  /** It is this browser. */
  readonly current: boolean;
}

/** A line of the audit log. */
export interface AuditLine {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  /** From which address, where it came over the network. */
  readonly address: string | null;
  readonly action: string;
  readonly subject: string;
  /** What else is known of it, in a few words. */
  readonly detail: string;
}

/** A part of the audit log, and where the next begins. */
export interface AuditPage {
  readonly items: readonly AuditLine[];
  readonly next: string | null;
}

/** A token to be made. */
export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly envs: readonly string[];
  /** `null`: for ever. */
  readonly expiresInS: number | null;
}

/** What was made: to be shown this once. */
export interface Made {
  /** What it is for, in words. */
  readonly what: string;
  readonly secret: string;
  /** Where a webhook delivers to; `null` of a token. */
  readonly url: string | null;
}

/** The server said no, in its own words. */
export class AccessError extends Error {
  override readonly name = "AccessError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Fields = ReadonlyMap<string, unknown>;

const fieldsOf = (value: unknown): Fields =>
  new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const tokenOf = (fields: Fields): Token => ({
  id: textOf(fields.get("id")),
  name: textOf(fields.get("name")),
  role: textOf(fields.get("role")),
  envs: Array.isArray(fields.get("envs")) ? listOf(fields.get("envs")).map(textOf) : null,
  createdBy: textOf(fields.get("created_by")),
  createdAt: textOf(fields.get("created_at")),
  usedAt: textOrNull(fields.get("used_at")),
  expiresAt: textOrNull(fields.get("expires_at")),
  revokedAt: textOrNull(fields.get("revoked_at")),
});

const hookOf = (fields: Fields): Hook => ({
  id: textOf(fields.get("id")),
  source: textOf(fields.get("source")),
  createdBy: textOf(fields.get("created_by")),
  createdAt: textOf(fields.get("created_at")),
  revokedAt: textOrNull(fields.get("revoked_at")),
});

const signedInOf = (fields: Fields): SignedIn => ({
  id: textOf(fields.get("id")),
  name: textOf(fields.get("name")),
  role: listOf(fields.get("grants"))
    .map((grant) => textOf(fieldsOf(grant).get("role")))
    .join(", "),
  usedAt: textOrNull(fields.get("used_at")),
  expiresAt: textOrNull(fields.get("expires_at")),
  current: fields.get("current") === true,
});

const lineOf = (fields: Fields): AuditLine => ({
  id: textOf(fields.get("id")),
  at: textOf(fields.get("at")),
  actor: textOf(fields.get("actor")),
  address: textOrNull(fields.get("address")),
  action: textOf(fields.get("action")),
  subject: textOf(fields.get("subject")),
  detail: detailOf(fieldsOf(fields.get("detail"))),
});

/** The fields that say something, each with its name; of what has parts, the parts that do. */
const detailOf = (fields: Fields): string =>
  [...fields]
    .map(([name, value]) => [name, said(value)] as const)
    .filter(([, words]) => words !== "")
    .map(([name, words]) => `${name} ${words}`)
    .join(" · ");

function said(value: unknown): string {
  if (value === null) return "";
  if (Array.isArray(value)) return value.map(said).join(", ");
  if (typeof value !== "object") return String(value);
  return Object.values(value)
    .map(said)
    .filter((words) => words !== "")
    .join(" ");
}

const itemsOf = <Item>(answer: Fields, read: (fields: Fields) => Item): readonly Item[] =>
  listOf(answer.get("items")).map((item) => read(fieldsOf(item)));

async function call(path: string, init: RequestInit): Promise<Fields> {
  const response = await fetch(path, {
    ...init,
    headers: { Accept: "application/json", "Content-Type": "application/json" },
  });
  const body: unknown = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return fieldsOf(body);
  const detail = textOrNull(fieldsOf(body).get("detail"));
  throw new AccessError(response.status, detail ?? `The server answered ${response.status}.`);
}

/** Where all of the audit log is to be had, as JSON lines. */
export const auditFile = (tenant: string): string =>
  `/api/v1/tenants/${encodeURIComponent(tenant)}/audit.jsonl`;

/** The calls for one tenant. Each rejects with an `AccessError` if the server refuses. */
export function accessApi(tenant: string) {
  const base = `/api/v1/tenants/${encodeURIComponent(tenant)}`;
  const get = (path: string, signal: AbortSignal) => call(base + path, { signal });
  const remove = async (path: string): Promise<void> => void (await call(base + path, { method: "DELETE" }));
  const post = (path: string, body: object) =>
    call(base + path, { method: "POST", body: JSON.stringify(body) });
  return {
    tokens: async (signal: AbortSignal) => itemsOf(await get("/tokens", signal), tokenOf),
    hooks: async (signal: AbortSignal) => itemsOf(await get("/hooks", signal), hookOf),
    sessions: async (signal: AbortSignal) => itemsOf(await get("/sessions", signal), signedInOf),
    audit: async (after: string | null, signal: AbortSignal): Promise<AuditPage> => {
      const answer = await get(
        `/audit?limit=50${after ? `&after=${encodeURIComponent(after)}` : ""}`,
        signal,
      );
      return { items: itemsOf(answer, lineOf), next: textOrNull(answer.get("next")) };
    },
    makeToken: async ({ name, role, envs, expiresInS }: NewToken): Promise<Made> => {
      const body = { name, role, envs: envs.length > 0 ? envs : null, expires_in_s: expiresInS };
      const answer = await post("/tokens", body);
      return {
        what: `Token ${name || textOf(fieldsOf(answer.get("token")).get("id"))}`,
        secret: textOf(answer.get("secret")),
        url: null,
      };
    },
    makeHook: async (source: string): Promise<Made> => {
      const answer = await post(`/hooks/${encodeURIComponent(source)}/secrets`, {});
      return {
        what: `Webhook secret for ${source}`,
        secret: textOf(answer.get("secret")),
        url: location.origin + textOf(answer.get("path")),
      };
    },
    revokeToken: (id: string) => remove(`/tokens/${encodeURIComponent(id)}`),
    revokeHook: ({ source, id }: Hook) =>
      remove(`/hooks/${encodeURIComponent(source)}/secrets/${encodeURIComponent(id)}`),
    endSession: (id: string) => remove(`/sessions/${encodeURIComponent(id)}`),
  };
}

/** The calls of one tenant's admins. */
export type AccessApi = ReturnType<typeof accessApi>;
