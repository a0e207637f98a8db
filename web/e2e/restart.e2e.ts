// The server dies and comes back with news: the page says that it is not live, keeps its rows, and is right again.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cardShows,
  linkIs,
  reporter,
  row,
  startBrowser,
  startServer,
  temporary,
  textIs,
  visit,
} from "./harness";

const folder = temporary();
let browser: Browser;

beforeAll(async () => {
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  folder.remove();
});

test("a killed server leaves the rows standing and marked, and all is right after it returns", async () => {
  const database = folder.path("restart.db");
  const first = await startServer(database);
  const report = reporter(first.url);
  const kept = await report.post({ workflow: "web", version: "v1", status: "running", external_id: "kept" });
  const { page, context } = await visit(browser, `${first.url}/t/acme/production`);
  await page.waitForSelector(row(kept));
  await linkIs(page, "live");
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));

  await first.kill();
  await linkIs(page, "reconnecting", "offline");
  expect(await page.locator(row(kept)).count()).toBe(1);
  await page.waitForSelector("[data-link=down]");
  const turning = await page
    .locator(`${row(kept)} .turning`)
    .evaluate((ring) => getComputedStyle(ring).animationPlayState);
  expect(turning).toBe("paused");

  // The news comes while the page cannot hear it: another server on the same database, elsewhere.
  const elsewhere = await startServer(database);
  const others = reporter(elsewhere.url);
  await others.patch(kept, { status: "success" });
  const fresh = await others.post({ workflow: "api", version: "v2", status: "failed", external_id: "fresh" });
  await elsewhere.kill();

  const again = await startServer(database, first.port);
  await linkIs(page, "live");
  await page.waitForSelector(`${row(kept)} [data-status="success"]`);
  await page.waitForSelector(row(fresh));
  await cardShows(page, "success", "1");
  await cardShows(page, "failed", "1");
  await cardShows(page, "running", "0");
  await textIs(page, '[data-card="workflows"]', "1 of 2");
  expect(await page.evaluate(() => Reflect.get(window, "sameDocument"))).toBe(true);

  await context.close();
  await again.kill();
}, 120_000);

test("the pages can be walked while the server is away, and show what was known last", async () => {
  const database = folder.path("late.db");
  const first = await startServer(database);
  const id = await reporter(first.url).post({ workflow: "web", version: "v1" });
  const { page, context } = await visit(browser, `${first.url}/t/acme/production`);
  await page.waitForSelector(row(id));
  await page.waitForFunction(
    () =>
      performance.getEntriesByType("resource").filter(({ name }) => /workflows-.*\.js$/.test(name)).length >
      0,
  );
  await first.kill();
  await linkIs(page, "reconnecting", "offline");
  await page.click('nav[aria-label="Pages"] >> text="Workflows" >> visible=true');
  await page.waitForSelector("[data-workflow=web]");
  await page.click('nav[aria-label="Pages"] >> text="Deployments" >> visible=true');
  await page.waitForSelector(row(id));
  const again = await startServer(database, first.port);
  await linkIs(page, "live");
  await context.close();
  await again.kill();
}, 120_000);
