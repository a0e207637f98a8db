import { expect, test } from "vitest";
import { providerHref, safeNext, signInHref } from "~/shared/session";

test("signing in leads back to where one was", () => {
  const href = signInHref("/t/acme/production?status=failed,lost");
  expect(safeNext(new URL(href, "http://x").searchParams.get("next") ?? undefined)).toBe(
    "/t/acme/production?status=failed,lost",
  );
});

test.each([
  "https://evil.example/",
  "//evil.example/",
  "/\\evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "/ /evil.example",
  "/..//evil.example",
  "/\u2028/evil.example",
  "javascript:alert(1)",
  "evil.example",
  "/api/v1/session/oidc",
  "",
  undefined,
])("signing in never leads to %j", (next) => {
  expect(safeNext(next)).toBe("/");
  expect(providerHref(next)).toBe("/api/v1/session/oidc?next=%2F");
});

test("the provider is told where to come back to, and whether to ask again", () => {
  expect(providerHref("/t/acme/production?q=a%26b", true)).toBe(
    "/api/v1/session/oidc?next=%2Ft%2Facme%2Fproduction%3Fq%3Da%2526b&again=1",
  );
  expect(signInHref("/t/acme/production", "over")).toBe(
    "/sign-in?next=%2Ft%2Facme%2Fproduction&problem=over",
  );
});
