// All environments of a tenant beside each other: live over one stream, what differs between neighbours, and where
// a version is.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { violations } from "./axe";
import {
  linkIs,
  type Reporter,
  reporter,
  type Server,
  startBrowser,
  startServer,
  temporary,
  textIs,
  visit,
} from "./harness";

const ENVS = ["dev", "staging", "production"] as const;
type EnvName = (typeof ENVS)[number];

const folder = temporary();
let server: Server;
let browser: Browser;
let report: Record<EnvName, Reporter>;
let matrix: string;
/** A workflow of each test's own. */
let workflow = "";
let count = 0;

beforeAll(async () => {
  server = await startServer(folder.path("environments.db"));
  browser = await startBrowser();
  report = {
    dev: reporter(server.url, "dev"),
    staging: reporter(server.url, "staging"),
    production: reporter(server.url, "production"),
  };
  matrix = `${server.url}/t/acme`;
  for (const env of ENVS) await report[env].post({ workflow: "base", version: "v1", status: "success" });
  await report.dev.post({ workflow: "base", version: "v2", status: "running" });
  await report.dev.post({ workflow: "young", version: "v1", status: "failed" });
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

beforeEach(() => {
  count += 1;
  workflow = `shop-${count}`;
});

const cell = (env: EnvName, of = workflow): string => `[data-workflow="${of}"] [data-env="${env}"]`;
const verdict = (env: EnvName, is: string, of = workflow): string =>
  `${cell(env, of)} [data-verdict="${is}"]`;

const fits = async (page: Page): Promise<void> =>
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);

test("three environments are live over one stream", async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const streams: string[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).pathname.endsWith("/stream")) streams.push(request.url());
  });
  await page.goto(matrix);
  await linkIs(page, "live");
  for (const env of ENVS) {
    const id = await report[env].post({ workflow, version: "v7", status: "running" });
    await textIs(page, cell(env), "v7");
    await report[env].patch(id, { progress: { percent: 42 } });
    await textIs(page, cell(env), "running 42 %");
    await report[env].patch(id, { status: "success" });
    await page.waitForSelector(`${cell(env)} a[data-cell][href="/t/acme/${env}/d/${id}"]`);
  }
  expect(streams).toHaveLength(1);
  expect(new URL(streams[0] ?? "").searchParams.getAll("s").sort()).toEqual([...ENVS].sort());
  await context.close();
});

test("columns go from early to late, and their heads count and lead to their boards", async () => {
  const { page, context } = await visit(browser, matrix);
  await page.waitForSelector("[data-env-head]");
  const heads = await page
    .locator("[data-env-head]")
    .evaluateAll((all) => all.map((head) => head.getAttribute("data-env-head")));
  expect(heads).toEqual([...ENVS]);
  await textIs(page, "[data-env-head=dev] [data-running]", "1 running");
  await textIs(page, "[data-env-head=dev] [data-failing]", "1 failing");
  await page.click("[data-env-head=dev] a");
  await page.waitForURL("**/t/acme/dev");
  await context.close();
});

test("drift appears, is said in words, and goes", async () => {
  for (const env of ENVS) await report[env].post({ workflow, version: "v1", status: "success" });
  const { page, context } = await visit(browser, `${matrix}?q=${workflow}`);
  await textIs(page, cell("production"), "v1");
  expect(await page.locator("[data-workflow] [data-drift]").count()).toBe(0);
  await report.staging.post({ workflow, version: "v2", status: "success" });
  await page.waitForSelector(`${cell("production")} [data-drift]`);
  await page.waitForSelector(`${cell("production")} [aria-label="Differs from staging, which has v2"]`);
  await page.waitForSelector(`${cell("staging")} [aria-label="Differs from dev, which has v1"]`);
  await page.click('button:has-text("Only drift")');
  await page.waitForFunction(() => location.search.includes("drift=1"));
  await page.waitForSelector(cell("production"));
  for (const env of ["production", "dev"] as const) {
    await report[env].post({ workflow, version: "v2", status: "success" });
  }
  await textIs(page, "main", "No workflow matches");
  await page.click('button:has-text("Clear filters")');
  await textIs(page, cell("production"), "v2");
  expect(await page.locator("[data-workflow] [data-drift]").count()).toBe(0);
  await context.close();
});

test("where is: from not yet over on its way to there, without a reload", async () => {
  await report.production.post({ workflow, version: "v1", status: "success" });
  const { page, context, complaints } = await visit(browser, matrix);
  await linkIs(page, "live");
  await page.keyboard.press("w");
  const version = `2026.7.${count}`;
  await page.keyboard.type("20");
  await textIs(page, "main", "Type at least 3 characters");
  await page.keyboard.type(version.slice(2));
  await textIs(page, "main", `No environment knows “${version}”`);
  expect(new URL(page.url()).search).toBe(`?where=${version}`);

  await report.staging.post({ workflow, version, status: "success" });
  await page.waitForSelector(verdict("staging", "there"));
  await page.waitForSelector(verdict("production", "not_yet"));
  await textIs(page, cell("production"), "runs v1");
  await page.waitForSelector(verdict("dev", "not_yet"));

  const id = await report.production.post({ workflow, version, status: "running" });
  await page.waitForSelector(verdict("production", "coming"));
  await report.production.patch(id, { progress: { percent: 64 } });
  await textIs(page, cell("production"), "running 64 %");
  await report.production.patch(id, { status: "success" });
  await page.waitForSelector(verdict("production", "there"));
  await textIs(page, cell("production"), "since");

  await report.production.post({ workflow, version: "v1", status: "success", kind: "rollback" });
  await page.waitForSelector(verdict("production", "was"));
  await textIs(page, cell("production"), "rolled back to v1");
  await page.click('button:has-text("Back to the matrix")');
  await page.waitForSelector(cell("production", "base"));
  expect(complaints).toEqual([]);
  await context.close();
});

