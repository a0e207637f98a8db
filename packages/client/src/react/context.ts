// How hooks find their client. The context carries the client itself, which never changes, and nothing of
// its state: a value that ticks here would render every row at every event.

import { createContext, createElement, type ReactNode, useContext } from "react";
import type { ShipboardClient } from "../app/client";

const ClientContext = createContext<ShipboardClient | null>(null);

/** Gives the hooks below it their client. */
export function ShipboardProvider({
  client,
  children,
}: {
  client: ShipboardClient;
  children?: ReactNode;
}): ReactNode {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest provider. */
export function useClient(): ShipboardClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient: there is no ShipboardProvider above");
  return client;
}
