// The whole client against a server in memory: streams, stores, reconnects. Time moves only by the test.

import { describe, expect, test, vi } from "vitest";
import { createClient, type ShipboardClient } from "./app";
import type { ClientOptions } from "./client";
import { SILENCE_MS, STABLE_MS } from "./connection";
import { HIDDEN_GRACE_MS, LINGER_MS, NOTIFY_MS } from "./hub";
import { deploymentsOf, detailsOf, logOf } from "./scope";
import { sharedStreams } from "./sharing";
import { ownStreams } from "./streams";
import {
  deployment,
  detailsSnapshot,
  ENV,
  entry,
  event,
  idOf,
  logAppend,
  logSnapshot,
  problem,
  progress,
  remove,
  StreamServer,
  settle,
  snapshot,
  TENANT,
  upsert,
  World,
} from "./testing";

const noop = () => undefined;
const board = deploymentsOf(TENANT, ENV);

function start(options: Pick<ClientOptions, "carrier"> = {}): {
  world: World;
  server: StreamServer;
  client: ShipboardClient;
} {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({
    baseUrl: "https://ship.test",
    environment: world,
    carrier: ownStreams,
    ...options,
  });
  return { world, server, client };
}

async function live(options: Pick<ClientOptions, "carrier"> = {}) {
  const { world, server, client } = start(options);
  const store = client.deployments(board);
  store.subscribe("any", noop);
  await settle();
  await server.last.send(snapshot(10, { deployments: [deployment(2), deployment(1)] }));
  await world.tick();
  return { world, server, client, store };
}

