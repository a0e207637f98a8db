// The law: any delivery whose gaps are healed by a snapshot ends in the same state as the one in order.
// Random histories of a model env, random deliveries of them, and the model's truth as the oracle.

import fc from "fast-check";
import { expect, test } from "vitest";
import { awaitPage, joinPage, reducePaged } from "./app/page";
import type { Envelope } from "./protocol/types";
import { STATUSES } from "./protocol/words";
import { markStale, reduce, reduceAll } from "./reduce";
import { type DeploymentsState, emptyDeployments } from "./state";
import { type Act, EnvModel } from "./testing";

const which = fc.nat(50);
// Few seconds, so that equal times, moves past each other and moves over the edge are common.
const second = fc.nat(12);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ is: fc.constant("create" as const), second, workflow: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({ is: fc.constant("status" as const), which, status: fc.constantFrom(...STATUSES) }),
  },
  { weight: 2, arbitrary: fc.record({ is: fc.constant("progress" as const), which, percent: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant("retry" as const), which, second }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("delete" as const), which }) },
);
const history = fc.array(act, { minLength: 1, maxLength: 40 });

/** What a person sees of a state. */
const seen = (state: DeploymentsState) => ({
  rows: state.deployment_ids.map((id) => state.deployments.get(id)),
  held: state.deployments.size,
  workflows: state.workflow_ids.map((id) => state.workflows.get(id)),
  counts: state.counts,
  event_id: state.event_id,
  epoch: state.epoch,
});

const truth = (model: EnvModel) => ({
  rows: [...model.rows],
  held: model.rows.length,
  workflows: [...model.workflows],
  counts: reduce(emptyDeployments, model.snapshot(0)).counts,
  event_id: model.event_id,
  epoch: model.epoch,
});

const EVERYTHING = 1_000;

test("I1 every event in order gives the env's truth", () => {
  fc.assert(
    fc.property(history, (acts) => {
      const model = new EnvModel();
      let state = reduce(emptyDeployments, model.snapshot(EVERYTHING));
      for (const one of acts) state = reduceAll(state, model.act(one));
      expect(seen(state)).toEqual(truth(model));
    }),
  );
});

type Fate = "deliver" | "drop" | "double" | "late" | "reconnect" | "restart";
const fates: fc.Arbitrary<Fate[]> = fc.array(
  fc.constantFrom<Fate>("deliver", "deliver", "deliver", "drop", "double", "late", "reconnect", "restart"),
  { minLength: 40, maxLength: 40 },
);

test("I2 drops, doubles, swaps, restarts and epochs, healed by a snapshot, end like the delivery in order", () => {
  fc.assert(
    fc.property(history, fates, history, (acts, fate, after) => {
      const model = new EnvModel();
      let state = reduce(emptyDeployments, model.snapshot(EVERYTHING));
      const late: Envelope[] = [];
      acts.forEach((one, index) => {
        const events = model.act(one);
        switch (fate[index]) {
          case "drop":
            break;
          case "double":
            state = reduceAll(state, [...events, ...events]);
            break;
          case "late":
            late.push(...events);
            break;
          case "reconnect":
            state = reduce(markStale(state), model.snapshot(EVERYTHING));
            break;
          case "restart":
            model.restart(`${model.epoch}+`);
            state = reduce(state, model.snapshot(EVERYTHING));
            break;
          default:
            state = reduceAll(state, [...events, ...late.splice(0)]);
        }
      });
      state = reduce(markStale(state), model.snapshot(EVERYTHING));
      expect(seen(state)).toEqual(truth(model));
      for (const one of after) state = reduceAll(state, model.act(one));
      expect(seen(state)).toEqual(truth(model));
    }),
  );
});

type PageStep = {
  readonly ask: boolean;
  readonly read: boolean;
  readonly join: boolean;
  readonly reconnect: boolean;
};
const pageSteps: fc.Arbitrary<PageStep[]> = fc.array(
  fc.record({
    ask: fc.boolean(),
    read: fc.boolean(),
    join: fc.boolean(),
    reconnect: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
  }),
  { minLength: 40, maxLength: 40 },
);

test("I3 what is loaded is a contiguous prefix of the truth, whatever pages and moves come", () => {
  fc.assert(
    fc.property(history, history, pageSteps, fc.integer({ min: 1, max: 6 }), (before, acts, steps, limit) => {
      const model = new EnvModel();
      for (const one of before) model.act(one);
      let state = reduce(emptyDeployments, model.snapshot(limit));
      let page: ReturnType<EnvModel["page"]> | null = null;
      let head = 0;
      acts.forEach((one, index) => {
        const step = steps[index];
        if (step?.ask && !state.awaited && state.has_more && state.deployment_ids.length > 0) {
          state = awaitPage(state);
          page = null;
        }
        // The page is read some time after it was asked for, and comes some time after it was read.
        if (step?.read && state.awaited && !page) page = model.page(state.awaited.after, 3);
        const events = model.act(one);
        state = step?.reconnect
          ? reducePaged(markStale(state), [model.snapshot(limit)])
          : reducePaged(state, events);
        if (step?.join && page) {
          head = Math.max(head, page.event_id);
          state = joinPage(state, page).state;
          page = null;
        }
        const count = state.deployment_ids.length;
        expect(state.deployment_ids).toEqual(model.rows.slice(0, count).map((row) => row.id));
        expect(state.deployment_ids.map((id) => state.deployments.get(id))).toEqual(
          model.rows.slice(0, count),
        );
        expect(state.deployments.size).toBe(count);
        if (!state.has_more) expect(count).toBe(model.rows.length);
      });
      expect(head).toBeLessThanOrEqual(model.event_id);
    }),
    { numRuns: 300 },
  );
});

test("I4 an event applied twice is applied once: the second time gives the same reference", () => {
  fc.assert(
    fc.property(history, (acts) => {
      const model = new EnvModel();
      let state = reduce(emptyDeployments, model.snapshot(EVERYTHING));
      for (const one of acts) {
        const events = model.act(one);
        state = reduceAll(state, events);
        for (const event of events) expect(reduce(state, event)).toBe(state);
        expect(reduce(state, model.snapshot(EVERYTHING)).deployments).toBe(state.deployments);
      }
    }),
  );
});

test("I5 however events are batched, the outcome is the same", () => {
  fc.assert(
    fc.property(history, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (acts, sizes) => {
      const model = new EnvModel();
      const first = model.snapshot(4);
      const events = acts.flatMap((one) => model.act(one));
      const oneByOne = [first, ...events].reduce(reduce, emptyDeployments);
      let batched = reduce(emptyDeployments, first);
      for (let from = 0, index = 0; from < events.length; index++) {
        const size = sizes[index % sizes.length] ?? 1;
        batched = reduceAll(batched, events.slice(from, from + size));
        from += size;
      }
      expect(seen(batched)).toEqual(seen(oneByOne));
      expect(batched.has_more).toBe(oneByOne.has_more);
    }),
  );
});

test("I6 the order's revision grows exactly when an order changes", () => {
  fc.assert(
    fc.property(history, (acts) => {
      const model = new EnvModel();
      let state = reduce(emptyDeployments, model.snapshot(EVERYTHING));
      for (const one of acts) {
        const next = reduceAll(state, model.act(one));
        const same = next.deployment_ids === state.deployment_ids && next.workflow_ids === state.workflow_ids;
        expect(next.orderRevision - state.orderRevision).toBe(same ? 0 : 1);
        if (next.deployment_ids !== state.deployment_ids) {
          expect(next.deployment_ids).not.toEqual(state.deployment_ids);
        }
        state = next;
      }
    }),
  );
});
