// Shared streams: who hears what, which streams there are, and what a refused scope costs the others.

import { describe, expect, test } from "vitest";
import { createClient } from "../app";
import { LINGER_MS } from "../hub";
import type { Envelope } from "../protocol/types";
import { type DetailsScope, deploymentsOf, detailsOf, logOf } from "../scope";
import {
  countsOf,
  countsUpdate,
  deployment,
  detailsSnapshot,
  ENV,
  entry,
  idOf,
  logAppend,
  logSnapshot,
  problem,
  progress,
  remove,
  type ServerStream,
  StreamServer,
  settle,
  snapshot,
  TENANT,
  upsert,
  World,
  workflow,
  workflowUpsert,
} from "../testing";
import { concerns } from "./route";
import { CALM_MS, SCOPES_LIMIT } from "./streams";

const noop = () => undefined;
const board = deploymentsOf(TENANT, ENV);
const [one, two] = [idOf(1), idOf(2)];

function start() {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ baseUrl: "https://ship.test", environment: world });
  return { world, server, client };
}

/** The scopes in a shared stream's address. */
const scopesOf = (stream: ServerStream | undefined): string[] =>
  new URL(stream?.request.url ?? "").searchParams.getAll("s");

/** Answers a stream as the server does: a snapshot of each of its scopes. */
async function greet(stream: ServerStream, event_id = 10): Promise<void> {
  const path = new URL(stream.request.url).pathname;
  const own = /deployments\/([^/]+)\/stream$/.exec(path)?.[1];
  const scopes = scopesOf(stream);
  for (const scope of scopes.length > 0 ? scopes : [own ? `${ENV}/d/${own}` : ENV]) {
    const [env = "", , id, log] = scope.split("/");
    const row = deployment(Number.parseInt(id?.slice(-12) ?? "0", 16));
    const sent = log
      ? logSnapshot(event_id, row.id)
      : id
        ? detailsSnapshot(event_id, row)
        : snapshot(event_id, { deployments: [deployment(1)] });
    await stream.send(
      { ...sent, env_id: env },
      scopes.length > 0 ? `${env}=e1.${event_id}` : `e1.${event_id}`,
    );
  }
}

/** Lets time pass on streams that stay alive. */
async function pass(world: World, server: StreamServer, ms: number): Promise<void> {
  for (let waited = 0; waited < ms; waited += 1_000) {
    for (const stream of server.open) await stream.raw(": heartbeat\n\n");
    await world.advance(1_000);
  }
}

describe("a message", () => {
  const own = `${ENV}/d/${one}`;
  const cases: [string, Envelope, string[]][] = [
    ["the board's snapshot", snapshot(1), [ENV]],
    ["a deployment's snapshot", detailsSnapshot(1, deployment(1)), [own]],
    ["a log's snapshot", logSnapshot(1, one), [`${own}/log`]],
    ["a row with its entries", upsert(2, deployment(1), [entry(1)]), [ENV, own]],
    ["another row", upsert(2, deployment(2)), [ENV, `${ENV}/d/${two}`]],
    ["progress", progress(3, deployment(1), 5), [ENV, own]],
    ["a deletion", remove(4, one), [ENV, own]],
    ["a workflow", workflowUpsert(5, workflow("web", deployment(1))), [ENV]],
    ["counts", countsUpdate(6, countsOf([])), [ENV, own, `${ENV}/d/${two}`]],
    ["log text", logAppend(one, 0, "x"), [`${own}/log`]],
  ];
  const paths = [ENV, own, `${own}/log`, `${ENV}/d/${two}`, `${ENV}/d/${two}/log`];

  test.each(cases)("S29 that is %s is for whom it concerns", (_, event, expected) => {
    expect(paths.filter((path) => concerns(path, event))).toEqual(expected);
  });
});

