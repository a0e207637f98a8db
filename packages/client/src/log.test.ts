// The log scope: bytes decide what is new.

import { describe, expect, test } from "vitest";
import { byteLength, reduceAllLog, reduceLog } from "./log";
import { markStale } from "./reduce";
import { emptyLog, LOG_LIMIT } from "./state";
import { idOf, logAppend, logSnapshot, remove } from "./testing";

const id = idOf(1);
const begin = (text: string, offset = 0) => reduceLog(emptyLog, logSnapshot(5, id, { text, offset }), id);

describe("a log", () => {
  test("L1 grows by what is appended at its end", () => {
    const state = reduceAllLog(begin("one\n"), [logAppend(id, 4, "two\n"), logAppend(id, 8, "", true)], id);
    expect(state).toMatchObject({ text: "one\ntwo\n", offset: 0, end: 8, done: true });
  });

  test("L2 an overlap is trimmed by bytes, not by characters", () => {
    const state = reduceLog(begin("né"), logAppend(id, 1, "éx"), id);
    expect(state).toMatchObject({ text: "néx", end: 4 });
  });

  test("L2 what is known already changes nothing", () => {
    const held = begin("abc");
    expect(reduceLog(held, logAppend(id, 0, "abc"), id)).toBe(held);
    expect(reduceLog(held, logAppend(id, 1, "b"), id)).toBe(held);
  });

  test("L3 a gap asks for a new subscription and shows nothing wrong", () => {
    const state = reduceLog(begin("abc"), logAppend(id, 9, "x"), id);
    expect(state).toMatchObject({ gap: true, text: "abc", end: 3 });
    expect(reduceLog(state, logSnapshot(6, id, { offset: 0, text: "abcdefghix" }), id)).toMatchObject({
      gap: false,
      text: "abcdefghix",
      end: 10,
    });
  });

  test("L4 a reconnect continues what is retained", () => {
    const state = reduceLog(markStale(begin("abc")), logSnapshot(9, id, { offset: 3, text: "def" }), id);
    expect(state).toMatchObject({ text: "abcdef", offset: 0, stale: false });
  });

  test("L4 a snapshot that begins later, or is of another epoch, replaces", () => {
    const held = markStale(begin("abc"));
    expect(reduceLog(held, logSnapshot(9, id, { offset: 30, text: "z" }), id)).toMatchObject({
      text: "z",
      offset: 30,
      end: 31,
    });
    expect(reduceLog(held, logSnapshot(9, id, { epoch: "e2", offset: 3, text: "z" }), id).text).toBe("z");
  });

  test("L5 keeps so much text and no more, whole lines, and knows where it starts", () => {
    const line = `${"x".repeat(1023)}\n`;
    const all = line.repeat(LOG_LIMIT / 1024 + 1);
    const state = begin(all);
    expect(state.text.length).toBeLessThanOrEqual(LOG_LIMIT);
    expect(state.text.startsWith("x".repeat(1023))).toBe(true);
    expect(state.offset + byteLength(state.text)).toBe(state.end);
    expect(state.end).toBe(all.length);
  });

  test("L6 of another deployment, and other events, change nothing", () => {
    const held = begin("abc");
    expect(reduceLog(held, logAppend(idOf(2), 3, "x"), id)).toBe(held);
    expect(reduceLog(held, logSnapshot(9, idOf(2), { text: "x" }), id)).toBe(held);
    expect(reduceLog(held, remove(9, id), id)).toBe(held);
    expect(reduceLog(markStale(held), logAppend(id, 3, "x"), id)).toEqual(markStale(held));
  });

  test("bytes are counted as UTF-8 has them", () => {
    for (const text of ["", "abc", "é", "€", "😀", "a😀é€"]) {
      expect(byteLength(text)).toBe(new TextEncoder().encode(text).length);
    }
  });
});
