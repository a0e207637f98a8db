// Whatever cuts a page off, it says so within 45 s, stops what moves, and is right again without a reload: a server
// that hangs, a page that was frozen or left and brought back, a machine without a network.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cardShows,
  linkIs,
  type Reporter,
  reporter,
  row,
  type Server,
  startBrowser,
  startServer,
  temporary,
  visit,
} from "./harness";

/** The longest that a page may be wrong about being live. */
const TRUTH_MS = 45_000;

const folder = temporary();
let server: Server;
let browser: Browser;
let report: Reporter;
let board: string;

beforeAll(async () => {
  server = await startServer(folder.path("truth.db"));
  browser = await startBrowser();
  report = reporter(server.url);
  board = `${server.url}/t/acme/production`;
});

afterAll(async () => {
  await browser.close();
  server.unhang();
  await server.kill();
  folder.remove();
});

/** Marks the document, so that a reload would show. */
const mark = (page: Page) => page.evaluate(() => void Object.assign(window, { sameDocument: true }));
const isSameDocument = (page: Page) => page.evaluate(() => Reflect.get(window, "sameDocument") === true);

const lifecycle = async (page: Page, state: "frozen" | "active") => {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state });
  await session.detach();
};

test("a server that hangs is found out by its silence, and what moves stands still", async () => {
  const id = await report.post({ workflow: "hung", version: "v1", status: "running" });
  const { page, context } = await visit(browser, board);
  await page.waitForSelector(row(id));
  await linkIs(page, "live");
  await mark(page);
  server.hang();
  const hung = performance.now();
  await page.waitForSelector('[data-link="down"]', { timeout: TRUTH_MS });
  expect(performance.now() - hung).toBeLessThan(TRUTH_MS);
  const ring = page.locator(`${row(id)} .turning`);
  expect(await ring.evaluate((one) => getComputedStyle(one).animationPlayState)).toBe("paused");
  server.unhang();
  await report.patch(id, { status: "success" });
  await page.waitForSelector(`${row(id)} [data-status="success"]`, { timeout: TRUTH_MS });
  await linkIs(page, "live");
  expect(await isSameDocument(page)).toBe(true);
  await context.close();
}, 120_000);

test("a page that slept is right again when it wakes, whatever happened to the server meanwhile", async () => {
  const id = await report.post({ workflow: "asleep", version: "v1", status: "running" });
  const { page, context } = await visit(browser, board);
  await page.waitForSelector(row(id));
  await linkIs(page, "live");
  await mark(page);
  await lifecycle(page, "frozen");
  const { port } = server;
  await server.kill();
  server = await startServer(folder.path("truth.db"), port);
  await report.patch(id, { status: "failed" });
  await lifecycle(page, "active");
  await page.waitForSelector(`${row(id)} [data-status="failed"]`, { timeout: TRUTH_MS });
  await linkIs(page, "live");
  expect(await isSameDocument(page)).toBe(true);
  await context.close();
}, 120_000);

test("a page that Back brings back is right, and live", async () => {
  const id = await report.post({ workflow: "left", version: "v1", status: "running" });
  const { page, context } = await visit(browser, board);
  await page.waitForSelector(row(id));
  await linkIs(page, "live");
  await page.evaluate(() =>
    window.addEventListener("pageshow", ({ persisted }) =>
      document.body.setAttribute("data-kept", `${persisted}`),
    ),
  );
  await page.goto(`${server.url}/api/v1/openapi.json`);
  await report.patch(id, { status: "cancelled" });
  // A page that is brought back as it was left does not load.
  await page.goBack({ waitUntil: "commit" });
  await page.waitForSelector(`${row(id)} [data-status="cancelled"]`, { timeout: TRUTH_MS });
  await linkIs(page, "live");
  expect(await page.evaluate(() => document.body.getAttribute("data-kept"))).toBe("true");
  await report.patch(id, { status: "running", attempt: 2 });
  await page.waitForSelector(`${row(id)} [data-status="running"]`);
  await context.close();
}, 120_000);

test("a machine without a network is offline, says since when, and heals when it is back", async () => {
  const id = await report.post({ workflow: "unplugged", version: "v1", status: "queued" });
  const { page, context } = await visit(browser, board);
  await page.waitForSelector(row(id));
  await linkIs(page, "live");
  await mark(page);
  await context.setOffline(true);
  await page.waitForSelector('[data-link="down"]', { timeout: TRUTH_MS });
  await report.patch(id, { status: "waiting" });
  await context.setOffline(false);
  await page.waitForSelector(`${row(id)} [data-status="waiting"]`, { timeout: TRUTH_MS });
  await linkIs(page, "live");
  await cardShows(page, "waiting", "1");
  expect(await isSameDocument(page)).toBe(true);
  await context.close();
}, 120_000);