describe("scopes on one stream", () => {
  test("S29 of one env hear each their own, though they are at one event", async () => {
    const { world, server, client } = start();
    const list = client.deployments(board);
    const details = [one, two].map((id) => client.details(detailsOf(TENANT, ENV, id)));
    const logs = [one, two].map((id) => client.log(logOf(TENANT, ENV, id)));
    for (const store of [list, ...details, ...logs]) store.subscribe("any", noop);
    await settle();
    expect(server.streams).toHaveLength(1);
    const stream = server.last;
    await stream.send(detailsSnapshot(10, deployment(2), { timeline: [entry(5)] }), `${ENV}=e1.10`);
    await stream.send(logSnapshot(10, two, { text: "two" }), `${ENV}=e1.10`);
    await stream.send(snapshot(10, { deployments: [deployment(2), deployment(1)] }), `${ENV}=e1.10`);
    await stream.send(detailsSnapshot(10, deployment(1)), `${ENV}=e1.10`);
    await stream.send(logSnapshot(10, one, { text: "one" }), `${ENV}=e1.10`);
    await stream.send(logAppend(two, 3, "!"), null);
    await stream.send(upsert(11, deployment(1, { status: "failed" }), [entry(1)]), `${ENV}=e1.11`);
    await stream.send(upsert(12, deployment(3)), `${ENV}=e1.12`);
    await world.tick();
    expect(list.get()).toMatchObject({ event_id: 12, deployment_ids: [idOf(3), two, one] });
    expect(list.get().deployments.get(one)?.status).toBe("failed");
    expect(details[0]?.get()).toMatchObject({
      deployment: { id: one, status: "failed" },
      timeline: [entry(1)],
    });
    expect(details[1]?.get()).toMatchObject({
      deployment: { id: two, status: "running" },
      timeline: [entry(5)],
    });
    expect(logs.map((log) => log.get().text)).toEqual(["one", "two!"]);
  });

  test("S29 go on when the deployment of one of them is deleted", async () => {
    const { world, server, client } = start();
    const stores = [client.deployments(board), client.details(detailsOf(TENANT, ENV, one))] as const;
    for (const store of stores) store.subscribe("any", noop);
    await settle();
    await greet(server.last);
    await server.last.send(remove(11, one), `${ENV}=e1.11`);
    await server.last.send(upsert(12, deployment(2)), `${ENV}=e1.12`);
    await world.tick();
    expect(stores[1].get()).toMatchObject({ deleted: true, deployment: { id: one } });
    expect(stores[0].get().deployment_ids).toEqual([two]);
    expect(stores[1].link().state.status).toBe("live");
  });

  test("S30 leave it without a new one for those who stay", async () => {
    const { world, server, client } = start();
    const list = client.deployments(board);
    list.subscribe("any", noop);
    const leave = client.details(detailsOf(TENANT, ENV, one)).subscribe("any", noop);
    await settle();
    await greet(server.last);
    leave();
    await pass(world, server, LINGER_MS + 1_000);
    expect(server.streams).toHaveLength(1);
    expect(list.link().state.status).toBe("live");
    // One that comes back has to hear what it missed.
    const details = client.details(detailsOf(TENANT, ENV, one));
    details.subscribe("any", noop);
    await settle();
    expect(details.get().stale).toBe(true);
    await greet(server.last, 20);
    await world.tick();
    expect(details.get()).toMatchObject({ stale: false, event_id: 20 });
  });
});

describe("streams", () => {
  test("S31 are joined into one once nothing has changed for a while, without a gap", async () => {
    const { world, server, client } = start();
    const list = client.deployments(board);
    list.subscribe("any", noop);
    await settle();
    await greet(server.last);
    const details = client.details(detailsOf(TENANT, ENV, one));
    details.subscribe("any", noop);
    await settle();
    await greet(server.last);
    await pass(world, server, CALM_MS - 1_000);
    expect(server.open).toHaveLength(2);
    await pass(world, server, 2_000);
    expect(server.open).toHaveLength(3);
    expect(scopesOf(server.last)).toEqual([ENV, `${ENV}/d/${one}`]);
    expect(list.link().state.status).toBe("live");
    await greet(server.last, 11);
    await world.tick();
    expect(server.open).toEqual([server.last]);
    for (const store of [list, details]) expect(store.get()).toMatchObject({ stale: false, event_id: 11 });
    await pass(world, server, CALM_MS * 3);
    expect(server.streams).toHaveLength(3);
  });

  test("S31 stay apart where a list has more rows than a shared stream would bring", async () => {
    const { world, server, client } = start();
    const list = client.deployments({ ...board, limit: 300 });
    list.subscribe("any", noop);
    await settle();
    expect(server.last.request.url).toContain("limit=300");
    await greet(server.last);
    for (const id of [one, two]) {
      client.details(detailsOf(TENANT, ENV, id)).subscribe("any", noop);
      await settle();
      await greet(server.last);
    }
    await pass(world, server, CALM_MS * 3);
    expect(server.open).toHaveLength(2);
    expect(server.open.some(({ request }) => request.url.includes("limit=300"))).toBe(true);
  });

  test("S25 find by halves the scope they are refused for, and never ask for it with others again", async () => {
    const { world, server, client } = start();
    const missing = idOf(7);
    server.rule(({ url }) => (url.includes(missing) ? problem(404) : null));
    const scopes: DetailsScope[] = Array.from({ length: SCOPES_LIMIT }, (_, index) =>
      detailsOf(TENANT, ENV, idOf(index + 1)),
    );
    const stores = scopes.map((scope) => client.details(scope));
    for (const store of stores) store.subscribe("any", noop);
    let most = 0;
    for (let round = 0; round < 10; round++) {
      await settle();
      for (const stream of server.open) await greet(stream);
      most = Math.max(most, server.open.length);
      await world.tick();
    }
    // One for each halving, which is less than the connections that HTTP/1.1 has for a server.
    expect(most).toBeLessThanOrEqual(5);
    const links = stores.map((store) => store.link().state.status);
    expect(links.filter((status) => status === "live")).toHaveLength(SCOPES_LIMIT - 1);
    expect(stores[6]?.link().state).toMatchObject({ status: "stopped", reason: "not_found" });
    await pass(world, server, CALM_MS + 1_000);
    await greet(server.last, 11);
    await world.tick();
    expect(server.open).toHaveLength(1);
    const before = world.requests.filter(({ url }) => url.includes(missing)).length;
    client.deployments(board).subscribe("any", noop);
    await pass(world, server, CALM_MS + 1_000);
    expect(world.requests.filter(({ url }) => url.includes(missing))).toHaveLength(before);
  });
});
