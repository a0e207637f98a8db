// The details scope: one row, its timeline, the env's counts.

import { describe, expect, test } from "vitest";
import { answerDetails, reduceAllDetails, reduceDetails } from "./details";
import { markStale } from "./reduce";
import { emptyDetails, TIMELINE_LIMIT } from "./state";
import {
  countsOf,
  countsUpdate,
  deployment,
  detailsSnapshot,
  entry,
  idOf,
  progress,
  remove,
  upsert,
} from "./testing";

const id = idOf(1);
const begin = (event_id = 10) =>
  reduceDetails(
    emptyDetails,
    detailsSnapshot(event_id, deployment(1), { timeline: [entry(1), entry(2)] }),
    id,
  );

describe("details", () => {
  test("D1 an upsert brings the row and the entries behind it", () => {
    const state = reduceDetails(begin(), upsert(11, deployment(1, { status: "success" }), [entry(3)]), id);
    expect(state.deployment?.status).toBe("success");
    expect(state.timeline.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test("D1 entries are merged by number, the same ones keep their identity", () => {
    const held = begin();
    const state = reduceDetails(held, upsert(11, deployment(1), [entry(2), entry(3)]), id);
    expect(state.timeline[1]).toBe(held.timeline[1]);
    expect(state.timeline).toHaveLength(3);
  });

  test("D2 only so many entries are kept, the newest", () => {
    const many = Array.from({ length: TIMELINE_LIMIT + 5 }, (_, index) => entry(index + 1));
    const state = reduceDetails(begin(), upsert(11, deployment(1), many), id);
    expect(state.timeline).toHaveLength(TIMELINE_LIMIT);
    expect(state.timeline[0]?.seq).toBe(6);
    expect(state.timeline_more).toBe(true);
  });

  test("D3 other deployments' events move the event id and nothing else", () => {
    const held = begin();
    const state = reduceAllDetails(
      held,
      [upsert(11, deployment(2)), progress(12, deployment(2), 5), remove(13, idOf(2))],
      id,
    );
    expect(state).toEqual({ ...held, event_id: 13 });
  });

  test("D4 progress and counts arrive, old events do not", () => {
    const counts = countsOf([deployment(1), deployment(2)]);
    const held = reduceAllDetails(begin(), [progress(11, deployment(1), 40), countsUpdate(12, counts)], id);
    expect(held.deployment?.progress.percent).toBe(40);
    expect(held.counts).toEqual(counts);
    expect(reduceDetails(held, progress(12, deployment(1), 90), id)).toBe(held);
  });

  test("D5 a deleted deployment stays to be shown and says so", () => {
    const state = reduceDetails(begin(), remove(11, id), id);
    expect(state).toMatchObject({ deleted: true, deployment: { id } });
  });

  test("D6 a snapshot of the same things is the same state, an older one is ignored until a reconnect", () => {
    const held = begin();
    expect(
      reduceDetails(held, detailsSnapshot(10, deployment(1), { timeline: [entry(1), entry(2)] }), id),
    ).toBe(held);
    expect(reduceDetails(held, detailsSnapshot(9, deployment(1)), id)).toBe(held);
    expect(reduceDetails(markStale(held), detailsSnapshot(9, deployment(1)), id).timeline).toEqual([]);
    expect(reduceDetails(held, detailsSnapshot(20, deployment(2)), id)).toBe(held);
  });

  test("D7 a REST answer fills in what is newer and nothing else", () => {
    const held = reduceDetails(begin(), upsert(15, deployment(1, { status: "success" })), id);
    const older = {
      deployment: deployment(1, { event_id: 12 }),
      timeline: [entry(1)],
      timeline_more: false,
      event_id: 12,
    };
    expect(answerDetails(held, older)).toBe(held);
    const newer = {
      deployment: deployment(1, { event_id: 16, status: "failed" }),
      timeline: [entry(3)],
      timeline_more: false,
      event_id: 16,
    };
    expect(answerDetails(held, newer)).toMatchObject({ deployment: { status: "failed" }, event_id: 15 });
  });
});
