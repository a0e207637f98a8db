// Loading more and filtered views, through the client: what REST answers and what the stream says meanwhile.

import { describe, expect, test, vi } from "vitest";
import type { Deployment } from "../protocol/types";
import { deploymentsOf } from "../scope";
import {
  at,
  deployment,
  ENV,
  idOf,
  json,
  problem,
  type Request,
  remove,
  StreamServer,
  settle,
  snapshot,
  TENANT,
  upsert,
  World,
} from "../testing";
import { createClient } from "./client";

const noop = () => undefined;
const ids = (...numbers: number[]) => numbers.map(idOf);

/** A REST call that the test answers when it likes. */
interface Call {
  readonly query: URLSearchParams;
  answer(response: Response): Promise<void>;
}

async function start() {
  const world = new World();
  const server = new StreamServer(world);
  const calls: Call[] = [];
  server.rule((request: Request) => {
    const url = new URL(request.url);
    if (!url.pathname.endsWith("/deployments")) return null;
    const { promise, resolve } = Promise.withResolvers<Response>();
    const answer = async (response: Response) => {
      resolve(response);
      await settle();
    };
    calls.push({ query: url.searchParams, answer });
    return promise;
  });
  const client = createClient({ baseUrl: "https://ship.test", environment: world });
  return { world, server, client, calls };
}

const page = (event_id: number, items: Deployment[], next: string | null = null) =>
  json({ items, next, event_id });

async function withRows() {
  const all = await start();
  const store = all.client.deployments(deploymentsOf(TENANT, ENV));
  store.subscribe("any", noop);
  await settle();
  await all.server.last.send(snapshot(10, { deployments: [deployment(9), deployment(8)], has_more: true }));
  await all.world.tick();
  return { ...all, store };
}

describe("loading more", () => {
  test("G1 asks from the oldest row's time on and joins what comes", async () => {
    const { world, calls, store } = await withRows();
    const done = store.loadMore();
    await world.tick();
    expect(store.paging()).toEqual({ loading: true, error: null });
    expect(calls[0]?.query.get("until")).toBe(at(8.001));
    await calls[0]?.answer(page(10, [deployment(8), deployment(7)]));
    await done;
    await world.tick();
    expect(store.get()).toMatchObject({ deployment_ids: ids(9, 8, 7), has_more: false });
    expect(store.paging()).toEqual({ loading: false, error: null });
  });

  test("G2 asks once, however often it is called meanwhile", async () => {
    const { calls, store } = await withRows();
    const all = [store.loadMore(), store.loadMore()];
    await settle();
    expect(calls).toHaveLength(1);
    await calls[0]?.answer(page(10, [deployment(7)]));
    await Promise.all(all);
  });

  test("G3 applies over the page what the stream said meanwhile", async () => {
    const { world, server, calls, store } = await withRows();
    const done = store.loadMore();
    await settle();
    await server.last.send(upsert(11, deployment(7, { status: "failed" })));
    await server.last.send(remove(12, idOf(6)));
    await calls[0]?.answer(page(10, [deployment(7), deployment(6)]));
    await done;
    await world.tick();
    expect(store.get().deployment_ids).toEqual(ids(9, 8, 7));
    expect(store.get().deployments.get(idOf(7))?.status).toBe("failed");
  });

  test("G4 asks again if the page is older than a snapshot that came meanwhile", async () => {
    const { world, server, calls, store } = await withRows();
    const done = store.loadMore();
    await settle();
    await server.last.end();
    await world.advance(1_000);
    await server.last.send(snapshot(20, { deployments: [deployment(9), deployment(8)], has_more: true }));
    await calls[0]?.answer(page(15, [deployment(7)]));
    expect(calls).toHaveLength(2);
    await calls[1]?.answer(page(20, [deployment(6)]));
    await done;
    await world.tick();
    expect(store.get().deployment_ids).toEqual(ids(9, 8, 6));
  });

  test("G5 goes on by the cursor where a whole page is of one millisecond", async () => {
    const { world, calls, store } = await withRows();
    const done = store.loadMore();
    await settle();
    await calls[0]?.answer(page(10, [deployment(8)], "cursor"));
    expect(calls[1]?.query.get("after")).toBe("cursor");
    await calls[1]?.answer(page(10, [deployment(7)]));
    await done;
    await world.tick();
    expect(store.get().deployment_ids).toEqual(ids(9, 8, 7));
  });

  test("G6 tells what went wrong, keeps the rows, and may be tried again", async () => {
    const { world, calls, store } = await withRows();
    const done = store.loadMore();
    await settle();
    await calls[0]?.answer(problem(503));
    await done;
    await world.tick();
    expect(store.paging().error?.status).toBe(503);
    expect(store.get()).toMatchObject({ deployment_ids: ids(9, 8), awaited: null });
    void store.loadMore();
    await settle();
    expect(calls).toHaveLength(2);
  });
});

