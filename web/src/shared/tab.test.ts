import { existsSync } from "node:fs";
import { join } from "node:path";
import { STATUSES } from "@shipboard/client";
import { expect, test } from "vitest";
import { iconOf } from "~/shared/tab";

const isFile = (icon: string): boolean => existsSync(join(import.meta.dirname, "../../public", icon));

test("a running deployment's icon goes on in steps, and nobody else's does", () => {
  expect([null, 0, 9.9, 10, 64.2, 99, 100].map((percent) => iconOf("running", percent))).toEqual([
    "/favicon/running.svg",
    "/favicon/running.svg",
    "/favicon/running.svg",
    "/favicon/running-10.svg",
    "/favicon/running-60.svg",
    "/favicon/running-90.svg",
    "/favicon/running.svg",
  ]);
  expect(iconOf("failed", 64)).toBe("/favicon/failed.svg");
});

test("every icon is there", () => {
  const percents = Array.from({ length: 101 }, (_, percent) => percent);
  const icons = STATUSES.flatMap((status) => percents.map((percent) => iconOf(status, percent)));
  expect([...new Set([iconOf(null, null), ...icons])].filter((icon) => !isFile(icon))).toEqual([]);
});
