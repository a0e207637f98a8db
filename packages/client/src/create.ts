// Puts the client of a board together: what stores share, and a shelf for them. An app's is app/client.ts.

import type { ClientOptions, LiveClient } from "./client";
import { createClock } from "./clock";
import { browserEnvironment } from "./environment";
import { Hub } from "./hub";
import { deploymentsRules } from "./rules";
import { scopeKey } from "./scope";
import { shelf } from "./shelf";
import type { DeploymentsState } from "./state";
import { StreamedScope } from "./store";
import { ownStreams } from "./streams";

/** Makes the client of a page. */
export function createClient(options: ClientOptions = {}): LiveClient {
  const { baseUrl = "", environment = browserEnvironment(), carrier = ownStreams } = options;
  const streams = carrier(environment, baseUrl);
  const hub = new Hub(environment, createClock(environment), streams, baseUrl);
  const boards = shelf<StreamedScope<DeploymentsState>>();

  return {
    hub,
    clock: hub.clock,
    deployments(scope) {
      const key = scopeKey(scope);
      return boards.get(key, (onUse) => new StreamedScope(key, hub, deploymentsRules(scope), onUse));
    },
    flush: () => hub.flush(),
    retry: () => hub.streams.again(),
    counters: () => ({ ...streams.counters }),
    close: () => hub.close(),
  };
}
