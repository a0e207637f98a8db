// SPEC.md and the code: its table is the machine's, its limits are the constants, and every numbered invariant
// has a test that names it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Input, type Phase, TRANSITIONS } from "./connection";

const here = import.meta.dirname;
const spec = readFileSync(join(here, "../SPEC.md"), "utf8");
const tests = readdirSync(here, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.test\.tsx?$/.test(name) && !name.endsWith("spec.test.ts"))
  .map((name) => readFileSync(join(here, name), "utf8"))
  .join("\n");

const cells = (line: string) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

describe("SPEC.md", () => {
  test("has the table that the machine is held to", () => {
    const lines = spec.split("\n");
    const header = lines.findIndex((line) => /^\| *\| idle/.test(line));
    const phases = cells(lines[header] ?? "").slice(1) as Phase[];
    expect(phases).toEqual(Object.keys(TRANSITIONS));
    const inputs = Object.keys(TRANSITIONS.idle) as Input["is"][];
    const rows = lines.slice(header + 2, header + 2 + inputs.length).map(cells);
    expect(rows.map(([input]) => input)).toEqual(inputs);
    for (const [input, ...outcomes] of rows) {
      outcomes.forEach((cell, index) => {
        const phase = phases[index];
        if (!phase || !input) throw new Error("the table is not square");
        const told = cell.replace(/ \(.*\)$/, "").split(", ");
        const next = told.map((word) => (word === "–" ? phase : word));
        expect(next.sort(), `${phase} on ${input}`).toEqual(
          [...TRANSITIONS[phase][input as Input["is"]]].sort(),
        );
      });
    }
  });

  test("has a test for each of its invariants, by number", () => {
    const numbers = new Set<string>();
    for (const [, letter, from, to] of spec.matchAll(/\*\*([A-Z])(\d+)\*\*(?:–\*\*[A-Z](\d+)\*\*)?/g)) {
      for (let number = Number(from); number <= Number(to ?? from); number++)
        numbers.add(`${letter}${number}`);
    }
    expect(numbers.size).toBeGreaterThan(70);
    const missing = [...numbers].filter((number) => !new RegExp(`test[^\\n]*\\(\\s*"${number} `).test(tests));
    expect(missing).toEqual([]);
  });

  test("names limits that exist", () => {
    const sources = readdirSync(here, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const code = sources.map((name) => readFileSync(join(here, name), "utf8")).join("\n");
    const limits = [...spec.slice(spec.indexOf("## Limits")).matchAll(/`([A-Z_]+)`/g)].map(
      ([, name]) => name,
    );
    expect(limits.length).toBeGreaterThan(10);
    expect(limits.filter((name) => !code.includes(`const ${name} =`))).toEqual([]);
  });
});
