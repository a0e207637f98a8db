// Tabs: one stream for a browser (F12), whoever comes and goes.

import { describe, expect, test, vi } from "vitest";
import { createClient, type ShipboardClient } from "../app";
import type { ScopeStore } from "../client";
import { HIDDEN_GRACE_MS, LINGER_MS } from "../hub";
import { deploymentsOf, detailsOf, logOf } from "../scope";
import type { AnyState } from "../state";
import {
  deployment,
  detailsSnapshot,
  ENV,
  event,
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
import { LEASE_MS, RemoteTab } from "./remote";
import { CALM_MS, sharedStreams } from "./streams";
import { ANSWER_MS, BEAT_MS, STEAL_JITTER_MS } from "./tabs";

const noop = () => undefined;
const board = deploymentsOf(TENANT, ENV);
const first = () => snapshot(10, { deployments: [deployment(1)] });

function browser() {
  const world = new World();
  const server = new StreamServer(world);
  const tabs = new TestTabs();
  const open = async (build = "build 1", looks = true) => {
    const own = tabs.open();
    const client = createClient({
      baseUrl: "https://ship.test",
      environment: world,
      carrier: acrossTabs(own, build),
    });
    const store = client.deployments(board);
    if (looks) store.subscribe("any", noop);
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

  test("T2 eight tabs on eight pages come to share one stream, which the next leader takes over at once", async () => {
    const { world, server, tabs, open } = browser();
    const pass = async (ms: number) => {
      for (let waited = 0; waited < ms; waited += 1_000) {
        for (const stream of server.open) await stream.raw(": heartbeat\n\n");
        await world.advance(1_000);
      }
    };
    const greeted = new Set<unknown>();
    const greet = async (event_id: number) => {
      for (const stream of server.open) {
        if (greeted.has(stream)) continue;
        greeted.add(stream);
        const url = new URL(stream.request.url);
        const [, env = ENV, id, log] =
          /envs\/([^/]+)(?:\/deployments\/([^/]+))?(\/logs)?/.exec(url.pathname) ?? [];
        const own = `${env}${id ? `/d/${id}` : ""}${log ? "/log" : ""}`;
        for (const scope of url.searchParams.has("s") ? new Set(url.searchParams.getAll("s")) : [own]) {
          const [env_id = "", , number, isLog] = scope.split("/");
          const row = deployment(Number.parseInt(number?.slice(-12) ?? "1", 16));
          const sent = isLog
            ? logSnapshot(event_id, row.id, { text: "log" })
            : number
              ? detailsSnapshot(event_id, row)
              : snapshot(event_id, { deployments: [row] });
          await stream.send({ ...sent, env_id }, null);
        }
      }
      await world.tick();
    };
    const scopes = [1, 2, 3].flatMap((number) => [
      detailsOf(TENANT, ENV, idOf(number)),
      logOf(TENANT, ENV, idOf(number)),
    ]);
    const pages: { client: ShipboardClient; tab: string; store: ScopeStore<AnyState> }[] = [];
    for (const scope of [board, deploymentsOf(TENANT, "staging"), ...scopes]) {
      const { client, tab } = await open("build 1", false);
      const store =
        scope.kind === "deployments"
          ? client.deployments(scope)
          : scope.kind === "details"
            ? client.details(scope)
            : client.log(scope);
      store.subscribe("any", noop);
      await settle();
      await greet(10);
      pages.push({ client, tab, store });
    }
    await pass(CALM_MS + 2_000);
    await greet(11);
    expect(server.open).toHaveLength(1);
    expect(new URL(server.last.request.url).searchParams.getAll("s")).toHaveLength(8);
    const live = () =>
      pages.filter(({ store }) => store.link().state.status === "live" && !store.get().stale);
    expect(live()).toHaveLength(8);
    const leader = pages.shift();
    if (!leader) throw new Error("nobody leads");
    tabs.kill(leader.tab);
    leader.client.close();
    await world.advance(500);
    await greet(12);
    expect(live()).toHaveLength(7);
    expect(new Set(pages.map(({ store }) => store.get().event_id))).toEqual(new Set([12]));
    await pass(CALM_MS + 2_000);
    await greet(12);
    expect(server.open).toHaveLength(1);
    expect(live()).toHaveLength(7);
  });

  test("T14 that read the same log share it from where the server begins, not from where one of them is", async () => {
    const { world, server, leader, follower } = await two();
    for (const { client } of [leader, follower])
      client.log(logOf(TENANT, ENV, idOf(1))).subscribe("any", noop);
    await settle();
    const logs = server.open.filter(({ request }) => request.url.includes("log"));
    for (const stream of logs) {
      await stream.send(first());
      await stream.send(logSnapshot(10, idOf(1), { text: "abc" }));
    }
    for (let waited = 0; waited < CALM_MS + 2_000; waited += 1_000) {
      for (const stream of server.open) await stream.raw(": heartbeat\n\n");
      await world.advance(1_000);
    }
    expect(server.last.request.url).not.toContain("offset");
    expect(new URL(server.last.request.url).searchParams.getAll("s")).toHaveLength(2);
  });

  test("T9 hear their own stream only: of two streams of an env one may be ahead of the other", async () => {
    const { world, server, open } = browser();
    // The leader's page shows nothing live, so both streams are other tabs'.
    await open("build 1", false);
    const slow = await open();
    await server.last.send(first());
    const fast = await open();
    await server.last.send(first());
    await world.tick();
    const [ofSlow, ofFast] = server.open;
    await ofFast?.send(upsert(13, deployment(9)));
    await world.tick();
    expect(slow.store.get()).toMatchObject({ event_id: 10, deployment_ids: [idOf(1)] });
    await ofSlow?.send(upsert(11, deployment(7)));
    await ofSlow?.send(upsert(12, deployment(8)));
    await ofSlow?.send(upsert(13, deployment(9)));
    await world.tick();
    expect(slow.store.get().deployment_ids).toEqual([idOf(9), idOf(8), idOf(7), idOf(1)]);
    expect(fast.store.get().deployment_ids).toEqual([idOf(9), idOf(1)]);
  });

  test("T9 one tab's snapshot costs the others nothing, neither their pages nor its reading", async () => {
    const { world, server, tabs, leader, follower } = await two();
    const third = tabs.open();
    const client = createClient({
      baseUrl: "https://ship.test",
      environment: world,
      carrier: acrossTabs(third, "build 1"),
    });
    const before = { ...tabs.heard.get(follower.tab) };
    client.log(logOf(TENANT, ENV, idOf(1))).subscribe("any", noop);
    await settle();
    const text = "x".repeat(100_000);
    const log = server.open.find(({ request }) => request.url.includes("log"));
    await log?.send(logSnapshot(10, idOf(1), { text }));
    await world.tick();
    expect(tabs.heard.get(third.tab)?.characters).toBeGreaterThan(100_000);
    const after = tabs.heard.get(follower.tab)?.characters ?? 0;
    expect(after - (before.characters ?? 0)).toBeLessThan(2_000);
    expect(leader.store.link().state.status).toBe("live");
  });

  test("T10 do not wait for a frozen leader: another takes its name, and it follows once it is thawed", async () => {
    const { world, server, tabs, leader, follower } = await two();
    const before = server.open;
    tabs.freeze(leader.tab);
    for (let waited = 0; waited < BEAT_MS + ANSWER_MS + STEAL_JITTER_MS; waited += 500)
      await world.advance(500);
    const fresh = server.open.filter((stream) => !before.includes(stream));
    expect(fresh).toHaveLength(1);
    await fresh[0]?.send(snapshot(20, { deployments: [deployment(4)] }));
    await world.tick();
    expect(follower.store.get()).toMatchObject({ event_id: 20, deployment_ids: [idOf(4)], stale: false });
    // What the old leader has still to say is not believed any more.
    await before[0]?.send(upsert(21, deployment(5)));
    await before[1]?.send(upsert(21, deployment(5)));
    tabs.thaw(leader.tab);
    await settle();
    await world.tick();
    expect(follower.store.get().deployment_ids).toEqual([idOf(4)]);
    expect(before.every(({ closed }) => closed)).toBe(true);
    for (const stream of server.open) await stream.send(snapshot(22, { deployments: [deployment(6)] }));
    await world.tick();
    for (const { store } of [leader, follower]) {
      expect(store.get()).toMatchObject({ event_id: 22, stale: false });
      expect(store.link().state.status).toBe("live");
    }
    expect(follower.client.counters().connects).toBeGreaterThan(0);
  });

  test("T10 let a leader be that answers, for as long as it does", async () => {
    const { world, server, leader, follower } = await two();
    const before = server.streams.length;
    for (let waited = 0; waited < 60_000; waited += 1_000) {
      for (const stream of server.open) await stream.heartbeat("e1.10");
      await world.advance(1_000);
    }
    expect(server.streams.length - before).toBeLessThanOrEqual(1);
    expect(follower.client.counters().connects).toBe(0);
    expect(leader.client.counters().connects).toBe(server.streams.length);
  });

  test("T11 of another build keep to themselves", async () => {
    const { server, open } = await two();
    const other = await open("build 2");
    expect(other.client.counters().connects).toBe(1);
    await server.last.send(snapshot(30, { deployments: [deployment(5)] }));
    other.client.flush();
    expect(other.store.get().deployment_ids).toEqual([idOf(5)]);
  });

  test("T12 are told anew what they want anew, in the same turn too", async () => {
    const { world, server, follower } = await two();
    const scope = deploymentsOf(TENANT, "staging");
    const stop = follower.client.deployments(scope).subscribe("any", noop);
    await settle();
    const greet = async () => {
      const greeting = { ...first(), env_id: "staging" };
      for (const stream of server.open)
        if (stream.request.url.includes("staging")) await stream.send(greeting);
      await world.tick();
    };
    await greet();
    stop();
    await world.advance(LINGER_MS - 1);
    // The last of one listener and the first of the next.
    const store = follower.client.deployments(scope);
    await world.advance(1);
    store.subscribe("any", noop);
    await settle();
    await greet();
    expect(store.get()).toMatchObject({ stale: false, deployment_ids: [idOf(1)] });
  });

  test("T13 that one signs out of, or in again, all hear of it, and one person's retry is enough", async () => {
    const { world, server, leader, follower } = await two();
    for (const stream of server.open)
      await stream.send(event("stream.end", 10, { reason: "revoked", retry_ms: 0 }));
    await world.tick();
    for (const { store } of [leader, follower])
      expect(store.link().state).toMatchObject({ status: "stopped", reason: "revoked" });
    follower.client.retry();
    await settle();
    for (const stream of server.open) await stream.send(first());
    await world.tick();
    for (const { store } of [leader, follower]) expect(store.link().state.status).toBe("live");
  });
});

test("T5 a tab that says nothing for long is carried no longer, though it holds its name", async () => {
  const world = new World();
  const streams = new StreamServer(world);
  const own = sharedStreams(world, "https://ship.test");
  const expired = vi.fn(() => remote.close());
  const channel = { post: noop, close: noop };
  const remote: RemoteTab = new RemoteTab("frozen", channel, 1, own, world, expired);
  const wishes = [{ key: 1, tenant: TENANT, env: ENV, path: ENV, url: "/stream" }];
  remote.want(wishes);
  await world.advance(LEASE_MS - 1);
  remote.want(wishes);
  await world.advance(LEASE_MS - 1);
  expect(expired).not.toHaveBeenCalled();
  expect(remote.subscriber(1)).toBeDefined();
  await world.advance(1);
  await settle();
  expect(expired).toHaveBeenCalledOnce();
  expect(remote.subscriber(1)).toBeUndefined();
  expect(streams.open).toHaveLength(0);
});

test("T8 without what tabs need, each is alone", async () => {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ environment: world, carrier: acrossTabs(null, "build 1") });
  client.deployments(board).subscribe("any", noop);
  await settle();
  expect(server.open).toHaveLength(1);
});
