// The board under load: how soon a report is seen, and that nobody is disturbed while hundreds of them come. Noise of
// the machine can only make it worse, so the best of a few windows counts; every window's figures are printed.

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
  visit,
} from "./harness";

const DEPLOYMENTS = 1_500;
const RUNNING = 100;
const REPORTS_PER_SECOND = 200;
const WINDOW_MS = 10_000;
const WINDOWS = 3;
const LONG_TASK_MS = 100;
const SEEN_REPORTS = 40;
const SEEN_MS = 250;

/** The figures are what these tests are for: they are told also when all is well. */
const say = (line: string) => process.stdout.write(`${line}\n`);

const folder = temporary();
let server: Server;
let browser: Browser;
let report: Reporter;
let board: string;
let running: readonly string[];

beforeAll(async () => {
  server = await startServer(folder.path("load.db"));
  browser = await startBrowser();
  report = reporter(server.url);
  board = `${server.url}/t/acme/production`;
  const start = Date.now() - DEPLOYMENTS * 1_000;
  const reports = Array.from({ length: DEPLOYMENTS }, (_, index) => ({
    external_id: `run-${index}`,
    workflow: `service-${index % 60}`,
    version: `v${index}`,
    status: index < DEPLOYMENTS - RUNNING ? "success" : "running",
    occurred_at: new Date(start + index * 1_000).toISOString(),
  }));
  for (let from = 0; from < DEPLOYMENTS; from += 500) await report.batch(reports.slice(from, from + 500));
  running = await Promise.all(
    reports.slice(-RUNNING).map(({ external_id, workflow }) => report.post({ external_id, workflow })),
  );
}, 60_000);

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

test("a report is seen soon after its answer", async () => {
  const { page, context } = await visit(browser, `${server.url}/t/acme/quiet`);
  const quiet = reporter(server.url, "quiet");
  await linkIs(page, "live");
  // Noted in the page, by the same machine's clock as the answers.
  await page.evaluate(() => {
    const seen = new Map<string, number>();
    Object.assign(window, { seen });
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const node of addedNodes) {
          const id = node instanceof HTMLElement ? node.getAttribute("data-row") : null;
          if (id && !seen.has(id)) seen.set(id, Date.now());
        }
      }
    }).observe(document.body, { childList: true, subtree: true });
  });
  const waits: number[] = [];
  for (let index = 0; index < SEEN_REPORTS; index++) {
    const id = await quiet.post({ workflow: "seen", version: `s${index}`, status: "queued" });
    const answered = Date.now();
    await page.waitForSelector(row(id), { state: "attached" });
    const seen = await page.evaluate((one) => Reflect.get(window, "seen").get(one) as number, id);
    waits.push(Math.max(0, seen - answered));
  }
  waits.sort((a, b) => a - b);
  const at = (share: number) => waits[Math.ceil(waits.length * share) - 1] ?? Number.NaN;
  say(`answer → seen, ${SEEN_REPORTS} reports: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(1)} ms`);
  expect(at(0.95)).toBeLessThan(SEEN_MS);
  await context.close();
}, 60_000);

/** Sends progress at the wanted rate for a window, whatever becomes of those before. */
async function pour(): Promise<void> {
  const sent: Promise<void>[] = [];
  const total = (REPORTS_PER_SECOND * WINDOW_MS) / 1_000;
  await new Promise<void>((resolve) => {
    const began = performance.now();
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * REPORTS_PER_SECOND));
      while (sent.length < due) {
        const id = running[sent.length % RUNNING] ?? "";
        const percent = Math.floor((sent.length / total) * 99);
        sent.push(report.patch(id, { progress: { percent, phase: "rollout" } }));
      }
      if (sent.length < total) return;
      clearInterval(timer);
      resolve();
    }, 10);
  });
  await Promise.all(sent);
}

const measure = (page: Page) =>
  page.evaluate(() => {
    const measured = { tasks: [] as number[], shift: 0 };
    Object.assign(window, { measured });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) measured.tasks.push(entry.duration);
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if ("value" in entry) measured.shift += Number(entry.value);
    }).observe({ type: "layout-shift" });
  });

test("hundreds of reports a second disturb nobody", async () => {
  const { page, context } = await visit(browser, `${board}?limit=500`);
  await linkIs(page, "live");
  await page.waitForSelector("[data-row]");
  // All of them, so that every event has to find its row among as many.
  await page.waitForFunction(
    (all) => {
      window.scrollTo(0, document.documentElement.scrollHeight);
      return document.querySelector("main")?.textContent?.includes(all);
    },
    `All ${DEPLOYMENTS.toLocaleString("en-US")} deployments`,
  );
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.evaluate(() => window.scrollTo(0, 400));
  await page.evaluate(() => {
    const cell = document.activeElement?.closest("[data-row]")?.querySelector("[role=cell]:nth-child(3)");
    if (cell) window.getSelection()?.selectAllChildren(cell);
  });
  const state = () =>
    page.evaluate(() => ({
      // Those in sight: how many more are drawn around them is the virtualiser's business.
      order: [...document.querySelectorAll("[data-row]")]
        .filter((one) => {
          const { top, bottom } = one.getBoundingClientRect();
          return top >= 0 && bottom <= window.innerHeight;
        })
        .map((one) => one.getAttribute("data-row")),
      focus: document.activeElement?.closest("[data-row]")?.getAttribute("data-row"),
      selected: window.getSelection()?.toString(),
      scrolled: window.scrollY,
    }));
  const before = await state();
  expect(before.focus).toBeTruthy();
  expect(before.selected).toMatch(/^service-/);
  await measure(page);
  const longest: number[] = [];
  for (let tried = 0; tried < WINDOWS && !longest.some((ms) => ms <= LONG_TASK_MS); tried++) {
    await page.evaluate(() => Reflect.get(globalThis, "measured").tasks.splice(0));
    await pour();
    const { tasks, shift } = await page.evaluate(() => Reflect.get(globalThis, "measured"));
    longest.push(Math.max(0, ...tasks));
    const said = `${tasks.length} tasks over 50 ms, longest ${Math.round(longest.at(-1) ?? 0)} ms, shift ${shift}`;
    say(`${REPORTS_PER_SECOND} reports/s for ${WINDOW_MS / 1_000} s: ${said}`);
    expect(shift).toBeLessThan(0.000_1);
  }
  expect(await state()).toEqual(before);
  // The last of it has arrived, so the page was not merely idle.
  await page.waitForFunction(
    () => document.querySelectorAll('[data-row] [role=progressbar][aria-valuenow="98"]').length > 0,
  );
  expect(Math.min(...longest)).toBeLessThanOrEqual(LONG_TASK_MS);
  await context.close();
}, 120_000);
