import { STATUSES } from "@shipboard/client";
import { cleanup, render } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { lookOf } from "~/shared/status";
import { StatusBadge } from "~/shared/status-badge";

afterEach(cleanup);

test.each(STATUSES)("%s is shown by an icon, a word and a colour", (status) => {
  const { container } = render(<StatusBadge status={status} />);
  const badge = container.querySelector("[data-status]");
  expect(badge?.textContent).toBe(lookOf(status).word);
  expect(badge?.querySelector("svg")?.getAttribute("aria-hidden")).toBe("true");
  expect(badge?.className).toMatch(/\btext-(running|success|failed|waiting|quiet)\b/);
});

test("only running turns", () => {
  const turning = STATUSES.filter((status) => {
    const { container } = render(<StatusBadge status={status} />);
    return container.querySelector(".turning") !== null;
  });
  expect(turning).toEqual(["running"]);
});

test("no two statuses have the same word and icon", () => {
  expect(new Set(STATUSES.map((status) => lookOf(status).word)).size).toBe(STATUSES.length);
  expect(new Set(STATUSES.map((status) => lookOf(status).icon)).size).toBe(STATUSES.length);
});
