// The client rules, one sentence each. Properties over random histories are in reduce.property.test.ts.

import { describe, expect, test } from "vitest";
import { answerRow, markStale, reduce, reduceAll } from "./reduce";
import { type DeploymentsState, emptyDeployments, ROWS_LIMIT } from "./state";
import {
  at,
  countsOf,
  countsUpdate,
  deployment,
  event,
  idOf,
  logAppend,
  progress,
  remove,
  snapshot,
  upsert,
  workflow,
  workflowUpsert,
} from "./testing";

const rows = (...numbers: number[]) => numbers.map((number) => deployment(number));
const ids = (...numbers: number[]) => numbers.map(idOf);
const begin = (event_id: number, change: Parameters<typeof snapshot>[1]): DeploymentsState =>
  reduce(emptyDeployments, snapshot(event_id, change));

describe("snapshot", () => {
  test("R1 the first of a connection replaces, even if it is older", () => {
    const held = begin(10, { deployments: rows(3, 2, 1) });
    const state = reduce(markStale(held), snapshot(7, { deployments: rows(2) }));
    expect(state).toMatchObject({ event_id: 7, deployment_ids: ids(2), stale: false });
  });

  test("R2 an older one within a connection is ignored", () => {
    const held = begin(10, { deployments: rows(1) });
    expect(reduce(held, snapshot(9, { deployments: rows(2) }))).toBe(held);
  });

  test("R2 one of another epoch replaces within a connection too, its numbers mean something else", () => {
    const held = begin(10, { deployments: rows(1) });
    const state = reduce(held, snapshot(3, { epoch: "e2", deployments: rows(2) }));
    expect(state).toMatchObject({ epoch: "e2", event_id: 3, deployment_ids: ids(2) });
  });

  test("R3 keeps the identity of what says the same", () => {
    const first = workflow("web", deployment(2));
    const held = begin(10, { deployments: rows(2, 1), workflows: [first] });
    const next = snapshot(11, {
      deployments: [deployment(2), deployment(1, { status: "failed" })],
      workflows: [workflow("web", deployment(2))],
      counts: countsOf(rows(2, 1), [first]),
    });
    const state = reduce(held, next);
    expect(state.deployments.get(idOf(2))).toBe(held.deployments.get(idOf(2)));
    expect(state.deployments.get(idOf(1))?.status).toBe("failed");
    expect(state.deployment_ids).toBe(held.deployment_ids);
    expect(state.workflows).toBe(held.workflows);
    expect(state.counts).toBe(held.counts);
    expect(state.orderRevision).toBe(held.orderRevision);
  });

  test("R3 the same snapshot again is the same state", () => {
    const held = begin(10, { deployments: rows(2, 1) });
    expect(reduce(held, snapshot(10, { deployments: rows(2, 1) }))).toBe(held);
  });

  test("R3 what a snapshot lacks is gone: no ghosts (F3)", () => {
    const held = markStale(begin(10, { deployments: rows(3, 2, 1) }));
    const state = reduce(held, snapshot(12, { deployments: rows(3, 1) }));
    expect(state.deployment_ids).toEqual(ids(3, 1));
    expect(state.deployments.has(idOf(2))).toBe(false);
  });

  test("of another scope changes nothing", () => {
    const held = begin(10, {});
    const other = event("snapshot", 11, {
      scope: "log",
      epoch: "e1",
      server_time: at(0),
      id: idOf(1),
      offset: 0,
      text: "",
      done: false,
    });
    expect(reduce(held, other)).toBe(held);
  });
});

