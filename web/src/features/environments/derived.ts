// A value made from others that live outside of React: worked out when it is asked for and one of them is
// another, told once for all who listen. Its sources are listened to only while somebody listens to it.

import { useSyncExternalStore } from "react";

/** What a derived value is made from. */
export interface Source {
  read(): unknown;
  subscribe(listener: () => void): () => void;
}

/** A value with listeners. */
export interface Derived<Value> {
  get(): Value;
  readonly subscribe: (listener: () => void) => () => void;
}

/** The value that `next` makes of its sources and of what it made before. */
export function derive<Value>(
  sources: readonly Source[],
  first: Value,
  next: (before: Value) => Value,
): Derived<Value> {
  let value = first;
  let read: readonly unknown[] | null = null;
  let told = first;
  let stops: (() => void)[] = [];
  const listeners = new Set<() => void>();
  const get = (): Value => {
    const now = sources.map((source) => source.read());
    if (read === null || now.some((one, index) => one !== read?.[index])) {
      read = now;
      value = next(value);
    }
    return value;
  };
  const tell = () => {
    // Several sources may speak of the same moment.
    if (get() === told) return;
    told = value;
    for (const listener of listeners) listener();
  };
  return {
    get,
    subscribe: (listener) => {
      const own = () => listener();
      if (listeners.size === 0) {
        stops = sources.map((source) => source.subscribe(tell));
        told = get();
      }
      listeners.add(own);
      return () => {
        listeners.delete(own);
        if (listeners.size > 0) return;
        for (const stop of stops) stop();
        stops = [];
      };
    },
  };
}

/** A part of a derived value; renders only when the part is another. */
export function useDerived<Value, Part>(held: Derived<Value>, select: (value: Value) => Part): Part {
  const get = () => select(held.get());
  return useSyncExternalStore(held.subscribe, get, get);
}
