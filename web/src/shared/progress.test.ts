import { STATUSES } from "@shipboard/client";
import { at, deployment, START } from "@shipboard/client/testing";
import { describe, expect, test } from "vitest";
import { progressView } from "~/shared/progress";

const NOW = START + 160_000;
const running = (change: Parameters<typeof deployment>[1] = {}) =>
  deployment(1, { status: "running", started_at: at(60), ...change });
const progress = (percent: number | null, phase: string | null = null, step: string | null = null) => ({
  progress: { percent, phase, step },
});

describe("a reported percent", () => {
  test("is shown with its phase and step", () => {
    expect(progressView(running(progress(42, "rollout", "3/7")), NOW)).toEqual({
      percent: 42,
      from: "reported",
      tone: "running",
      label: "42 % · rollout · 3/7",
    });
  });

  test("is never rounded up", () => {
    expect(progressView(running(progress(99.9)), NOW)?.label).toBe("99 %");
  });

  test("goes before an estimate", () => {
    expect(progressView(running({ ...progress(10), expected_ms: 100_000 }), NOW)?.from).toBe("reported");
  });
});

describe("an estimate", () => {
  test("says that it is one", () => {
    const view = progressView(running({ expected_ms: 200_000 }), NOW);
    expect(view).toEqual({ percent: 50, from: "estimate", tone: "running", label: "≈ 2m left" });
  });

  test("turns amber above 120 % of what is usual, and not at it", () => {
    expect(progressView(running({ expected_ms: 100_000 }), START + 180_000)?.tone).toBe("running");
    expect(progressView(running({ expected_ms: 100_000 }), START + 180_001)?.tone).toBe("waiting");
  });

  test("never arrives by itself and never goes back", () => {
    let before = 0;
    for (let second = 0; second < 600; second += 7) {
      const percent = progressView(running({ expected_ms: 90_000 }), START + second * 1_000)?.percent ?? 0;
      expect(percent).toBeGreaterThanOrEqual(before);
      expect(percent).toBeLessThanOrEqual(95);
      before = percent;
    }
  });

  test("is not made up where nothing is known", () => {
    expect(progressView(running(), NOW)).toMatchObject({ from: "unknown", percent: 0 });
  });
});

test("a failed deployment's bar stops where it was", () => {
  const view = progressView(running({ status: "failed", ...progress(62, "migrate", "3/5") }), NOW);
  expect(view).toEqual({
    percent: 62,
    from: "reported",
    tone: "failed",
    label: "stopped at 62 % · migrate · 3/5",
  });
});

test("nothing is shown of a deployment that is over and reported no progress", () => {
  for (const status of STATUSES) {
    if (status === "running") continue;
    expect(progressView(running({ status, expected_ms: 1_000 }), NOW)).toBeNull();
  }
});
