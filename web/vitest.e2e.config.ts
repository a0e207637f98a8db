import { defineConfig } from "vitest/config";

/** Measures the page under load, so nothing else may run beside it. */
const MEASURED = "e2e/load.e2e.ts";

const timeouts = { pool: "forks", testTimeout: 60_000, hookTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "pages",
          include: ["e2e/**/*.e2e.ts"],
          exclude: [MEASURED],
          // Most of them wait most of the time.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          ...timeouts,
        },
      },
      {
        test: {
          name: "load",
          include: [MEASURED],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          ...timeouts,
        },
      },
    ],
  },
});
