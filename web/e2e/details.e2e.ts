// A deployment's page in its reader's hands: attempts, what replaced it, its neighbours in a filtered list, its raw
// JSON, the notification of its end, and a log of ten megabytes.

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { violations } from "./axe";
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

const folder = temporary();
let server: Server;
let browser: Browser;
let report: Reporter;
let board: string;

beforeAll(async () => {
  server = await startServer(folder.path("details.db"));
  browser = await startBrowser();
  report = reporter(server.url);
  board = `${server.url}/t/acme/production`;
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();

/** Waits until the page is another deployment's. */
const isAt = (page: Page, id: string): Promise<unknown> =>
  page.waitForFunction((wanted) => location.pathname.endsWith(wanted), `/d/${id}`);

test("attempts are told apart; earlier ones are folded, and open by keyboard", async () => {
  const id = await report.post({
    workflow: "tries",
    version: "v1",
    status: "running",
    occurred_at: ago(300),
  });
  await report.patch(id, { status: "failed", message: "runner lost", occurred_at: ago(240) });
  await report.patch(id, { attempt: 2, status: "running", occurred_at: ago(200) });
  const { page, context } = await visit(browser, `${board}/d/${id}`);
  const first = page.locator("details[data-attempt='1']");
  const reason = first.locator("text=runner lost");
  await first.waitFor();
  expect(await first.locator("summary").textContent()).toMatch(/Attempt 1\s*Failed\s*1m 00s/);
  expect(await reason.isVisible()).toBe(false);
  await first.locator("summary").focus();
  await page.keyboard.press("Enter");
  await reason.waitFor({ state: "visible" });
  await report.patch(id, { attempt: 3, status: "running" });
  await page.waitForSelector("h3[data-attempt='3']");
  // What the reader has opened stays open while another attempt begins.
  expect(await reason.isVisible()).toBe(true);
  await context.close();
});

test.each([
  { theme: "light", width: 1440 },
  { theme: "dark", width: 1440, density: "compact" },
  { theme: "light", width: 360 },
  { theme: "dark", width: 360 },
] as const)("with everything open the page is accessible and fits: %o", async (look) => {
  const id = await report.post({ workflow: "open", version: "v1", status: "running", occurred_at: ago(90) });
  await report.patch(id, { status: "failed", message: "runner lost", occurred_at: ago(80) });
  await report.patch(id, { attempt: 2, status: "running", progress: { percent: 20 } });
  await report.log(
    id,
    0,
    "building\nerror: one\nerror: two\n\u001b[42;30mok\u001b[0m \u001b[38;5;226mhot\u001b[0m \u001b[2;90mdim\u001b[0m\n",
  );
  const { page, context, complaints, strangers } = await visit(
    browser,
    `${board}/d/${id}?workflow=open`,
    look,
  );
  await page.waitForSelector("[data-line]");
  await page.click("summary >> text=Attempt 1");
  await page.click("summary >> text=Raw JSON");
  await textIs(page, "pre[aria-label='Raw JSON']", '"timeline"');
  await page.fill("input[type=search]", "error");
  await page.waitForSelector("[data-marked]");
  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  expect(complaints).toEqual([]);
  expect(strangers).toEqual([]);
  await context.close();
});

test("what superseded a deployment appears while one looks at it, as a real link", async () => {
  const old = await report.post({ workflow: "chain", version: "v1", status: "success" });
  const { page, context } = await visit(browser, `${board}/d/${old}`);
  await textIs(page, "main", "runs here now");
  const next = await report.post({ workflow: "chain", version: "v2", status: "running" });
  await report.patch(next, { status: "success" });
  await page.waitForSelector(`a[data-successor="${next}"]`);
  await textIs(page, "main", "Superseded by");
  expect(await page.getAttribute("[data-successor]", "href")).toBe(`/t/acme/production/d/${next}`);
  const [other] = await Promise.all([
    context.waitForEvent("page"),
    page.click("[data-successor]", { modifiers: ["ControlOrMeta"] }),
  ]);
  await isAt(other, next);
  await textIs(other, "main", "Replaced");
  await page.focus("[data-successor]");
  await page.keyboard.press("Enter");
  await isAt(page, next);
  await page.waitForSelector('h1 >> text="v2"');
  await context.close();
});

test("a rolled back deployment says by what", async () => {
  const bad = await report.post({ workflow: "undo", version: "v2", status: "success" });
  const back = await report.post({ workflow: "undo", version: "v1", kind: "rollback", status: "success" });
  const { page, context } = await visit(browser, `${board}/d/${bad}`);
  await page.waitForSelector(`a[data-successor="${back}"]`);
  await textIs(page, "main", "Rolled back by");
  await context.close();
});

describe("in a filtered list", () => {
  const ids: string[] = [];

  beforeAll(async () => {
    for (let index = 0; index < 6; index++) {
      const status = index % 2 === 0 ? "failed" : "success";
      const version = `v${index}`;
      ids.push(await report.post({ workflow: "steps", version, status, occurred_at: ago(600 - index * 10) }));
    }
  });

  test("one goes from one to the next by keys and links, and the ends are ends", async () => {
    const [oldest = "", , middle = "", , newest = ""] = ids;
    const { page, context } = await visit(browser, `${board}?workflow=steps&status=failed&sort=status`);
    await page.click(`${row(newest)} a[data-row-link]`);
    await isAt(page, newest);
    expect(new URL(page.url()).search).toBe("?status=failed&workflow=steps");
    await textIs(page, "[data-position]", "1 of 3");
    const newer = page.getByRole("link", { name: "Previous deployment, newer" });
    const older = page.getByRole("link", { name: "Next deployment, older" });
    expect(await newer.getAttribute("aria-disabled")).toBe("true");

    await page.keyboard.press("]");
    await isAt(page, middle);
    await textIs(page, "h1", "v2");
    await older.click();
    await isAt(page, oldest);
    await textIs(page, "[data-position]", "3 of 3");
    expect(await older.getAttribute("aria-disabled")).toBe("true");
    // The focus is still on what was pressed, though it leads nowhere now.
    expect(await older.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press("]");
    await page.keyboard.press("[");
    await isAt(page, middle);

    await page.click("text=Filtered deployments");
    await page.waitForSelector(row(newest));
    expect(new URL(page.url()).search).toBe("?status=failed&workflow=steps");
    await context.close();
  });

  test("the list moves while one looks: a newer one can be gone to at once", async () => {
    const [, , , , newest = ""] = ids;
    const { page, context } = await visit(browser, `${board}/d/${newest}?workflow=steps&status=failed`);
    await textIs(page, "[data-position]", "1 of 3");
    const fresh = await report.post({ workflow: "steps", version: "v9", status: "failed" });
    await textIs(page, "[data-position]", "2 of 4");
    await page.keyboard.press("[");
    await isAt(page, fresh);
    await context.close();
  });

  test("beyond the loaded rows the server is asked for the neighbours", async () => {
    const far = reporter(server.url, "long");
    const start = Date.now() - 400 * 60_000;
    await far.batch(
      Array.from({ length: 300 }, (_, index) => ({
        external_id: `run-${index}`,
        workflow: "web",
        version: `v${index}`,
        status: "success",
        occurred_at: new Date(start + index * 60_000).toISOString(),
      })),
    );
    const answer = await fetch(`${server.url}/api/v1/tenants/acme/envs/long/deployments?q=v50&limit=1`);
    const body: { items: { id: string }[] } = await answer.json();
    const { page, context } = await visit(browser, `${server.url}/t/acme/long/d/${body.items[0]?.id}`);
    await page.waitForSelector('h1 >> text="v50"');
    await page.waitForSelector("a[aria-label^=Next]:not([aria-disabled])");
    await page.keyboard.press("]");
    await page.waitForSelector('h1 >> text="v49"');
    await page.waitForSelector("a[aria-label^=Previous]:not([aria-disabled])");
    await page.keyboard.press("[");
    await page.waitForSelector('h1 >> text="v50"');
    await page.waitForSelector("a[aria-label^=Previous]:not([aria-disabled])");
    await page.keyboard.press("[");
    await page.waitForSelector('h1 >> text="v51"');
    await context.close();
  });
});

test("the raw JSON is what the server sends, and can be copied", async () => {
  const id = await report.post({ workflow: "raw", version: "v1", status: "running", message: 'say "hi"' });
  const { page, context } = await visit(browser, `${board}/d/${id}`);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.focus("summary:has-text('Raw JSON')");
  await page.keyboard.press("Enter");
  await textIs(page, "pre[aria-label='Raw JSON']", '"timeline"');
  const panel = page.locator("details:has(h2:text('Raw JSON'))");
  await panel.getByRole("button", { name: "Copy" }).click();
  await textIs(page, "[role=status]:has(p)", "Copied the JSON");
  const copied: unknown = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  const sent = await (
    await fetch(`${server.url}/api/v1/tenants/acme/envs/production/deployments/${id}`)
  ).json();
  expect(copied).toEqual(sent);
  await context.close();
});

test("the tab's title and icon say how far a running deployment is", async () => {
  const id = await report.post({ workflow: "tab", version: "v1", status: "running" });
  const { page, context } = await visit(browser, `${board}/d/${id}`);
  await page.waitForFunction(() => document.title.startsWith("Running: tab v1"));
  await report.patch(id, { progress: { percent: 64 } });
  await page.waitForFunction(() => document.title.startsWith("Running 64 %: tab v1"));
  await page.waitForSelector('link[rel=icon][href="/favicon/running-60.svg"]', { state: "attached" });
  await report.patch(id, { status: "success" });
  await page.waitForFunction(() => document.title.startsWith("Success: tab v1"));
  await page.waitForSelector('link[rel=icon][href="/favicon/success.svg"]', { state: "attached" });
  await context.close();
});

describe("the notification", () => {
  /** Records what is shown instead of showing it. */
  const recorded = (context: BrowserContext): Promise<unknown> =>
    context.addInitScript(() => {
      const shown: { title: string; body: string; click: () => void }[] = [];
      const asked: string[] = [];
      Object.assign(window, { shown, asked });
      const Real = Notification;
      window.Notification = class extends EventTarget {
        static get permission() {
          return Real.permission;
        }
        static requestPermission() {
          asked.push("asked");
          return Real.requestPermission();
        }
        onclick: (() => void) | null = null;
        close() {}
        constructor(title: string, options: NotificationOptions = {}) {
          super();
          shown.push({ title, body: options.body ?? "", click: () => this.onclick?.() });
        }
      } as unknown as typeof Notification;
    });
  const titles = (page: Page): Promise<string[]> =>
    page.evaluate(() => Reflect.get(window, "shown").map((note: { title: string }) => note.title));

  test("comes once when the deployment ends, wherever one is in the app, and leads back to it", async () => {
    const id = await report.post({ workflow: "bell", version: "v1", status: "running" });
    const { page, context } = await visit(browser, "about:blank");
    await context.grantPermissions(["notifications"], { origin: server.url });
    await recorded(context);
    await page.goto(`${board}/d/${id}`);
    const toggle = page.getByRole("button", { name: "Notify me when it ends" });
    await toggle.waitFor();
    expect(await page.evaluate(() => Reflect.get(window, "asked"))).toEqual([]);
    await toggle.click();
    await page.waitForSelector("button[aria-pressed=true]:has-text('Notify')");
    // A reload keeps the watch, and so does going elsewhere in the app.
    await page.reload();
    await page.waitForSelector("button[aria-pressed=true]:has-text('Notify')");
    await page.click("nav[aria-label=Neighbours] >> text=Deployments");
    await page.waitForSelector(row(id));
    // On another page, too.
    await page.reload();
    await page.waitForSelector(row(id));
    await report.patch(id, { status: "failed", message: "no space left" });
    await page.waitForFunction(() => Reflect.get(window, "shown").length === 1);
    expect(await titles(page)).toEqual(["Failed: bell v1"]);
    await page.evaluate(() => Reflect.get(window, "shown")[0].click());
    await isAt(page, id);
    await page.waitForSelector('header [data-status="failed"]');
    expect(await toggle.count()).toBe(0);
    await report.patch(id, { message: "no space left, corrected" });
    await textIs(page, "main", "corrected");
    expect(await titles(page)).toHaveLength(1);
    await context.close();
  });

  test("that the browser forbids is said plainly", async () => {
    const id = await report.post({ workflow: "mute", version: "v1", status: "running" });
    const { page, context } = await visit(browser, `${board}/d/${id}`);
    // A context without a grant denies every question.
    await page.getByRole("button", { name: "Notify me when it ends" }).click();
    await textIs(page, "header [role=status]", "blocked for this site");
    expect(await page.locator("button[aria-pressed=true]:has-text('Notify')").count()).toBe(0);
    await context.close();
  });
});

describe("a log of ten megabytes", () => {
  const LINES = 150_000;
  const PART_BYTES = 900_000;
  /** More rows than any window shows, and far fewer than the log has. */
  const DRAWN_LIMIT = 200;
  /** Alone on a machine no task takes 100 ms; where others compute at the same time it gets some room. */
  const STUTTER_MS = 600;
  const ESC = "\u001b";
  const line = (index: number): string =>
    index === 75_000
      ? `${ESC}[31merror: no such column "session_id"${ESC}[0m`
      : `${ESC}[90m12:41:${String(index % 60).padStart(2, "0")}${ESC}[0m ${ESC}[36mrollout${ESC}[0m line ${index + 1} of many replicas`;
  let id = "";
  let bytes = 0;

  beforeAll(async () => {
    id = await report.post({ workflow: "big", version: "v1", status: "running" });
    const text = `${Array.from({ length: LINES }, (_, index) => line(index)).join("\n")}\n`;
    for (; bytes < text.length; bytes += PART_BYTES) {
      await report.log(id, bytes, text.slice(bytes, bytes + PART_BYTES));
    }
    bytes = text.length;
  });

  const drawn = (page: Page): Promise<number> => page.locator("[data-line]").count();
  const wholeLog = (page: Page): Promise<unknown> => page.waitForSelector(`[data-line="${LINES}"]`);
  /** The long tasks from now on. */
  const watchTasks = (page: Page): Promise<void> =>
    page.evaluate(() => {
      const tasks: number[] = [];
      Object.assign(window, { tasks });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) tasks.push(Math.round(entry.duration));
      }).observe({ type: "longtask" });
    });
  const longest = (page: Page): Promise<number> =>
    page.evaluate(() => Math.max(0, ...Reflect.get(window, "tasks")));

  test("opens at its end and is read whole, without the page standing still", async () => {
    const { page, context } = await visit(browser, "about:blank");
    await context.addInitScript(() => {
      const tasks: number[] = [];
      Object.assign(window, { tasks });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) tasks.push(Math.round(entry.duration));
      }).observe({ type: "longtask" });
    });
    await page.goto(`${board}/d/${id}`);
    await page.waitForSelector("[data-line]");
    await wholeLog(page);
    await textIs(page, "[aria-label=Log]", "150,000 lines");
    expect(await drawn(page)).toBeLessThan(DRAWN_LIMIT);
    expect(await longest(page)).toBeLessThan(2 * STUTTER_MS);
    await context.close();
  });

  test("scrolls, is searched and wrapped smoothly", async () => {
    const { page, context } = await visit(browser, `${board}/d/${id}`);
    await wholeLog(page);
    await watchTasks(page);
    const box = page.locator("[role=log]");
    await box.hover();
    for (let step = 0; step < 30; step++) await page.mouse.wheel(0, -5_000);
    await page.waitForSelector("button:has-text('Follow')");
    for (const part of [0.5, 0.1, 0.9, 0]) {
      const wanted = Math.max(1, Math.round(part * LINES));
      // Set again until it stays: what the wheel began may still be going on.
      await page.waitForFunction(
        ([share, near]) => {
          const log = document.querySelector("[role=log]");
          if (log) log.scrollTop = log.scrollHeight * share;
          return [...document.querySelectorAll("[data-line]")].some(
            (one) => Math.abs(Number(one.getAttribute("data-line")) - near) < 30,
          );
        },
        [part, wanted] as const,
      );
      expect(await drawn(page)).toBeLessThan(DRAWN_LIMIT);
    }
    await page.keyboard.press("/");
    await page.keyboard.type("line 123456 of");
    await textIs(page, "[data-marked]", "line 123456 of");
    await textIs(page, "[aria-label=Log] label", "1/1");
    await page.keyboard.press("Escape");
    await page.keyboard.type("line 12345");
    // From where the reader is, not from the beginning.
    await textIs(page, "[aria-label=Log] label", "2/11");
    await textIs(page, "[data-marked]", "line 123450 of");
    await page.keyboard.press("Shift+Enter");
    await textIs(page, "[aria-label=Log] label", "1/11");
    await textIs(page, "[data-marked]", "line 12345 of");
    await page.click("button:has-text('Wrap')");
    await page.waitForSelector("button[aria-pressed=true]:has-text('Wrap')");
    await page.waitForSelector("[data-marked]");
    expect(await drawn(page)).toBeLessThan(DRAWN_LIMIT);
    expect(await longest(page)).toBeLessThan(STUTTER_MS);
    await context.close();
  });

  test("its error is above it, one key away, and has an address", async () => {
    const { page, context } = await visit(browser, `${board}/d/${id}`);
    await wholeLog(page);
    await textIs(page, "[aria-label=Errors]", "75001");
    await page.keyboard.press("e");
    await page.waitForSelector('[data-marked][data-line="75001"]');
    expect(new URL(page.url()).hash).toBe("#L75001");
    const address = page.url();
    await context.close();
    const again = await visit(browser, address);
    await again.page.waitForSelector('[data-marked][data-line="75001"]');
    expect(await again.page.locator("[data-marked]").isVisible()).toBe(true);
    await again.context.close();
  });

  test("follows twenty appends a second at its end, and holds still elsewhere", async () => {
    const { page, context } = await visit(browser, `${board}/d/${id}`);
    await wholeLog(page);
    await linkIs(page, "live");
    await watchTasks(page);
    const append = async (text: string): Promise<void> => {
      await report.log(id, bytes, text);
      bytes += text.length;
    };
    const APPENDS = 60;
    let next = performance.now();
    for (let index = 0; index < APPENDS; index++) {
      await append(`appended ${index}\n`);
      next += 50;
      const wait = next - performance.now();
      // The pace is what is tested; nothing is awaited by it.
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
    await textIs(page, `[data-line="${LINES + APPENDS}"]`, `appended ${APPENDS - 1}`);
    expect(await page.locator(`[data-line="${LINES + APPENDS}"]`).isVisible()).toBe(true);
    expect(await drawn(page)).toBeLessThan(DRAWN_LIMIT);
    expect(await longest(page)).toBeLessThan(STUTTER_MS);

    const box = page.locator("[role=log]");
    await box.evaluate((element) => element.scrollTo({ top: element.scrollHeight / 2 }));
    await page.waitForSelector("button:has-text('Follow')");
    const before = await box.evaluate((element) => element.scrollTop);
    await append("one more\n");
    await textIs(page, "[aria-label=Log]", `${(LINES + APPENDS + 1).toLocaleString("en-US")} lines`);
    expect(await box.evaluate((element) => element.scrollTop)).toBe(before);
    await page.click("button:has-text('Follow')");
    await textIs(page, `[data-line="${LINES + APPENDS + 1}"]`, "one more");
    await context.close();
  });

  test("is copied without colours, and downloaded as the server has it", async () => {
    const { page, context } = await visit(browser, `${board}/d/${id}`);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await textIs(page, "[aria-label=Errors]", "75001");
    await page
      .getByRole("region", { name: "Log", exact: true })
      .getByRole("button", { name: "Copy" })
      .click();
    await textIs(page, "[role=status]:has(p)", "Copied the log");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied.slice(0, 46)).toBe("12:41:00 rollout line 1 of many replicas\n12:41");
    expect(copied).not.toContain(ESC);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("big-v1.log");
    const stream = await download.createReadStream();
    let size = 0;
    for await (const chunk of stream) size += chunk.length;
    expect(size).toBe(bytes);
    await context.close();
  });
});

