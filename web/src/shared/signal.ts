// A value outside of React that components may listen to: for the few things that belong to the whole page.

import { useSyncExternalStore } from "react";

/** A value, and who is told when it becomes another. */
export interface Signal<Value> {
  get(): Value;
  set(next: Value): void;
  subscribe(listener: () => void): () => void;
}

/** A new signal. */
export function signal<Value>(first: Value): Signal<Value> {
  const listeners = new Set<() => void>();
  let value = first;
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** The signal's value now. */
export const useSignal = <Value>({ get, subscribe }: Signal<Value>): Value =>
  useSyncExternalStore(subscribe, get);
