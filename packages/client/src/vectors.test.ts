// The shared vectors: the server's board and this reducer, given the same events, hold the same rows. Each
// file under vectors/ is one history; the server's side writes them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { awaitPage, joinPage, reducePaged } from "./app/page";
import { decodeEnvelope, deploymentsPage } from "./protocol/decode";
import { markStale } from "./reduce";
import { type DeploymentsState, emptyDeployments } from "./state";

const folder = join(import.meta.dirname, "../vectors");

type Step =
  | { readonly event: unknown }
  | { readonly page_request: { readonly after: { readonly created_at: string; readonly id: string } } }
  | { readonly page: unknown }
  | { readonly reconnect: true };

interface Vector {
  readonly steps: readonly Step[];
  readonly expected: {
    readonly deployments: readonly string[];
    readonly rows: Readonly<Record<string, unknown>>;
    readonly workflows: readonly string[];
    readonly workflow_rows: Readonly<Record<string, unknown>>;
    readonly counts: unknown;
    readonly has_more: boolean;
    readonly workflows_more?: boolean;
    readonly event_id: number;
  };
}

function play(state: DeploymentsState, step: Step): DeploymentsState {
  if ("reconnect" in step) return markStale(state);
  if ("page_request" in step) {
    const next = awaitPage(state);
    expect(next.awaited?.after).toEqual(step.page_request.after);
    return next;
  }
  if ("page" in step) {
    const page = deploymentsPage(step.page);
    if (!page) throw new Error("the vector's page is no page");
    // Where it is to be fetched again, the vector has the next request as a step.
    return joinPage(state, page).state;
  }
  const decoded = decodeEnvelope(JSON.stringify(step.event));
  if (decoded.is === "malformed") throw new Error(`the vector's event is malformed: ${decoded.why}`);
  return decoded.is === "event" ? reducePaged(state, [decoded.event]) : state;
}

/** Object.fromEntries, of a state's map. */
const entries = <Row>(rows: ReadonlyMap<string, Row>): Record<string, Row> => Object.fromEntries(rows);

describe("the shared vectors", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

  test("are there", () => expect(files).not.toEqual([]));

  test.each(files)("%s comes to the same state here", (file) => {
    const vector: Vector = JSON.parse(readFileSync(join(folder, file), "utf8"));
    const state = vector.steps.reduce(play, emptyDeployments);
    const { expected } = vector;
    expect(state.deployment_ids).toEqual(expected.deployments);
    expect(entries(state.deployments)).toEqual(expected.rows);
    expect(state.workflow_ids).toEqual(expected.workflows);
    expect(entries(state.workflows)).toEqual(expected.workflow_rows);
    expect(state.counts).toEqual(expected.counts);
    expect(state.has_more).toBe(expected.has_more);
    expect(state.event_id).toBe(expected.event_id);
    if (expected.workflows_more !== undefined) expect(state.workflows_more).toBe(expected.workflows_more);
  });
});
