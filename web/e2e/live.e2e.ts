// The board follows what is reported, without a reload: rows, counters, details, log, workflows.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cardShows,
  command,
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

const folder = temporary();
let server: Server;
let browser: Browser;
let report: Reporter;
let board: string;

beforeAll(async () => {
  server = await startServer(folder.path("live.db"));
  browser = await startBrowser();
  report = reporter(server.url);
  board = `${server.url}/t/acme/production`;
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

test("an empty board shows how to begin, and the first deployment replaces that", async () => {
  const { page, context } = await visit(browser, `${server.url}/t/acme/fresh`);
  await textIs(page, "pre", `${server.url}/api/v1/tenants/acme/envs/fresh/deployments`);
  const id = await reporter(server.url, "fresh").post({ workflow: "web", version: "v1" });
  await page.waitForSelector(row(id));
  await context.close();
});

test("a posted deployment appears within a second and is followed to its end", async () => {
  const { page, context, complaints, strangers } = await visit(browser, board);
  await linkIs(page, "live");
  const posted = performance.now();
  const id = await report.post({ workflow: "web", version: "v1", external_id: "one", status: "queued" });
  await page.waitForSelector(row(id), { timeout: 1_000 });
  expect(performance.now() - posted).toBeLessThan(1_000);
  await cardShows(page, "queued", "1");

  await report.patch(id, { status: "running", progress: { percent: 42, phase: "rollout", step: "3/7" } });
  await page.waitForSelector(`${row(id)} [data-status="running"]`);
  await textIs(page, row(id), "42 % · rollout · 3/7");
  await cardShows(page, "queued", "0");
  await cardShows(page, "running", "1");

  await report.patch(id, { progress: { percent: 80 } });
  await page.waitForSelector(`${row(id)} [role=progressbar][aria-valuenow="80"]`);

  await report.patch(id, { status: "success" });
  await page.waitForSelector(`${row(id)} [data-status="success"]`);
  await cardShows(page, "running", "0");
  await cardShows(page, "success", "1");
  await textIs(page, '[data-card="workflows"]', "1 of 1");
  expect(complaints).toEqual([]);
  expect(strangers).toEqual([]);
  await context.close();
});

test("a deployment's page follows status, timeline, log, title and icon", async () => {
  const id = await report.post({ workflow: "api", version: "v7", external_id: "two", status: "queued" });
  const { page, context } = await visit(browser, `${board}/d/${id}`);
  await page.waitForSelector('h1 >> text="v7"');
  await report.patch(id, { status: "running", step: { name: "migrate", status: "running" } });
  await textIs(page, "[data-timeline=step]", "migrate");
  await page.waitForFunction(() => document.title.startsWith("Running: api v7"));

  const first = "building\n";
  await report.log(id, 0, first);
  await textIs(page, "[role=log]", "building");
  await report.log(id, first.length, "\u001b[31merror: no such column\u001b[0m\n");
  await textIs(page, "[role=log]", "error: no such column");
  await textIs(page, "[aria-label=Errors]", "error: no such column");

  await report.patch(id, { status: "failed", message: "migrate: no such column" });
  await page.waitForSelector('h1 ~ *, header [data-status="failed"]');
  await page.waitForFunction(() => document.title.startsWith("Failed: api v7"));
  await page.waitForSelector('link[rel=icon][href="/favicon/failed.svg"]', { state: "attached" });
  await textIs(page, "[data-timeline=status]:last-of-type", "migrate: no such column");
  await context.close();
});

test("a wrapped command that fails keeps its code, and its log and failure are on its page", async () => {
  const where = ["--server", server.url, "--tenant", "acme", "--env", "production", "--workflow", "wrapped"];
  const ended = await command("run", ...where, "--", "sh", "-c", "echo hi; exit 7").catch((error) => error);
  expect(ended.code).toBe(7);
  expect(ended.stdout).toBe("hi\n");
  const { page, context } = await visit(browser, `${board}?workflow=wrapped`);
  await page.click("[data-row] a");
  await page.waitForSelector('[data-status="failed"]');
  await textIs(page, "main", "hi");
  await context.close();
});

test("the workflows page follows, and a row opens the workflow's deployments", async () => {
  const { page, context } = await visit(browser, `${board}/workflows`);
  await page.waitForSelector("[data-workflow=web]");
  const id = await report.post({ workflow: "shop", version: "v3", status: "success" });
  await textIs(page, "[data-workflow=shop]", "v3");
  await page.click("[data-workflow=shop] a");
  await page.waitForSelector(row(id));
  expect(new URL(page.url()).search).toBe("?workflow=shop");
  expect(await page.locator("[data-row]").count()).toBe(1);
  await context.close();
});

test("a deleted deployment goes", async () => {
  const id = await report.post({ workflow: "gone", version: "v1", status: "success" });
  const { page, context } = await visit(browser, board);
  await page.waitForSelector(row(id));
  await report.remove(id);
  await page.waitForSelector(row(id), { state: "detached" });
  await context.close();
});

test("nothing shifts while a busy board is updated", async () => {
  const { page, context } = await visit(browser, board);
  await page.waitForSelector("[data-row]");
  await page.evaluate(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if ("value" in entry) shifts.push(Number(entry.value));
    }).observe({ type: "layout-shift" });
  });
  const id = await report.post({ workflow: "busy", version: "v1", status: "running" });
  await page.waitForSelector(row(id));
  // New rows push the others down, as they shall; what follows changes in place.
  await page.evaluate(() => Reflect.get(window, "shifts").splice(0));
  for (const percent of [10, 35, 70]) {
    await report.patch(id, { progress: { percent, phase: "rollout" } });
    await page.waitForSelector(`${row(id)} [aria-valuenow="${percent}"]`);
  }
  await report.patch(id, { status: "failed", message: "a long reason why it did not work" });
  await page.waitForSelector(`${row(id)} [data-status="failed"]`);
  const total = await page.evaluate(() =>
    Reflect.get(window, "shifts").reduce((sum: number, shift: number) => sum + shift, 0),
  );
  // A time that is written from the right begins elsewhere when it grows a digit; nothing else may move.
  expect(total).toBeLessThan(0.000_1);
  await context.close();
});
