// What is wrong with a page for those who cannot see it or not use a mouse, as axe finds it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What of the page is not accessible, by WCAG 2.2 AA and good practice. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations: found }: AxeResults = await page.evaluate(
    () =>
      Reflect.get(window, "axe").run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }) satisfies Promise<AxeResults>,
  );
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}
