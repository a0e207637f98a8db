import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { RecentBars } from "./recent-bars";

afterEach(cleanup);

test("there are always twelve bars, and the newest is the last", () => {
  render(<RecentBars recent={["success", "success", "failed"]} />);
  const bars = screen.getByRole("img");
  expect(bars.children).toHaveLength(12);
  expect(bars.lastElementChild?.className).toContain("failed");
});

test("the results are said in words, and how it went last", () => {
  render(<RecentBars recent={["success", "failed", "success"]} />);
  expect(screen.getByLabelText("Last results: 2 success, 1 failed; the newest success")).toBeTruthy();
});