describe("a filtered view", () => {
  const failed = deploymentsOf(TENANT, ENV, { status: ["failed"] });
  const bad = (number: number, change: Partial<Deployment> = {}) =>
    deployment(number, { status: "failed", ...change });

  async function open() {
    const all = await start();
    const store = all.client.deployments(failed);
    const order = vi.fn();
    store.subscribe("order", order);
    await settle();
    await all.server.last.send(snapshot(10, { deployments: [deployment(9), bad(8)], has_more: true }));
    await all.world.tick();
    return { ...all, store, order };
  }

  test("G7 takes its rows from the history and its counts and link from the stream", async () => {
    const { world, calls, store } = await open();
    expect(Object.fromEntries(calls[0]?.query ?? [])).toEqual({ status: "failed", limit: "100" });
    expect(store.get().loaded).toBe(false);
    await calls[0]?.answer(page(10, [bad(8), bad(3)], "more"));
    await world.tick();
    expect(store.get()).toMatchObject({
      loaded: true,
      stale: false,
      deployment_ids: ids(8, 3),
      has_more: true,
    });
    expect(store.get().counts?.deployments.total).toBe(2);
    expect(store.link().state.status).toBe("live");
  });

  test("G8 live rows come and go by the same predicate (F10)", async () => {
    const { world, server, calls, store } = await open();
    await calls[0]?.answer(page(10, [bad(8), bad(3)]));
    await server.last.send(upsert(11, bad(12)));
    await server.last.send(upsert(12, deployment(13)));
    await server.last.send(upsert(13, deployment(8, { status: "success" })));
    await world.tick();
    expect(store.get().deployment_ids).toEqual(ids(12, 3));
  });

  test("G9 gets what happened while its first page was under way, and nothing twice", async () => {
    const { world, server, calls, store } = await open();
    await server.last.send(upsert(11, bad(12)));
    await server.last.send(upsert(12, bad(14)));
    await calls[0]?.answer(page(11, [bad(12, { event_id: 11 }), bad(8), bad(3)]));
    await world.tick();
    expect(store.get()).toMatchObject({ deployment_ids: ids(14, 12, 8, 3), event_id: 12 });
  });

  test("G10 asks anew after a reconnect and shows the old rows as stale meanwhile", async () => {
    const { world, server, calls, store } = await open();
    await calls[0]?.answer(page(10, [bad(8)]));
    await server.last.end();
    await world.tick();
    expect(store.get()).toMatchObject({ stale: true, deployment_ids: ids(8) });
    await world.advance(1_000);
    await server.last.send(snapshot(20));
    await world.tick();
    expect(store.get().stale).toBe(true);
    await calls[1]?.answer(page(19, [bad(8)]));
    await world.advance(250);
    await calls[2]?.answer(page(20, [bad(5)]));
    await world.tick();
    expect(store.get()).toMatchObject({ stale: false, deployment_ids: ids(5) });
  });

  test("G11 loads more by the same filter", async () => {
    const { world, calls, store } = await open();
    await calls[0]?.answer(page(10, [bad(8)], "more"));
    await world.tick();
    const done = store.loadMore();
    await settle();
    expect(Object.fromEntries(calls[1]?.query ?? [])).toEqual({
      status: "failed",
      until: at(8.001),
      limit: "100",
    });
    await calls[1]?.answer(page(10, [bad(2)]));
    await done;
    await world.tick();
    expect(store.get()).toMatchObject({ deployment_ids: ids(8, 2), has_more: false });
  });

  test("G12 says why it has no rows, and asks again when a person does", async () => {
    const { world, calls, store } = await open();
    await calls[0]?.answer(problem(422));
    await world.tick();
    expect(store.paging()).toMatchObject({ loading: false, error: { status: 422 } });
    void store.loadMore();
    await settle();
    await calls[1]?.answer(page(10, [bad(8)]));
    await world.tick();
    expect(store.get().deployment_ids).toEqual(ids(8));
    expect(store.paging().error).toBeNull();
  });

  test("G13 shares the stream with the unfiltered list", async () => {
    const { server, client } = await open();
    client.deployments(deploymentsOf(TENANT, ENV)).subscribe("any", noop);
    await settle();
    expect(server.streams).toHaveLength(1);
  });
});
