// The page of a tenant's admins: a token is made, shown once, used and taken back; secrets, sessions and the log of it.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import {
  command,
  reporter,
  type Server,
  startBrowser,
  startServer,
  temporary,
  textIs,
  visit,
} from "./harness";

const folder = temporary();
const database = `sqlite:${folder.path("access.db")}`;
let server: Server;
let browser: Browser;

const tokenOf = (role: string, name: string): Promise<string> =>
  command("token", "create", "--tenant", "acme", "--role", role, "--name", name, "--database", database);

beforeAll(async () => {
  await command("tenant", "create", "acme", "--database", database);
  server = await startServer(folder.path("access.db"), 0, "required");
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

async function signIn(page: Page, token: string): Promise<void> {
  await page.waitForURL("**/sign-in?next=*");
  await page.fill("#token", token);
  await page.click("button[type=submit]");
  await page.waitForURL("**/access/acme");
}

const statusWith = async (token: string): Promise<number> =>
  (await fetch(`${server.url}/api/v1/tenants`, { headers: { Authorization: `Bearer ${token}` } })).status;

test("an admin makes a token, sees it once, and takes it back", async () => {
  const admin = await tokenOf("admin", "the admin");
  const { page, context, complaints } = await visit(browser, `${server.url}/access/acme`);
  await signIn(page, admin);
  await page.getByLabel("Name", { exact: true }).fill("the wall");
  await page.getByLabel("Role").selectOption("viewer");
  await page.getByRole("button", { name: "Make the token" }).click();
  const secret = await page.getByRole("region", { name: "New secret" }).locator("code").innerText();
  expect(secret).toMatch(/^ship_[0-9a-f]{64}$/);
  expect(await statusWith(secret)).toBe(200);

  await page.getByRole("button", { name: "Done, put it away" }).click();
  const tokens = page.getByRole("region", { name: "Tokens, table" });
  await tokens.getByText("the wall").waitFor();
  expect(await page.content()).not.toContain(secret);
  await tokens.getByRole("button", { name: "Revoke token the wall" }).click();
  await tokens.getByRole("button", { name: "Really: Revoke token the wall" }).click();
  const log = page.getByRole("region", { name: "Audit log, table" });
  await log.getByText("token.revoke").waitFor();
  await log.getByText("name the wall").waitFor();
  expect(await statusWith(secret)).toBe(401);

  await page.getByRole("button", { name: "New secret for github" }).click();
  await textIs(page, "section[aria-label='New secret'] code", "/api/v1/tenants/acme/hooks/github");
  expect(complaints).toEqual([]);
  await context.close();
});

test("the page is in order for everybody, in both lights and on a narrow screen", async () => {
  const admin = await tokenOf("admin", "another admin");
  for (const look of [{ theme: "light" }, { theme: "dark" }, { theme: "light", width: 360 }] as const) {
    const { page, context, complaints } = await visit(browser, `${server.url}/access/acme`, look);
    await signIn(page, admin);
    await page.getByRole("region", { name: "Audit log, table" }).waitFor();
    await page.getByText("(this browser)").waitFor();
    expect(await violations(page)).toEqual([]);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(look.theme === "light" && "width" in look ? look.width : 1280);
    expect(complaints).toEqual([]);
    await context.close();
  }
});

test("who is no admin is told so, and sees nothing of it", async () => {
  const viewer = await tokenOf("viewer", "a viewer");
  const { page, context } = await visit(browser, `${server.url}/access/acme`);
  await signIn(page, viewer);
  await textIs(page, "main h2", "This page is for admins");
  await context.close();
});

test("whoever makes the first token closes the doors, keeps its secret in sight, and is in by it", async () => {
  const own = temporary();
  const open = await startServer(own.path("open.db"), 0, "by-default");
  const { page, context, complaints } = await visit(browser, `${open.url}/access/acme`);
  await reporter(open.url).post({ workflow: "web" });
  await page.getByRole("complementary", { name: "Open mode" }).waitFor();
  await page.getByRole("button", { name: "Make the token" }).click();
  const secret = page.getByRole("region", { name: "New secret" });
  await secret.waitFor();
  await page.getByText("(this browser)").waitFor();
  expect(await secret.locator("code").innerText()).toMatch(/^ship_[0-9a-f]{64}$/);
  expect(await secret.evaluate((box) => box === document.activeElement)).toBe(true);
  expect(await page.getByLabel("Open mode").count()).toBe(0);
  expect(await page.getByText("This did not load").count()).toBe(0);
  expect((await fetch(`${open.url}/api/v1/tenants`)).status).toBe(401);

  await page.getByRole("button", { name: /^End session of/ }).click();
  await page.getByRole("button", { name: /^Really: End session of/ }).click();
  await page.waitForURL("**/sign-in?next=*problem=over*");
  expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
  await context.close();
  await open.kill();
  own.remove();
});
