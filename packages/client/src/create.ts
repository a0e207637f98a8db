// Puts a client together: what its stores share, and a shelf for each kind of scope.

import type { ClientOptions, LiveClient } from "./client";
import { createClock } from "./clock";
import { browserEnvironment } from "./environment";
import { Hub } from "./hub";
import { deploymentsRules, detailsRules, logRules } from "./rules";
import { scopeKey } from "./scope";
import { shelf } from "./shelf";
import type { DeploymentsState, DetailsState, LogState } from "./state";
import { StreamedScope } from "./store";
import { ownStreams } from "./streams";

/** Makes the client of a page. */
export function createClient(options: ClientOptions = {}): LiveClient {
  const { baseUrl = "", environment = browserEnvironment(), carrier = ownStreams } = options;
  const streams = carrier(environment, baseUrl);
  const hub = new Hub(environment, createClock(environment), streams, baseUrl);
  const boards = shelf<StreamedScope<DeploymentsState>>();
  const details = shelf<StreamedScope<DetailsState>>();
  const logs = shelf<StreamedScope<LogState>>();

  return {
    hub,
    clock: hub.clock,
    deployments(scope) {
      const key = scopeKey(scope);
      return boards.get(key, (onUse) => new StreamedScope(key, hub, deploymentsRules(scope), onUse));
    },
    details(scope) {
      const key = scopeKey(scope);
      return details.get(key, (onUse) => new StreamedScope(key, hub, detailsRules(scope), onUse));
    },
    log(scope) {
      const key = scopeKey(scope);
      return logs.get(key, (onUse) => new StreamedScope(key, hub, logRules(scope), onUse));
    },
    flush: () => hub.flush(),
    retry: () => hub.streams.again(),
    counters: () => ({ ...streams.counters }),
    close: () => hub.close(),
  };
}
