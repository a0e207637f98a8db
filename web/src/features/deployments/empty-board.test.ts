import { expect, test } from "vitest";
import { firstDeploymentSnippets } from "./empty-board";

const board = { tenant: "acme", env: "staging" };

test("the first deployment's commands have this board's address", () => {
  const { curl, cli } = firstDeploymentSnippets("https://ship.example", board, false);
  expect(curl).toContain("curl https://ship.example/api/v1/tenants/acme/envs/staging/deployments");
  expect(curl).not.toContain("Authorization");
  expect(cli.replaceAll(/\s*\\\n\s*/g, " ")).toBe(
    "shipboard run --server https://ship.example --tenant acme --env staging --workflow web -- ./deploy.sh",
  );
});

test("where a token is required the command names it, by a variable", () => {
  expect(firstDeploymentSnippets("https://ship.example", board, true).curl).toContain(
    "Authorization: Bearer $SHIPBOARD_TOKEN",
  );
});
