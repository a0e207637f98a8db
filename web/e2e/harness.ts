// The one harness: the real server as a child process, the system's browser, and a way to report deployments.
// Nothing here sleeps; a test awaits what it expects, and the server is ready once it says where it listens.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const BROWSER_PATH = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const BROWSER_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** How long a test waits for anything it expects. */
export const PATIENCE_MS = 15_000;

const fromWeb = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

function binary(): string {
  const candidates = [
    process.env["SHIPBOARD_BIN"],
    fromWeb("../target/debug/shipboard"),
    fromWeb("../target/release/shipboard"),
  ];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error("no shipboard binary: build it, or set SHIPBOARD_BIN");
  return found;
}

/** A running server. */
export interface Server {
  readonly url: string;
  readonly port: number;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Lets it stand still, its connections open and silent, as a machine that hangs. */
  hang(): void;
  /** Lets it go on. */
  unhang(): void;
}

/** Starts the real server on a database; on a free port unless one is given. With more flags and variables. */
export async function startServer(
  database: string,
  port = 0,
  auth: "open" | "required" | "by-default" = "open",
  flags: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const said = auth === "by-default" ? [] : ["--auth", auth];
  const child = spawn(
    binary(),
    ["serve", "--listen", `127.0.0.1:${port}`, "--database", `sqlite:${database}`, ...said, ...flags],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...variables },
    },
  );
  const url = await listening(child);
  return {
    url,
    port: Number(new URL(url).port),
    kill: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      }),
    hang: () => void child.kill("SIGSTOP"),
    unhang: () => void child.kill("SIGCONT"),
  };
}

const run = promisify(execFile);

/** Runs one of the binary's other commands and returns what it printed. */
export async function command(...words: readonly string[]): Promise<string> {
  const { stdout } = await run(binary(), words);
  return stdout.trim();
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    if (!child.stderr) throw new Error("the server's standard error is not piped");
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const url = /listening on (https?:\/\/\S+)/.exec(line)?.[1];
      if (url) resolve(url);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${said.join("\n")}`)));
  });
}

/** A directory for a database, gone after the test. */
export function temporary(): { path: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "shipboard-e2e-"));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The system's browser. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: BROWSER_PATH,
    args: BROWSER_FLAGS,
    // As people have it: Back may bring a page back as it was left.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });

/** How a page is looked at. */
export interface Look {
  readonly theme?: "light" | "dark";
  readonly density?: "comfortable" | "compact";
  readonly width?: number;
  readonly height?: number;
}

/** A page with what it complained of, and what it asked others for. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly complaints: string[];
  readonly strangers: string[];
}

/** Opens a page in a context of its own. */
export async function visit(browser: Browser, url: string, look: Look = {}): Promise<Visit> {
  const { theme = "light", density = "comfortable", width = 1280, height = 800 } = look;
  const context = await browser.newContext({ viewport: { width, height }, timezoneId: "UTC" });
  await context.addInitScript(
    ([chosenTheme, chosenDensity]) => {
      localStorage.setItem("shipboard.theme", chosenTheme);
      localStorage.setItem("shipboard.density", chosenDensity);
    },
    [theme, density] as const,
  );
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  const strangers: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  const { origin } = new URL(url);
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) strangers.push(request.url());
  });
  await page.goto(url);
  return { page, context, complaints, strangers };
}

/** Reports about an env's deployments. */
export interface Reporter {
  /** Makes a deployment and returns its id. */
  post(report: object): Promise<string>;
  patch(id: string, report: object): Promise<void>;
  batch(reports: readonly object[]): Promise<void>;
  log(id: string, offset: number, text: string): Promise<void>;
  remove(id: string): Promise<void>;
}

/** A reporter to an env of the tenant `acme`. */
export function reporter(base: string, env = "production"): Reporter {
  const root = `${base}/api/v1/tenants/acme/envs/${env}/deployments`;
  const send = async (method: string, url: string, body?: object | string): Promise<unknown> => {
    const text = typeof body === "string";
    const response = await fetch(url, {
      method,
      headers: { "Content-Type": text ? "text/plain" : "application/json" },
      ...(body !== undefined && { body: text ? body : JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${answer}`);
    return answer === "" ? null : JSON.parse(answer);
  };
  return {
    post: async (report) => idOf(await send("POST", root, report)),
    patch: async (id, report) => void (await send("PATCH", `${root}/${id}`, report)),
    batch: async (reports) => void (await send("POST", `${root}:batch`, { reports })),
    log: async (id, offset, text) => void (await send("POST", `${root}/${id}/logs?offset=${offset}`, text)),
    remove: async (id) => void (await send("DELETE", `${root}/${id}`)),
  };
}

function idOf(answer: unknown): string {
  if (typeof answer === "object" && answer !== null && "deployment" in answer) {
    const { deployment } = answer;
    if (typeof deployment === "object" && deployment !== null && "id" in deployment)
      return String(deployment.id);
  }
  throw new Error("the answer has no deployment");
}

/** The link's state on the page, as the client calls it. */
export const linkIs = (page: Page, ...states: string[]): Promise<unknown> =>
  page.waitForSelector(states.map((state) => `[data-link-state="${state}"]`).join(", "));

/** Waits until an element's text is this. */
export const textIs = (page: Page, selector: string, text: string): Promise<unknown> =>
  page.waitForFunction(
    ([where, wanted]) => document.querySelector(where)?.textContent?.includes(wanted) === true,
    [selector, text] as const,
  );

/** Waits until a counter shows a number. */
export const cardShows = (page: Page, card: string, value: string): Promise<unknown> =>
  page.waitForFunction(
    ([name, wanted]) =>
      [...document.querySelectorAll(`[data-card="${name}"] [data-number]`)].some(
        (element) => element.textContent === wanted,
      ),
    [card, value] as const,
  );

/** A row's selector. */
export const row = (id: string): string => `[data-row="${id}"]`;

/** Polls until it is so; for what no page can be asked. */
export async function eventually(
  what: string,
  patience: number,
  check: () => Promise<boolean>,
): Promise<void> {
  const end = performance.now() + patience;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`waited ${patience} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
