import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beginShown, nextShown, settleShown } from "./shown";

const begin = (ids: string[], held = false) => beginShown("k", ids, held);

describe("a table that nobody is busy with", () => {
  test("follows the live order", () => {
    expect(nextShown(begin(["b", "a"]), "k", ["c", "b", "a"], false).ids).toEqual(["c", "b", "a"]);
  });

  test("fades a row that has gone at its place, then lets it go", () => {
    const shown = nextShown(begin(["c", "b", "a"]), "k", ["c", "a"], false);
    expect(shown.ids).toEqual(["c", "b", "a"]);
    expect([...shown.leaving]).toEqual(["b"]);
    expect(settleShown(shown).ids).toEqual(["c", "a"]);
  });

  test("does not fade another view's rows", () => {
    const shown = nextShown(begin(["b", "a"]), "other", ["x"], false);
    expect(shown.ids).toEqual(["x"]);
    expect(shown.leaving.size).toBe(0);
  });
});

describe("a table that somebody is busy with", () => {
  test("keeps its rows where they are and counts the new ones", () => {
    const shown = nextShown(begin(["b", "a"], true), "k", ["d", "c", "b", "a"], true);
    expect(shown.ids).toEqual(["b", "a"]);
    expect(shown.fresh).toBe(2);
  });

  test("keeps its order when the live one changes", () => {
    expect(nextShown(begin(["c", "b", "a"], true), "k", ["a", "c", "b"], true).ids).toEqual(["c", "b", "a"]);
  });

  test("takes older rows at its end", () => {
    const shown = nextShown(begin(["c", "b"], true), "k", ["d", "c", "b", "a"], true);
    expect(shown.ids).toEqual(["c", "b", "a"]);
    expect(shown.fresh).toBe(1);
  });

  test("keeps the place of a row that has gone", () => {
    const shown = nextShown(begin(["c", "b", "a"], true), "k", ["c", "a"], true);
    expect(shown.ids).toEqual(["c", "b", "a"]);
    expect([...shown.leaving]).toEqual(["b"]);
    expect(shown.fresh).toBe(0);
  });

  test("shows everything once it is left alone", () => {
    const held = nextShown(begin(["b", "a"], true), "k", ["c", "b"], true);
    const free = nextShown(held, "k", held.live, false);
    expect(free.ids).toEqual(["c", "b"]);
    expect(free.fresh).toBe(0);
  });

  test("an empty table takes whatever comes", () => {
    expect(nextShown(begin([], true), "k", ["a"], true).ids).toEqual(["a"]);
  });
});

test("no row is ever shown twice, and after settling the free table is the live one", () => {
  const ids = fc.uniqueArray(fc.constantFrom(..."abcdefghijkl"), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.tuple(ids, fc.boolean()), { maxLength: 12 }), (steps) => {
      let shown = beginShown("k", [], false);
      for (const [live, held] of steps) {
        shown = nextShown(shown, "k", live, held);
        expect(new Set(shown.ids).size).toBe(shown.ids.length);
        expect(shown.fresh).toBe(live.filter((id) => !shown.ids.includes(id)).length);
        if (!held) expect(settleShown(shown).ids).toEqual(live);
      }
    }),
  );
});
