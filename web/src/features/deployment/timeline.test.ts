import { at, entry } from "@shipboard/client/testing";
import { describe, expect, test } from "vitest";
import { type HappenedItem, type TimelineItem, timelineItems } from "./timeline";

const happened = (items: readonly TimelineItem[]): HappenedItem[] =>
  items.filter((item) => item.is === "entry");

test("what happened stands oldest first, whatever order it came in", () => {
  const items = timelineItems(
    [
      entry(1, { status: "running", occurred_at: at(20) }),
      entry(2, { status: "queued", occurred_at: at(5) }),
    ],
    true,
  );
  expect(happened(items).map((item) => item.title)).toEqual(["Queued", "Running"]);
});

test("the time in the queue is a gap with its length", () => {
  const items = timelineItems(
    [
      entry(1, { status: "queued", occurred_at: at(0) }),
      entry(2, { status: "running", occurred_at: at(80) }),
    ],
    true,
  );
  expect(items[1]).toMatchObject({ is: "gap", word: "queued", from: at(0), to: at(80) });
});

test("a gap goes on while the deployment waits", () => {
  const items = timelineItems([entry(1, { status: "waiting" })], true);
  expect(items.at(-1)).toMatchObject({ is: "gap", word: "waiting", to: null });
});

describe("a step", () => {
  const step = (seq: number, name: string, status: string, seconds: number) =>
    entry(seq, { kind: "step", status: null, step: { name, status }, occurred_at: at(seconds) });

  test("is one line for all its reports, from the first to the last", () => {
    const items = happened(
      timelineItems([step(1, "build", "running", 0), step(2, "build", "success", 33)], true),
    );
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ title: "build", status: "success", at: at(0), until: at(33) });
  });

  test("goes on while nothing says that it is over", () => {
    const [item] = happened(timelineItems([step(1, "rollout", "running", 0)], true));
    expect(item).toMatchObject({ status: "running", until: null, active: true });
  });

  test("that failed is the failing one", () => {
    const items = happened(
      timelineItems([step(1, "build", "success", 0), step(2, "migrate", "failed", 9)], false),
    );
    expect(items.map((item) => item.failing)).toEqual([false, true]);
  });

  test("has no length where only its end is known", () => {
    expect(happened(timelineItems([step(1, "build", "success", 33)], false))[0]?.until).toBeUndefined();
  });
});

test("attempts are told apart, the earlier first", () => {
  const items = timelineItems(
    [
      entry(1, { status: "failed", attempt: 1, occurred_at: at(50) }),
      entry(2, { status: "running", attempt: 2, occurred_at: at(40) }),
    ],
    true,
  );
  expect(items.map((item) => (item.is === "attempt" ? item.attempt : item.is))).toEqual([
    1,
    "entry",
    2,
    "entry",
  ]);
});

test("nothing is active once the deployment is over", () => {
  const items = happened(
    timelineItems([entry(1, { status: "running" }), entry(2, { status: "success" })], false),
  );
  expect(items.some((item) => item.active)).toBe(false);
});
