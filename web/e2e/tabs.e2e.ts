// Many tabs of one browser: they share one stream, whoever of them holds it, and stay right when it goes. The server's
// own gauge says how many streams there are.

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  eventually,
  linkIs,
  PATIENCE_MS,
  type Reporter,
  reporter,
  row,
  type Server,
  startBrowser,
  startServer,
  temporary,
  textIs,
} from "./harness";

/** The longest that tabs may be without the one that held their stream. */
const TAKEOVER_MS = 3_000;
/** Scopes that came one after the other share two streams for so long before they are joined. */
const JOIN_MS = 30_000;

const folder = temporary();
let server: Server;
let browser: Browser;
let production: Reporter;
let staging: Reporter;

beforeAll(async () => {
  server = await startServer(folder.path("tabs.db"));
  browser = await startBrowser();
  production = reporter(server.url);
  staging = reporter(server.url, "staging");
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

/** How many streams the server has open. */
async function streams(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const open = text.matchAll(/^shipboard_streams_open\{[^}]*\} (\d+)/gm);
  return [...open].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function open(context: BrowserContext, path: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(server.url + path);
  await linkIs(page, "live");
  return page;
}

test("eight tabs on eight pages share one stream, and another takes over when its holder goes", async () => {
  const ids: string[] = [];
  for (const workflow of ["web", "api", "search", "billing"]) {
    const id = await production.post({ workflow, version: "v1", status: "running" });
    await production.log(id, 0, `begin ${workflow}\n`);
    ids.push(id);
  }
  const staged = await staging.post({ workflow: "web", version: "v2", status: "running" });
  const context = await browser.newContext();
  const holder = await open(context, "/t/acme/production");
  const others = {
    filtered: await open(context, "/t/acme/production?status=failed"),
    workflows: await open(context, "/t/acme/production/workflows"),
    staging: await open(context, "/t/acme/staging"),
    stagingFiltered: await open(context, "/t/acme/staging?workflow=web"),
    details: await open(context, `/t/acme/production/d/${ids[0]}`),
    otherDetails: await open(context, `/t/acme/production/d/${ids[1]}`),
    stagedDetails: await open(context, `/t/acme/staging/d/${staged}`),
  };
  await eventually("one stream for all", JOIN_MS, async () => (await streams()) === 1);

  const everywhere = async (version: string, patience: number) => {
    const fresh = await production.post({ workflow: "news", version, status: "failed" });
    const elsewhere = await staging.post({ workflow: "web", version, status: "queued" });
    const log = `${version} \n`.padEnd(32, ".");
    const length = await fetch(
      `${server.url}/api/v1/tenants/acme/envs/production/deployments/${ids[0]}/logs`,
    );
    await production.log(ids[0] ?? "", (await length.text()).length, log);
    await production.patch(ids[1] ?? "", { step: { name: `step ${version}`, status: "success" } });
    await staging.patch(staged, { step: { name: `step ${version}`, status: "success" } });
    const timeout = { timeout: patience };
    await Promise.all([
      others.filtered.waitForSelector(row(fresh), timeout),
      others.workflows.waitForSelector(`[data-workflow=news]:has-text("${version}")`, timeout),
      others.staging.waitForSelector(row(elsewhere), timeout),
      others.stagingFiltered.waitForSelector(row(elsewhere), timeout),
      others.details.waitForSelector(`[role=log]:has-text("${version}")`, timeout),
      others.otherDetails.waitForSelector(`[data-timeline=step]:has-text("step ${version}")`, timeout),
      others.stagedDetails.waitForSelector(`[data-timeline=step]:has-text("step ${version}")`, timeout),
    ]);
  };
  await everywhere("v10", PATIENCE_MS);

  await holder.close();
  const closed = performance.now();
  await everywhere("v11", TAKEOVER_MS);
  process.stdout.write(
    `the stream's holder gone → all others current: ${Math.round(performance.now() - closed)} ms\n`,
  );
  for (const page of Object.values(others)) await linkIs(page, "live");
  await eventually("one stream for all again", JOIN_MS, async () => (await streams()) === 1);
  await context.close();
  await eventually("the streams are gone with the tabs", PATIENCE_MS, async () => (await streams()) === 0);
}, 120_000);

test("a browser without what tabs need to share has a stream for each", async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => Object.defineProperty(navigator, "locks", { value: undefined }));
  const first = await open(context, "/t/acme/production");
  const second = await open(context, "/t/acme/production");
  expect(await streams()).toBe(2);
  const id = await production.post({ workflow: "alone", version: "v1" });
  await Promise.all([first.waitForSelector(row(id)), second.waitForSelector(row(id))]);
  await textIs(first, "main", "alone");
  await context.close();
});
