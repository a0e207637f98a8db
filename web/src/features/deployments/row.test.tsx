import { deploymentsOf } from "@shipboard/client";
import { createClient } from "@shipboard/client/app";
import { ShipboardProvider } from "@shipboard/client/react";
import {
  deployment,
  idOf,
  progress,
  StreamServer,
  settle,
  snapshot,
  upsert,
  World,
} from "@shipboard/client/testing";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, cleanup, render, screen } from "@testing-library/react";
import { Profiler } from "react";
import { afterEach, expect, test } from "vitest";
import { Row } from "./row";

const scope = deploymentsOf("acme", "production");
const numbers = [3, 2, 1];

afterEach(cleanup);

/** Three rows of a live board, and how often each was rendered. */
async function board() {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ environment: world });
  const renders = new Map<string, number>();
  const count = (id: string) => renders.set(id, (renders.get(id) ?? 0) + 1);
  const rows = () =>
    numbers.map((number, index) => (
      <Profiler key={number} id={idOf(number)} onRender={count}>
        <Row scope={scope} id={idOf(number)} index={index} style={{}} leaving={false} focus={0} />
      </Profiler>
    ));
  const root = createRootRoute({ component: () => <div>{rows()}</div> });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  await router.load();
  render(
    <ShipboardProvider client={client}>
      <RouterProvider router={router} />
    </ShipboardProvider>,
  );
  const deployments = numbers.map((number) => deployment(number, { event_id: 3 }));
  await act(async () => {
    await settle();
    await server.last.send(snapshot(3, { deployments }));
    await world.tick();
  });
  const tell = async (event: Parameters<typeof server.last.send>[0]) => {
    renders.clear();
    await act(async () => {
      await server.last.send(event);
      await world.tick();
    });
  };
  return { renders, tell, deployments, client };
}

test("one progress event renders one row", async () => {
  const { renders, tell, deployments, client } = await board();
  const [, second] = deployments;
  if (!second) throw new Error("no second row");
  await tell(progress(4, second, 42));
  expect([...renders]).toEqual([[idOf(2), 1]]);
  expect(screen.getByText("42 %")).toBeTruthy();
  client.close();
});

test("a change of status renders one row, and the row says it", async () => {
  const { renders, tell, deployments, client } = await board();
  const [first] = deployments;
  if (!first) throw new Error("no first row");
  await tell(upsert(4, { ...first, status: "failed" }));
  expect([...renders.keys()]).toEqual([idOf(3)]);
  expect(screen.getByText("Failed")).toBeTruthy();
  client.close();
});

test("a row is a real link to its deployment", async () => {
  const { client } = await board();
  const hrefs = screen.getAllByRole("link").map((link) => link.getAttribute("href"));
  expect(hrefs).toContain(`/t/acme/production/d/${idOf(1)}`);
  client.close();
});
