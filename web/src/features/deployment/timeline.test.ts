import { at, entry } from "@shipboard/client/testing";
import { describe, expect, test } from "vitest";
import { type HappenedItem, type TimelineItem, timelineAttempts } from "./timeline";

/** The items of all attempts. */
const timelineItems = (...given: Parameters<typeof timelineAttempts>): TimelineItem[] =>
  timelineAttempts(...given).flatMap((attempt) => attempt.items);

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

describe("attempts", () => {
  const two = [
    entry(1, { status: "queued", attempt: 1, occurred_at: at(0) }),
    entry(2, { status: "running", attempt: 1, occurred_at: at(10) }),
    entry(3, { status: "failed", attempt: 1, occurred_at: at(50) }),
    entry(4, { status: "running", attempt: 2, occurred_at: at(40) }),
  ];

  test("are told apart, the earlier first, each with its outcome and how long it ran", () => {
    const attempts = timelineAttempts(two.toReversed(), true);
    expect(attempts.map(({ number, status, ran }) => ({ number, status, ran }))).toEqual([
      { number: 1, status: "failed", ran: { from: at(10), to: at(50) } },
      { number: 2, status: "running", ran: { from: at(40), to: null } },
    ]);
  });

  test("have an end if one was reported, whatever came late", () => {
    const late = entry(5, { status: "running", attempt: 1, occurred_at: at(60), late: true });
    expect(timelineAttempts([...two, late], true)[0]).toMatchObject({ status: "failed" });
  });

  test("that were left without an end have no length, and nothing in them goes on", () => {
    const [first] = timelineAttempts(
      [entry(1, { status: "running", attempt: 1 }), entry(2, { status: "running", attempt: 2 })],
      true,
    );
    expect(first).toMatchObject({ status: "running", ran: null });
    expect(happened(first?.items ?? []).some((item) => item.active)).toBe(false);
  });
});

test("nothing is active once the deployment is over", () => {
  const items = happened(
    timelineItems([entry(1, { status: "running" }), entry(2, { status: "success" })], false),
  );
  expect(items.some((item) => item.active)).toBe(false);
});