describe("guards", () => {
  test("R4 an event not newer than the state changes nothing", () => {
    const held = begin(10, { deployments: rows(1) });
    expect(reduce(held, upsert(10, deployment(2)))).toBe(held);
    expect(reduce(held, remove(4, idOf(1)))).toBe(held);
  });

  test("R5 a row takes an event only if it is newer than the row (F6)", () => {
    const held = begin(10, { deployments: [deployment(1, { status: "success", event_id: 20 })] });
    const state = reduce(
      held,
      event("deployment.upsert", 15, { deployment: deployment(1, { event_id: 15 }) }),
    );
    expect(state.deployments).toBe(held.deployments);
    expect(state.event_id).toBe(15);
  });

  test("R5 a REST answer changes a loaded row only if it is newer", () => {
    const held = begin(10, { deployments: [deployment(1, { event_id: 9 })] });
    expect(answerRow(held, deployment(1, { event_id: 9, status: "failed" }))).toBe(held);
    expect(answerRow(held, deployment(7, { event_id: 30 }))).toBe(held);
    const state = answerRow(held, deployment(1, { event_id: 12, status: "failed" }));
    expect(state.deployments.get(idOf(1))?.status).toBe("failed");
    expect(state.event_id).toBe(10);
  });

  test("nothing is believed between a reconnect and its snapshot", () => {
    const held = markStale(begin(10, { deployments: rows(1) }));
    expect(reduce(held, upsert(11, deployment(2)))).toBe(held);
  });

  test("events of other scopes move nothing", () => {
    const held = begin(10, { deployments: rows(1) });
    expect(reduce(held, logAppend(idOf(1), 0, "hello"))).toBe(held);
    expect(reduce(held, event("stream.end", 99, { reason: "drain", retry_ms: 1 }))).toBe(held);
  });

  test("a lost connection marks the state stale and empties nothing", () => {
    const held = begin(10, { deployments: rows(1) });
    const state = markStale(held);
    expect(state).toEqual({ ...held, stale: true });
    expect(markStale(state)).toBe(state);
  });
});

describe("deployment.upsert", () => {
  test("R6 adds a row in its place", () => {
    const state = reduce(begin(10, { deployments: rows(3, 1) }), upsert(11, deployment(2)));
    expect(state.deployment_ids).toEqual(ids(3, 2, 1));
    expect(state.orderRevision).toBe(2);
  });

  test("R6 the greater id goes first where the times are equal", () => {
    const same = { created_at: at(1) };
    const held = begin(10, { deployments: [deployment(5, same), deployment(1, same)] });
    expect(reduce(held, upsert(11, deployment(3, same))).deployment_ids).toEqual(ids(5, 3, 1));
  });

  test("R7 leaves the order untouched if no sort key changed", () => {
    const held = begin(10, { deployments: rows(2, 1) });
    const state = reduce(held, upsert(11, deployment(1, { status: "success" })));
    expect(state.deployment_ids).toBe(held.deployment_ids);
    expect(state.orderRevision).toBe(held.orderRevision);
    expect(state.deployments.get(idOf(2))).toBe(held.deployments.get(idOf(2)));
  });

  test("R7 moves a row whose sort key changed", () => {
    const held = begin(10, { deployments: rows(3, 2, 1) });
    const state = reduce(held, upsert(11, deployment(1, { created_at: at(9), attempt: 2 })));
    expect(state.deployment_ids).toEqual(ids(1, 3, 2));
  });

  test("R8 a row older than the oldest loaded one is not inserted while there is more", () => {
    const held = begin(10, { deployments: rows(3, 2), has_more: true });
    const state = reduce(held, upsert(11, deployment(1)));
    expect(state.deployment_ids).toBe(held.deployment_ids);
    expect(state.event_id).toBe(11);
    expect(reduce(begin(10, { deployments: rows(3, 2) }), upsert(11, deployment(1))).deployment_ids).toEqual(
      ids(3, 2, 1),
    );
  });

  test("R8 nothing is inserted into an empty list while there is more", () => {
    const held = reduce(begin(10, { deployments: rows(3), has_more: true }), remove(11, idOf(3)));
    expect(reduce(held, upsert(12, deployment(2))).deployment_ids).toEqual([]);
  });

  test("R9 a row that moves below the oldest other row leaves while there is more", () => {
    const held = begin(10, { deployments: rows(4, 3, 2), has_more: true });
    const state = reduce(held, upsert(11, deployment(3, { created_at: at(1) })));
    expect(state.deployment_ids).toEqual(ids(4, 2));
    expect(state.deployments.has(idOf(3))).toBe(false);
  });

  test("R9 the oldest row stays when it changes without moving", () => {
    const held = begin(10, { deployments: rows(4, 3), has_more: true });
    const state = reduce(held, upsert(11, deployment(3, { status: "failed" })));
    expect(state.deployment_ids).toBe(held.deployment_ids);
    expect(state.deployments.get(idOf(3))?.status).toBe("failed");
  });

  test("a list that has grown to its limit loses its oldest row for a new one", () => {
    const many = Array.from({ length: ROWS_LIMIT }, (_, index) => deployment(ROWS_LIMIT - index));
    const state = reduce(begin(10, { deployments: many }), upsert(11, deployment(ROWS_LIMIT + 1)));
    expect(state.deployment_ids).toHaveLength(ROWS_LIMIT);
    expect(state.deployment_ids[0]).toBe(idOf(ROWS_LIMIT + 1));
    expect(state.has_more).toBe(true);
  });
});

