import type { Env, Envelope } from "@shipboard/client";
import { createClient } from "@shipboard/client/app";
import { ShipboardProvider } from "@shipboard/client/react";
import {
  at,
  countsOf,
  deployment,
  idOf,
  progress,
  StreamServer,
  settle,
  snapshot,
  upsert,
  World,
  workflow,
  workflowUpsert,
} from "@shipboard/client/testing";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, cleanup, render, screen } from "@testing-library/react";
import { Profiler } from "react";
import { afterEach, expect, test } from "vitest";
import { MatrixCell } from "./cell";
import { useFleet } from "./fleet";

afterEach(cleanup);

const envs: Env[] = ["staging", "production"].map((id, position) => ({
  id,
  name: id,
  tier: id,
  position,
  counts: countsOf([]),
  event_id: 1,
}));
const WORKFLOWS = ["web", "api"];

const inEnv = <Message extends Envelope>(env_id: string, message: Message): Message => ({
  ...message,
  env_id,
});

/** Two workflows in two environments, on one stream, and how often each cell was rendered. */
async function matrix() {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ environment: world });
  const renders = new Map<string, number>();
  const count = (id: string) => renders.set(id, (renders.get(id) ?? 0) + 1);
  function Cells() {
    const fleet = useFleet("acme", envs);
    return fleet.places.flatMap(({ env }, column) =>
      WORKFLOWS.map((id) => (
        <Profiler key={`${env} ${id}`} id={`${env} ${id}`} onRender={count}>
          <MatrixCell fleet={fleet} id={id} column={column} />
        </Profiler>
      )),
    );
  }
  const router = createRouter({
    routeTree: createRootRoute({ component: Cells }),
    history: createMemoryHistory(),
  });
  await router.load();
  render(
    <ShipboardProvider client={client}>
      <RouterProvider router={router} />
    </ShipboardProvider>,
  );
  const rowOf = (number: number, id: string) =>
    deployment(number, { workflow_id: id, version: `v${number}`, event_id: 3 });
  const rows = { web: rowOf(1, "web"), api: rowOf(2, "api") };
  const current = { deployment_id: idOf(7), version: "v0", since: at(0) };
  const workflows = [workflow("web", rows.web, { current }), workflow("api", rows.api, { current })];
  await act(async () => {
    await settle();
    for (const { id } of envs) {
      const message = snapshot(3, { deployments: [rows.web, rows.api], workflows });
      await server.last.send(inEnv(id, message), `${id}=e1.3`);
    }
    await world.tick();
  });
  const tell = async (env: string, event: Envelope) => {
    renders.clear();
    await act(async () => {
      await server.last.send(inEnv(env, event), `${env}=e1.${event.event_id}`);
      await world.tick();
    });
  };
  return { client, server, renders, tell, rows, workflows };
}

test("all environments come by one stream", async () => {
  const { client, server } = await matrix();
  expect(server.streams).toHaveLength(1);
  client.close();
});

test("one progress event renders one cell", async () => {
  const { client, renders, tell, rows } = await matrix();
  await tell("production", progress(4, rows.api, 42));
  expect([...renders]).toEqual([["production api", 1]]);
  expect(screen.getByText("running 42 %")).toBeTruthy();
  client.close();
});

test("a deployment that is no workflow's latest renders no cell", async () => {
  const { client, renders, tell } = await matrix();
  await tell("production", upsert(4, deployment(9, { workflow_id: "web" })));
  expect([...renders]).toEqual([]);
  client.close();
});

test("what comes to run in an environment renders its cell and those it now differs from", async () => {
  const { client, renders, tell, rows } = await matrix();
  const current = { deployment_id: rows.web.id, version: rows.web.version, since: at(4) };
  await tell("staging", workflowUpsert(4, workflow("web", { ...rows.web, status: "success" }, { current })));
  expect([...renders.keys()].sort()).toEqual(["production web", "staging web"]);
  expect(screen.getByLabelText("Differs from staging, which has v1")).toBeTruthy();
  client.close();
});
