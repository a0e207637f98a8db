// REST calls: addresses, answers and the one kind of error.

import { describe, expect, test } from "vitest";
import { retryAfterMs } from "../backoff";
import { countsOf, deployment, ENV, json, problem, type Request, TENANT, World, workflow } from "../testing";
import { createApi, ProblemError } from "./api";

const one = deployment(1);

function start(answer: (request: Request) => Response | Promise<Response>) {
  const world = new World();
  world.answer(answer);
  return { world, api: createApi("https://ship.test", world) };
}

const failure = async (promise: Promise<unknown>): Promise<ProblemError> => {
  const error: unknown = await promise.then(
    () => null,
    (cause: unknown) => cause,
  );
  if (error instanceof ProblemError) return error;
  throw new Error(`not a ProblemError: ${String(error)}`);
};

describe("a call", () => {
  test("says all of a filter in its address", async () => {
    const { world, api } = start(() => json({ items: [one], next: "c", event_id: 4 }));
    const filter = { status: ["failed", "lost"], q: "a&b" } as const;
    const page = await api.deployments(TENANT, ENV, { filter, after: "c/1", limit: 50 });
    expect(page).toEqual({ items: [one], next: "c", event_id: 4 });
    expect(world.requests[0]?.url).toBe(
      "https://ship.test/api/v1/tenants/acme/envs/production/deployments?status=failed%2Clost&q=a%26b&after=c%2F1&limit=50",
    );
  });

  test("gives what it is for", async () => {
    const row = workflow("web", one);
    const answers: Record<string, unknown> = {
      "/api/v1/tenants": { items: [{ id: "acme", name: "Acme" }], next: null },
      "/api/v1/tenants/acme/envs": {
        items: [{ id: "production", name: "Production", tier: null, position: 1 }],
      },
      "/api/v1/tenants/acme/envs/production/deployments/x": { deployment: one, timeline: [], event_id: 4 },
      "/api/v1/tenants/acme/envs/production/workflows": { items: [row], next: null, event_id: 4 },
      "/api/v1/tenants/acme/envs/production/workflows/web": { workflow: row, event_id: 4 },
      "/api/v1/session": { mode: "open", signed_in: true, tenant: null, role: null },
      "/api/v1/tenants/acme/envs/production/counts": { counts: countsOf([one]), event_id: 4 },
    };
    const { api } = start(({ url }) => json(answers[new URL(url).pathname]));
    expect(await api.tenants()).toEqual([{ id: "acme", name: "Acme" }]);
    expect(await api.envs(TENANT)).toHaveLength(1);
    expect((await api.deployment(TENANT, ENV, "x")).deployment).toEqual(one);
    expect((await api.workflows(TENANT, ENV)).items).toEqual([row]);
    expect((await api.workflow(TENANT, ENV, "web")).workflow).toEqual(row);
    expect(await api.session()).toMatchObject({ mode: "open", signed_in: true });
    expect((await api.counts(TENANT, ENV)).counts.deployments.total).toBe(1);
  });

  test("signs in with the token in the body, never in the address", async () => {
    const { world, api } = start(({ init }) =>
      init.method === "POST"
        ? json({ mode: "required", signed_in: true, tenant: TENANT, role: "viewer" })
        : new Response(null, { status: 204 }),
    );
    expect((await api.signIn("secret")).role).toBe("viewer");
    await api.signOut();
    await api.signOutEverywhere();
    expect(world.requests.map(({ url, init }) => [init.method, url, init.body])).toEqual([
      ["POST", "https://ship.test/api/v1/session", '{"token":"secret"}'],
      ["DELETE", "https://ship.test/api/v1/session", undefined],
      ["DELETE", "https://ship.test/api/v1/sessions", undefined],
    ]);
  });
});

describe("an error", () => {
  test("is the server's problem with its status and request id", async () => {
    const { api } = start(() => problem(429, { "Retry-After": "7" }));
    const error = await failure(api.tenants());
    expect(error).toMatchObject({ status: 429, retryAfterMs: 7_000, problem: { request_id: "r-1" } });
  });

  test("is a problem too if the answer is not one of ours", async () => {
    const { api } = start(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    expect(await failure(api.tenants())).toMatchObject({ status: 502, message: "Bad Gateway" });
  });

  test("has status 0 if there was no answer, or one that nobody understands", async () => {
    const unreached = start(() => Promise.reject(new TypeError("failed to fetch")));
    expect((await failure(unreached.api.tenants())).status).toBe(0);
    const misunderstood = start(() => json({ items: [{ id: 1 }] }));
    expect((await failure(misunderstood.api.deployments(TENANT, ENV))).status).toBe(0);
  });

  test("is no problem if the call was called off", async () => {
    const { api } = start(() => new Promise(() => undefined));
    const abort = new AbortController();
    const call = api.tenants(abort.signal);
    abort.abort();
    await expect(call).rejects.toThrow("aborted");
  });
});

test("Retry-After is seconds or a date", () => {
  const now = Date.UTC(2026, 0, 1);
  const of = (value: string) => retryAfterMs(new Headers({ "Retry-After": value }), now);
  expect(of("12")).toBe(12_000);
  expect(of("Thu, 01 Jan 2026 00:01:00 GMT")).toBe(60_000);
  expect(of("Thu, 01 Jan 2015 00:01:00 GMT")).toBe(0);
  expect(of("soon")).toBeNull();
  expect(retryAfterMs(new Headers(), now)).toBeNull();
});