describe("a stream", () => {
  test("S1 opens with the first listener and closes a while after the last", async () => {
    const { world, server, client } = start();
    const stop = client.deployments(board).subscribe("any", noop);
    await settle();
    expect(server.last.request.url).toBe("https://ship.test/api/v1/tenants/acme/envs/production/stream");
    stop();
    await world.advance(LINGER_MS - 1);
    expect(server.open).toHaveLength(1);
    await world.advance(1);
    expect(server.open).toHaveLength(0);
    await world.tick();
    expect(world.timers).toBe(0);
  });

  test("S2 is live from its first snapshot on", async () => {
    const { server, client, world } = start();
    const store = client.deployments(board);
    store.subscribe("link", noop);
    await settle();
    expect(store.link().state.status).toBe("connecting");
    await server.last.raw("retry: 2000\n\n");
    expect(store.link().state.status).toBe("connecting");
    await server.last.send(snapshot(1));
    await world.tick();
    expect(store.link()).toEqual({ state: { status: "live" }, lastEventAt: world.now() });
    expect(store.get()).toMatchObject({ loaded: true, stale: false });
  });

  test("S3 a chunk may end anywhere, in a character too", async () => {
    const { server, world, store } = await live();
    const text = `id: e1.11\nevent: deployment.upsert\ndata: ${JSON.stringify(upsert(11, deployment(3, { actor: "Zoë 🚢" })))}\n\n`;
    for (const byte of new TextEncoder().encode(text)) await server.last.bytes(new Uint8Array([byte]));
    await world.tick();
    expect(store.get().deployments.get(idOf(3))?.actor).toBe("Zoë 🚢");
  });

  test("S4 comes back after a clean end, with the last id, and keeps what is shown (F2, F4)", async () => {
    const { server, world, store } = await live();
    await server.last.heartbeat("e1.14");
    await server.last.end();
    await world.tick();
    expect(store.link().state).toEqual({ status: "reconnecting", since: world.now() });
    expect(store.get()).toMatchObject({ stale: true, deployment_ids: [idOf(2), idOf(1)] });
    await world.advance(500);
    expect(server.streams).toHaveLength(2);
    expect(server.last.request.headers.get("Last-Event-ID")).toBe("e1.14");
    await server.last.send(snapshot(15, { deployments: [deployment(2)] }));
    await world.tick();
    expect(store.get()).toMatchObject({ stale: false, deployment_ids: [idOf(2)] });
    expect(store.link().state).toEqual({ status: "live" });
  });

  test("S5 is given up when no byte comes for 40 s; a heartbeat is enough", async () => {
    const { server, world, store } = await live();
    await world.advance(SILENCE_MS - 1_000);
    await server.last.heartbeat();
    await world.advance(SILENCE_MS - 1_000);
    expect(server.streams).toHaveLength(1);
    await world.advance(1_000);
    expect(server.streams[0]?.closed).toBe(true);
    await world.tick();
    expect(store.link().state.status).toBe("reconnecting");
  });

  test("S6 starts anew at a malformed message, which is counted and never thrown", async () => {
    const { server, world, client, store } = await live();
    await server.last.raw('data: {"type":"deployment.upsert"}\n\n');
    await world.advance(500);
    expect(client.counters()).toMatchObject({ malformed: 1, connects: 2 });
    await server.last.send(snapshot(20));
    await world.tick();
    expect(store.link().state.status).toBe("live");
  });

  test("S7 counts an unknown type and goes on", async () => {
    const { server, world, client, store } = await live();
    await server.last.raw('event: weather\ndata: {"type":"weather","event_id":11}\n\n');
    await server.last.send(upsert(12, deployment(3)));
    await world.tick();
    expect(client.counters()).toMatchObject({ unknown: 1, malformed: 0, connects: 1 });
    expect(store.get().deployment_ids).toHaveLength(3);
  });

  test("S8 stops on 401, does not ask again by itself, and does when a person asks (F7)", async () => {
    const { server, world, client } = start();
    server.refuse = () => problem(401);
    const store = client.deployments(board);
    store.subscribe("link", noop);
    await world.advance(10 * 60_000);
    expect(world.requests).toHaveLength(1);
    expect(store.link().state).toEqual({ status: "stopped", reason: "unauthorized", http_status: 401 });
    server.refuse = null;
    client.retry();
    await settle();
    await server.last.send(snapshot(1));
    await world.tick();
    expect(store.link().state.status).toBe("live");
  });

  test("S9 waits as long as Retry-After says", async () => {
    const { server, world, client } = start();
    server.refuse = () => problem(429, { "Retry-After": "30" });
    client.deployments(board).subscribe("link", noop);
    await world.advance(30_000);
    expect(world.requests).toHaveLength(1);
    await world.advance(500);
    expect(world.requests).toHaveLength(2);
  });

  test("S10 ends as the server says: drained it comes back, revoked it stops (F14)", async () => {
    const { server, world, store } = await live();
    await server.last.send(event("stream.end", 10, { reason: "drain", retry_ms: 3_000 }));
    await world.advance(3_000);
    expect(server.streams).toHaveLength(1);
    await world.advance(500);
    expect(server.streams).toHaveLength(2);
    await server.last.send(snapshot(11));
    await server.last.send(event("stream.end", 11, { reason: "revoked", retry_ms: 0 }), null);
    await world.advance(60_000);
    expect(server.streams).toHaveLength(2);
    expect(store.link().state).toMatchObject({ status: "stopped", reason: "revoked" });
    expect(store.get().deployment_ids).toEqual([]);
  });

  test("S11 that answers 200 without being a stream is no stream", async () => {
    const { server, world, client } = start();
    server.refuse = () => new Response("<html>", { headers: { "Content-Type": "text/html" } });
    const store = client.deployments(board);
    store.subscribe("link", noop);
    await world.advance(60_000);
    expect(world.requests.length).toBeGreaterThan(2);
    expect(store.link().state.status).toBe("offline");
  });

  test("S12 forgets its failures after a minute", async () => {
    const { server, world } = await live();
    await server.last.end();
    await world.advance(500);
    await server.last.send(snapshot(11));
    for (let second = 0; second < STABLE_MS; second += 15_000) {
      await world.advance(15_000);
      await server.last.heartbeat();
    }
    await server.last.end();
    await world.advance(500);
    expect(server.streams).toHaveLength(3);
  });

  test("S13 asks for as many rows as are loaded when it comes back", async () => {
    const { server, world, client } = start();
    client.deployments(board).subscribe("any", noop);
    await settle();
    const rows = Array.from({ length: 150 }, (_, index) => deployment(150 - index));
    await server.last.send(snapshot(1, { deployments: rows }));
    await server.last.end();
    await world.advance(1_000);
    expect(server.last.request.url).toMatch(/stream\?limit=200$/);
  });

  test("S14 ignores another tenant's and another env's messages", async () => {
    const { server, world, store } = await live();
    await server.last.send({ ...upsert(11, deployment(3)), tenant_id: "evil" });
    await server.last.send({ ...upsert(12, deployment(4)), env_id: "staging" });
    await world.tick();
    expect(store.get()).toMatchObject({ event_id: 10, deployment_ids: [idOf(2), idOf(1)] });
  });
});

