import { expect, test } from "vitest";
import { LogDocument } from "./log-document";
import { LogSearch, matchesIn } from "./log-search";

const documentOf = (text: string): LogDocument => {
  const document = new LogDocument(0);
  document.feed(text, text.length);
  return document;
};

const still = () => 0;

test("a search finds lines in any case, through colours", () => {
  const search = new LogSearch(documentOf("One\ntwo\nz\u001b[31mON\u001b[0me\n"), "one");
  search.advance(1, still);
  expect(search.found).toEqual([0, 2]);
  expect(search.done).toBe(true);
});

test("a search goes on where its time was over", () => {
  const lines = Array.from({ length: 1_000 }, (_, index) => (index % 100 === 0 ? "here" : "-")).join("\n");
  const search = new LogSearch(documentOf(`${lines}\n`), "here");
  let slices = 0;
  while (!search.done) {
    let looks = 0;
    search.advance(1, () => looks++);
    slices += 1;
  }
  expect(slices).toBeGreaterThan(1);
  expect(search.found).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
});

test("what was appended is searched, and the last line again", () => {
  const document = documentOf("needle\nnee");
  const search = new LogSearch(document, "needle");
  search.advance(1, still);
  expect(search.found).toEqual([0]);
  document.feed("dle\nneed", 8);
  search.reopen();
  search.advance(1, still);
  expect(search.found).toEqual([0, 1]);
});

test("nothing wanted is found nowhere", () => {
  const search = new LogSearch(documentOf("a\n"), "  ");
  expect(search.done).toBe(true);
  expect(matchesIn("a", "")).toEqual([]);
});

test("every place of the query in a line is known", () => {
  expect(matchesIn("Error: no error here", "error")).toEqual([
    [0, 5],
    [10, 15],
  ]);
});
