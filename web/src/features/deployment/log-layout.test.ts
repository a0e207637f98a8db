import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LogLayout } from "./log-layout";

const laidOut = (columns: number | null, cells: readonly number[]): LogLayout => {
  const layout = new LogLayout(columns);
  layout.extend(cells, cells.length);
  return layout;
};

test("without wrapping a line is a row", () => {
  const layout = laidOut(null, [5, 500, 0]);
  expect([layout.rows, layout.top(2), layout.height(1), layout.lineAt(1)]).toEqual([3, 2, 1, 1]);
});

test("a wrapped line takes as many rows as it needs, an empty one takes one", () => {
  const layout = laidOut(80, [81, 0, 80]);
  expect([0, 1, 2].map((line) => [layout.top(line), layout.height(line)])).toEqual([
    [0, 2],
    [2, 1],
    [3, 1],
  ]);
});

test("every row belongs to the line that stands there, however the lines came", () => {
  const cells = fc.array(fc.nat(300), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(cells, fc.integer({ min: 1, max: 120 }), fc.nat(40), (all, columns, cut) => {
      const layout = new LogLayout(columns);
      const first = all.slice(0, cut);
      // The last line of the first part was not complete, and had another length.
      layout.extend([...first.slice(0, -1), 1], Math.max(0, first.length - 1));
      layout.extend(all, all.length);
      const whole = laidOut(columns, all);
      expect(layout.rows).toBe(whole.rows);
      for (let line = 0; line < all.length; line++) {
        const top = layout.top(line);
        expect(layout.lineAt(top)).toBe(line);
        expect(layout.lineAt(top + layout.height(line) - 1)).toBe(line);
      }
    }),
  );
});

test("a row before the first or after the last is theirs", () => {
  const layout = laidOut(10, [5, 25]);
  expect([layout.lineAt(-3), layout.lineAt(99)]).toEqual([0, 1]);
});
