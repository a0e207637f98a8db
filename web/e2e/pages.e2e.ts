// Every page in every theme and width: no accessibility violation, nothing that scrolls sideways, no complaint of
// the browser, and a picture of each for people to look at.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { violations } from "./axe";
import { type Look, reporter, type Server, startBrowser, startServer, temporary, visit } from "./harness";

const FIRST_ROUTE_BYTES = 200 * 1024;
const pictures = fileURLToPath(new URL("./screenshots/", import.meta.url));
const folder = temporary();
let server: Server;
let browser: Browser;
const ids = { running: "", failed: "" };

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  server = await startServer(folder.path("pages.db"));
  browser = await startBrowser();
  await fill();
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

const WORKFLOWS = ["frontend", "search-api", "billing", "mailer", "imports", "auth"];
const SUBJECTS = [
  "Cache rendered front page by locale",
  "Raise pool size for search reads",
  "Move invoices to new ledger",
  "Fix time zone in digest",
  "Stream large exports instead of buffering them in memory",
];
const STATUSES = ["success", "success", "success", "failed", "success", "cancelled", "success", "skipped"];

async function fill(): Promise<void> {
  const report = reporter(server.url);
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  const sha = (index: number) =>
    (index * 2_654_435_761).toString(16).padStart(12, "0").repeat(4).slice(0, 40);
  const about = (index: number) => ({
    source: "github",
    external_id: `run-${index}`,
    workflow: WORKFLOWS[index % WORKFLOWS.length],
    version: `v${800 + index}`,
    actor: ["mira", "jonas", "renovate[bot]"][index % 3],
    url: `https://ci.example/runs/${index}`,
    commit: {
      sha: sha(index + 1),
      ref: "main",
      message: SUBJECTS[index % SUBJECTS.length],
      url: `https://git.example/commit/${sha(index + 1)}`,
    },
  });
  const history = Array.from({ length: 60 }, (_, index) => {
    const seconds = (70 - index) * 600;
    return [
      { ...about(index), status: "running", occurred_at: ago(seconds) },
      { ...about(index), status: STATUSES[index % STATUSES.length], occurred_at: ago(seconds - 95 - index) },
    ];
  });
  await report.batch(history.flat());
  await report.batch([
    { ...about(60), status: "queued", occurred_at: ago(500) },
    { ...about(60), status: "lost", occurred_at: ago(480) },
    { ...about(61), status: "waiting", message: "approval by payments", occurred_at: ago(400) },
    { ...about(62), status: "running", occurred_at: ago(50) },
    { ...about(63), status: "queued", occurred_at: ago(8) },
  ]);
  ids.failed = await report.post({ ...about(64), status: "running", occurred_at: ago(300) });
  await report.patch(ids.failed, { progress: { percent: 62, phase: "migrate", step: "3/5" } });
  await report.patch(ids.failed, {
    status: "failed",
    message: 'column "session_id" exists',
    occurred_at: ago(160),
  });
  ids.running = await report.post({ ...about(65), status: "queued", occurred_at: ago(120) });
  await report.patch(ids.running, { status: "running", occurred_at: ago(90) });
  const steps: readonly (readonly [string, string, number])[] = [
    ["build", "running", 89],
    ["build", "success", 60],
    ["migrate", "running", 59],
    ["migrate", "success", 50],
    ["rollout", "running", 49],
  ];
  for (const [name, status, seconds] of steps) {
    await report.patch(ids.running, { step: { name, status }, occurred_at: ago(seconds) });
  }
  await report.patch(ids.running, { progress: { percent: 64, phase: "rollout", step: "7/11" } });
  const lines = Array.from({ length: 40 }, (_, index) =>
    index === 20
      ? "\u001b[31merror: probe failed\u001b[0m"
      : index % 7 === 3
        ? `\u001b[33mwarning: slow probe ${index}\u001b[0m`
        : `\u001b[90m12:41:${String(index).padStart(2, "0")}\u001b[0m ${index % 11} of 11 replicas are available`,
  );
  await report.log(ids.running, 0, `${lines.join("\n")}\n`);
}

