// Signing in by a real OpenID Connect provider, as people do: there and back, refused, over in the middle, and out again.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import {
  command,
  linkIs,
  row,
  type Server,
  startBrowser,
  startServer,
  temporary,
  textIs,
  visit,
} from "./harness";
import { freePort, type Running, startProvider } from "./provider";

const ACCOUNTS = {
  mia: { name: "Mia Example", email: "mia@example.com", groups: ["ship-acme", "people"] },
  ada: { name: "Ada Example", email: "ada@example.com", groups: ["ship-ops"] },
  tom: { name: "Tom Example", email: "tom@example.com", groups: ["people"] },
};
const HEARTBEAT_MS = 1_000;
/** How long after a heartbeat a page on a busy machine may take to show it. */
const SLACK_MS = 2_000;
const BOARD = "/t/acme/production?status=running,queued";

const folder = temporary();
let server: Server;
/** The same, where sessions are over soon. */
let brief: Server;
let providers: Running[];
let browser: Browser;
let token: string;

/** A server with a provider of its own. */
async function start(name: string, ...flags: string[]): Promise<[Server, Running]> {
  const database = folder.path(`${name}.db`);
  const port = await freePort();
  const provider = await startProvider(ACCOUNTS, `http://127.0.0.1:${port}`);
  await command("tenant", "create", "acme", "--database", `sqlite:${database}`);
  const oidc = ["--oidc-issuer", provider.issuer, "--oidc-client-id", provider.clientId];
  const rules = ["--oidc-grant", "ship-{tenant}=viewer@{tenant}", "--oidc-grant", "ship-ops=admin@acme"];
  const more = ["--oidc-scopes", "openid profile email groups", "--oidc-name", "Example ID"];
  const started = await startServer(
    database,
    port,
    "required",
    [...oidc, ...rules, ...more, "--heartbeat", `${HEARTBEAT_MS}ms`, ...flags],
    { SHIPBOARD_OIDC_CLIENT_SECRET: provider.clientSecret },
  );
  return [started, provider];
}

beforeAll(async () => {
  const [long, short] = [await start("long"), await start("brief", "--session-max-age", "8s")];
  [server, brief] = [long[0], short[0]];
  providers = [long[1], short[1]];
  const database = `sqlite:${folder.path("long.db")}`;
  token = await command("token", "create", "--tenant", "acme", "--role", "reporter", "--database", database);
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  await Promise.all([server.kill(), brief.kill()]);
  await Promise.all(providers.map((provider) => provider.stop()));
  folder.remove();
});

async function goIn(page: Page, account: string): Promise<void> {
  await page.getByRole("heading", { name: "The provider" }).waitFor();
  await page.getByLabel("Account").fill(account);
  await page.getByRole("button", { name: "Go in" }).click();
}

async function signIn(page: Page, account: string): Promise<void> {
  await page.waitForURL("**/sign-in?next=*");
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await goIn(page, account);
}

/** A page that is signed in and live, in a context of its own. */
async function live(on: Server, account: string) {
  const visited = await visit(browser, `${on.url}${BOARD}`);
  await signIn(visited.page, account);
  await visited.page.waitForURL(`${on.url}${BOARD}`);
  await linkIs(visited.page, "live");
  return visited;
}

async function report(workflow: string): Promise<string> {
  const response = await fetch(`${server.url}/api/v1/tenants/acme/envs/production/deployments`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ workflow, status: "running", version: "v1" }),
  });
  const { deployment } = (await response.json()) as { deployment: { id: string } };
  return deployment.id;
}

const session = (page: Page): Promise<Record<string, unknown>> =>
  page.evaluate(async () => (await fetch("/api/v1/session")).json());

