import type { LinkStatus } from "@shipboard/client";
import { expect, test } from "vitest";
import { frozenAt } from "~/shared/clock";
import { linkWords } from "~/shared/link-state";

const since = Date.UTC(2026, 0, 1, 10, 42);
const link = (state: LinkStatus, lastEventAt: number | null = null) => ({ state, lastEventAt });

test("a link is Live, Reconnecting, or Offline since a time", () => {
  expect(linkWords(link({ status: "live" }))).toEqual({ word: "Live", look: "live" });
  expect(linkWords(link({ status: "reconnecting", since }))).toEqual({ word: "Reconnecting", look: "wait" });
  expect(linkWords(link({ status: "offline", since }))).toEqual({
    word: "Offline since 10:42",
    look: "down",
  });
});

test("a stopped link says why", () => {
  const state = { status: "stopped", reason: "revoked", http_status: null } as const;
  expect(linkWords(link(state))).toEqual({ word: "Access revoked", look: "down" });
});

test("running durations stop when the link was lost, on the server's clock", () => {
  expect(frozenAt(link({ status: "live" }), 500)).toBeNull();
  expect(frozenAt(link({ status: "reconnecting", since }), 500)).toBe(since + 500);
  expect(frozenAt(link({ status: "offline", since }), -500)).toBe(since - 500);
});
