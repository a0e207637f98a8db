// A stream for each scope: what a page with one scope needs. Scopes that share a stream are in sharing/.

import { type Carrier, Cursors, type MakeCarrier, type Subscriber } from "./carrier";
import { type Input, linkStatusOf } from "./connection";
import type { Environment } from "./environment";
import type { PauseReason } from "./link";
import { Stream, type StreamCounters } from "./stream";

/** The carrier of a client that was given no other. */
export const ownStreams: MakeCarrier = (environment, baseUrl) => new OwnStreams(environment, baseUrl);

class OwnStreams implements Carrier {
  readonly counters: StreamCounters = { unknown: 0, malformed: 0, connects: 0 };
  readonly #environment: Environment;
  readonly #baseUrl: string;
  readonly #streams = new Map<Subscriber, Stream>();
  readonly #cursors = new Cursors();
  readonly #pauses = new Set<PauseReason>();

  constructor(environment: Environment, baseUrl: string) {
    this.#environment = environment;
    this.#baseUrl = baseUrl;
  }

  want(subscriber: Subscriber): void {
    const { tenant, env } = subscriber;
    const stream = new Stream(
      this.#environment,
      {
        target: () => ({
          url: this.#baseUrl + subscriber.ownUrl(),
          lastEventId: this.#cursors.of(tenant, env) ?? null,
        }),
        ready: () => subscriber.begin(),
        event: (event) => event.tenant_id === tenant && event.env_id === env && subscriber.event(event),
        id: (id) => this.#cursors.saw(tenant, env, id),
        state: (state) => this.#streams.has(subscriber) && subscriber.linked(linkStatusOf(state)),
      },
      this.counters,
    );
    this.#streams.set(subscriber, stream);
    for (const reason of this.#pauses) stream.input({ is: "pause", reason });
    stream.input({ is: "open" });
  }

  unwant(subscriber: Subscriber): void {
    const stream = this.#streams.get(subscriber);
    this.#streams.delete(subscriber);
    stream?.input({ is: "close" });
  }

  lost(subscriber: Subscriber): void {
    this.#streams.get(subscriber)?.input({ is: "lost" });
  }

  again(): void {
    this.#tell((stream) => stream.state.phase !== "live" && { is: "again" });
  }

  pause(reason: PauseReason): void {
    this.#pauses.add(reason);
    this.#tell(() => ({ is: "pause", reason }));
  }

  resume(reason: PauseReason): void {
    this.#pauses.delete(reason);
    this.#tell(() => ({ is: "resume", reason }));
  }

  wake(): void {
    this.#tell((stream) => ({ is: "wake", silentMs: stream.silentMs() }));
  }

  suspect(): void {
    this.#tell(() => ({ is: "lost" }));
  }

  close(): void {
    for (const subscriber of [...this.#streams.keys()]) this.unwant(subscriber);
  }

  #tell(input: (stream: Stream) => Input | false): void {
    for (const stream of this.#streams.values()) {
      const told = input(stream);
      if (told) stream.input(told);
    }
  }
}
