// The shared vectors: the server's board and this reducer, given the same events, hold the same rows. Each
// file under vectors/ is one history; the server's side writes them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { awaitPage, joinPage } from "./page";
import { decodeEnvelope, deploymentsPage } from "./protocol/decode";
import { markStale, reduce } from "./reduce";
import { type DeploymentsState, emptyDeployments } from "./state";

const folder = join(import.meta.dirname, "../vectors");

const record = v.record(v.string(), v.unknown());
const vectorSchema = v.object({
  name: v.string(),
  limit: v.number(),
  steps: v.array(
    v.union([
      v.object({ event: record }),
      v.object({ page_request: v.object({ after: v.object({ created_at: v.string(), id: v.string() }) }) }),
      v.object({
        page: v.object({ items: v.array(record), next: v.nullable(v.string()), event_id: v.number() }),
      }),
      v.object({ reconnect: v.literal(true) }),
    ]),
  ),
  expected: v.object({
    deployments: v.array(v.string()),
    rows: record,
    workflows: v.array(v.string()),
    workflow_rows: record,
    counts: record,
    has_more: v.boolean(),
    workflows_more: v.optional(v.boolean()),
    event_id: v.number(),
  }),
});
type Vector = v.InferOutput<typeof vectorSchema>;

function play(state: DeploymentsState, step: Vector["steps"][number]): DeploymentsState {
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
  return decoded.is === "event" ? reduce(state, decoded.event) : state;
}

/** Object.fromEntries, of a state's map. */
const entries = <Row>(rows: ReadonlyMap<string, Row>): Record<string, Row> => Object.fromEntries(rows);

describe("the shared vectors", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

  test("are there", () => expect(files).not.toEqual([]));

  test.each(files)("%s comes to the same state here", (file) => {
    const vector = v.parse(vectorSchema, JSON.parse(readFileSync(join(folder, file), "utf8")));
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