async function choose(page: Page, item: string): Promise<void> {
  await page.click("button[aria-label=Settings]");
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

test("somebody in a group signs in, is back on the very page, and it is live", async () => {
  const { page, context, complaints } = await live(server, "mia");
  const id = await report("by-token");
  await page.waitForSelector(row(id));
  expect(await session(page)).toMatchObject({
    name: "Mia Example",
    by: "provider",
    grants: [{ tenant: "acme", role: "viewer", envs: null }],
  });
  // Nothing of the way stays where a page can see it.
  expect(await page.evaluate(() => document.cookie)).toBe("");
  const names = (await context.cookies(server.url)).map(({ name }) => name);
  expect(names).toContain("shipboard_session");
  expect(names).not.toContain("shipboard_sign_in");
  expect(await violations(page)).toEqual([]);
  await page.click("button[aria-label=Settings]");
  await page.getByText("Signed in as Mia Example").waitFor();
  expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
  await context.close();
});

test("somebody in no group that counts is told so, has no session, and may come as somebody else", async () => {
  const { page, context } = await visit(browser, `${server.url}${BOARD}`);
  await signIn(page, "tom");
  await page.waitForURL("**/sign-in?problem=refused&*");
  await textIs(page, "main", "tom@example.com");
  await textIs(page, "main", "is in no group that has access");
  expect(await violations(page)).toEqual([]);
  expect((await context.cookies(server.url)).map(({ name }) => name)).not.toContain("shipboard_session");
  expect(await session(page)).toMatchObject({ signed_in: false, grants: [] });

  // The provider knows them still, and asks all the same.
  await page.getByRole("link", { name: "Sign in with another account" }).click();
  await goIn(page, "ada");
  await page.waitForURL(`${server.url}${BOARD}`);
  await linkIs(page, "live");
  expect(await session(page)).toMatchObject({ name: "Ada Example", role: "admin" });
  await context.close();
});

test("who stops at the provider is back with a word, and what another browser began is of no use", async () => {
  const { page, context } = await visit(browser, `${server.url}${BOARD}`);
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await page.getByRole("button", { name: "Stay out" }).click();
  await page.waitForURL("**/sign-in?problem=denied&*");
  await textIs(page, "main [role=alert]", "Example ID did not let you in");

  const callbacks: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/callback?")) callbacks.push(request.url());
  });
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await goIn(page, "mia");
  await page.waitForURL(`${server.url}${BOARD}`);
  const other = await visit(browser, callbacks.at(-1) ?? "");
  await other.page.waitForURL("**/sign-in?problem=stale&*");
  expect((await other.context.cookies(server.url)).map(({ name }) => name)).not.toContain(
    "shipboard_session",
  );
  await Promise.all([context.close(), other.context.close()]);
});

test("a session that is over in the middle ends its stream, and the page says so and offers to sign in", async () => {
  const { page, context } = await live(brief, "mia");
  const { expires_at } = await session(page);
  await linkIs(page, "stopped");
  const late = Date.now() - Date.parse(String(expires_at));
  expect(late).toBeGreaterThanOrEqual(0);
  expect(late).toBeLessThan(HEARTBEAT_MS + SLACK_MS);
  await textIs(page, "[data-link-state=stopped]", "Session expired");
  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: "Sign in", exact: true }).click();
  await textIs(page, "main [role=alert]", "Your session is over");
  // The provider still knows who it is, and asks nothing.
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await page.waitForURL(`${brief.url}${BOARD}`);
  await linkIs(page, "live");
  await context.close();
});

test("who signs out does so here and at the provider", async () => {
  const { page, context } = await live(server, "mia");
  await choose(page, "Sign out");
  await page.getByRole("heading", { name: "Sign out?" }).waitFor();
  await page.getByRole("button", { name: "Yes" }).click();
  await page.waitForURL(`${server.url}/sign-in`);
  expect(await session(page)).toMatchObject({ signed_in: false });
  await page.goto(`${server.url}${BOARD}`);
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await page.getByRole("heading", { name: "The provider" }).waitFor();
  await context.close();
});

test("who signs out everywhere loses the stream in the other browser within a heartbeat", async () => {
  const [here, there] = [await live(server, "ada"), await live(server, "ada")];
  const bystander = await live(server, "mia");
  await choose(here.page, "Sign out everywhere");
  const began = performance.now();
  await linkIs(there.page, "stopped");
  expect(performance.now() - began).toBeLessThan(HEARTBEAT_MS + SLACK_MS);
  await textIs(there.page, "[data-link-state=stopped]", "Access revoked");
  await linkIs(bystander.page, "live");
  expect(await session(bystander.page)).toMatchObject({ signed_in: true });
  await Promise.all([here, there, bystander].map(({ context }) => context.close()));
});

test("the pages are in order for everybody, in both lights and on a narrow screen", async () => {
  for (const look of [{ theme: "light" }, { theme: "dark" }, { theme: "light", width: 360 }] as const) {
    const width = "width" in look ? look.width : 1280;
    for (const path of ["/sign-in", "/sign-in?problem=unavailable", "/sign-in?problem=refused"]) {
      const { page, context, complaints, strangers } = await visit(browser, `${server.url}${path}`, look);
      await page
        .getByRole("link", { name: /^Sign in with/ })
        .first()
        .waitFor();
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect([complaints, strangers]).toEqual([[], []]);
      await context.close();
    }
  }
});
