import { expect, test } from "vitest";
import { safeNext, signInHref } from "~/shared/session";

test("signing in leads back to where one was", () => {
  const href = signInHref("/t/acme/production?status=failed,lost");
  expect(safeNext(new URL(href, "http://x").searchParams.get("next") ?? undefined)).toBe(
    "/t/acme/production?status=failed,lost",
  );
});

test.each(["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", undefined])(
  "signing in never leads to %s",
  (next) => {
    expect(safeNext(next)).toBe("/");
  },
);
