// The law through the whole client: whatever a connection does to its messages, once it is healed by a
// snapshot the page shows the truth.

import fc from "fast-check";
import { expect, test } from "vitest";
import { SILENCE_MS } from "./connection";
import { createClient } from "./create";
import type { Envelope } from "./protocol/types";
import { STATUSES } from "./protocol/words";
import { deploymentsOf } from "./scope";
import { type Act, ENV, EnvModel, StreamServer, settle, TENANT, World } from "./testing";

const which = fc.nat(20);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ is: fc.constant("create" as const), second: fc.nat(12), workflow: fc.nat(2) }),
  fc.record({ is: fc.constant("status" as const), which, status: fc.constantFrom(...STATUSES) }),
  fc.record({ is: fc.constant("progress" as const), which, percent: fc.nat(100) }),
  fc.record({ is: fc.constant("delete" as const), which }),
);
const fate = fc.constantFrom(
  "send",
  "send",
  "send",
  "twice",
  "cut",
  "end",
  "break",
  "garbage",
  "silence",
  "restore",
);

test("I7 whatever a connection does, once healed the page shows the truth", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(act, fate), { maxLength: 15 }), async (steps) => {
      const world = new World();
      const server = new StreamServer(world);
      const client = createClient({ baseUrl: "https://ship.test", environment: world });
      const model = new EnvModel();
      const store = client.deployments(deploymentsOf(TENANT, ENV));
      store.subscribe("any", () => undefined);
      await settle();
      let greeted = server.last;
      const send = async (event: Envelope) => {
        if (!greeted.closed) await greeted.send(event, `${model.epoch}.${event.event_id}`);
      };
      const heal = async () => {
        // The longest wait is the cap.
        if (server.open.length === 0) await world.advance(21_000);
        if (server.last === greeted) return;
        greeted = server.last;
        await send(model.snapshot(1_000));
      };
      await send(model.snapshot(1_000));
      for (const [one, what] of steps) {
        const events = model.act(one);
        if (what === "send" || what === "twice") for (const event of events) await send(event);
        if (what === "twice") for (const event of events) await send(event);
        if (what === "cut") await greeted.raw('id: e1.999\nevent: deployment.upsert\ndata: {"type":');
        if (what === "garbage") await greeted.raw("data: {]\n\n");
        if (what === "silence") await world.advance(SILENCE_MS);
        if (what === "restore") model.restart(`${model.epoch}+`);
        if (what === "break" || what === "cut") greeted.breakOff();
        if (what === "end" || what === "restore") await greeted.end();
        await settle();
        await heal();
      }
      await world.tick();
      const state = store.get();
      expect(state.deployment_ids.map((id) => state.deployments.get(id))).toEqual(model.rows);
      expect(state.workflow_ids.map((id) => state.workflows.get(id))).toEqual(model.workflows);
      expect(state.event_id).toBe(model.event_id);
      expect(state.stale).toBe(false);
      expect(store.link().state.status).toBe("live");
      client.close();
      expect(world.timers).toBe(0);
    }),
    { numRuns: 60 },
  );
});
