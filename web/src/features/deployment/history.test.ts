import type { Deployment } from "@shipboard/client";
import { at, deployment, START } from "@shipboard/client/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { firstAfter, PAGE_ROWS, type ReadStretch, SEARCH_REQUESTS } from "./history";

/** A server that holds these rows, and the number of its answers. */
function serverOf(rows: readonly Deployment[]): { read: ReadStretch; answers: () => number } {
  const newest = rows.toSorted((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
  let answers = 0;
  return {
    answers: () => answers,
    read: async (since, until, after) => {
      answers += 1;
      const inside = newest.filter((row) => {
        const created = Date.parse(row.created_at);
        return created >= since && (until === null || created < until);
      });
      const begin = after === null ? 0 : inside.findIndex((row) => row.id === after) + 1;
      const items = inside.slice(begin, begin + PAGE_ROWS);
      const more = begin + PAGE_ROWS < inside.length;
      return { items, next: more ? (items.at(-1)?.id ?? null) : null, event_id: 1 };
    },
  };
}

const spread = (seconds: readonly number[]) =>
  seconds.map((second, index) => deployment(index + 1, { created_at: at(second) }));

test("the next one is found, whether it came at once or years later", async () => {
  for (const second of [1, 7_200, 90_000_000]) {
    const { read } = serverOf(spread([0, second, second + 10]));
    const found = await firstAfter(read, (row) => row.id !== deployment(1).id, START, START + 1e12);
    expect(found?.created_at).toBe(at(second));
  }
});

test("it is the oldest of those that are wanted, wherever they lie", async () => {
  const seconds = fc.array(fc.nat(3_000_000), { minLength: 1, maxLength: 600 });
  await fc.assert(
    fc.asyncProperty(seconds, async (all) => {
      const { read } = serverOf(spread(all));
      const found = await firstAfter(read, (row) => row.created_at > at(10), START, START + 3e9);
      const later = all.filter((second) => second > 10).sort((a, b) => a - b);
      expect(found?.created_at ?? null).toBe(later[0] === undefined ? null : at(later[0]));
    }),
  );
});

test("thousands in one second are read page by page", async () => {
  const { read } = serverOf(spread([...Array(1_000).fill(1), 2]));
  const found = await firstAfter(read, (row) => row.created_at > at(1), START, START + 1e6);
  expect(found?.created_at).toBe(at(2));
});

test("a search that leads nowhere ends", async () => {
  const { read, answers } = serverOf(spread(Array.from({ length: 20_000 }, (_, index) => index)));
  expect(await firstAfter(read, () => false, START, START + 2e7)).toBeNull();
  expect(answers()).toBeLessThanOrEqual(SEARCH_REQUESTS + 1);
});
