// HTTP/2 over the server's own TLS: no limit of six streams, and a certificate that is replaced under them.

import { execFileSync } from "node:child_process";
import { renameSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PATIENCE_MS, type Server, startBrowser, startServer, temporary } from "./harness";

const TABS = 4;
const STREAMS_OF_A_TAB = 5;
const ENV = "/api/v1/tenants/acme/envs/production";

const folder = temporary();
const cert = folder.path("certificate.pem");
const key = folder.path("key.pem");
let server: Server;
let browser: Browser;

beforeAll(async () => {
  certify("first");
  const more = ["--tls-cert", cert, "--tls-key", key];
  server = await startServer(folder.path("tls.db"), 0, "open", more);
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  await server.kill();
  folder.remove();
});

/** Puts a new certificate and its key in the place of those that are there. */
function certify(name: string): void {
  const made = ["-keyout", `${key}.new`, "-out", `${cert}.new`, "-subj", `/CN=${name}`];
  const kind = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-batch",
  ];
  execFileSync("openssl", ["req", "-x509", ...kind, ...made], { stdio: "ignore" });
  renameSync(`${cert}.new`, cert);
  renameSync(`${key}.new`, key);
}

const newContext = (): Promise<BrowserContext> => browser.newContext({ ignoreHTTPSErrors: true });

/** Opens the app in a tab, and tells whose certificate came with it. */
async function open(context: BrowserContext): Promise<{ page: Page; certificate: string | undefined }> {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const response = await page.goto(server.url);
  return { page, certificate: (await response?.securityDetails())?.subjectName };
}

/** Opens streams in a tab, each of which writes into the page what it hears and whether it broke. */
const listen = (page: Page): Promise<void> =>
  page.evaluate(
    ([url, count]) => {
      for (let n = 0; n < count; n += 1) {
        const heard = document.body.appendChild(document.createElement("output"));
        heard.dataset["stream"] = "";
        const stream = new EventSource(url);
        stream.addEventListener("snapshot", () => heard.append("snapshot "));
        stream.addEventListener("deployment.upsert", (event) => heard.append(String(event.data)));
        stream.addEventListener("error", () => heard.append("broken "));
      }
    },
    [`${ENV}/stream`, STREAMS_OF_A_TAB] as const,
  );

/** Waits until each of a tab's streams has heard something, and none has broken. */
async function allHeard(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    ([wanted, count]) => {
      const all = [...document.querySelectorAll("[data-stream]")];
      return all.length === count && all.every((heard) => heard.textContent?.includes(wanted));
    },
    [text, STREAMS_OF_A_TAB] as const,
  );
  expect(await page.locator("[data-stream]", { hasText: "broken" }).count()).toBe(0);
}

const report = (page: Page, workflow: string): Promise<number> =>
  page.evaluate(
    async ([url, name]) => {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ workflow: name });
      return (await fetch(url, { method: "POST", headers, body })).status;
    },
    [`${ENV}/deployments`, workflow] as const,
  );

test("twenty streams in tabs of one browser are live at once, and stay so when the certificate is replaced", async () => {
  const context = await newContext();
  const tabs: Page[] = [];
  for (let n = 0; n < TABS; n += 1) {
    const { page, certificate } = await open(context);
    expect(certificate).toBe("first");
    await listen(page);
    tabs.push(page);
  }
  const [first] = tabs;
  if (first === undefined) throw new Error("there is a tab");
  for (const page of tabs) await allHeard(page, "snapshot");
  expect(await report(first, "before")).toBe(201);
  for (const page of tabs) await allHeard(page, "before");
  const protocols = await first.evaluate(() =>
    ["navigation", "resource"]
      .flatMap((kind) => performance.getEntriesByType(kind))
      .map((entry) => (entry instanceof PerformanceResourceTiming ? entry.nextHopProtocol : "")),
  );
  expect(new Set(protocols)).toEqual(new Set(["h2"]));

  certify("second");
  await expect
    .poll(
      async () => {
        // A context of its own has connections of its own.
        const fresh = await newContext();
        const { certificate } = await open(fresh);
        await fresh.close();
        return certificate;
      },
      { timeout: PATIENCE_MS },
    )
    .toBe("second");
  expect(await report(first, "afterwards")).toBe(201);
  for (const page of tabs) await allHeard(page, "afterwards");
});