test("nothing shifts while a deployment's page is updated", async () => {
  const id = await report.post({ workflow: "calm", version: "v1", status: "running" });
  await report.log(id, 0, "building\n");
  await report.patch(id, { progress: { percent: 5 } });
  const { page, context } = await visit(browser, `${board}/d/${id}`);
  await page.waitForSelector("[data-line]");
  await page.waitForFunction(() => document.querySelector("[data-position]")?.textContent !== "");
  await page.evaluate(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if ("value" in entry) shifts.push(Number(entry.value));
    }).observe({ type: "layout-shift" });
  });
  let written = "building\n".length;
  for (const percent of [10, 35, 70]) {
    await report.patch(id, { progress: { percent, phase: "rollout" } });
    await page.waitForSelector(`[aria-valuenow="${percent}"]`);
    const text = `at ${percent}\nerror: at ${percent}\n`;
    await report.log(id, written, text);
    written += text.length;
    await textIs(page, "[role=log]", `error: at ${percent}`);
  }
  const total = await page.evaluate(() =>
    Reflect.get(window, "shifts").reduce((sum: number, shift: number) => sum + shift, 0),
  );
  // A time that is written from the right begins elsewhere when it grows a digit; nothing else may move.
  expect(total).toBeLessThan(0.000_1);
  await context.close();
});