describe("the page", () => {
  test("S15 rests long after it was hidden, and looks at once when it is shown (P13)", async () => {
    const { server, world, store } = await live();
    world.signal({ is: "hidden" });
    for (let waited = 0; waited < HIDDEN_GRACE_MS; waited += 15_000) {
      await server.last.heartbeat();
      await world.advance(15_000);
    }
    expect(server.open).toHaveLength(0);
    await world.advance(3_600_000);
    expect(server.streams).toHaveLength(1);
    world.signal({ is: "wake", why: "visible" });
    await world.advance(500);
    expect(server.streams).toHaveLength(2);
    await server.last.send(snapshot(50));
    await world.tick();
    expect(store.link().state.status).toBe("live");
  });

  test("S15 shown again in time it has missed nothing", async () => {
    const { server, world } = await live();
    world.signal({ is: "hidden" });
    await world.advance(1_000);
    world.signal({ is: "wake", why: "visible" });
    await world.advance(30_000);
    expect(server.streams).toHaveLength(1);
  });

  test("S16 is offline since the network went, and live again when it is back", async () => {
    const { server, world, store } = await live();
    const since = world.now();
    world.isOnline = false;
    world.signal({ is: "offline" });
    await world.advance(60_000);
    expect(server.streams).toHaveLength(1);
    expect(store.link().state).toEqual({ status: "offline", since });
    world.isOnline = true;
    world.signal({ is: "wake", why: "online" });
    await world.advance(500);
    expect(server.open).toHaveLength(1);
  });

  test("S17 after a sleep a silent stream is not trusted", async () => {
    const { server, world } = await live();
    world.time += 30_000;
    world.signal({ is: "wake", why: "pageshow" });
    await world.advance(500);
    expect(server.streams).toHaveLength(2);
  });
});

describe("a store", () => {
  test("S18 tells once per frame, however much came", async () => {
    const { server, world, store } = await live();
    const told = vi.fn();
    store.subscribe("order", told);
    for (let id = 11; id < 40; id++) await server.last.send(upsert(id, deployment(id)));
    expect(told).not.toHaveBeenCalled();
    expect(store.get().deployment_ids).toHaveLength(2);
    await world.tick();
    expect(told).toHaveBeenCalledTimes(1);
    expect(store.get().deployment_ids).toHaveLength(31);
  });

  test("S18 tells within 100 ms where no frames are drawn", async () => {
    const { server, world, store } = await live();
    await server.last.send(upsert(11, deployment(3)));
    await world.advance(NOTIFY_MS);
    expect(store.get().deployment_ids).toHaveLength(3);
  });

  test("S18 tells at once when a person does something", async () => {
    const { server, client, store } = await live();
    await server.last.send(upsert(11, deployment(3)));
    client.flush();
    expect(store.get().deployment_ids).toHaveLength(3);
  });

  test("S19 tells only those who listen to what changed", async () => {
    const { server, world, store } = await live();
    const told = { one: vi.fn(), two: vi.fn(), order: vi.fn(), counts: vi.fn(), link: vi.fn() };
    store.subscribe(`row ${idOf(1)}`, told.one);
    store.subscribe(`row ${idOf(2)}`, told.two);
    store.subscribe("order", told.order);
    store.subscribe("counts", told.counts);
    await server.last.send(progress(11, deployment(1), 50));
    await world.tick();
    expect(Object.values(told).map((listener) => listener.mock.calls.length)).toEqual([1, 0, 0, 0, 0]);
  });

  test("S20 never refetches at an event (F11)", async () => {
    const { server, world } = await live();
    for (let id = 11; id < 20; id++) await server.last.send(upsert(id, deployment(id)));
    await server.last.send(remove(30, idOf(1)));
    await world.tick();
    expect(world.requests).toHaveLength(1);
  });

  test("S21 the clock is the server's", async () => {
    const { server, world, client } = start();
    client.deployments(board).subscribe("any", noop);
    await settle();
    const ahead = new Date(world.now() + 3_600_000).toISOString();
    await server.last.send(snapshot(1, {}));
    await server.last.send({ ...snapshot(2, { server_time: ahead }) });
    expect(client.clock.offset()).toBe(3_600_000);
    expect(client.clock.exact()).toBe(world.now() + 3_600_000);
  });
});

