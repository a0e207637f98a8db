// Where a token is required: the page asks for one, leads back, and signing out ends it. No token is in an address.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { command, linkIs, type Server, startBrowser, startServer, temporary, textIs, visit } from "./harness";

const folder = temporary();
const database = folder.path("sign-in.db");
let server: Server;
let browser: Browser;
let token: string;

beforeAll(async () => {
  await command("tenant", "create", "acme", "--database", `sqlite:${database}`);
  token = await command(
    "token",
    "create",
    "--tenant",
    "acme",
    "--role",
    "admin",
    "--database",
    `sqlite:${database}`,
  );
  server = await startServer(database, 0, "required");
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

test("a board without a session leads to signing in, and back to the very view", async () => {
  const { page, context } = await visit(browser, `${server.url}/t/acme/production?status=failed`);
  await page.waitForURL("**/sign-in?next=*");
  await page.fill("#token", "not-a-token");
  await page.click("button[type=submit]");
  await textIs(page, "form [role=alert]", "This token is not valid");

  await page.fill("#token", token);
  await page.click("button[type=submit]");
  await page.waitForURL("**/t/acme/production?status=failed");
  await linkIs(page, "live");
  await textIs(page, "pre", "Authorization: Bearer $SHIPBOARD_TOKEN");
  expect(await page.getByLabel("Open mode").count()).toBe(0);
  expect(page.url()).not.toContain(token);
  expect(await page.evaluate(() => document.cookie)).toBe("");

  await page.click("button[aria-label=Settings]");
  await page.click('[role=menuitem]:has-text("Sign out")');
  await page.waitForURL("**/sign-in");
  await page.goto(`${server.url}/t/acme/production`);
  await page.waitForURL("**/sign-in?next=*");
  await context.close();
});
