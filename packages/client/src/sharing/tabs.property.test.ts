// The law across tabs: whatever becomes of streams and tabs, leaders killed and frozen, followers that come and
// go, streams of one env that are not at the same event, every tab that is left shows the truth in the end.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createClient, type ShipboardClient } from "../app";
import type { ScopeStore } from "../client";
import type { Deployment, Envelope } from "../protocol/types";
import { STATUSES } from "../protocol/words";
import { deploymentsOf, detailsOf } from "../scope";
import type { DeploymentsState, DetailsState } from "../state";
import {
  type Act,
  detailsSnapshot,
  ENV,
  EnvModel,
  idOf,
  problem,
  type Request,
  type ServerStream,
  StreamServer,
  settle,
  TENANT,
  TestTabs,
  World,
} from "../testing";
import { concerns } from "./route";
import { acrossTabs } from "./tabs";

const noop = () => undefined;
const WATCHED = idOf(1);

/** A server that keeps the contract: nothing is missing on a stream, but streams break and fall behind. */
class HonestServer {
  readonly model = new EnvModel();
  readonly #server: StreamServer;
  /** What each stream has still to say. */
  readonly #behind = new Map<ServerStream, Envelope[]>();
  readonly #late = new Set<ServerStream>();

  constructor(world: World) {
    this.#server = new StreamServer(world);
    this.#server.rule((request) =>
      this.#scopes(request).some((scope) => scope !== ENV) && !this.#row() ? problem(404) : null,
    );
  }

  get open(): readonly ServerStream[] {
    return this.#server.open;
  }

  at(which: number): ServerStream | undefined {
    return this.open[which % Math.max(1, this.open.length)];
  }

  /** Greets who is new, and tells everybody what happened. */
  async tell(events: readonly Envelope[]): Promise<void> {
    await this.greet();
    for (const [stream, behind] of this.#behind) behind.push(...this.#of(stream, events));
    await this.#send();
  }

  async greet(): Promise<void> {
    await settle();
    for (const stream of this.open) {
      if (this.#behind.has(stream)) continue;
      this.#behind.set(
        stream,
        this.#scopes(stream.request).flatMap((scope): Envelope[] => {
          const row = this.#row();
          if (scope === ENV) return [this.model.snapshot(1_000)];
          return row ? [detailsSnapshot(this.model.event_id, row, { epoch: this.model.epoch })] : [];
        }),
      );
    }
    await this.#send();
  }

  /** A stream falls behind, or catches up. */
  async lag(which: number): Promise<void> {
    const stream = this.at(which);
    if (stream && !this.#late.delete(stream)) this.#late.add(stream);
    await this.#send();
  }

  async heal(): Promise<void> {
    this.#late.clear();
    await this.#send();
  }

  async restore(): Promise<void> {
    this.model.restart(`${this.model.epoch}+`);
    for (const stream of this.open) await stream.end();
  }

  async #send(): Promise<void> {
    for (const [stream, behind] of this.#behind) {
      if (this.#late.has(stream)) continue;
      const multiplexed = stream.request.url.includes("?s=");
      for (const event of behind.splice(0)) {
        const id = `${this.model.epoch}.${event.event_id}`;
        await stream.send(event, multiplexed ? `${ENV}=${id}` : id);
      }
    }
  }

  #of(stream: ServerStream, events: readonly Envelope[]): Envelope[] {
    const scopes = this.#scopes(stream.request);
    return events.filter((event) => scopes.some((scope) => concerns(scope, event)));
  }

  #scopes({ url }: Request): string[] {
    const { pathname, searchParams } = new URL(url);
    const shared = searchParams.getAll("s");
    if (shared.length > 0) return shared;
    return [pathname.includes("/deployments/") ? `${ENV}/d/${WATCHED}` : ENV];
  }

  #row() {
    return this.model.rows.find(({ id }) => id === WATCHED);
  }
}

interface Tab {
  readonly name: string;
  readonly client: ShipboardClient;
  readonly board: ScopeStore<DeploymentsState>;
  readonly details: ScopeStore<DetailsState>;
  stopDetails: (() => void) | null;
}

const rowsOf = (state: DeploymentsState) => state.deployment_ids.map((id) => state.deployments.get(id));

const which = fc.nat(20);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ is: fc.constant("create" as const), second: fc.nat(12), workflow: fc.nat(2) }),
  fc.record({ is: fc.constant("status" as const), which, status: fc.constantFrom(...STATUSES) }),
  fc.record({ is: fc.constant("progress" as const), which, percent: fc.nat(100) }),
  fc.record({ is: fc.constant("delete" as const), which }),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant("act" as const), act }) },
  {
    weight: 7,
    arbitrary: fc.record({
      is: fc.constantFrom(
        ...(["open", "close", "kill", "freeze", "thaw", "visit", "visit", "lag", "lag"] as const),
        ...(["break", "end", "wait", "long wait", "restore"] as const),
      ),
      which,
    }),
  },
);

