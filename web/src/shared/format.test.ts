import { describe, expect, test } from "vitest";
import {
  between,
  describeTime,
  formatDuration,
  formatExact,
  formatNumber,
  formatRelative,
  formatRough,
  plural,
  subjectOf,
} from "~/shared/format";

const S = 1_000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe("durations", () => {
  test.each([
    [0, "0s"],
    [999, "0s"],
    [42 * S, "42s"],
    [59_999, "59s"],
    [M, "1m 00s"],
    [3 * M + 12 * S, "3m 12s"],
    [H - 1, "59m 59s"],
    [H + 4 * M, "1h 04m"],
    [23 * H + 59 * M + 59 * S, "23h 59m"],
    [2 * D + 3 * H, "2d 03h"],
  ])("%i ms are written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test("are never negative, and never not a number", () => {
    expect(formatDuration(-5_000)).toBe("0s");
    expect(formatDuration(Number.NaN)).toBe("0s");
    expect(between("2026-01-01T00:00:10.000Z", "2026-01-01T00:00:00.000Z")).toBe(0);
  });

  test("are rounded to one unit where they are rough", () => {
    expect([8 * S, 119 * S, 3 * H, 5 * D].map(formatRough)).toEqual(["8s", "2m", "3h", "5d"]);
  });
});

describe("exact times", () => {
  const at = (text: string) => new Date(text).getTime();
  const now = at("2026-03-12T10:42:07");
  test.each([
    ["2026-03-12T09:01:02", "09:01:02"],
    ["2026-03-11T23:59:59", "11 Mar 23:59"],
    ["2026-03-13T00:00:01", "13 Mar 00:00"],
    ["2025-12-31T08:00:00", "31 Dec 2025"],
  ])("%s is written %s", (time, text) => {
    expect(formatExact(at(time), now)).toBe(text);
  });
});

describe("relative times", () => {
  const now = Date.UTC(2026, 5, 15, 12);
  test.each([
    [now + 3 * S, "just now"],
    [now - 4 * S, "just now"],
    [now - 42 * S, "42s ago"],
    [now - 12 * M, "12m ago"],
    [now - 3 * H, "3h ago"],
    [now - 5 * D, "5d ago"],
    [now - 20 * D, "26 May"],
    [Date.UTC(2024, 1, 29), "29 Feb 2024"],
  ])("%i is %s", (at, text) => {
    expect(formatRelative(at, now)).toBe(text);
  });

  test("have the absolute time with its zone and the wire's own text in the tooltip", () => {
    const lines = describeTime("2026-01-01T10:42:07.000Z").split("\n");
    expect(lines[0]).toMatch(/2026.*10:42:07.*(UTC|GMT)/);
    expect(lines[1]).toBe("2026-01-01T10:42:07.000Z");
  });
});

test("numbers have separators, and words their plural", () => {
  expect(formatNumber(4318)).toBe("4,318");
  expect(plural(1, "deployment")).toBe("1 deployment");
  expect(plural(1200, "deployment")).toBe("1,200 deployments");
});

test("a commit's subject is its first line", () => {
  expect(subjectOf("Fix it \n\nBecause it was broken")).toBe("Fix it");
});
