import { describe, expect, test } from "vitest";
import { NAME_LIMIT, parseViews, queryOf, type SavedView, VIEWS_LIMIT, withoutView, withView } from "./views";

const failing: SavedView = { name: "Failing", query: "?status=failed" };
const mine: SavedView = { name: "Mine", query: "?actor=ana" };

describe("saved views", () => {
  test("are the filters and the order, and not what belongs to one screen", () => {
    expect(queryOf({ status: "failed", q: "v1", sort: "workflow", limit: "500", wall: "1" })).toBe(
      "?status=failed&q=v1&sort=workflow",
    );
    expect(queryOf({ wall: "1" })).toBe("");
  });

  test("with a known name replace the old one where it stands", () => {
    const changed = { name: "Failing", query: "?status=failed,lost" };
    expect(withView([failing, mine], " Failing ", changed.query)).toEqual([changed, mine]);
    expect(withView([failing], mine.name, mine.query)).toEqual([failing, mine]);
  });

  test("need a name and a filter, and are not endless", () => {
    expect(withView([failing], "  ", "?q=x")).toEqual([failing]);
    expect(withView([failing], "All", "")).toEqual([failing]);
    const full = Array.from({ length: VIEWS_LIMIT }, (_, index) => ({ name: `${index}`, query: "?q=x" }));
    expect(withView(full, "more", "?q=y")).toBe(full);
  });

  test("go by name", () => expect(withoutView([failing, mine], "Mine")).toEqual([failing]));

  test.each([
    [null, []],
    ["rubbish", []],
    ["{}", []],
    ['[1, null, {"name": 1, "query": "?q=x"}, {"name": "", "query": "?q=x"}]', []],
    ['[{"name": "A", "query": "?q=x&evil=1&wall=1"}]', [{ name: "A", query: "?q=x" }]],
    ['[{"name": "A", "query": "https://elsewhere"}]', []],
    [JSON.stringify([failing, mine]), [failing, mine]],
    [
      JSON.stringify([{ name: "x".repeat(99), query: "?q=x" }]),
      [{ name: "x".repeat(NAME_LIMIT), query: "?q=x" }],
    ],
  ])("are read from %s with care", (text, views) => expect(parseViews(text)).toEqual(views));
});
