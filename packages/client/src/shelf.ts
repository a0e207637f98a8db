// Keeps the stores of a client, one per scope key, so that a page may ask for the same scope at every render.
// A store that somebody listens to is never dropped.

import { IDLE_SCOPES_LIMIT } from "./hub";
import type { OnUse } from "./store";

/** Where stores of one kind stand. */
export interface Shelf<Store> {
  get(key: string, make: (onUse: OnUse) => Store): Store;
}

/** Keeps stores by key; of those nobody uses, the latest few. */
export function shelf<Store extends { readonly key: string }>(): Shelf<Store> {
  const stores = new Map<string, Store>();
  const idle = new Set<Store>();
  const rest = (store: Store) => {
    idle.delete(store);
    idle.add(store);
    const [oldest] = idle;
    if (idle.size <= IDLE_SCOPES_LIMIT || !oldest) return;
    idle.delete(oldest);
    if (stores.get(oldest.key) === oldest) stores.delete(oldest.key);
  };
  const onUse = (store: Store, inUse: boolean) => {
    if (!inUse) {
      rest(store);
      return;
    }
    idle.delete(store);
    stores.set(store.key, store);
  };
  return {
    get(key, make) {
      const held = stores.get(key);
      if (held) return held;
      const fresh = make((inUse) => onUse(fresh, inUse));
      stores.set(key, fresh);
      rest(fresh);
      return fresh;
    },
  };
}