test("where is takes the beginning of a sha, says what failed, and can be sent to a colleague", async () => {
  const sha = `${String(count).padStart(4, "0")}feedfacecafe${"0".repeat(24)}`;
  const commit = { sha, message: "Fix it" };
  await report.dev.post({ workflow, version: "v5", status: "success", commit });
  await report.staging.post({ workflow, version: "v5", status: "failed", commit });
  await report.production.post({ workflow, version: "v4", status: "success" });
  const { page, context } = await visit(browser, `${matrix}?where=${sha.slice(0, 8)}`);
  await page.waitForSelector(verdict("dev", "there"));
  await page.waitForSelector(verdict("staging", "failed"));
  await textIs(page, cell("production"), "v4 went there since");
  await page.click(`${cell("staging")} a`);
  await page.waitForURL("**/t/acme/staging/d/*");
  await context.close();
});

test("the key leads here from a board, and a new environment comes by itself", async () => {
  const { page, context } = await visit(browser, `${server.url}/t/acme/production`);
  await page.waitForSelector("[data-row]");
  await page.keyboard.press("w");
  await page.waitForURL("**/t/acme?where=");
  await page.waitForFunction(() => document.activeElement?.getAttribute("type") === "search");
  await page.waitForSelector("[data-env-head=production]");
  await reporter(server.url, "qa").post({ workflow, version: "v1", status: "success" });
  // The list of environments is asked for every 15 s, no sooner.
  await page.waitForSelector("[data-env-head=qa]", { timeout: 30_000 });
  await page.waitForSelector(`[data-workflow="${workflow}"] [data-env="qa"] a`);
  await context.close();
});

test("keys walk the cells, and Enter opens one", async () => {
  for (const env of ENVS) await report[env].post({ workflow, version: "v1", status: "success" });
  const { page, context } = await visit(browser, `${matrix}?sort=name`);
  await page.waitForSelector(cell("dev", "base"));
  const becomes = (wanted: string) =>
    page.waitForFunction((place) => {
      const at = document.activeElement;
      const row = at?.closest("[data-workflow]")?.getAttribute("data-workflow");
      return `${row} ${at?.closest("[data-env]")?.getAttribute("data-env")}` === place;
    }, wanted);
  await page.keyboard.press("j");
  await becomes("base dev");
  await page.keyboard.press("l");
  await becomes("base staging");
  await page.keyboard.press("j");
  await becomes("shop-1 staging");
  await page.keyboard.press("k");
  await becomes("base staging");
  await page.keyboard.press("h");
  await becomes("base dev");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/t/acme/dev/d/*");
  await context.close();
});

test("a thousand workflows are a few rows in the document", async () => {
  const many = reporter(server.url, "staging");
  await many.batch(
    Array.from({ length: 900 }, (_, index) => ({
      external_id: `many-${index}`,
      workflow: `bulk-${index}`,
      version: "v1",
      status: "success",
    })),
  );
  const { page, context } = await visit(browser, `${matrix}?sort=name&q=bulk`);
  await page.waitForSelector(cell("staging", "bulk-0"));
  expect(await page.locator("[data-workflow]").count()).toBeLessThan(60);
  await page.focus("section[aria-label^=Environments]");
  await page.keyboard.press("End");
  await page.waitForSelector(cell("staging", "bulk-99"));
  await context.close();
});

const VIEWS = [
  { name: "matrix", search: "?q=base", ready: cell("production", "base") },
  { name: "only drift", search: "?drift=1", ready: "main h1" },
  { name: "where is", search: "?where=v1", ready: "text=Type at least" },
  { name: "answers", search: "?where=v1.", ready: "main h2" },
] as const;

const LOOKS = [
  { name: "light", theme: "light", width: 1440, height: 900 },
  { name: "dark", theme: "dark", width: 1440, height: 900 },
  { name: "compact", theme: "light", density: "compact", width: 1440, height: 900 },
  { name: "narrow light", theme: "light", width: 360, height: 760 },
  { name: "narrow dark", theme: "dark", width: 360, height: 760 },
] as const;

describe.each(LOOKS)("in $name", (look) => {
  test.each(VIEWS)("the $name view is accessible, fits, and asks nobody else", async ({ search, ready }) => {
    const { page, context, complaints, strangers } = await visit(browser, matrix + search, look);
    await page.waitForSelector(ready);
    await linkIs(page, "live");
    expect(await violations(page)).toEqual([]);
    await fits(page);
    expect(complaints).toEqual([]);
    expect(strangers).toEqual([]);
    await context.close();
  });
});

test("without the server the page says so and stands still", async () => {
  const { page, context } = await visit(browser, `${matrix}?q=base`);
  await page.waitForSelector(cell("production", "base"));
  await linkIs(page, "live");
  await server.kill();
  await linkIs(page, "reconnecting", "offline");
  await page.waitForSelector("[data-link=down]");
  await textIs(page, cell("production", "base"), "v1");
  server = await startServer(folder.path("environments.db"), server.port);
  await linkIs(page, "live");
  await page.waitForSelector("[data-link=up]");
  await context.close();
});