test("I8 whatever becomes of tabs and streams, every tab that is left shows the truth", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const world = new World();
      const server = new HonestServer(world);
      const tabs = new TestTabs();
      const all: Tab[] = [];
      const frozen = new Set<string>();
      const history = new Map<string, readonly Deployment[]>();
      // Whatever a tab shows as live is the truth of some moment, never a mixture of two.
      const check = async () => {
        const { epoch, event_id, rows } = server.model;
        history.set(`${epoch}.${event_id}`, rows);
        await world.tick();
        for (const { board } of all) {
          const state = board.get();
          const truth = history.get(`${state.epoch}.${state.event_id}`);
          if (!state.stale && truth) expect(rowsOf(state)).toEqual(truth);
        }
      };
      const expectTruth = (tab: Tab) => {
        const state = tab.board.get();
        expect(rowsOf(state)).toEqual(server.model.rows);
        expect(state.workflow_ids.map((id) => state.workflows.get(id))).toEqual(server.model.workflows);
        expect(state).toMatchObject({ stale: false, event_id: server.model.event_id });
        expect(tab.board.link().state.status).toBe("live");
      };
      const open = () => {
        const browser = tabs.open();
        const carrier = acrossTabs(browser, "build 1");
        const client = createClient({ baseUrl: "https://ship.test", environment: world, carrier });
        const board = client.deployments(deploymentsOf(TENANT, ENV));
        board.subscribe("any", noop);
        const details = client.details(detailsOf(TENANT, ENV, WATCHED));
        all.push({ name: browser.tab, client, board, details, stopDetails: null });
      };
      const pass = async (ms: number) => {
        for (let waited = 0; waited < ms; waited += 1_000) {
          for (const stream of server.open) await stream.raw(": heartbeat\n\n");
          await world.advance(1_000);
          await server.greet();
        }
      };
      server.model.act({ is: "create", second: 1, workflow: 0 });
      for (const _ of [1, 2, 3]) open();
      await server.greet();
      for (const one of steps) {
        if (one.is === "act") {
          await server.tell(server.model.act(one.act));
          await check();
          continue;
        }
        const at = one.which % Math.max(1, all.length);
        const tab = all[at];
        if (one.is === "open" && all.length < 6) open();
        if (tab && (one.is === "close" || one.is === "kill")) {
          if (one.is === "kill") tabs.kill(tab.name);
          tab.client.close();
          all.splice(at, 1);
        }
        if (tab && one.is === "freeze") {
          tabs.freeze(tab.name);
          frozen.add(tab.name);
        }
        if (tab && one.is === "thaw") {
          tabs.thaw(tab.name);
          frozen.delete(tab.name);
        }
        if (tab && one.is === "visit") {
          if (tab.stopDetails) tab.stopDetails();
          tab.stopDetails = tab.stopDetails ? null : tab.details.subscribe("any", noop);
        }
        if (one.is === "lag") await server.lag(one.which);
        if (one.is === "break") server.at(one.which)?.breakOff();
        if (one.is === "end") await server.at(one.which)?.end();
        if (one.is === "restore") await server.restore();
        if (one.is === "wait") await pass(1_000);
        if (one.is === "long wait") await pass(12_000);
        await server.greet();
        await check();
      }
      await server.heal();
      await pass(40_000);
      await world.tick();
      // Those that are awake do not depend on those that are not.
      for (const tab of all) if (!frozen.has(tab.name)) expectTruth(tab);
      for (const { name } of all) tabs.thaw(name);
      await pass(40_000);
      await world.tick();
      for (const tab of all) {
        expectTruth(tab);
        const { details, stopDetails } = tab;
        const row = server.model.rows.find(({ id }) => id === WATCHED);
        if (stopDetails && row) expect(details.get()).toMatchObject({ stale: false, deployment: row });
        // It was told of the deletion, or was away and is told that there is no such deployment.
        const gone = details.get().deleted || details.link().state.status === "stopped";
        if (stopDetails && !row) expect(gone).toBe(true);
      }
      expect(server.open.length).toBeLessThanOrEqual(all.length === 0 ? 0 : 1);
      for (const { client } of all) client.close();
      await settle();
      expect(server.open).toHaveLength(0);
      expect(world.timers).toBe(0);
    }),
    { numRuns: 150 },
  );
}, 95_000);
