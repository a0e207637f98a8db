import type { Link } from "@shipboard/client";
import { expect, test } from "vitest";
import { worstLink } from "./worst-link";

const live: Link = { state: { status: "live" }, lastEventAt: 5 };
const away = (since: number): Link => ({ state: { status: "reconnecting", since }, lastEventAt: 1 });

test("a page of several environments is as true as the worst of them", () => {
  expect(worstLink([live, away(3), live]).state.status).toBe("reconnecting");
  expect(
    worstLink([away(3), { state: { status: "offline", since: 9 }, lastEventAt: null }]).state.status,
  ).toBe("offline");
});

test("it has been away since the first of them was, and its last event is anybody's", () => {
  expect(worstLink([away(8), away(3), live])).toEqual({
    state: { status: "reconnecting", since: 3 },
    lastEventAt: 5,
  });
});

test("without environments nothing is claimed", () => {
  expect(worstLink([]).state.status).toBe("connecting");
});
