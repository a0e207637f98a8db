// Order as such: total, stable, ended by the id; and what a held order shows.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareDeployments, compareWorkflows, holdOrder, RowList } from "./order";
import type { Deployment } from "./protocol/types";
import { at, deployment, workflow } from "./testing";

const row = fc
  .record({ number: fc.nat(30), second: fc.nat(5) })
  .map(({ number, second }) => deployment(number, { created_at: at(second) }));
const line = fc
  .record({ name: fc.constantFrom("a", "b", "c", "d"), second: fc.nat(3) })
  .map(({ name, second }) => workflow(name, deployment(1, { created_at: at(second) })));

describe("the comparators", () => {
  test("O1 are total orders that only equal keys make equal", () => {
    const laws =
      <Row>(compare: (a: Row, b: Row) => number, key: (row: Row) => string) =>
      (a: Row, b: Row, c: Row) => {
        expect(Math.sign(compare(a, b))).toBe(0 - Math.sign(compare(b, a)));
        expect(compare(a, b) === 0).toBe(key(a) === key(b));
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      };
    fc.assert(
      fc.property(
        row,
        row,
        row,
        laws(compareDeployments, (held) => `${held.created_at} ${held.id}`),
      ),
    );
    fc.assert(
      fc.property(
        line,
        line,
        line,
        laws(compareWorkflows, (held) => `${held.latest?.at} ${held.id}`),
      ),
    );
  });
});

describe("a list", () => {
  test("O2 is sorted and holds each row once, whatever is put and dropped", () => {
    const step = fc.oneof(row, row, fc.nat(30));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const list = new RowList<Deployment>(new Map(), [], compareDeployments);
        const model = new Map<string, Deployment>();
        for (const one of steps) {
          if (typeof one === "number") {
            list.drop(deployment(one).id);
            model.delete(deployment(one).id);
          } else {
            list.put(one);
            model.set(one.id, one);
          }
        }
        expect(list.ids).toEqual([...model.values()].sort(compareDeployments).map(({ id }) => id));
        expect(new Map(list.rows)).toEqual(model);
      }),
    );
  });

  test("O3 that nothing was done to gives back what it began with", () => {
    const rows = new Map([[deployment(1).id, deployment(1)]]);
    const ids = [deployment(1).id];
    const list = new RowList<Deployment>(rows, ids, compareDeployments);
    list.drop("nobody");
    list.replace([deployment(1)]);
    expect(list.rows).toBe(rows);
    expect(list.ids).toBe(ids);
  });
});

describe("a held order", () => {
  test("O4 stays as it is while rows come above and move", () => {
    const held = ["c", "b", "a"];
    const result = holdOrder(held, ["e", "a", "d", "c", "b"]);
    expect(result).toEqual({ ids: held, waiting: 2 });
    expect(result.ids).toBe(held);
  });

  test("O4 loses what is gone and gets what is loaded beyond its end", () => {
    expect(holdOrder(["c", "b", "a"], ["d", "c", "a", "z", "y"])).toEqual({
      ids: ["c", "a", "z", "y"],
      waiting: 1,
    });
    expect(holdOrder(["c"], ["z"])).toEqual({ ids: ["z"], waiting: 0 });
  });
});
