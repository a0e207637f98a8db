// Tabs: one stream for a browser (F12), whoever comes and goes.

import { describe, expect, test } from "vitest";
import { createClient } from "../app";
import { HIDDEN_GRACE_MS } from "../hub";
import { deploymentsOf, logOf } from "../scope";
import {
  deployment,
  ENV,
  idOf,
  logAppend,
  logSnapshot,
  StreamServer,
  settle,
  snapshot,
  TENANT,
  TestTabs,
  upsert,
  World,
} from "../testing";
import { acrossTabs } from ".";

const noop = () => undefined;
const board = deploymentsOf(TENANT, ENV);
const first = () => snapshot(10, { deployments: [deployment(1)] });

function browser() {
  const world = new World();
  const server = new StreamServer(world);
  const tabs = new TestTabs();
  const open = async () => {
    const own = tabs.open();
    const client = createClient({
      baseUrl: "https://ship.test",
      environment: world,
      carrier: acrossTabs(own),
    });
    const store = client.deployments(board);
    store.subscribe("any", noop);
    await settle();
    return { client, store, tab: own.tab };
  };
  return { world, server, tabs, open };
}

/** A leader and a follower, both live. */
async function two() {
  const { world, server, tabs, open } = browser();
  const leader = await open();
  await server.last.send(first());
  const follower = await open();
  await settle();
  await server.last.send(first());
  await world.tick();
  return { world, server, tabs, open, leader, follower };
}

describe("tabs", () => {
  test("T1 share the leader's streams: a follower opens none of its own", async () => {
    const { server, leader, follower } = await two();
    expect(follower.client.counters().connects).toBe(0);
    expect(leader.client.counters().connects).toBe(server.streams.length);
    expect(follower.store.get()).toMatchObject({ loaded: true, stale: false, deployment_ids: [idOf(1)] });
    expect(follower.store.link().state).toEqual({ status: "live" });
  });

  test("T1 hear the same events", async () => {
    const { world, server, leader, follower } = await two();
    for (const stream of server.open) await stream.send(upsert(11, deployment(2)));
    await world.tick();
    expect(leader.store.get().deployment_ids).toEqual([idOf(2), idOf(1)]);
    expect(follower.store.get().deployment_ids).toEqual([idOf(2), idOf(1)]);
  });

  test("T2 however many there are, the browser has two streams at most", async () => {
    const { world, server, open, leader } = await two();
    const more = [];
    for (let index = 0; index < 8; index++) {
      more.push(await open());
      await settle();
      await server.last.send(first());
      await world.tick();
    }
    expect(server.open.length).toBeLessThanOrEqual(2);
    expect(new Set([leader, ...more].map(({ store }) => store.link().state.status))).toEqual(
      new Set(["live"]),
    );
  });

  test("T3 a lost connection is lost for all, and all come back", async () => {
    const { world, server, leader, follower } = await two();
    for (const stream of server.open) await stream.end();
    await world.tick();
    expect(follower.store.link().state.status).toBe("reconnecting");
    expect(follower.store.get().stale).toBe(true);
    await world.advance(1_000);
    for (const stream of server.open) await stream.send(snapshot(20, { deployments: [deployment(3)] }));
    await world.tick();
    for (const { store } of [leader, follower]) {
      expect(store.get()).toMatchObject({ stale: false, deployment_ids: [idOf(3)] });
      expect(store.link().state.status).toBe("live");
    }
  });

  test("T4 when the leader is killed another takes over", async () => {
    const { world, server, tabs, leader, follower } = await two();
    const before = server.streams.length;
    tabs.kill(leader.tab);
    leader.client.close();
    await settle();
    expect(server.streams.length).toBe(before + 1);
    await server.last.send(snapshot(20, { deployments: [deployment(4)] }));
    await world.tick();
    expect(follower.client.counters().connects).toBe(1);
    expect(follower.store.get().deployment_ids).toEqual([idOf(4)]);
  });

  test("T5 what a killed follower wanted is carried no longer", async () => {
    const { world, server, tabs, follower } = await two();
    const log = follower.client.log(logOf(TENANT, ENV, idOf(1)));
    log.subscribe("any", noop);
    await settle();
    expect(server.open.some(({ request }) => request.url.includes("log"))).toBe(true);
    tabs.kill(follower.tab);
    await settle();
    for (const stream of server.open) await stream.send(first());
    await world.tick();
    expect(server.open.some(({ request }) => request.url.includes("log"))).toBe(false);
  });

  test("T6 a hidden leader goes on for a follower that is seen, and a hidden follower asks for nothing", async () => {
    const { world, server, leader, follower } = await two();
    world.signal({ is: "hidden" });
    for (let waited = 0; waited < HIDDEN_GRACE_MS; waited += 15_000) {
      for (const stream of server.open) await stream.heartbeat();
      await world.advance(15_000);
    }
    // Both were hidden: nobody looks, nothing is open.
    expect(server.open).toHaveLength(0);
    world.signal({ is: "wake", why: "visible" });
    await world.advance(1_000);
    for (const stream of server.open) await stream.send(first());
    await world.tick();
    for (const { store } of [leader, follower]) expect(store.link().state.status).toBe("live");
  });

  test("T7 a follower's log with a gap is subscribed anew by the leader", async () => {
    const { world, server, follower } = await two();
    const log = follower.client.log(logOf(TENANT, ENV, idOf(1)));
    log.subscribe("any", noop);
    await settle();
    const stream = server.last;
    await stream.send(first(), "production=e1.10");
    await stream.send(logSnapshot(10, idOf(1), { text: "abc" }), "production=e1.10");
    await stream.send(logAppend(idOf(1), 9, "x"), null);
    await world.advance(2_000);
    expect(server.last).not.toBe(stream);
    await server.last.send(logSnapshot(10, idOf(1), { text: "abcdefghix" }), "production=e1.10");
    await world.tick();
    expect(log.get()).toMatchObject({ text: "abcdefghix", gap: false });
  });
});

test("T8 without what tabs need, each is alone", async () => {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ environment: world, carrier: acrossTabs(null) });
  client.deployments(board).subscribe("any", noop);
  await settle();
  expect(server.open).toHaveLength(1);
});
