import { deployment, idOf } from "@shipboard/client/testing";
import { describe, expect, test } from "vitest";
import { placeAmong } from "./neighbours";

const list = [9, 7, 5].map((number) => deployment(number));

describe("a deployment's place", () => {
  test("is between the newer and the older one", () => {
    expect(placeAmong(list, deployment(7), false)).toEqual({ index: 1, newer: idOf(9), older: idOf(5) });
  });

  test("at the ends has one neighbour", () => {
    expect(placeAmong(list, deployment(9), false)).toEqual({ index: 0, newer: null, older: idOf(7) });
    expect(placeAmong(list, deployment(5), false)).toEqual({ index: 2, newer: idOf(7), older: null });
  });

  test("is by age where the list does not hold it", () => {
    expect(placeAmong(list, deployment(6), false)).toEqual({ index: null, newer: idOf(7), older: idOf(5) });
    expect(placeAmong(list, deployment(2), false)).toEqual({ index: null, newer: idOf(5), older: null });
    expect(placeAmong([], deployment(2), false)).toEqual({ index: null, newer: null, older: null });
  });

  test("is not known beyond the loaded rows", () => {
    expect(placeAmong(list, deployment(5), true)).toMatchObject({ index: 2, older: undefined });
    expect(placeAmong(list, deployment(2), true)).toEqual({
      index: null,
      newer: undefined,
      older: undefined,
    });
  });
});
