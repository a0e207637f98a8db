// How much of a page's weight the root entry is, with everything it brings along.

import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, test } from "vitest";

/** The most that the root entry may weigh, minified and compressed. */
const ROOT_LIMIT_BYTES = 8 * 1024;

test("the root entry stays below its limit and brings no React", async () => {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      target: "esnext",
      // A page that uses all of it: a library build would keep white space and comments.
      rolldownOptions: { input: join(import.meta.dirname, "index.ts"), preserveEntrySignatures: "strict" },
    },
  });
  const outputs = Array.isArray(result) ? result : [result];
  const code = outputs
    .flatMap((one) => ("output" in one ? one.output : []))
    .flatMap((one) => (one.type === "chunk" ? [one.code] : []))
    .join("");
  expect(code).not.toMatch(/useSyncExternalStore|react/i);
  expect(code.length).toBeGreaterThan(0);
  expect(gzipSync(code).length).toBeLessThanOrEqual(ROOT_LIMIT_BYTES);
}, 30_000);
