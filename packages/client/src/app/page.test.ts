// Joining pages: what the stream says while a page is under way is applied over it.

import { describe, expect, test } from "vitest";
import type { Deployment } from "../protocol/types";
import { markStale, reduce } from "../reduce";
import { type DeploymentsState, emptyDeployments, KEPT_LIMIT } from "../state";
import { at, deployment, idOf, progress, remove, snapshot, upsert } from "../testing";
import { awaitPage, forgetPage, joinPage, reducePaged } from "./page";

const ids = (...numbers: number[]) => numbers.map(idOf);
const loaded = (): DeploymentsState =>
  reduce(emptyDeployments, snapshot(10, { deployments: [deployment(9), deployment(8)], has_more: true }));
const page = (event_id: number, items: Deployment[], next: string | null = "more") => ({
  items,
  next,
  event_id,
});

describe("a page", () => {
  test("P1 continues the list", () => {
    const { state, again } = joinPage(awaitPage(loaded()), page(10, [deployment(7), deployment(6)]));
    expect(again).toBe(false);
    expect(state.deployment_ids).toEqual(ids(9, 8, 7, 6));
    expect(state).toMatchObject({ has_more: true, event_id: 10, awaited: null });
  });

  test("P1 without a next one is the end of the list", () => {
    expect(joinPage(awaitPage(loaded()), page(10, [deployment(7)], null)).state.has_more).toBe(false);
    expect(joinPage(awaitPage(loaded()), page(10, [], null)).state.has_more).toBe(false);
  });

  test("P2 gets the upserts that came meanwhile, of rows not loaded too", () => {
    const held = reducePaged(awaitPage(loaded()), [upsert(12, deployment(7, { status: "failed" }))]);
    expect(held.deployment_ids).toEqual(ids(9, 8));
    const { state } = joinPage(held, page(11, [deployment(7), deployment(6)]));
    expect(state.deployments.get(idOf(7))?.status).toBe("failed");
  });

  test("P2 gets the progress that came meanwhile", () => {
    const held = reducePaged(awaitPage(loaded()), [progress(12, deployment(7), 30)]);
    const { state } = joinPage(held, page(11, [deployment(7)]));
    expect(state.deployments.get(idOf(7))).toMatchObject({ progress: { percent: 30 }, event_id: 12 });
  });

  test("P2 progress after an upsert goes on from it", () => {
    const events = [upsert(12, deployment(7, { actor: "ann" })), progress(13, deployment(7), 30)];
    const { state } = joinPage(reducePaged(awaitPage(loaded()), events), page(11, [deployment(7)]));
    expect(state.deployments.get(idOf(7))).toMatchObject({ actor: "ann", progress: { percent: 30 } });
  });

  test("P2 does not bring back what was deleted meanwhile", () => {
    const held = reducePaged(awaitPage(loaded()), [remove(12, idOf(7))]);
    expect(joinPage(held, page(11, [deployment(7), deployment(6)])).state.deployment_ids).toEqual(
      ids(9, 8, 6),
    );
  });

  test("P2 gets a row that was created inside of it meanwhile", () => {
    const held = reducePaged(awaitPage(loaded()), [upsert(12, deployment(20, { created_at: at(6.5) }))]);
    const { state } = joinPage(held, page(11, [deployment(7), deployment(6)]));
    expect(state.deployment_ids).toEqual(ids(9, 8, 7, 20, 6));
  });

  test("P2 does not get a row that moved below its end meanwhile", () => {
    const held = reducePaged(awaitPage(loaded()), [upsert(12, deployment(7, { created_at: at(1) }))]);
    const { state } = joinPage(held, page(11, [deployment(7), deployment(6)]));
    expect(state.deployment_ids).toEqual(ids(9, 8, 6));
  });

  test("P3 that is older than a loaded row does not change it", () => {
    const newer = deployment(8, { status: "success", event_id: 15 });
    const held = reduce(loaded(), upsert(15, newer));
    const { state } = joinPage(awaitPage(held), page(10, [deployment(8), deployment(7)]));
    expect(state.deployments.get(idOf(8))?.status).toBe("success");
  });

  test("P4 that is older than the last snapshot is asked for again", () => {
    const held = reducePaged(markStale(awaitPage(loaded())), [
      snapshot(20, { deployments: [deployment(9)], has_more: true }),
    ]);
    const { state, again } = joinPage(held, page(19, [deployment(7)]));
    expect(again).toBe(true);
    expect(state.deployment_ids).toEqual(ids(9));
    expect(state.awaited).toBeNull();
  });

  test("P4 is asked for again if a snapshot loaded less than the page continues", () => {
    const held = reducePaged(markStale(awaitPage(loaded())), [
      snapshot(20, { deployments: [deployment(9)], has_more: true }),
    ]);
    expect(joinPage(held, page(21, [deployment(7)])).again).toBe(true);
  });

  test("P4 of another epoch is asked for again, whatever its number", () => {
    const other = { epoch: "e2", deployments: [deployment(9), deployment(8)], has_more: true };
    expect(joinPage(reducePaged(awaitPage(loaded()), [snapshot(3, other)]), page(99, [])).again).toBe(true);
  });

  test("P5 is asked for again if more came meanwhile than is kept", () => {
    const events = Array.from({ length: KEPT_LIMIT + 1 }, (_, index) =>
      remove(11 + index, idOf(100 + index)),
    );
    const held = reducePaged(awaitPage(loaded()), events);
    expect(held.awaited).toMatchObject({ void: true, kept: new Map() });
    expect(joinPage(held, page(99_999, [deployment(7)])).again).toBe(true);
  });

  test("that never comes is forgotten with all that was kept for it", () => {
    const held = reducePaged(awaitPage(loaded()), [remove(12, idOf(7))]);
    expect(forgetPage(held).awaited).toBeNull();
    expect(forgetPage(loaded()).awaited).toBeNull();
  });

  test("keeps the last of what it lists inside, though the list has its limit", () => {
    const { state } = joinPage(awaitPage(loaded()), page(10, [deployment(9), deployment(8)], "more"));
    expect(state.deployment_ids).toEqual(ids(9, 8));
    expect(state.has_more).toBe(true);
  });
});