const PAGES: readonly { name: string; path: () => string; ready: string }[] = [
  { name: "deployments", path: () => "/t/acme/production", ready: "[data-row]" },
  { name: "filtered", path: () => "/t/acme/production?status=failed,lost", ready: "[data-row]" },
  { name: "nothing-yet", path: () => "/t/acme/nowhere", ready: "pre" },
  { name: "nothing-matches", path: () => "/t/acme/production?q=zzz", ready: "text=No deployment matches" },
  { name: "running", path: () => `/t/acme/production/d/${ids.running}`, ready: "[role=log] >> text=error" },
  { name: "failed", path: () => `/t/acme/production/d/${ids.failed}`, ready: "h1" },
  {
    name: "missing",
    path: () => "/t/acme/production/d/01900000-0000-7000-8000-000000000000",
    ready: "[role=alert] h1",
  },
  { name: "workflows", path: () => "/t/acme/production/workflows", ready: "[data-workflow]" },
  { name: "boards", path: () => "/?choose=1", ready: "main a" },
  { name: "sign-in", path: () => "/sign-in", ready: "form" },
  { name: "no-page", path: () => "/no/such/page", ready: "h1" },
];

const LOOKS: readonly (Look & { name: string })[] = [
  { name: "light", theme: "light", width: 1440, height: 900 },
  { name: "dark", theme: "dark", width: 1440, height: 900 },
  { name: "compact", theme: "light", density: "compact", width: 1440, height: 900 },
  { name: "narrow-light", theme: "light", width: 360, height: 760 },
  { name: "narrow-dark", theme: "dark", width: 360, height: 760 },
];

describe.each(LOOKS)("in $name", (look) => {
  test.each(PAGES)(
    "the $name page is accessible, fits, and asks nobody else",
    async ({ name, path, ready }) => {
      const { page, context, complaints, strangers } = await visit(browser, server.url + path(), look);
      await page.waitForSelector(ready);
      await page.evaluate(() => document.fonts.ready);
      // Of a virtual table only what is in sight is there, so its picture is the window's.
      const fullPage = (await page.locator("[data-row]").count()) === 0;
      await page.screenshot({ path: `${pictures}${name}-${look.name}.png`, fullPage });
      expect(await violations(page)).toEqual([]);
      // Nobody has to sign in here, and every page says so.
      expect(await page.getByRole("complementary", { name: "Open mode" }).innerText()).toContain(
        "Open to everybody",
      );
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(sideways).toBeLessThanOrEqual(0);
      // A missing deployment is a 404, which the browser notes by itself.
      expect(complaints.filter((complaint) => !complaint.includes("404"))).toEqual([]);
      expect(strangers).toEqual([]);
      await context.close();
    },
  );
});

test("the theme stands before the first paint, without an inline script", async () => {
  const { page, context } = await visit(browser, `${server.url}/t/acme/production`, { theme: "dark" });
  const html = await (await fetch(`${server.url}/`)).text();
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
  expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("dark");
  await context.close();
});

test("the first route's scripts stay within their budget", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const scripts: Promise<Buffer>[] = [];
  page.on("response", (response) => {
    if (new URL(response.url()).pathname.endsWith(".js")) scripts.push(response.body());
  });
  await page.goto(`${server.url}/t/acme/production`);
  await page.waitForSelector("[data-row]");
  const sizes = (await Promise.all(scripts)).map((body) => gzipSync(body).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(FIRST_ROUTE_BYTES);
  await context.close();
});

test("the wall shows rows in large type, without what can be pressed", async () => {
  const { page, context } = await visit(browser, `${server.url}/t/acme/production?wall=1`, {
    theme: "dark",
    width: 1920,
    height: 1080,
  });
  await page.waitForSelector("[data-row]");
  await page.screenshot({ path: `${pictures}wall-dark.png` });
  expect(await page.locator("input:visible, nav:visible").count()).toBe(0);
  await context.close();
});
