// The table under its reader's hands: filters in the address, keys, holding the order, paging, many rows.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  linkIs,
  type Reporter,
  reporter,
  row,
  type Server,
  startBrowser,
  startServer,
  temporary,
  textIs,
  visit,
} from "./harness";

const ROWS = 250;
const folder = temporary();
let server: Server;
let browser: Browser;
let report: Reporter;
let board: string;

beforeAll(async () => {
  server = await startServer(folder.path("table.db"));
  browser = await startBrowser();
  report = reporter(server.url);
  board = `${server.url}/t/acme/production`;
  const start = Date.now() - ROWS * 60_000;
  await report.batch(
    Array.from({ length: ROWS }, (_, index) => ({
      external_id: `run-${index}`,
      workflow: index % 2 ? "web" : "api",
      version: `v${index}`,
      actor: index % 3 ? "mira" : "jonas",
      status: index % 10 === 0 ? "failed" : "success",
      occurred_at: new Date(start + index * 60_000).toISOString(),
    })),
  );
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

const focusedRow = (page: Page): Promise<string | null> =>
  page.evaluate(() => document.activeElement?.closest("[data-row]")?.getAttribute("data-row") ?? null);

const search = (page: Page): string => new URL(page.url()).search;

test("a card narrows the table, stands in the address, and Back takes it away", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.click("[data-card=failed]");
  await textIs(page, "main", "All 25 deployments");
  expect(search(page)).toBe("?status=failed");
  await page.click("[data-card=cancelled]");
  await page.waitForFunction(() => location.search === "?status=failed,cancelled");
  await page.goBack();
  await page.goBack();
  await textIs(page, "main", "Showing 100 deployments");
  await context.close();
});

test("filters of an address that was sent are applied to the history and to what comes live", async () => {
  const { page, context } = await visit(browser, `${board}?status=failed&workflow=api&q=v24`);
  await textIs(page, "main", "All 1 deployment");
  const other = await report.post({ workflow: "web", version: "v2400", status: "failed" });
  const same = await report.post({ workflow: "api", version: "v2401", status: "running" });
  await report.patch(same, { status: "failed" });
  await page.waitForSelector(row(same));
  expect(await page.locator(row(other)).count()).toBe(0);
  await report.patch(same, { attempt: 2, status: "running" });
  await page.waitForSelector(row(same), { state: "detached" });
  await report.remove(same);
  await report.remove(other);
  await context.close();
});

test("typing searches the history, Escape clears, and nothing matching says so", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.keyboard.press("/");
  await page.keyboard.type("v17");
  await textIs(page, "main", "All 11 deployments");
  await page.keyboard.type("zzz");
  await textIs(page, "main", "No deployment matches");
  await page.click('main >> text="Clear filters"');
  await textIs(page, "main", "Showing 100 deployments");
  expect(search(page)).toBe("");
  await context.close();
});

test("keys walk the rows, open one and come back", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const second = await focusedRow(page);
  await page.keyboard.press("ArrowUp");
  const first = await focusedRow(page);
  expect(first).not.toBeNull();
  expect(second).not.toBe(first);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/d/${first}`);
  await page.goBack();
  await page.waitForSelector("[data-row]");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });
  await context.close();
});

test("a table with the focus holds its order, tells of new rows, and shows them when asked", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await linkIs(page, "live");
  await page.keyboard.press("j");
  const held = await focusedRow(page);
  const top = await page.locator(row(held ?? "")).boundingBox();
  const id = await report.post({ workflow: "web", version: "v9000", status: "running" });
  await page.waitForSelector('button:has-text("1 new")');
  expect(await page.locator(row(id)).count()).toBe(0);
  expect(await page.locator(row(held ?? "")).boundingBox()).toEqual(top);
  expect(await focusedRow(page)).toBe(held);
  await page.click('button:has-text("1 new")');
  await page.waitForSelector(row(id));
  await report.remove(id);
  await context.close();
});

test("a table keeps still while somebody types, and goes on soon after", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await linkIs(page, "live");
  await page.keyboard.press("/");
  await page.keyboard.type("  ");
  const id = await report.post({ workflow: "web", version: "v9002", status: "running" });
  await page.waitForSelector('button:has-text("1 new")');
  expect(await page.locator(row(id)).count()).toBe(0);
  await page.waitForSelector(row(id));
  await report.remove(id);
  await context.close();
});

test("a scrolled table holds its order, too", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.evaluate(() => window.scrollTo(0, 1_000));
  await page.waitForFunction(() => window.scrollY > 900);
  const id = await report.post({ workflow: "web", version: "v9001", status: "running" });
  await page.waitForSelector('button:has-text("1 new")');
  await page.keyboard.press("n");
  await page.waitForSelector(row(id));
  expect(await page.evaluate(() => window.scrollY)).toBe(0);
  await report.remove(id);
  await context.close();
});

test("older rows come by scrolling, to the end, and only those in sight are in the document", async () => {
  const { page, context } = await visit(browser, board);
  await textIs(page, "main", "Showing 100 deployments");
  await page.waitForFunction((all) => {
    window.scrollTo(0, document.documentElement.scrollHeight);
    return document.querySelector("main")?.textContent?.includes(all);
  }, `All ${ROWS} deployments`);
  expect(await page.locator("[data-row]").count()).toBeLessThan(60);
  await context.close();
});

test("a row's menu copies and narrows", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.locator("[data-row]").first().locator('button[aria-label^="Actions"]').click();
  await page.click('[role=menuitem]:has-text("Only by")');
  await page.waitForFunction(() => location.search.startsWith("?actor="));
  await context.close();
});

test("a view is kept under a name, found again in another tab, and goes when it is forgotten", async () => {
  const { page, context } = await visit(browser, `${board}?status=failed&workflow=api`);
  await textIs(page, "main", "All 25 deployments");
  await page.click('button:has-text("Views")');
  await page.fill('[aria-label="Name of this view"]', "Broken API");
  await page.keyboard.press("Enter");
  await page.waitForSelector('button[aria-pressed=true]:has-text("Broken API")');
  const other = await context.newPage();
  await other.goto(board);
  await other.click('button:has-text("Views")');
  await other.click('button:has-text("Broken API")');
  await textIs(other, "main", "All 25 deployments");
  expect(search(other)).toBe("?status=failed&workflow=api");
  await other.click('button:has-text("Broken API")');
  await other.click('[aria-label="Forget Broken API"]');
  await page.waitForSelector('button:has-text("Broken API")', { state: "detached" });
  await context.close();
});

test("times are told as ages or as moments, as chosen, in every tab", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  const started = () => page.locator("[data-row] time").first().innerText();
  expect(await started()).toMatch(/ago|now/);
  await page.click('[aria-label="Settings"]');
  await page.click('[role=menuitemradio]:has-text("Exact")');
  await page.waitForFunction(() =>
    /\d:\d\d/.test(document.querySelector("[data-row] time")?.textContent ?? ""),
  );
  await page.reload();
  await page.waitForSelector("[data-row]");
  expect(await started()).toMatch(/^(\d\d:\d\d:\d\d|\d+ \w+ \d\d:\d\d)$/);
  await context.close();
});

test("a key fills a wall with the board, and Escape brings it back", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.keyboard.press("f");
  await page.waitForSelector("[data-wall] [data-row]");
  expect(search(page)).toBe("?wall=1");
  await page.keyboard.press("Escape");
  await page.waitForSelector("[data-wall]", { state: "detached" });
  expect(search(page)).toBe("");
  await context.close();
});
