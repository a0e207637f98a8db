import { type Deployment, detailsOf } from "@shipboard/client";
import { createClient } from "@shipboard/client/app";
import {
  at,
  deployment,
  detailsSnapshot,
  ENV,
  idOf,
  json,
  StreamServer,
  settle,
  TENANT,
  upsert,
  World,
} from "@shipboard/client/testing";
import { renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ASK_MS, noteOf, resumeWatches, unwatch, useWatched, WATCHES_LIMIT, watch } from "./watch";

const scope = detailsOf(TENANT, ENV, idOf(1));
const row = deployment(1, { event_id: 1 });
let close = () => {};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  unwatch(scope);
  close();
  sessionStorage.clear();
  vi.useRealTimers();
});

/** A client whose server streams, and what was told. */
async function watching() {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ environment: world });
  close = () => client.close();
  const told: Deployment[] = [];
  const tell = (ended: Deployment) => void told.push(ended);
  watch(client, scope, tell);
  await settle();
  await server.last.send(detailsSnapshot(1, row));
  await world.tick();
  return { world, server, client, told, tell };
}

const isWatched = () => renderHook(() => useWatched(scope)).result.current;

test("the end is told once, and the watch is over", async () => {
  const { world, server, told } = await watching();
  expect(isWatched()).toBe(true);
  await server.last.send(upsert(2, { ...row, event_id: 2, status: "failed" }));
  await world.tick();
  await server.last.send(upsert(3, { ...row, event_id: 3, status: "failed", message: "corrected" }));
  await world.tick();
  expect(told.map((ended) => ended.status)).toEqual(["failed"]);
  expect(isWatched()).toBe(false);
});

test("what is not wanted any more is not told", async () => {
  const { world, server, told } = await watching();
  unwatch(scope);
  await server.last.send(upsert(2, { ...row, event_id: 2, status: "success" }));
  await world.tick();
  expect(told).toEqual([]);
});

test("a hidden tab whose stream rests asks by itself", async () => {
  const { world, server, told } = await watching();
  world.isHidden = true;
  world.signal({ is: "hidden" });
  await world.advance(10 * 60_000);
  await world.tick();
  expect(server.open).toEqual([]);
  const ended = { ...row, event_id: 9, status: "success" as const };
  server.rule(({ url }) =>
    url.endsWith(idOf(1))
      ? json({ deployment: ended, timeline: [], timeline_more: false, event_id: 9 })
      : null,
  );
  await vi.advanceTimersByTimeAsync(ASK_MS);
  await settle();
  expect(told.map((told_row) => told_row.status)).toEqual(["success"]);
});

test("a watch outlives a reload, and what is stored wrongly is ignored", async () => {
  const { client, tell } = await watching();
  const stored = sessionStorage.getItem("shipboard.watched") ?? "";
  unwatch(scope);
  sessionStorage.setItem("shipboard.watched", stored);
  resumeWatches(client, tell);
  expect(isWatched()).toBe(true);
  unwatch(scope);
  for (const wrong of ["{", "3", '[null, {"tenant": 1}]']) {
    sessionStorage.setItem("shipboard.watched", wrong);
    resumeWatches(client, tell);
  }
  expect(isWatched()).toBe(false);
});

test("the oldest watch gives way to one too many", async () => {
  const { client, tell } = await watching();
  const others = Array.from({ length: WATCHES_LIMIT }, (_, index) =>
    detailsOf(TENANT, ENV, idOf(100 + index)),
  );
  for (const other of others) watch(client, other, tell);
  expect(isWatched()).toBe(false);
  for (const other of others) unwatch(other);
});

test("a notification says how it ended, what it was, and why it failed", () => {
  const ended = {
    ...row,
    status: "failed" as const,
    started_at: at(0),
    finished_at: at(72),
    message: "no space",
  };
  expect(noteOf(ended, scope)).toEqual({
    title: "Failed: web 1.0.1",
    options: { body: "web → production · took 1m 12s\nno space", icon: "/favicon/failed.svg", tag: row.id },
  });
});