describe("several scopes", () => {
  const details = detailsOf(TENANT, ENV, idOf(1));
  const log = logOf(TENANT, ENV, idOf(1));

  test("S22 mounted together share one stream (F12)", async () => {
    const { server, world, client } = start({ carrier: sharedStreams });
    const stores = [client.deployments(board), client.details(details), client.log(log)] as const;
    for (const store of stores) store.subscribe("any", noop);
    await settle();
    expect(server.streams).toHaveLength(1);
    const id = idOf(1);
    expect(server.last.request.url).toBe(
      `https://ship.test/api/v1/tenants/acme/stream?s=production&s=production/d/${id}&s=production/d/${id}/log`,
    );
    await server.last.send(snapshot(5, { deployments: [deployment(1)] }), "production=e1.5");
    await server.last.send(detailsSnapshot(5, deployment(1)), "production=e1.5");
    await server.last.send(logSnapshot(5, id, { text: "hello" }), "production=e1.5");
    await server.last.send(upsert(6, deployment(1, { status: "success" }), [entry(1)]), "production=e1.6");
    await server.last.send(logAppend(id, 5, " world"), null);
    await world.tick();
    expect(stores[0].get().deployments.get(id)?.status).toBe("success");
    expect(stores[1].get()).toMatchObject({ deployment: { status: "success" }, timeline: [entry(1)] });
    expect(stores[2].get().text).toBe("hello world");
    await server.last.end();
    await world.advance(1_000);
    expect(server.last.request.headers.get("Last-Event-ID")).toBe("production=e1.6");
  });

  test("S23 a scope that comes later leaves the others' stream alone", async () => {
    const { server, world, client, store } = await live({ carrier: sharedStreams });
    for (const later of [client.details(details), client.log(log)]) later.subscribe("any", noop);
    await settle();
    const [first, second] = server.streams;
    expect(server.open).toHaveLength(2);
    expect(second?.request.url).toMatch(/stream\?s=production\/d\/[^&]+&s=production\/d\/[^&]+\/log$/);
    await first?.send(upsert(11, deployment(3)));
    await world.tick();
    expect(store.get().deployment_ids).toHaveLength(3);
    expect(store.link().state.status).toBe("live");
  });

  test("S24 streams that become too many are joined, and an old one goes on until the new one delivers", async () => {
    const { server, world, client, store } = await live({ carrier: sharedStreams });
    const one = client.details(details);
    one.subscribe("any", noop);
    await settle();
    await server.last.send(detailsSnapshot(10, deployment(1)));
    await world.tick();
    const other = client.log(log);
    other.subscribe("any", noop);
    await settle();
    const [first, old, fresh] = server.streams;
    expect(server.open).toHaveLength(3);
    await old?.send(upsert(11, deployment(1, { status: "failed" })));
    await world.tick();
    expect(one.get().deployment?.status).toBe("failed");
    expect(one.link().state.status).toBe("live");
    await fresh?.send(detailsSnapshot(12, deployment(1)), "production=e1.12");
    await fresh?.send(logSnapshot(12, idOf(1), { text: "hi" }), "production=e1.12");
    await world.tick();
    expect([first?.closed, old?.closed]).toEqual([false, true]);
    expect(one.get()).toMatchObject({ event_id: 12, stale: false });
    expect(one.link().state.status).toBe("live");
    expect(other.get().text).toBe("hi");
    expect(store.link().state.status).toBe("live");
  });

  test("S25 one that is refused does not take the others along", async () => {
    const { server, world, client } = start({ carrier: sharedStreams });
    server.rule((request) => (/tenants\/acme\/stream|deployments/.test(request.url) ? problem(404) : null));
    const store = client.deployments(board);
    const other = client.details(details);
    store.subscribe("any", noop);
    other.subscribe("any", noop);
    await world.tick();
    await world.tick();
    await server.last.send(snapshot(10, { deployments: [deployment(2), deployment(1)] }));
    await world.tick();
    expect(other.link().state).toMatchObject({ status: "stopped", reason: "not_found" });
    expect(store.link().state.status).toBe("live");
    await server.open[0]?.send(upsert(11, deployment(3)));
    await world.tick();
    expect(store.get().deployment_ids).toHaveLength(3);
  });

  test("S26 without sharing each has its own stream", async () => {
    const { server, client } = start();
    client.deployments(board).subscribe("any", noop);
    client.log(log).subscribe("any", noop);
    await settle();
    expect(server.streams.map(({ request }) => request.url.split("/envs/")[1])).toEqual([
      "production/stream",
      `production/deployments/${idOf(1)}/logs/stream`,
    ]);
  });

  test("S27 a log with a gap is subscribed anew from where it ends", async () => {
    const { server, world, client } = start();
    const store = client.log(log);
    store.subscribe("any", noop);
    await settle();
    await server.last.send(logSnapshot(1, idOf(1), { text: "abc" }));
    await server.last.send(logAppend(idOf(1), 9, "x"), null);
    await world.advance(NOTIFY_MS + 1_000);
    expect(server.streams).toHaveLength(2);
    expect(server.last.request.url).toMatch(/logs\/stream\?offset=3$/);
    await server.last.send(logSnapshot(2, idOf(1), { offset: 3, text: "defghix" }));
    await world.tick();
    expect(store.get()).toMatchObject({ text: "abcdefghix", gap: false });
  });
});

test("S28 a closed client leaves nothing running", async () => {
  const { server, world, client } = await live();
  client.close();
  expect(server.open).toHaveLength(0);
  expect(world.timers).toBe(0);
});
