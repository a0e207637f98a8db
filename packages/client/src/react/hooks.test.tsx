// @vitest-environment happy-dom
// Hooks: who renders when. One event of one row renders that row and nothing else.

import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, test } from "vitest";
import { createClient } from "../app";
import { deploymentsOf, detailsOf, logOf } from "../scope";
import {
  countsOf,
  countsUpdate,
  deployment,
  detailsSnapshot,
  ENV,
  entry,
  idOf,
  logSnapshot,
  progress,
  StreamServer,
  settle,
  snapshot,
  TENANT,
  upsert,
  World,
  workflow,
} from "../testing";
import {
  ShipboardProvider,
  useCounts,
  useDeployment,
  useDeploymentIds,
  useDetails,
  useHeldIds,
  useLink,
  useLoaded,
  useLog,
  useNow,
  usePaging,
  useStale,
  useWorkflow,
  useWorkflowIds,
} from ".";

const renders = new Map<string, number>();
const count = (name: string) => renders.set(name, (renders.get(name) ?? 0) + 1);

// A new object each time: stores are found by key.
const scope = () => deploymentsOf(TENANT, ENV);

function Row({ id }: { id: string }) {
  count(id);
  return <li>{useDeployment(scope(), id)?.progress.percent}</li>;
}

function List() {
  count("list");
  return useDeploymentIds(scope()).map((id) => <Row key={id} id={id} />);
}

function Cards() {
  count("cards");
  return <p>{useCounts(scope())?.deployments.total}</p>;
}

function Condition() {
  count("condition");
  return <p>{`${useLoaded(scope())} ${useStale(scope())}`}</p>;
}

function WorkflowRow({ id }: { id: string }) {
  return <li>{useWorkflow(scope(), id)?.latest?.version}</li>;
}

function Workflows() {
  const { has_more, loading } = usePaging(scope());
  return (
    <>
      {useWorkflowIds(scope()).map((id) => (
        <WorkflowRow key={id} id={id} />
      ))}
      <p>{`${useLink(scope()).state.status} ${has_more} ${loading}`}</p>
    </>
  );
}

function HeldList({ hold }: { hold: boolean }) {
  const { ids, waiting } = useHeldIds(scope(), hold);
  return <p>{`${ids.map((id) => Number.parseInt(id.slice(-4), 16)).join(",")} +${waiting}`}</p>;
}

function Details({ id }: { id: string }) {
  const details = useDetails(detailsOf(TENANT, ENV, id));
  const log = useLog(logOf(TENANT, ENV, id));
  return <p>{`${details.deployment?.status} ${details.timeline.length} ${log.text}`}</p>;
}

function Now() {
  return <p>{new Date(useNow()).toISOString()}</p>;
}

afterEach(() => {
  cleanup();
  renders.clear();
});

function start() {
  const world = new World();
  const server = new StreamServer(world);
  const client = createClient({ baseUrl: "https://ship.test", environment: world });
  return { world, server, client };
}

describe("rows", () => {
  test("one tick of progress renders one row", async () => {
    const { world, server, client } = start();
    render(
      <ShipboardProvider client={client}>
        <List />
        <Cards />
        <Condition />
      </ShipboardProvider>,
    );
    await act(settle);
    await act(async () => {
      await server.last.send(snapshot(10, { deployments: [deployment(2), deployment(1)] }));
      await world.tick();
    });
    expect(screen.getByText("true false")).toBeTruthy();
    renders.clear();
    await act(async () => {
      for (let id = 11; id < 20; id++) await server.last.send(progress(id, deployment(1), id));
      await world.tick();
    });
    expect(screen.getByText("19")).toBeTruthy();
    expect(Object.fromEntries(renders)).toEqual({ [idOf(1)]: 1 });
    renders.clear();
    await act(async () => {
      await server.last.send(countsUpdate(20, countsOf([deployment(1), deployment(2), deployment(3)])));
      await world.tick();
    });
    expect(Object.fromEntries(renders)).toEqual({ cards: 1 });
  });

  test("workflows, link and paging select themselves", async () => {
    const { world, server, client } = start();
    render(
      <ShipboardProvider client={client}>
        <Workflows />
      </ShipboardProvider>,
    );
    await act(settle);
    await act(async () => {
      const row = deployment(7);
      const workflows = [workflow("web", row)];
      await server.last.send(snapshot(10, { deployments: [row], workflows, has_more: true }));
      await world.tick();
    });
    expect(screen.getByText("1.0.7")).toBeTruthy();
    expect(screen.getByText("live true false")).toBeTruthy();
  });

  test("a held list keeps its order while its rows go on, and tells how many wait (F21)", async () => {
    const { world, server, client } = start();
    const tree = (hold: boolean) => (
      <ShipboardProvider client={client}>
        <HeldList hold={hold} />
      </ShipboardProvider>
    );
    const { rerender } = render(tree(false));
    await act(settle);
    await act(async () => {
      await server.last.send(snapshot(10, { deployments: [deployment(2), deployment(1)] }));
      await world.tick();
    });
    rerender(tree(true));
    await act(async () => {
      await server.last.send(upsert(11, deployment(3)));
      await server.last.send(upsert(12, deployment(4)));
      await world.tick();
    });
    expect(screen.getByText("2,1 +2")).toBeTruthy();
    rerender(tree(false));
    expect(screen.getByText("4,3,2,1 +0")).toBeTruthy();
  });
});

test("details and log are live and share a stream", async () => {
  const { world, server, client } = start();
  const id = idOf(1);
  render(
    <ShipboardProvider client={client}>
      <Details id={id} />
    </ShipboardProvider>,
  );
  await act(settle);
  expect(server.streams).toHaveLength(1);
  await act(async () => {
    await server.last.send(detailsSnapshot(1, deployment(1), { timeline: [entry(1)] }), "production=e1.1");
    await server.last.send(logSnapshot(1, id, { text: "hi" }), "production=e1.1");
    await world.tick();
  });
  expect(screen.getByText("running 1 hi")).toBeTruthy();
});

describe("the clock", () => {
  test("is one timer for all, ticks by the second, and stops when nobody listens", async () => {
    const { world, client } = start();
    const { unmount } = render(
      <ShipboardProvider client={client}>
        <Now />
        <Now />
        <Now />
      </ShipboardProvider>,
    );
    expect(world.timers).toBe(1);
    await act(() => world.advance(3_000));
    expect(screen.getAllByText("2026-01-01T00:00:03.000Z")).toHaveLength(3);
    unmount();
    expect(world.timers).toBe(0);
  });

  test("shows the server's time as soon as it is known", async () => {
    const { world, server, client } = start();
    client.deployments(scope()).subscribe("any", () => undefined);
    render(
      <ShipboardProvider client={client}>
        <Now />
      </ShipboardProvider>,
    );
    await act(settle);
    await act(async () => {
      await server.last.send(snapshot(1, { server_time: "2027-05-05T10:00:00.000Z" }));
      await world.advance(1_000);
    });
    expect(screen.getByText("2027-05-05T10:00:01.000Z")).toBeTruthy();
  });
});

test("hooks without a provider say so", () => {
  expect(() => render(<List />)).toThrow("there is no ShipboardProvider above");
});