describe("other events", () => {
  test("R10 progress touches progress fields only and never the order", () => {
    const held = begin(10, { deployments: rows(2, 1) });
    const state = reduce(held, progress(11, deployment(1), 40));
    const {
      progress: moved,
      updated_at,
      event_id,
      ...rest
    } = state.deployments.get(idOf(1)) ?? deployment(1);
    expect(moved.percent).toBe(40);
    expect({ updated_at, event_id }).toEqual({ updated_at: at(11), event_id: 11 });
    expect(deployment(1)).toMatchObject(rest);
    expect(state.deployment_ids).toBe(held.deployment_ids);
  });

  test("R10 progress of another attempt changes no row", () => {
    const held = begin(10, { deployments: [deployment(1, { attempt: 2 })] });
    expect(reduce(held, progress(11, deployment(1), 40)).deployments).toBe(held.deployments);
  });

  test("R11 counts replace", () => {
    const counts = countsOf(rows(1, 2, 3));
    expect(reduce(begin(10, {}), countsUpdate(11, counts)).counts).toBe(counts);
  });

  test("R12 delete removes", () => {
    const state = reduce(begin(10, { deployments: rows(2, 1) }), remove(11, idOf(2)));
    expect(state.deployment_ids).toEqual(ids(1));
    expect([...state.deployments.keys()]).toEqual(ids(1));
  });

  test("R13 workflows stand by their latest deployment, ties by id", () => {
    const held = begin(10, { workflows: [workflow("b", deployment(2)), workflow("a", deployment(1))] });
    const moved = reduce(held, workflowUpsert(11, workflow("a", deployment(3))));
    expect(moved.workflow_ids).toEqual(["a", "b"]);
    const tied = reduce(moved, workflowUpsert(12, workflow("b", deployment(3))));
    expect(tied.workflow_ids).toEqual(["a", "b"]);
  });

  test("R13 a workflow without a latest deployment goes", () => {
    const held = begin(10, { workflows: [workflow("a", deployment(1))] });
    const state = reduce(held, workflowUpsert(11, { ...workflow("a", deployment(1)), latest: null }));
    expect(state.workflow_ids).toEqual([]);
    expect(state.workflows.size).toBe(0);
  });

  test("R14 several events at once come to the same as one by one", () => {
    const held = begin(10, { deployments: rows(2, 1) });
    const events = [upsert(11, deployment(3)), remove(12, idOf(1)), progress(13, deployment(3), 10)];
    const oneByOne = events.reduce(reduce, held);
    expect(reduceAll(held, events)).toEqual({ ...oneByOne, orderRevision: held.orderRevision + 1 });
    expect(reduceAll(held, [])).toBe(held);
  });

  test("R15 a state is never changed in place", () => {
    const held = begin(10, { deployments: rows(2, 1) });
    const copy = structuredClone(held);
    reduceAll(held, [upsert(11, deployment(3)), remove(12, idOf(1)), progress(13, deployment(2), 10)]);
    expect(held).toEqual(copy);
  });
});
