import { expect, test } from "vitest";
import { stillOrder } from "./still-order";

test("rows keep their places, who is gone goes, who is new comes at the end", () => {
  expect(stillOrder(["a", "b", "c"], ["d", "c", "a"])).toEqual(["a", "c", "d"]);
});

test("an order in which nothing came or went is the same one", () => {
  const held = ["a", "b"];
  expect(stillOrder(held, ["b", "a"])).toBe(held);
});
