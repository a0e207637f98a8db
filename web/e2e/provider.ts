// A real OpenID Connect provider with people in groups, on a port of its own. Its pages are as bare as can be: whoever
// names an account is signed in as it, and nobody is asked for consent.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import Provider, { type Context } from "oidc-provider";

/** What is known of a person. */
export interface Account {
  readonly name: string;
  readonly email: string;
  readonly groups: readonly string[];
}

/** A running provider, and who this server is to it. */
export interface Running {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  stop(): Promise<void>;
}

const CLIENT = "shipboard";
const SCOPES = ["openid", "profile", "email", "groups"];

const page = (content: string): string =>
  `<!doctype html><html lang="en"><head><title>Provider</title></head><body>${content}</body></html>`;

const FORM = page(`<h1>The provider</h1><form method="post"><label>Account <input name="account"></label>
  <button name="do" value="in">Go in</button><button name="do" value="no">Stay out</button></form>`);

async function read(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return new URLSearchParams(Buffer.concat(parts).toString("utf8"));
}

/** A port that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    // By a name of its own, so that to a browser it is another site than the server under test.
    server.listen(0, "localhost", () => resolve((server.address() as AddressInfo).port));
  });

/** Starts a provider for these people, that sends them back to this address. */
export async function startProvider(
  accounts: Readonly<Record<string, Account>>,
  shipboard: string,
): Promise<Running> {
  const clientSecret = randomBytes(24).toString("base64url");
  let handle: (request: IncomingMessage, response: ServerResponse) => Promise<void> = async () => undefined;
  const server = createServer((request, response) => void handle(request, response));
  const issuer = `http://localhost:${await listen(server)}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider: Provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT,
        client_secret: clientSecret,
        redirect_uris: [`${shipboard}/api/v1/session/oidc/callback`],
        post_logout_redirect_uris: [`${shipboard}/sign-in`],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    scopes: SCOPES,
    claims: { openid: ["sub"], profile: ["name"], email: ["email"], groups: ["groups"] },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (context: Context, form: string) => {
          context.body = page(
            `<h1>Sign out?</h1>${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`,
          );
        },
      },
    },
    interactions: { url: (_: Context, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_: Context, id: string) => {
      const account = accounts[id];
      return account && { accountId: id, claims: () => ({ sub: id, ...account }) };
    },
    loadExistingGrant: async ({ oidc: { client, session } }: Context) => {
      if (!client || !session?.accountId) return undefined;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(SCOPES.join(" "));
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  handle = async (request, response) => {
    if (request.url === "/favicon.ico") {
      response.writeHead(204).end();
      return;
    }
    if (!request.url?.startsWith("/interaction/")) return answer(request, response);
    if (request.method !== "POST") {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(FORM);
      return;
    }
    const form = await read(request);
    const account = form.get("account") ?? "";
    const result =
      form.get("do") === "in" ? { login: { accountId: account } } : ({ error: "access_denied" } as const);
    await provider.interactionFinished(request, response, result);
  };
  return {
    issuer,
    clientId: CLIENT,
    clientSecret,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
